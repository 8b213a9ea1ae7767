//! Who speaks for the VIP: the director, and no real server.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use etherparse::{ArpEthIpv4Packet, ArpOperation};
use lvs_tests::lab::{Capture, Frame, Host, Lab, arp_answers};
use lvs_tests::product::{prepare_real_server, run};
use lvs_tests::tutorial::{Tutorial, VIP};

const DEADLINE: Duration = Duration::from_secs(5);
const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 30, 100, 200);
const RS1: Ipv4Addr = Ipv4Addr::new(172, 30, 100, 126);

#[test]
fn only_the_director_answers_arp_for_the_vip() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let client = tutorial.client()?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, [], "the companion silences both real servers");
    let _director = tutorial.director()?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, [tutorial.host("director")?.mac()?]);

    tutorial.requests(3)?;
    let known = client.run(&["ip", "neigh", "show", &VIP.to_string()])?;
    assert!(known.contains("02:00:00:00:00:d1"), "the client's neighbour table: {known}");
    Ok(())
}

/// The ARP request by which a host asks for the client, when it sends from `source`.
fn request_before_a_packet(lab: &Lab, host: &Host, source: Ipv4Addr) -> Result<ArpEthIpv4Packet> {
    let mac = host.mac()?;
    host.run(&["ip", "neigh", "flush", "dev", "eth0"])?;
    let is_request = move |frame: &Frame| {
        let arp = frame.arp().filter(|arp| arp.operation == ArpOperation::REQUEST);
        frame.source_mac() == Some(mac) && arp.is_some_and(|arp| arp.target_ipv4_addr() == CLIENT)
    };
    let heard = Capture::start(lab.host("client")?, "eth0")?;
    let socket = host.enter(|| UdpSocket::bind((source, 0)))??;
    socket.send_to(b"own", (CLIENT, 9))?;
    heard.wait_for("an ARP request for the client", DEADLINE, is_request)?.arp().context("an ARP packet")
}

#[test]
fn a_real_server_s_own_connection_announces_its_own_address() -> Result<()> {
    let lab = Lab::tutorial()?;
    let rs1 = lab.host("rs1")?;
    prepare_real_server(&lab, rs1, &VIP.to_string())?;
    for source in [VIP, RS1] {
        let request = request_before_a_packet(&lab, rs1, source)?;
        assert_eq!(request.sender_ipv4_addr(), RS1, "sending from {source}");
    }
    Ok(())
}

#[test]
fn a_real_server_without_the_companion_leaks() -> Result<()> {
    let lab = Lab::tutorial()?;
    let (client, rs1) = (lab.host("client")?, lab.host("rs1")?);
    rs1.run(&["ip", "address", "add", &format!("{VIP}/32"), "dev", "lo"])?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, [rs1.mac()?]);
    assert_eq!(request_before_a_packet(&lab, rs1, VIP)?.sender_ipv4_addr(), VIP);

    prepare_real_server(&lab, rs1, &VIP.to_string())?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, []);
    run(&lab, rs1, &["real-server", "down"])?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, [rs1.mac()?], "it leaks as it did before");
    Ok(())
}
