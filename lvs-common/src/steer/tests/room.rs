//! A full table.

use super::*;

/// The smallest table has two lines, so every connection has the same eight places.
const PLACES: u16 = 8;

/// Established connections everywhere, and their real servers.
fn fill(tables: &HostTables) -> Vec<ServerIndex> {
    let open = |client| {
        sent(tables, &tcp(client, SYN), NOW);
        sent(tables, &tcp(client, ACK), NOW).0
    };
    (0..PLACES).map(open).collect()
}

fn alive(tables: &HostTables, clients: impl Iterator<Item = u16>) -> Vec<u16> {
    let known = |client: &u16| reason(tables, &tcp(*client, ACK), NOW + 2) == Reason::KnownConnection;
    clients.filter(known).collect()
}

#[test]
fn eight_connections_fill_two_lines() {
    let tables = tables(2);
    fill(&tables);
    assert_eq!(tables.entries().count(), usize::from(PLACES));
    assert_counts(&tables);
}

#[test]
fn established_connections_are_never_evicted() {
    let tables = tables(2);
    let servers = fill(&tables);
    for client in 100..1100 {
        assert_eq!(reason(&tables, &tcp(client, SYN), NOW + 1), Reason::NoRoom);
    }
    for (client, server) in (0..PLACES).zip(servers) {
        assert_eq!(sent(&tables, &tcp(client, ACK), NOW + 1), (server, Reason::KnownConnection));
    }
    assert_counts(&tables);
}

#[test]
fn udp_connections_are_never_evicted() {
    let tables = tables(2);
    for client in 0..PLACES {
        sent(&tables, &udp(client), NOW);
    }
    assert_eq!(reason(&tables, &udp(100), NOW), Reason::NoRoom);
    assert_eq!(counted(&tables, 3), (0, u64::from(PLACES)));
}

/// Of eight connections, 1 is half-open, 3 is over and 5 has expired.
#[test]
fn expired_then_over_then_half_open_ones_give_way() {
    let tables = tables(2);
    let late = NOW + 120 * SECOND + 1;
    send_all(&tables, 5, &[SYN, ACK, FIN], NOW);
    for client in [0, 2, 4, 6, 7] {
        send_all(&tables, client, &[SYN, ACK], late);
    }
    sent(&tables, &tcp(1, SYN), late);
    send_all(&tables, 3, &[SYN, ACK, RST], late);
    for (newcomer, victim) in [(100, 5), (101, 3), (102, 1)] {
        assert_eq!(reason(&tables, &tcp(newcomer, SYN), late), Reason::NewConnection);
        sent(&tables, &tcp(newcomer, ACK), late);
        assert_eq!(reason(&tables, &tcp(victim, ACK), late), gone(victim), "{victim} gave way to {newcomer}");
        assert_counts(&tables);
    }
    assert_eq!(reason(&tables, &tcp(103, SYN), late), Reason::NoRoom);
    for client in [0, 2, 4, 6, 7, 100, 101, 102] {
        assert_eq!(reason(&tables, &tcp(client, ACK), late), Reason::KnownConnection, "{client}");
    }
}

/// What a packet of a connection that has lost its place finds: with the last place gone there is no room.
fn gone(victim: u16) -> Reason {
    if victim == 1 { Reason::NoRoom } else { Reason::NoConnection }
}

#[test]
fn the_longest_silent_half_open_connection_of_a_line_gives_way() {
    let tables = tables(2);
    for client in 0..PLACES {
        sent(&tables, &tcp(client, SYN), NOW + u32::from(client));
    }
    let seen = |meta: &crate::connection::Meta| NOW + 20 - meta.age(NOW + 20);
    let oldest: Vec<u32> = tables
        .lines
        .iter()
        .map(|line| line.ways.iter().map(|way| seen(&way.meta())).min().unwrap())
        .collect();
    sent(&tables, &tcp(100, SYN), NOW + 20);
    let left: Vec<u32> = tables.entries().map(|(_, meta)| seen(&meta)).collect();
    assert_eq!(oldest.iter().filter(|seen| !left.contains(seen)).count(), 1, "{oldest:?} {left:?}");
}

