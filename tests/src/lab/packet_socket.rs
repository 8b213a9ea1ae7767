//! Frames of one interface, in both directions, through an AF_PACKET socket.

use std::io::{self, IoSliceMut};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockType, recvmsg, send, setsockopt,
    socket,
};

use super::frame::{Direction, Frame};
use super::namespace::Namespace;

const LONGEST_FRAME: usize = 1 << 16;
const QUEUE: usize = 16 << 20;

/// From linux/if_packet.h: the socket option, the length of its `struct tpacket_auxdata`, and the flag in its status
/// that says that the kernel has taken a VLAN tag off the frame.
const PACKET_AUXDATA: libc::c_int = 8;
const AUXDATA_LENGTH: usize = 20;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;

const END_OF_MACS: usize = 12;

/// Sends one frame out of an interface, byte for byte.
///
/// # Errors
/// When there is no such interface, or the frame is shorter than an Ethernet header or longer than the MTU allows.
pub fn send_frame(namespace: &Namespace, interface: &str, frame: &[u8]) -> Result<()> {
    PacketSocket::open(namespace, interface)?.send(frame)
}

/// The socket.
#[derive(Debug)]
pub(super) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// From the moment that this returns, no frame is missed.
    pub(super) fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        namespace
            .enter(|| Self::open_here(interface))?
            .with_context(|| format!("open a packet socket on {interface} in namespace {}", namespace.name()))
    }

    fn open_here(interface: &str) -> Result<Self> {
        let index = if_nametoindex(interface).context("find the interface")?;
        // Without a protocol until it is bound: frames of other interfaces must not come in.
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, RcvBufForce, &QUEUE).context("enlarge the queue")?;
        setsockopt(&socket, ReceiveTimestampns, &true).context("ask for timestamps")?;
        ask_for_vlan_tags(&socket).context("ask for VLAN tags")?;
        bind(&socket, index).context("bind")?;
        Ok(Self(socket))
    }

    /// Sends a whole frame.
    pub(super) fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.0.as_raw_fd(), frame, MsgFlags::empty()).context("send a frame")?;
        Ok(())
    }

    /// The next frame, if there is one now.
    pub(super) fn receive(&self) -> Option<Frame> {
        let mut bytes = vec![0; LONGEST_FRAME];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let mut control = nix::cmsg_space!(libc::timespec, [u8; AUXDATA_LENGTH]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<LinkAddr>(self.0.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
        let outgoing = message.address?.pkttype() == libc::PACKET_OUTGOING;
        let direction = if outgoing { Direction::Out } else { Direction::In };
        let (mut time, mut tag) = (SystemTime::now(), None);
        for control in message.cmsgs().ok()? {
            match control {
                ControlMessageOwned::ScmTimestampns(stamp) => {
                    time = SystemTime::UNIX_EPOCH + Duration::from(stamp);
                }
                ControlMessageOwned::Unknown(data) => tag = vlan_tag(&data.data_bytes),
                _ => {}
            }
        }
        let length = message.bytes;
        bytes.truncate(length);
        if let Some(tag) = tag.filter(|_| length >= END_OF_MACS) {
            bytes.splice(END_OF_MACS..END_OF_MACS, tag);
        }
        Some(Frame { bytes, time, direction })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The tag that the kernel took off, as it was on the wire. `struct tpacket_auxdata` has the status in its first four
/// bytes, and in its last four the tag and the tag's EtherType.
fn vlan_tag(auxdata: &[u8]) -> Option<[u8; 4]> {
    let status = u32::from_ne_bytes(*auxdata.first_chunk()?);
    let [.., tag_0, tag_1, type_0, type_1] = *auxdata else { return None };
    let [tag_0, tag_1] = u16::from_ne_bytes([tag_0, tag_1]).to_be_bytes();
    let [type_0, type_1] = u16::from_ne_bytes([type_0, type_1]).to_be_bytes();
    (status & TP_STATUS_VLAN_VALID != 0).then_some([type_0, type_1, tag_0, tag_1])
}

fn ask_for_vlan_tags(socket: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from `on`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, PACKET_AUXDATA, (&raw const on).cast(), length)
    };
    succeeded(result)
}

fn bind(socket: &OwnedFd, interface: u32) -> io::Result<()> {
    // SAFETY: the structure consists of numbers and bytes, for which zeroes are a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = interface.cast_signed();
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from `address`, which outlives the call.
    succeeded(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auxdata(status: u32, tag: u16, ether_type: u16) -> Vec<u8> {
        let mut bytes = vec![0; AUXDATA_LENGTH];
        bytes[..4].copy_from_slice(&status.to_ne_bytes());
        bytes[16..18].copy_from_slice(&tag.to_ne_bytes());
        bytes[18..].copy_from_slice(&ether_type.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_tag_is_put_back_in_network_order() {
        let tag = vlan_tag(&auxdata(TP_STATUS_VLAN_VALID, 0x0064, 0x8100));
        assert_eq!(tag, Some([0x81, 0x00, 0x00, 0x64]));
    }

    #[test]
    fn an_untagged_frame_gets_none() {
        assert_eq!(vlan_tag(&auxdata(1, 0x0064, 0x8100)), None);
        assert_eq!(vlan_tag(&[]), None);
    }
}
