//! TCP (RFC 9293, section 3.1) and UDP (RFC 768).

use super::bytes::{Bytes, field};
use crate::verdict::Reason;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;

const TCP_LENGTH: usize = 20;
const UDP_LENGTH: usize = 8;

/// Ports as they stand in the packet, and TCP's flags.
pub(super) struct Transport {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) tcp_flags: u8,
}

/// `payload` is what the IP header promises: a padded frame may hold more, a cut one less.
#[inline(always)]
pub(super) fn tcp<B: Bytes + ?Sized>(frame: &B, offset: usize, payload: usize) -> Result<Transport, Reason> {
    if payload < TCP_LENGTH {
        return Err(Reason::Truncated);
    }
    let header: &[u8; TCP_LENGTH] = frame.view(offset).ok_or(Reason::Truncated)?;
    Ok(Transport {
        source_port: u16::from_ne_bytes(field::<0, 2, TCP_LENGTH>(header)),
        destination_port: u16::from_ne_bytes(field::<2, 2, TCP_LENGTH>(header)),
        tcp_flags: header[13],
    })
}

#[inline(always)]
pub(super) fn udp<B: Bytes + ?Sized>(frame: &B, offset: usize, payload: usize) -> Result<Transport, Reason> {
    if payload < UDP_LENGTH {
        return Err(Reason::Truncated);
    }
    let header: &[u8; UDP_LENGTH] = frame.view(offset).ok_or(Reason::Truncated)?;
    Ok(Transport {
        source_port: u16::from_ne_bytes(field::<0, 2, UDP_LENGTH>(header)),
        destination_port: u16::from_ne_bytes(field::<2, 2, UDP_LENGTH>(header)),
        tcp_flags: 0,
    })
}
