//! XDP programs of two instructions, which do the same with every frame.
//!
//! A frame that a program sends out of a veth interface by `XDP_TX` or a redirect arrives only if the other end
//! receives by NAPI, and it does so while it has a program itself. So the lab puts one that passes everything on
//! each of the bridge's ends. There is no object file to load here; the two instructions are given to bpf(2) as
//! they are. They are attached by rtnetlink and not by a BPF link, since such a program needs no process that
//! holds it: it stays for as long as the interface does, also in a lab that is kept.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::{io, mem};

use anyhow::{Context, Result, bail};
use aya_obj::generated::{
    BPF_F_XDP_HAS_FRAGS, XDP_FLAGS_DRV_MODE, bpf_attr, bpf_cmd, bpf_insn, bpf_prog_type,
};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::net::if_::if_nametoindex;

use super::namespace::Namespace;

const MOVE_IMMEDIATE_TO_REGISTER: u8 = 0xb7;
const EXIT: u8 = 0x95;
const NO_PROGRAM: RawFd = -1;

/// What an XDP program says about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum XdpAction {
    /// The frame goes no further.
    Drop = 1,
    /// The frame goes on to the kernel.
    Pass = 2,
    /// The frame goes out of the interface that it came in by.
    Send = 3,
}

/// Lets a program in driver mode do `action` with every frame that comes in by `interface`.
///
/// # Errors
/// When the program or the interface is refused, such as one without XDP in its driver.
pub fn attach(namespace: &Namespace, interface: &str, action: XdpAction) -> Result<()> {
    let program = load(action).with_context(|| format!("load an XDP program that does {action:?}"))?;
    set(namespace, interface, program.as_raw_fd())
        .with_context(|| format!("attach an XDP program to {interface} in namespace {}", namespace.name()))
}

/// Takes away what [`attach`] put on the interface.
///
/// # Errors
/// When the interface does not exist.
pub fn detach(namespace: &Namespace, interface: &str) -> Result<()> {
    set(namespace, interface, NO_PROGRAM)
        .with_context(|| format!("detach the XDP program of {interface} in namespace {}", namespace.name()))
}

fn load(action: XdpAction) -> io::Result<OwnedFd> {
    let instructions = [instruction(MOVE_IMMEDIATE_TO_REGISTER, action as i32), instruction(EXIT, 0)];
    // SAFETY: every member of the union consists of numbers and byte arrays, for which zeroes are a value.
    let mut attributes: bpf_attr = unsafe { mem::zeroed() };
    // SAFETY: as above; all zeroes is a value of this member, too.
    let program = unsafe { &mut attributes.__bindgen_anon_3 };
    program.prog_type = bpf_prog_type::BPF_PROG_TYPE_XDP as u32;
    program.prog_flags = BPF_F_XDP_HAS_FRAGS;
    program.insns = instructions.as_ptr() as u64;
    program.insn_cnt = instructions.len() as u32;
    program.license = c"Dual MIT/GPL".as_ptr() as u64;
    // SAFETY: BPF_PROG_LOAD reads the attributes, the instructions and the licence, which all outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            bpf_cmd::BPF_PROG_LOAD as u32,
            &raw const attributes,
            size_of::<bpf_attr>(),
        )
    };
    let descriptor = RawFd::try_from(result).ok().filter(|descriptor| *descriptor >= 0);
    let descriptor = descriptor.ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just made this descriptor for us; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// An instruction on register 0.
fn instruction(code: u8, immediate: i32) -> bpf_insn {
    let registers = bpf_insn::new_bitfield_1(0, 0);
    bpf_insn { code, _bitfield_align_1: [], _bitfield_1: registers, off: 0, imm: immediate }
}

fn set(namespace: &Namespace, interface: &str, program: RawFd) -> Result<()> {
    namespace.enter(|| {
        let mut link = LinkMessage::default();
        link.header.index = if_nametoindex(interface).context("find the interface")?;
        let xdp = vec![LinkXdp::Fd(program), LinkXdp::Flags(XDP_FLAGS_DRV_MODE)];
        link.attributes.push(LinkAttribute::Xdp(xdp));
        request(RouteNetlinkMessage::SetLink(link))
    })?
}

/// Sends one request and waits until the kernel has done it.
fn request(message: RouteNetlinkMessage) -> Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let mut socket = Socket::new(NETLINK_ROUTE).context("open a netlink socket")?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&bytes, 0).context("send to netlink")?;
    let (answer, _) = socket.recv_from_full().context("receive from netlink")?;
    acknowledged(&answer)
}

fn acknowledged(answer: &[u8]) -> Result<()> {
    NetlinkBuffer::new_checked(answer).context("an answer of netlink that is cut short")?;
    match NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer)?.payload {
        NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
        NetlinkPayload::Error(error) => Err(error.to_io().into()),
        other => bail!("netlink answered {other:?} instead of an acknowledgement"),
    }
}