#[test]
fn without_room_every_packet_of_a_connection_finds_the_same_server() {
    let tables = tables(2);
    fill(&tables);
    let mut servers = [0; 4];
    for client in 100..300 {
        let (server, why) = sent(&tables, &tcp(client, SYN), NOW);
        assert_eq!(why, Reason::NoRoom);
        for flags in [ACK, ACK, ACK | FIN, ACK, SYN] {
            assert_eq!(sent(&tables, &tcp(client, flags), NOW), (server, Reason::NoRoom));
        }
        servers[server as usize] += 1;
    }
    assert!(servers[1] > 60 && servers[2] > 60, "a hash spreads them: {servers:?}");
    assert_eq!(tables.entries().count(), usize::from(PLACES));
    assert_eq!(tables.services[&tcp_service()].turn.load(), u64::from(PLACES), "they take nobody's turn");
    assert_counts(&tables);
}

#[test]
fn without_room_and_servers_a_packet_passes() {
    let mut tables = tables(2);
    fill(&tables);
    tables.put_service(tcp_service(), &[]);
    assert_eq!(reason(&tables, &tcp(100, SYN), NOW), Reason::NoServer);
    assert_eq!(reason(&tables, &Packet { ttl: 1, ..tcp(100, SYN) }, NOW), Reason::TtlExpired);
}

#[test]
fn a_syn_takes_a_place_as_soon_as_there_is_one() {
    let tables = tables(2);
    fill(&tables);
    assert_eq!(reason(&tables, &tcp(100, SYN), NOW), Reason::NoRoom);
    sent(&tables, &tcp(0, RST), NOW);
    let (server, why) = sent(&tables, &tcp(100, SYN), NOW);
    assert_eq!(why, Reason::NewConnection);
    assert_eq!(sent(&tables, &tcp(100, ACK), NOW), (server, Reason::KnownConnection));
    assert_eq!(alive(&tables, 1..PLACES).len(), usize::from(PLACES) - 1);
    assert_counts(&tables);
}

#[test]
fn a_connection_without_a_place_takes_one_on_its_way_and_stays_on_its_server() {
    let tables = tables(2);
    fill(&tables);
    for client in 100..108 {
        let (server, why) = sent(&tables, &tcp(client, SYN), NOW);
        assert_eq!(why, Reason::NoRoom);
        sent(&tables, &tcp(client - 100, RST), NOW);
        assert_eq!(sent(&tables, &tcp(client, ACK), NOW + 1), (server, Reason::NewConnection), "{client}");
        assert_eq!(sent(&tables, &tcp(client, ACK), NOW + 2), (server, Reason::KnownConnection), "{client}");
        assert_counts(&tables);
    }
    assert_eq!(tables.services[&tcp_service()].turn.load(), u64::from(PLACES), "they take nobody's turn");
}

#[test]
fn what_was_steered_without_a_place_is_forgotten_when_it_would_have_expired() {
    let tables = tables(2);
    fill(&tables);
    assert_eq!(reason(&tables, &tcp(100, SYN), NOW), Reason::NoRoom);
    sent(&tables, &tcp(0, RST), NOW);
    assert_eq!(reason(&tables, &tcp(100, ACK), NOW + 901 * SECOND), Reason::NoConnection);
}

#[test]
fn a_packet_without_a_connection_passes_where_nothing_was_steered_without_a_place() {
    let tables = tables(2);
    assert_eq!(reason(&tables, &tcp(100, ACK), NOW), Reason::NoConnection);
    assert_eq!(tables.entries().count(), 0);
}

/// While somebody holds its lock a connection is not remembered, and still steered.
#[test]
fn a_lock_that_stays_taken_is_not_waited_for() {
    let tables = tables(16);
    tables.locks.iter().for_each(|lock| lock.store(1));
    let (server, why) = sent(&tables, &tcp(1, SYN), NOW);
    assert_eq!(why, Reason::NoRoom);
    assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (server, Reason::NoRoom));
    tables.locks.iter().for_each(|lock| lock.store(0));
    assert_eq!(reason(&tables, &tcp(1, SYN), NOW), Reason::NewConnection);
    assert!(tables.locks.iter().all(|lock| lock.load() == 0), "every lock is given back");
}
