//! A UDP server that answers with its own name, from the address that was asked.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::libc::in_pktinfo;
use nix::sys::socket::sockopt::Ipv4PacketInfo;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
};

use super::background::Background;
use super::namespace::Namespace;

const LONGEST_REQUEST: usize = 65_535;

/// A server on every IPv4 address of a namespace; dropping it ends it.
#[derive(Debug)]
pub struct UdpServer {
    _thread: Background,
}

impl UdpServer {
    /// Answers every datagram to `port` with `name`. The port is bound when this returns.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(namespace: &Namespace, port: u16, name: &str) -> Result<Self> {
        let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port));
        let socket = namespace
            .enter(bind)?
            .with_context(|| format!("bind UDP port {port} in namespace {}", namespace.name()))?;
        setsockopt(&socket, Ipv4PacketInfo, &true).context("ask for the addresses of datagrams")?;
        let name = name.to_owned();
        let thread = Background::serve("UDP server", socket, move |socket| answer(socket, &name))?;
        Ok(Self { _thread: thread })
    }
}

/// Answers one datagram. One that can't be answered is left to the client's own deadline.
fn answer(socket: &UdpSocket, name: &str) {
    if let Some((client, asked)) = receive(socket) {
        // `ipi_spec_dst` of a message that is sent is the source address; the interface is the route's.
        let from = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: asked.ipi_addr, ..asked };
        let source = [ControlMessage::Ipv4PacketInfo(&from)];
        let _ = sendmsg(
            socket.as_raw_fd(),
            &[IoSlice::new(name.as_bytes())],
            &source,
            MsgFlags::empty(),
            Some(&client),
        );
    }
}

fn receive(socket: &UdpSocket) -> Option<(SockaddrIn, in_pktinfo)> {
    let mut bytes = vec![0; LONGEST_REQUEST];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut control = nix::cmsg_space!(in_pktinfo);
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
    let asked = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(info),
        _ => None,
    });
    Some((message.address?, asked?))
}
