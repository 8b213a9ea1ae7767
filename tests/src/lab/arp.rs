//! Who answers ARP for an address.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, PacketBuilder};
use macaddr::MacAddr6;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::frame::Frame;
use super::namespace::Namespace;
use super::packet_socket::PacketSocket;

/// How long answers are collected. That no one *else* answers can only be told by waiting.
const WINDOW: Duration = Duration::from_millis(300);
const BROADCAST: [u8; 6] = [0xff; 6];

/// Asks from `interface` who has `ip`, and returns every MAC address that says so within 300 milliseconds, in order.
///
/// # Errors
/// When the interface does not exist or has no IPv4 address.
pub fn arp_answers(namespace: &Namespace, interface: &str, ip: Ipv4Addr) -> Result<Vec<MacAddr6>> {
    let (mac, own) = own_addresses(namespace, interface)?;
    let socket = PacketSocket::open(namespace, interface)?;
    socket.send(&request(mac, own, ip)?)?;
    let mut answers = BTreeSet::new();
    let until = Instant::now() + WINDOW;
    while wait_readable(&socket, until)? {
        answers.extend(socket.receive().and_then(|frame| answer(&frame, ip)));
    }
    Ok(answers.into_iter().collect())
}

fn own_addresses(namespace: &Namespace, interface: &str) -> Result<(MacAddr6, Ipv4Addr)> {
    let addresses = || -> Result<Vec<InterfaceAddress>> {
        Ok(getifaddrs()?.filter(|address| address.interface_name == interface).collect())
    };
    let addresses = namespace.enter(addresses)??;
    let storage = || addresses.iter().filter_map(|address| address.address);
    let mac = storage().find_map(|address| address.as_link_addr()?.addr());
    let ip = storage().find_map(|address| Some(address.as_sockaddr_in()?.ip()));
    let missing = || format!("{interface} in namespace {} has no MAC or IPv4 address", namespace.name());
    Ok((mac.with_context(missing)?.into(), ip.with_context(missing)?))
}

fn request(mac: MacAddr6, own: Ipv4Addr, ip: Ipv4Addr) -> Result<Vec<u8>> {
    let arp = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: mac.into_array(),
        sender_ipv4: own.octets(),
        target_mac: [0; 6],
        target_ipv4: ip.octets(),
    };
    let packet = PacketBuilder::ethernet2(mac.into_array(), BROADCAST).arp(ArpPacket::from(arp));
    let mut bytes = Vec::with_capacity(packet.size());
    packet.write(&mut bytes).context("write an ARP request")?;
    Ok(bytes)
}

fn answer(frame: &Frame, ip: Ipv4Addr) -> Option<MacAddr6> {
    let arp = frame.arp()?;
    let about_it = arp.operation == ArpOperation::REPLY && arp.sender_ipv4_addr() == ip;
    about_it.then(|| arp.sender_mac.into())
}

/// Waits for a frame; false when the time is over.
fn wait_readable(socket: &PacketSocket, until: Instant) -> Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(false);
    }
    let timeout = PollTimeout::try_from(left).context("wait for an ARP answer")?;
    let mut awaited = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut awaited, timeout)? > 0)
}
