//! Random histories of packets, time and changes on a small table.

use std::collections::{HashMap, HashSet};

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use super::*;
use crate::connection::{Meta, Place};

const SERVERS: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    Packet(Packet),
    Wait(u32),
    Sweep,
    Link(ServerIndex, Link),
    Service(ServiceKey, Vec<ServerIndex>),
    Withdraw(ServiceKey),
}

fn packets() -> impl Strategy<Value = Packet> {
    let flags = prop_oneof![
        4 => Just(SYN), 4 => Just(ACK), 1 => Just(FIN | ACK), 1 => Just(RST), 1 => Just(SYN | ACK), 1 => any::<u8>()
    ];
    let ttl = prop_oneof![20 => Just(64), 1 => 0..3_u8];
    let source = prop_oneof![20 => Just([10, 0, 0, 2]), 1 => Just(VIP), 1 => any::<[u8; 4]>()];
    (0..24_u16, flags, ttl, source, 0..8_u8).prop_map(|(client, flags, ttl, source, kind)| {
        let packet = match kind {
            0 => udp(client),
            1 => Packet { destination_port: client.to_be(), ..tcp(client, flags) },
            _ => tcp(client, flags),
        };
        Packet { ttl, source: u32::from_ne_bytes(source), ..packet }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let seconds = prop_oneof![8 => 0..2_u32, 2 => 0..70_u32, 1 => 100..1000_u32];
    let links = (1..SERVERS).prop_flat_map(|server| {
        let link =
            prop_oneof![3 => Just(link(server)), 1 => Just(Link::DELETED), 1 => Just(Link::UNRESOLVED)];
        (Just(server), link)
    });
    let key = prop_oneof![Just(tcp_service()), Just(udp_service())];
    prop_oneof![
        40 => packets().prop_map(Step::Packet),
        4 => seconds.prop_map(|seconds| Step::Wait(seconds * SECOND)),
        1 => Just(Step::Sweep),
        2 => links.prop_map(|(server, link)| Step::Link(server, link)),
        1 => (key.clone(), vec(1..SERVERS, 0..9)).prop_map(|(key, servers)| Step::Service(key, servers)),
        1 => key.prop_map(Step::Withdraw),
    ]
}

/// What stands in the table, by fingerprint.
fn table(tables: &HostTables) -> HashMap<u64, Meta> {
    tables.entries().collect()
}

/// Written anew from the kernel's list of timeouts.
fn is_alive(meta: Meta, now: u32) -> bool {
    let seconds = match meta.state() {
        State::Free => return false,
        State::SynReceived => 60,
        State::Established => 900,
        State::FinWait | State::TimeWait => 120,
        State::Close => 10,
        State::Udp => 300,
    };
    now - (meta.0 & 0xffff_ffff) as u32 <= seconds * SECOND
}

/// A connection that nothing but its own packets and time may end.
fn must_stay(meta: Meta, now: u32) -> bool {
    is_alive(meta, now) && matches!(meta.state(), State::Established | State::Udp)
}

fn slots_of(tables: &HostTables, packet: &Packet) -> Vec<ServerIndex> {
    let slots = tables.services.get(&packet.service()).map(|service| service.slots);
    slots
        .map_or_else(Vec::new, |slots| tables.slots[slots.first as usize..][..slots.length as usize].to_vec())
}

fn check_packet(tables: &HostTables, packet: &Packet, now: u32) -> Result<(), TestCaseError> {
    let before = table(tables);
    let own = Place::of(packet, KEY).fingerprint;
    let entry = before.get(&own).copied().filter(|meta| is_alive(*meta, now));
    let verdict = decide(packet, tables, now);
    check_verdict(tables, packet, entry, verdict)?;
    let after = table(tables);
    for (fingerprint, meta) in before.iter().filter(|(_, meta)| must_stay(**meta, now)) {
        let now_there = after.get(fingerprint).map(|after| after.server());
        prop_assert_eq!(now_there, Some(meta.server()), "{:x} was moved or evicted", fingerprint);
        prop_assert!(*fingerprint == own || after[fingerprint] == *meta, "{:x} was touched", fingerprint);
    }
    Ok(())
}

fn check_verdict(
    tables: &HostTables,
    packet: &Packet,
    entry: Option<Meta>,
    verdict: Verdict,
) -> Result<(), TestCaseError> {
    let Verdict::Forward { server, link, opened, reason } = verdict else {
        let established = entry.is_some_and(|meta| {
            meta.state() == State::Established && tables.links[meta.server() as usize].load() >> 48 != 0
        });
        prop_assert!(!established || packet.ttl <= 1, "{:?} of an established connection", verdict);
        return Ok(());
    };
    prop_assert!(packet.ttl > 1 && link.egress() != 0 && tables.links[server as usize].load() == link.0);
    prop_assert_eq!(opened, reason == Reason::NewConnection);
    match (reason, entry) {
        (Reason::KnownConnection, Some(meta)) => prop_assert_eq!(server, meta.server()),
        (Reason::NewConnection, entry) => {
            let reopens = packet.may_reopen() && entry.is_none_or(|meta| meta.state().is_over());
            prop_assert!(entry.is_none() || reopens, "{:?} was opened again", entry);
            prop_assert!(slots_of(tables, packet).contains(&server));
        }
        (Reason::NoRoom, None) => prop_assert!(slots_of(tables, packet).contains(&server)),
        other => prop_assert!(false, "forwarded for {:?}", other),
    }
    Ok(())
}

fn take(tables: &mut HostTables, now: &mut u32, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::Packet(packet) => check_packet(tables, packet, *now)?,
        Step::Wait(ticks) => *now += ticks,
        Step::Sweep => tables.age(*now),
        Step::Link(server, link) => tables.set_link(*server, *link),
        Step::Service(key, servers) => tables.put_service(*key, servers),
        Step::Withdraw(key) => drop(tables.services.remove(key)),
    }
    Ok(())
}

fn check_table(tables: &HostTables) -> Result<(), TestCaseError> {
    let fingerprints: Vec<u64> = tables.entries().map(|(fingerprint, _)| fingerprint).collect();
    let different: HashSet<u64> = fingerprints.iter().copied().collect();
    prop_assert_eq!(different.len(), fingerprints.len(), "a connection stands twice");
    for server in 0..tables.connections.len() as u32 {
        prop_assert_eq!(counted(tables, server), in_table(tables, server), "real server {}", server);
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_history_moves_a_connection_or_miscounts(lines in 1..5_usize, steps in vec(steps(), 1..250)) {
        let mut tables = tables(lines * 2);
        let mut now = NOW;
        for step in &steps {
            take(&mut tables, &mut now, step)?;
            check_table(&tables)?;
        }
    }
}
