//! What the director changes in a frame, and what it leaves alone.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use etherparse::LaxNetSlice;
use lvs_tests::lab::{Capture, Direction, Frame};
use lvs_tests::tutorial::{Tutorial, VIP};

const DEADLINE: Duration = Duration::from_secs(5);
const END_OF_MACS: usize = 12;
/// An IPv4 header begins after the Ethernet header; its TTL is in byte 8, its checksum in bytes 10 and 11.
const TTL: usize = 14 + 8;
const CHECKSUM: std::ops::Range<usize> = 14 + 10..14 + 12;

fn to_the_service(direction: Direction) -> impl Fn(&Frame) -> bool {
    move |frame| frame.direction == direction && frame.ports().is_some_and(|(_, port)| port == 80)
}

fn from_the_service(direction: Direction) -> impl Fn(&Frame) -> bool {
    move |frame| frame.direction == direction && frame.ports().is_some_and(|(port, _)| port == 80)
}

fn has_payload(frame: &Frame) -> bool {
    frame.tcp().is_some_and(|tcp| !tcp.payload().is_empty())
}

/// The checksum in the IPv4 header, and what it should be.
fn checksums(frame: &Frame) -> Result<(u16, u16)> {
    let packet = frame.parsed().context("an Ethernet frame")?;
    let Some(LaxNetSlice::Ipv4(ip)) = packet.net else { panic!("{frame} is not IPv4") };
    let header = ip.header().to_header();
    Ok((header.header_checksum, header.calc_header_checksum()))
}

/// The frame with the bytes zeroed that a director may change.
fn without_what_may_change(frame: &Frame) -> Vec<u8> {
    let may_change = |offset| offset < END_OF_MACS || offset == TTL || CHECKSUM.contains(&offset);
    let bytes = frame.bytes.iter().enumerate();
    bytes.map(|(offset, byte)| if may_change(offset) { 0 } else { *byte }).collect()
}

#[test]
fn a_request_s_frames_change_their_macs_and_ttl_and_nothing_else() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let (client, rs2) = (tutorial.client()?, tutorial.host("rs2")?);
    let _director = tutorial.director()?;
    let sent = Capture::start_filtered(client, "eth0", to_the_service(Direction::Out))?;
    let received = Capture::start_filtered(rs2, "eth0", to_the_service(Direction::In))?;
    assert_eq!(tutorial.requests(1)?, ["rs2"]);
    let fin = |frame: &Frame| frame.tcp().is_some_and(|tcp| tcp.fin());
    sent.wait_for("the client's FIN", DEADLINE, fin)?;
    received.wait_for("the client's FIN", DEADLINE, fin)?;

    let director_mac = tutorial.host("director")?.mac()?;
    let received = received.frames();
    assert!(received.len() >= 4, "SYN, ACK, request, FIN: {received:?}");
    for (before, after) in sent.frames().iter().zip(&received) {
        assert_eq!(
            (before.source_mac(), before.destination_mac()),
            (Some(client.mac()?), Some(director_mac))
        );
        assert_eq!((after.source_mac(), after.destination_mac()), (Some(director_mac), Some(rs2.mac()?)));
        assert_eq!((before.ttl(), after.ttl()), (Some(64), Some(63)));
        let (checksum, correct) = checksums(after)?;
        assert_eq!(checksum, correct, "IP checksum of {after}");
        assert_eq!(without_what_may_change(before), without_what_may_change(after), "{before}\n{after}");
    }
    assert!(received.iter().any(has_payload), "a request is among them: {received:?}");
    Ok(())
}

#[test]
fn the_answer_comes_straight_from_the_real_server_with_the_vip_as_source() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let (client, rs2) = (tutorial.client()?, tutorial.host("rs2")?);
    let _director = tutorial.director()?;
    let at_director = Capture::start(tutorial.host("director")?, "eth0")?;
    let answers = Capture::start_filtered(client, "eth0", from_the_service(Direction::In))?;
    assert_eq!(tutorial.requests(1)?, ["rs2"]);
    answers.wait_for("the page", DEADLINE, has_payload)?;

    let answers = answers.frames();
    for frame in &answers {
        assert_eq!((frame.source_mac(), frame.destination_mac()), (Some(rs2.mac()?), Some(client.mac()?)));
        assert_eq!((frame.source_ip(), frame.ttl()), (Some(IpAddr::from(VIP)), Some(64)));
    }

    rs2.run(&["ping", "-n", "-c", "1", "-W", "5", "172.30.100.111"])?;
    at_director.wait_for("a ping after the answers", DEADLINE, Frame::is_icmp)?;
    let answer = at_director.frames().into_iter().find(from_the_service(Direction::In));
    assert_eq!(answer.map(|frame| frame.to_string()), None, "an answer came through the director");
    Ok(())
}
