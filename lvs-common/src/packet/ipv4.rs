//! IPv4 (RFC 791, section 3.1).

use network_types::ip::Ipv4Hdr;

use super::bytes::{Bytes, field};
use super::transport::{self, Transport};
use super::{Packet, TCP, UDP};
use crate::verdict::Reason;

const LENGTH: usize = Ipv4Hdr::LEN;
/// "More fragments" and the fragment offset: a whole packet has neither.
const FRAGMENT: u16 = 0x3fff_u16.to_be();

#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(frame: &B, network: usize) -> Result<Packet, Reason> {
    let header: &[u8; LENGTH] = frame.view(network).ok_or(Reason::Truncated)?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let length = u16::from_be_bytes(field::<2, 2, LENGTH>(header));
    if header[0] >> 4 != 4 || header_length < LENGTH || usize::from(length) < header_length {
        return Err(Reason::Malformed);
    }
    if !frame.holds(network + usize::from(length)) {
        return Err(Reason::Truncated);
    }
    if u16::from_ne_bytes(field::<6, 2, LENGTH>(header)) & FRAGMENT != 0 {
        return Err(Reason::Fragment);
    }
    let payload = usize::from(length) - header_length;
    let Transport { source_port, destination_port, tcp_flags } = match header[9] {
        TCP => transport::tcp(frame, network + header_length, payload)?,
        UDP => transport::udp(frame, network + header_length, payload)?,
        _ => return Err(Reason::OtherProtocol),
    };
    Ok(Packet {
        source: u32::from_ne_bytes(field::<12, 4, LENGTH>(header)),
        destination: u32::from_ne_bytes(field::<16, 4, LENGTH>(header)),
        source_port,
        destination_port,
        protocol: header[9],
        tcp_flags,
        ttl: header[8],
        network,
        length,
    })
}
