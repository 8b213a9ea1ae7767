//! Each reason that a decision can have.

use super::*;

/// A packet of each of the last refusals, and what makes it one.
#[test]
fn what_is_not_steered_is_passed_with_its_reason() {
    let tables = tables(16);
    let address = u32::from_ne_bytes;
    let elsewhere = address([172, 30, 100, 2]);
    let syn = tcp(1, SYN);
    let cases = [
        (Packet { destination: elsewhere, ..syn }, Reason::NotVip),
        (Packet { destination_port: 81_u16.to_be(), ..syn }, Reason::NoService),
        (Packet { protocol: UDP, ..syn }, Reason::NoService),
        (Packet { source: address([0, 1, 2, 3]), ..syn }, Reason::MartianSource),
        (Packet { source: address([127, 0, 0, 1]), ..syn }, Reason::MartianSource),
        (Packet { source: address([224, 0, 0, 1]), ..syn }, Reason::MartianSource),
        (Packet { source: address([255, 255, 255, 255]), ..syn }, Reason::MartianSource),
        (Packet { source: address(VIP), ..syn }, Reason::SourceIsVip),
        (Packet { ttl: 1, ..syn }, Reason::TtlExpired),
        (Packet { ttl: 0, ..udp(1) }, Reason::TtlExpired),
        (tcp(1, ACK), Reason::NoConnection),
        (tcp(1, 0), Reason::NoConnection),
        (tcp(1, FIN | ACK), Reason::NoConnection),
        (tcp(1, RST), Reason::NoConnection),
        (tcp(1, SYN | RST), Reason::NoConnection),
    ];
    for (packet, reason) in cases {
        assert_eq!(decide(&packet, &tables, NOW), Verdict::Pass(reason), "{packet:?}");
    }
    assert_eq!(tables.entries().count(), 0);
    assert_eq!(tables.services[&tcp_service()].turn.load(), 0, "nobody's turn was used up");
}

#[test]
fn the_neighbours_of_martian_sources_are_clients() {
    let tables = tables(16);
    for first in [1, 126, 128, 223] {
        let packet = Packet { source: u32::from_ne_bytes([first, 0, 0, 1]), ..tcp(1, SYN) };
        assert_eq!(reason(&tables, &packet, NOW), Reason::NewConnection, "{first}/8");
    }
}

#[test]
fn a_syn_opens_and_the_rest_is_known() {
    let tables = tables(16);
    assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (1, Reason::NewConnection));
    assert_eq!(sent(&tables, &tcp(1, ACK), NOW), (1, Reason::KnownConnection));
    assert_eq!(sent(&tables, &tcp(2, SYN | ACK), NOW), (2, Reason::NewConnection));
    assert_eq!(sent(&tables, &udp(1), NOW), (3, Reason::NewConnection));
    assert_eq!(sent(&tables, &udp(1), NOW), (3, Reason::KnownConnection));
}

#[test]
fn a_known_connection_needs_no_service() {
    let mut tables = tables(16);
    sent(&tables, &tcp(1, SYN), NOW);
    tables.services.clear();
    tables.vips.clear();
    assert_eq!(sent(&tables, &tcp(1, ACK), NOW), (1, Reason::KnownConnection));
}

#[test]
fn the_last_hop_of_a_known_connection_is_passed_and_keeps_nothing_alive() {
    let tables = tables(16);
    sent(&tables, &tcp(1, SYN), NOW);
    let last = Packet { ttl: 1, ..tcp(1, ACK) };
    assert_eq!(reason(&tables, &last, NOW), Reason::TtlExpired);
    assert_eq!(state(&tables), State::SynReceived);
}

#[test]
fn a_service_without_usable_servers_passes() {
    let mut tables = tables(16);
    tables.put_service(tcp_service(), &[]);
    assert_eq!(reason(&tables, &tcp(1, SYN), NOW), Reason::NoServer);
    tables.put_service(tcp_service(), &[1]);
    for nowhere in [Link::DELETED, Link::UNRESOLVED] {
        tables.set_link(1, nowhere);
        assert_eq!(reason(&tables, &tcp(1, SYN), NOW), Reason::NoServer);
    }
    assert_eq!(tables.entries().count(), 0);
    tables.set_link(1, link(1));
    assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (1, Reason::NewConnection));
}

#[test]
fn a_connection_waits_for_its_server() {
    let tables = tables(16);
    sent(&tables, &tcp(1, SYN), NOW);
    for (gone, why) in [(Link::DELETED, Reason::ServerDeleted), (Link::UNRESOLVED, Reason::ServerUnresolved)]
    {
        tables.set_link(1, gone);
        assert_eq!(decide(&tcp(1, ACK), &tables, NOW), Verdict::Drop(why));
        assert_eq!(decide(&tcp(1, SYN), &tables, NOW), Verdict::Drop(why), "it is not given to another");
        assert_eq!(state(&tables), State::SynReceived, "what was not sent changes nothing");
        tables.set_link(1, link(1));
        assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (1, Reason::KnownConnection));
    }
}
