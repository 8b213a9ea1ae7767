//! A director set up for a case.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use lvs_common::abi::{Link, ServiceKey, Slots, VipKey};
use lvs_userspace::dataplane::{Dataplane, Sizes, object};
use macaddr::MacAddr6;

use super::case::{Case, Program};
use super::frame::{DIRECTOR_MAC, FIRST_VIP, SERVICE_PORT};

/// The BPF programs that the director is measured with and against, as an ELF object; empty when it could not be built.
static BENCH: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/lvs-xdp-bench"));

/// The loopback interface: test runs receive on it, and nothing is sent.
const INTERFACE: u32 = 1;
const OWN_EGRESS: u16 = 1;
/// The secret does not matter here, and a constant one makes runs alike.
const HASH_KEY: [u64; 3] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0];

pub(crate) fn bench_object() -> Result<&'static [u8]> {
    ensure!(!BENCH.is_empty(), "built without the BPF programs: run `cargo xtask setup`, then build again");
    Ok(BENCH)
}

/// Loads a director and gives it the case's services and real servers.
pub(crate) fn make(case: &Case, program: Program) -> Result<Dataplane> {
    let mut dataplane = load(case, program)?;
    dataplane.receive_as(INTERFACE, MacAddr6::from(DIRECTOR_MAC))?;
    let servers = 0..case.all_servers();
    for server in servers.clone() {
        dataplane.set_link(server, Link::new(server_mac(server), OWN_EGRESS));
    }
    dataplane.write_slots(0, servers);
    for service in 0..case.services {
        let vip = Ipv4Addr::from(FIRST_VIP + service);
        dataplane.set_vip(VipKey::from(vip), true)?;
        let key = ServiceKey::ipv4(vip.octets(), SERVICE_PORT.to_be_bytes(), case.kind.protocol());
        dataplane.put_service(key, Slots { first: service * case.servers, length: case.servers })?;
    }
    Ok(dataplane)
}

fn load(case: &Case, program: Program) -> Result<Dataplane> {
    let servers = case.all_servers();
    let sizes = Sizes { connections: case.connections, servers, slots: servers };
    let loaded = match program {
        Program::Director => Dataplane::load(object::director()?, sizes, HASH_KEY),
        Program::LruHash | Program::Floor => {
            // Its maps are the director's but for the connection table.
            let sizes = Sizes { connections: 1, ..sizes };
            let own_maps = [("CONNECTION_HASH", case.places())];
            Dataplane::load_with(bench_object()?, sizes, &own_maps, HASH_KEY)
        }
    };
    loaded.with_context(|| format!("load the {} for {:?}", program.name(), case.name))
}

const fn server_mac(server: u32) -> [u8; 6] {
    let [a, b, c, d] = server.to_be_bytes();
    [2, 1, a, b, c, d]
}

/// The real server to which a frame goes.
pub(crate) fn server_of(mac: [u8; 6]) -> Option<u32> {
    match mac {
        [2, 1, a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}
