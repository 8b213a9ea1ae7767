//! The parser against etherparse's, on frames of every kind.

use etherparse::{
    IpHeaders, Ipv4Extensions, Ipv4Header, Ipv4Options, NetSlice, PacketBuilder, SlicedPacket, TcpHeader,
    TransportSlice,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{
    Just, Strategy, any, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest,
};
use proptest::sample::Index;

use super::{ETHERNET_LENGTH, Packet, TCP, UDP, addressed_to, parse};
use crate::verdict::Reason;

const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x11];

fn tcp_header() -> impl Strategy<Value = TcpHeader> {
    (any::<[u16; 2]>(), any::<u8>(), 0..11_usize).prop_map(|([source, destination], flags, options)| {
        let mut tcp = TcpHeader::new(source, destination, 1, 1024);
        let bit = |n: u8| flags >> n & 1 == 1;
        (tcp.fin, tcp.syn, tcp.rst, tcp.psh) = (bit(0), bit(1), bit(2), bit(3));
        (tcp.ack, tcp.urg, tcp.ece, tcp.cwr) = (bit(4), bit(5), bit(6), bit(7));
        tcp.set_options_raw(&[1; 40][..options * 4]).unwrap();
        tcp
    })
}

#[derive(Debug, Clone)]
enum Transport {
    Tcp(TcpHeader),
    Udp([u16; 2]),
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![tcp_header().prop_map(Transport::Tcp), any::<[u16; 2]>().prop_map(Transport::Udp)]
}

fn ip_header() -> impl Strategy<Value = Ipv4Header> {
    (any::<[[u8; 4]; 2]>(), any::<u8>(), 0..11_usize).prop_map(|([source, destination], ttl, options)| {
        Ipv4Header {
            source,
            destination,
            time_to_live: ttl,
            options: Ipv4Options::try_from(&[1; 40][..options * 4]).unwrap(),
            ..Ipv4Header::default()
        }
    })
}

/// A whole TCP or UDP packet, perhaps with padding behind it.
fn valid_frames() -> impl Strategy<Value = Vec<u8>> {
    (ip_header(), transport(), vec(any::<u8>(), 0..80), 0..20_usize).prop_map(
        |(ip, transport, payload, padding)| {
            let packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 0xc1], OWN_MAC)
                .ip(IpHeaders::Ipv4(ip, Ipv4Extensions::default()));
            let mut bytes = Vec::new();
            match transport {
                Transport::Tcp(tcp) => packet.tcp_header(tcp).write(&mut bytes, &payload),
                Transport::Udp([source, destination]) => {
                    packet.udp(source, destination).write(&mut bytes, &payload)
                }
            }
            .unwrap();
            bytes.resize(bytes.len() + padding, 0);
            bytes
        },
    )
}

/// Valid frames with some bytes changed and some cut off, and mere noise behind a likely beginning.
fn any_frames() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>()), 0..4);
    let changed =
        (valid_frames(), changes, option::of(any::<Index>())).prop_map(|(mut bytes, changes, end)| {
            let headers = bytes.len().min(60);
            changes.into_iter().for_each(|(place, byte)| bytes[place.index(headers)] = byte);
            if let Some(end) = end {
                bytes.truncate(end.index(bytes.len() + 1));
            }
            bytes
        });
    let beginning = prop_oneof![
        Just(vec![]),
        Just([&OWN_MAC[..], &[0; 6], &[8, 0]].concat()),
        Just([&OWN_MAC[..], &[0; 6], &[8, 0, 0x45]].concat())
    ];
    let noise =
        (beginning, vec(any::<u8>(), 0..100)).prop_map(|(beginning, noise)| [beginning, noise].concat());
    prop_oneof![4 => changed, 1 => noise]
}

/// The same description by etherparse; nothing for what it refuses or what is not a whole TCP or UDP packet.
fn by_etherparse(frame: &[u8]) -> Option<Packet> {
    let sliced = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(NetSlice::Ipv4(ip)) = sliced.net else { return None };
    let (source_port, destination_port, protocol, tcp_flags) = match sliced.transport? {
        TransportSlice::Tcp(tcp) => (tcp.source_port(), tcp.destination_port(), TCP, tcp.slice()[13]),
        TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port(), UDP, 0),
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => return None,
    };
    let header = ip.header();
    Some(Packet {
        source: u32::from_ne_bytes(header.source()),
        destination: u32::from_ne_bytes(header.destination()),
        source_port: source_port.to_be(),
        destination_port: destination_port.to_be(),
        protocol,
        tcp_flags,
        ttl: header.ttl(),
        network: ETHERNET_LENGTH,
        length: header.total_len(),
    })
}

