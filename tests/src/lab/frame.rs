//! One frame, as it was on the wire.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use etherparse::{ArpEthIpv4Packet, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice, UdpSlice};
use macaddr::MacAddr6;

/// Which way a frame passed the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the network to the host.
    In,
    /// From the host to the network.
    Out,
}

/// A frame with its Ethernet header and, if it has one, its VLAN tag; without the frame check sequence.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// When the kernel had it.
    pub time: SystemTime,
    /// Which way it went.
    pub direction: Direction,
}

impl Frame {
    /// The destination MAC address.
    #[must_use]
    pub fn destination_mac(&self) -> Option<MacAddr6> {
        self.mac_at(0)
    }

    /// The source MAC address.
    #[must_use]
    pub fn source_mac(&self) -> Option<MacAddr6> {
        self.mac_at(6)
    }

    /// Everything that etherparse finds in it.
    #[must_use]
    pub fn parsed(&self) -> Option<LaxSlicedPacket<'_>> {
        LaxSlicedPacket::from_ethernet(&self.bytes).ok()
    }

    /// The source address of an IPv4 or IPv6 packet.
    #[must_use]
    pub fn source_ip(&self) -> Option<IpAddr> {
        match self.parsed()?.net? {
            LaxNetSlice::Ipv4(ip) => Some(ip.header().source_addr().into()),
            LaxNetSlice::Ipv6(ip) => Some(ip.header().source_addr().into()),
            LaxNetSlice::Arp(_) => None,
        }
    }

    /// The destination address of an IPv4 or IPv6 packet.
    #[must_use]
    pub fn destination_ip(&self) -> Option<IpAddr> {
        match self.parsed()?.net? {
            LaxNetSlice::Ipv4(ip) => Some(ip.header().destination_addr().into()),
            LaxNetSlice::Ipv6(ip) => Some(ip.header().destination_addr().into()),
            LaxNetSlice::Arp(_) => None,
        }
    }

    /// The TTL of an IPv4 packet or the hop limit of an IPv6 packet.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        match self.parsed()?.net? {
            LaxNetSlice::Ipv4(ip) => Some(ip.header().ttl()),
            LaxNetSlice::Ipv6(ip) => Some(ip.header().hop_limit()),
            LaxNetSlice::Arp(_) => None,
        }
    }

    /// The TCP header and payload; its methods name the flags.
    #[must_use]
    pub fn tcp(&self) -> Option<TcpSlice<'_>> {
        match self.parsed()?.transport? {
            TransportSlice::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// The UDP header and payload.
    #[must_use]
    pub fn udp(&self) -> Option<UdpSlice<'_>> {
        match self.parsed()?.transport? {
            TransportSlice::Udp(udp) => Some(udp),
            _ => None,
        }
    }

    /// Whether it is an ICMP packet, for IPv4.
    #[must_use]
    pub fn is_icmp(&self) -> bool {
        let transport = self.parsed().and_then(|packet| packet.transport);
        matches!(transport, Some(TransportSlice::Icmpv4(_)))
    }

    /// The source and destination port of TCP or UDP.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self.parsed()?.transport? {
            TransportSlice::Tcp(tcp) => Some((tcp.source_port(), tcp.destination_port())),
            TransportSlice::Udp(udp) => Some((udp.source_port(), udp.destination_port())),
            _ => None,
        }
    }

    /// The ARP packet, for IPv4 over Ethernet.
    #[must_use]
    pub fn arp(&self) -> Option<ArpEthIpv4Packet> {
        match self.parsed()?.net? {
            LaxNetSlice::Arp(arp) => arp.to_packet().try_eth_ipv4().ok(),
            LaxNetSlice::Ipv4(_) | LaxNetSlice::Ipv6(_) => None,
        }
    }

    fn mac_at(&self, offset: usize) -> Option<MacAddr6> {
        let bytes: [u8; 6] = self.bytes.get(offset..offset + 6)?.try_into().ok()?;
        Some(bytes.into())
    }
}

/// One line, for messages of failures.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = |mac: Option<MacAddr6>| mac.map_or_else(|| "?".to_owned(), |mac| mac.to_string());
        write!(f, "{:?} {} > {}", self.direction, mac(self.source_mac()), mac(self.destination_mac()))?;
        if let Some(arp) = self.arp() {
            let (sender, target) = (arp.sender_ipv4_addr(), arp.target_ipv4_addr());
            return write!(f, " ARP {:?} from {sender} about {target}", arp.operation);
        }
        if let (Some(source), Some(destination), Some(ttl)) =
            (self.source_ip(), self.destination_ip(), self.ttl())
        {
            write!(f, " {source} > {destination} TTL {ttl}")?;
        }
        match self.ports() {
            Some((source, destination)) => write!(f, " port {source} > {destination}"),
            None => write!(f, " {} bytes", self.bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use etherparse::{ArpOperation, ArpPacket, PacketBuilder};

    use super::*;

    const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
    const DIRECTOR: [u8; 6] = [2, 0, 0, 0, 0, 0xd1];

    fn frame(bytes: Vec<u8>) -> Frame {
        Frame { bytes, time: SystemTime::UNIX_EPOCH, direction: Direction::In }
    }

    fn syn() -> Frame {
        let packet = PacketBuilder::ethernet2(CLIENT, DIRECTOR)
            .ipv4([172, 30, 100, 200], [172, 30, 100, 1], 63)
            .tcp(40_000, 80, 1, 1024)
            .syn();
        let mut bytes = Vec::new();
        packet.write(&mut bytes, b"").unwrap();
        frame(bytes)
    }

    #[test]
    fn a_tcp_frame_is_read() {
        let frame = syn();
        assert_eq!(frame.source_mac(), Some(CLIENT.into()));
        assert_eq!(frame.destination_mac(), Some(DIRECTOR.into()));
        assert_eq!(frame.source_ip(), Some(Ipv4Addr::new(172, 30, 100, 200).into()));
        assert_eq!(frame.destination_ip(), Some(Ipv4Addr::new(172, 30, 100, 1).into()));
        assert_eq!((frame.ttl(), frame.ports()), (Some(63), Some((40_000, 80))));
        assert!(frame.tcp().is_some_and(|tcp| tcp.syn() && !tcp.ack()));
        assert_eq!(
            frame.to_string(),
            "In 02:00:00:00:00:C1 > 02:00:00:00:00:D1 172.30.100.200 > 172.30.100.1 TTL 63 port 40000 > 80"
        );
    }

    #[test]
    fn an_arp_frame_is_read() {
        let arp = ArpEthIpv4Packet {
            operation: ArpOperation::REQUEST,
            sender_mac: CLIENT,
            sender_ipv4: [172, 30, 100, 200],
            target_mac: [0; 6],
            target_ipv4: [172, 30, 100, 1],
        };
        let mut bytes = Vec::new();
        PacketBuilder::ethernet2(CLIENT, [0xff; 6])
            .arp(ArpPacket::from(arp.clone()))
            .write(&mut bytes)
            .unwrap();
        let frame = frame(bytes);
        assert_eq!(frame.arp(), Some(arp));
        assert_eq!((frame.source_ip(), frame.ports()), (None, None));
    }

    #[test]
    fn a_short_frame_has_nothing_to_read() {
        let frame = frame(vec![0; 5]);
        assert_eq!((frame.source_mac(), frame.source_ip(), frame.arp()), (None, None, None));
    }
}
