//! The director on the host: every decision, step by step, in random histories, and with several threads at once.

mod history;
mod life;
mod reasons;
mod room;
mod shares;
mod threads;

use super::decide;
use crate::abi::{Link, ServerIndex, ServiceKey, Timeouts};
use crate::connection::{HashKey, State};
use crate::host::HostTables;
use crate::packet::{FIN, Packet, RST, SYN, TCP, UDP};
use crate::verdict::{Reason, Verdict};

const ACK: u8 = 0x10;
const VIP: [u8; 4] = [172, 30, 100, 1];
const KEY: HashKey = HashKey([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x0f1e_2d3c_4b5a_6978]);
/// Four ticks a second.
const SECOND: u32 = 4;
/// Not 0, and not far from it: the clock of a machine that has just started.
const NOW: u32 = 1000;

fn link(server: ServerIndex) -> Link {
    Link::new([2, 0, 0, 0, 0, 0xa0 + server as u8], 1)
}

fn tcp_service() -> ServiceKey {
    ServiceKey::ipv4(VIP, 80_u16.to_be_bytes(), TCP)
}

fn udp_service() -> ServiceKey {
    ServiceKey::ipv4(VIP, 53_u16.to_be_bytes(), UDP)
}

/// A TCP service on 1, 2, 1, 2, ... and a UDP service on 3; all of them reachable.
fn tables(lines: usize) -> HostTables {
    let mut tables = HostTables::new(KEY, Timeouts::new(f64::from(SECOND)), lines, 8);
    tables.put_service(tcp_service(), &[1, 2]);
    tables.put_service(udp_service(), &[3]);
    (1..=3).for_each(|server| tables.set_link(server, link(server)));
    tables
}

fn tcp(client: u16, tcp_flags: u8) -> Packet {
    Packet {
        source: u32::from_ne_bytes([10, 0, 0, 2]),
        destination: u32::from_ne_bytes(VIP),
        source_port: client.to_be(),
        destination_port: 80_u16.to_be(),
        protocol: TCP,
        tcp_flags,
        ttl: 64,
        network: 14,
        length: 40,
    }
}

fn udp(client: u16) -> Packet {
    Packet { destination_port: 53_u16.to_be(), protocol: UDP, ..tcp(client, 0) }
}

fn reason(tables: &HostTables, packet: &Packet, now: u32) -> Reason {
    decide(packet, tables, now).reason()
}

/// The real server that a packet goes to, and why.
fn sent(tables: &HostTables, packet: &Packet, now: u32) -> (ServerIndex, Reason) {
    match decide(packet, tables, now) {
        Verdict::Forward { server, link: way, opened, reason } => {
            assert_eq!(way, link(server));
            assert_eq!(opened, reason == Reason::NewConnection);
            (server, reason)
        }
        other => panic!("{packet:?} is not sent: {other:?}"),
    }
}

/// TCP packets of one client, all of which must be sent.
fn send_all(tables: &HostTables, client: u16, flags: &[u8], now: u32) {
    for flags in flags {
        sent(tables, &tcp(client, *flags), now);
    }
}

/// A real server's active and inactive connections.
fn counted(tables: &HostTables, server: ServerIndex) -> (u64, u64) {
    let connections = &tables.connections[server as usize];
    (connections.active.load(), connections.inactive.load())
}

/// The same by looking at every entry.
fn in_table(tables: &HostTables, server: ServerIndex) -> (u64, u64) {
    let own = tables.entries().filter(|(_, meta)| meta.server() == server);
    own.fold((0, 0), |(active, inactive), (_, meta)| match meta.state().is_active() {
        true => (active + 1, inactive),
        false => (active, inactive + 1),
    })
}

fn assert_counts(tables: &HostTables) {
    for server in 0..tables.connections.len() as u32 {
        assert_eq!(counted(tables, server), in_table(tables, server), "real server {server}");
    }
}

/// The state of the only connection in the table.
fn state(tables: &HostTables) -> State {
    let states: Vec<State> = tables.entries().map(|(_, meta)| meta.state()).collect();
    assert_eq!(states.len(), 1, "{states:?}");
    states[0]
}
