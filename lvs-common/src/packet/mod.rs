//! A frame as one small description.

mod bytes;
mod ethernet;
mod ipv4;
#[cfg(test)]
mod tests;
mod transport;

pub use bytes::{Bytes, field};
pub use ethernet::{ETHERNET_LENGTH, addressed_to};
pub(crate) use transport::{FIN, RST, SYN};

use crate::abi::{ServiceKey, VipKey};
use crate::verdict::Reason;

/// IANA protocol number of TCP.
pub const TCP: u8 = network_types::ip::IpProto::Tcp as u8;
/// IANA protocol number of UDP.
pub const UDP: u8 = network_types::ip::IpProto::Udp as u8;

/// What a decision needs to know of a packet. Addresses and ports are as they stand in the packet: network order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// IANA protocol number: TCP or UDP.
    pub protocol: u8,
    /// TCP's flags (RFC 9293, section 3.1); 0 for UDP.
    pub tcp_flags: u8,
    /// Time to live.
    pub ttl: u8,
    /// Offset of the IP header in the frame.
    pub network: usize,
    /// The IP header's total length in bytes.
    pub length: u16,
}

/// Describes the TCP or UDP packet in a frame, or says why it can't be steered.
///
/// # Errors
/// The reason for leaving the frame to the kernel.
#[inline(always)]
pub fn parse<B: Bytes + ?Sized>(frame: &B) -> Result<Packet, Reason> {
    match ethernet::ethertype(frame)? {
        ethernet::IPV4 => ipv4::parse(frame, ETHERNET_LENGTH),
        ethernet::ARP => Err(Reason::Arp),
        _ => Err(Reason::OtherEtherType),
    }
}

impl Packet {
    /// The service that the packet addresses.
    #[inline(always)]
    #[must_use]
    pub const fn service(&self) -> ServiceKey {
        ServiceKey::ipv4(self.destination.to_ne_bytes(), self.destination_port.to_ne_bytes(), self.protocol)
    }

    /// The destination as a virtual IP address.
    #[inline(always)]
    #[must_use]
    pub const fn vip(&self) -> VipKey {
        VipKey::ipv4(self.destination.to_ne_bytes())
    }

    /// The source as a virtual IP address.
    #[inline(always)]
    #[must_use]
    pub const fn source_as_vip(&self) -> VipKey {
        VipKey::ipv4(self.source.to_ne_bytes())
    }

    /// A source that no client can have: 0/8, 127/8, multicast, reserved or broadcast (RFC 1122, section 3.2.1.3; RFC 1812,
    /// section 5.3.7).
    #[inline(always)]
    #[must_use]
    pub const fn has_martian_source(&self) -> bool {
        let [first, ..] = self.source.to_ne_bytes();
        first == 0 || first == 127 || first >= 224
    }

    /// May open a connection: any UDP packet, or TCP with SYN and without RST. As in IPVS a SYN+ACK counts
    /// (`tcp_conn_schedule` in net/netfilter/ipvs/ip_vs_proto_tcp.c).
    #[inline(always)]
    #[must_use]
    pub const fn may_open(&self) -> bool {
        self.protocol != TCP || self.tcp_flags & (SYN | RST) == SYN
    }

    /// TCP with SYN and without RST: a connection that is over starts again.
    #[inline(always)]
    #[must_use]
    pub const fn may_reopen(&self) -> bool {
        self.protocol == TCP && self.may_open()
    }
}