proptest! {
    #[test]
    fn a_valid_frame_is_described_as_etherparse_does(frame in valid_frames()) {
        prop_assert_eq!(addressed_to(&frame[..], OWN_MAC), Ok(()));
        prop_assert_eq!(parse(&frame[..]).ok(), by_etherparse(&frame));
        prop_assert!(by_etherparse(&frame).is_some());
    }

    /// etherparse is stricter: it also judges TCP's data offset and UDP's length.
    #[test]
    fn no_frame_is_too_strange(frame in any_frames()) {
        let parsed = parse(&frame[..]);
        let expected = by_etherparse(&frame).filter(|_| frame[12..14] == [8, 0]);
        if let Some(expected) = expected {
            prop_assert_eq!(parsed, Ok(expected));
        }
        if let Ok(packet) = parsed {
            prop_assert!(ETHERNET_LENGTH + usize::from(packet.length) <= frame.len());
            prop_assert!(packet.protocol == TCP || packet.protocol == UDP);
        }
    }

    /// The packet's own end counts, not the frame's: every shorter frame is refused.
    #[test]
    fn a_cut_frame_is_truncated(frame in valid_frames(), end: Index) {
        let length = ETHERNET_LENGTH + usize::from(parse(&frame[..]).unwrap().length);
        let cut = &frame[..end.index(length)];
        prop_assert_eq!(parse(cut), Err(Reason::Truncated));
    }

    #[test]
    fn a_fragment_is_one_whatever_else_is_set(
        frame in valid_frames(),
        bits in prop_oneof![any::<u16>(), (0..16_u16).prop_map(|n| 1 << n), Just(0)],
    ) {
        let mut frame = frame;
        frame[20..22].copy_from_slice(&bits.to_be_bytes());
        let is_fragment = bits & 0x3fff != 0;
        prop_assert_eq!(parse(&frame[..]) == Err(Reason::Fragment), is_fragment);
        prop_assert_eq!(parse(&frame[..]).is_ok(), !is_fragment);
    }

    #[test]
    fn only_the_own_address_is_ours(frame in valid_frames(), destination: [u8; 6]) {
        prop_assume!(destination != OWN_MAC);
        let mut frame = frame;
        frame[..6].copy_from_slice(&destination);
        let group = destination[0] & 1 == 1;
        let expected = if group { Reason::GroupMac } else { Reason::ForeignMac };
        prop_assert_eq!(addressed_to(&frame[..], OWN_MAC), Err(expected));
    }
}

/// One frame of each kind that is not steered.
#[test]
fn what_is_no_tcp_or_udp_packet_says_what_it_is() {
    let mut whole = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], OWN_MAC).ipv4([10, 0, 0, 2], [172, 30, 100, 1], 64);
    builder.tcp(1, 80, 1, 1).write(&mut whole, &[]).unwrap();
    let with = |changes: &[(usize, u8)]| {
        let mut frame = whole.clone();
        changes.iter().for_each(|(place, byte)| frame[*place] = *byte);
        parse(&frame[..]).map(|_| ())
    };
    assert_eq!(with(&[]), Ok(()));
    let cases: [(&[(usize, u8)], Reason); 11] = [
        (&[(12, 8), (13, 6)], Reason::Arp),
        (&[(12, 0x86), (13, 0xdd)], Reason::OtherEtherType),
        (&[(12, 0x81), (13, 0)], Reason::OtherEtherType),
        (&[(14, 0x65)], Reason::Malformed),
        (&[(14, 0x44)], Reason::Malformed),
        (&[(16, 0), (17, 19)], Reason::Malformed),
        (&[(17, 41)], Reason::Truncated),
        (&[(17, 39)], Reason::Truncated),
        (&[(20, 0x20)], Reason::Fragment),
        (&[(20, 0), (21, 1)], Reason::Fragment),
        (&[(23, 1)], Reason::OtherProtocol),
    ];
    for (changes, reason) in cases {
        assert_eq!(with(changes), Err(reason), "{changes:?}");
    }
}
