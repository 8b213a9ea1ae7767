//! Gratuitous ARP: tells the network which MAC address a VIP has now.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use etherparse::{ArpEthIpv4Packet, ArpOperation, PacketBuilder};
use macaddr::MacAddr6;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, sendto, socket};
use tokio::time::sleep;

/// Neighbours may lose one; a switch port may not forward yet (`arping -c 3` sends at the same pace).
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(1)];

/// Sends both forms of gratuitous ARP a few times.
pub(super) async fn announce(vip: Ipv4Addr, interface_index: u32, mac: MacAddr6) {
    for pause in PAUSES {
        sleep(pause).await;
        if let Err(error) = send_both(vip, interface_index, mac) {
            tracing::warn!(%vip, interface_index, %error, "sending gratuitous ARP failed");
        }
    }
}

/// Some neighbours heed only requests, some only replies.
fn send_both(vip: Ipv4Addr, interface_index: u32, mac: MacAddr6) -> io::Result<()> {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)?;
    let to = link_address(interface_index)?;
    for operation in [ArpOperation::REQUEST, ArpOperation::REPLY] {
        send(&socket, &frame(operation, vip, mac)?, &to)?;
    }
    Ok(())
}

fn send(socket: &OwnedFd, frame: &[u8], to: &LinkAddr) -> io::Result<()> {
    sendto(socket.as_raw_fd(), frame, to, MsgFlags::empty())?;
    Ok(())
}

/// The frame that `arping -U` (request) or `arping -A` (reply) sends.
fn frame(operation: ArpOperation, vip: Ipv4Addr, mac: MacAddr6) -> io::Result<Vec<u8>> {
    let target = if operation == ArpOperation::REPLY { mac } else { MacAddr6::broadcast() };
    let packet = ArpEthIpv4Packet {
        operation,
        sender_mac: mac.into_array(),
        sender_ipv4: vip.octets(),
        target_mac: target.into_array(),
        target_ipv4: vip.octets(),
    };
    let builder = PacketBuilder::ethernet2(mac.into_array(), MacAddr6::broadcast().into_array())
        .arp(packet.to_arp_packet());
    let mut frame = Vec::with_capacity(builder.size());
    builder.write(&mut frame).map_err(io::Error::other)?;
    Ok(frame)
}

fn link_address(interface_index: u32) -> io::Result<LinkAddr> {
    let not_an_index = || io::Error::other(format!("{interface_index} is not an interface index"));
    let link = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: 0,
        sll_ifindex: i32::try_from(interface_index).map_err(|_| not_an_index())?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&link)).map_err(io::Error::other)?;
    // SAFETY: the pointer is to an initialised `sockaddr_ll` of this length, which is only read during the call.
    let address = unsafe { LinkAddr::from_raw((&raw const link).cast(), Some(length)) };
    address.ok_or_else(not_an_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(172, 30, 100, 1);
    const MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 1);

    /// Recorded by tcpdump from iputils-arping 20221126: `arping -U -c 1` and `arping -A -c 1`.
    #[test]
    fn both_forms_are_those_of_arping() {
        let head = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4];
        let sender = [2, 0, 0, 0, 0, 1, 172, 30, 100, 1];
        let asked = [&head[..], &[0, 1], &sender, &[0xff; 6], &[172, 30, 100, 1]].concat();
        let told = [&head[..], &[0, 2], &sender, &sender].concat();
        assert_eq!(frame(ArpOperation::REQUEST, VIP, MAC).unwrap(), asked);
        assert_eq!(frame(ArpOperation::REPLY, VIP, MAC).unwrap(), told);
    }

    #[test]
    fn the_link_address_names_the_interface() {
        assert_eq!(link_address(7).unwrap().ifindex(), 7);
        assert!(link_address(u32::MAX).unwrap_err().to_string().contains("4294967295"));
    }
}
