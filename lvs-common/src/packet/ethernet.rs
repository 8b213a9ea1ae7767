//! Ethernet II (IEEE 802.3, clause 3).

use network_types::eth::{EthHdr, EtherType};

use super::bytes::{Bytes, field};
use crate::verdict::Reason;

/// Length of an Ethernet header in bytes.
pub const ETHERNET_LENGTH: usize = EthHdr::LEN;

pub(super) const IPV4: u16 = EtherType::Ipv4 as u16;
pub(super) const ARP: u16 = EtherType::Arp as u16;

/// Whether the frame is for the interface with this MAC address: native XDP also sees frames that a switch floods.
///
/// # Errors
/// The reason for leaving the frame alone.
#[inline(always)]
pub fn addressed_to<B: Bytes + ?Sized>(frame: &B, own: [u8; 6]) -> Result<(), Reason> {
    let header: &[u8; ETHERNET_LENGTH] = frame.view(0).ok_or(Reason::Truncated)?;
    let destination: [u8; 6] = field::<0, 6, ETHERNET_LENGTH>(header);
    if halves(destination) == halves(own) {
        Ok(())
    } else if destination[0] & 1 == 1 {
        Err(Reason::GroupMac)
    } else {
        Err(Reason::ForeignMac)
    }
}

/// Two integers, as LLVM compares `[u8; 6]` byte by byte over the stack.
#[inline(always)]
const fn halves([a, b, c, d, e, f]: [u8; 6]) -> (u32, u16) {
    (u32::from_ne_bytes([a, b, c, d]), u16::from_ne_bytes([e, f]))
}

/// The EtherType, in the order in which it stands in the frame.
#[inline(always)]
pub(super) fn ethertype<B: Bytes + ?Sized>(frame: &B) -> Result<u16, Reason> {
    let header: &[u8; ETHERNET_LENGTH] = frame.view(0).ok_or(Reason::Truncated)?;
    Ok(u16::from_ne_bytes(field::<12, 2, ETHERNET_LENGTH>(header)))
}
