//! The usual design: the packet's service is looked up, then its connection in `BPF_MAP_TYPE_LRU_HASH`, which evicts whom it
//! likes. Everything else is the product's.
//!
//! It keeps no counts of active and inactive connections, since the kernel tells nobody whom it evicts.

use core::hint::cold_path;

use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use lvs_common::abi::Service;
use lvs_common::connection::{Meta, State};
use lvs_common::packet::Packet;
use lvs_common::steer::{Tables as _, is_live, next_server};
use lvs_common::verdict::{Reason, Verdict};
use lvs_ebpf::tables::BpfTables;

/// The connections.
#[map]
static CONNECTION_HASH: LruHashMap<Tuple, Entry> = LruHashMap::with_max_entries(1, 0);

/// What names a connection.
#[repr(C)]
struct Tuple {
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
    protocol: u32,
}

/// What is known of a connection.
#[repr(C)]
struct Entry {
    meta: u64,
    reserved: u64,
}

#[inline(always)]
pub(crate) fn decide(packet: &Packet, tables: &BpfTables, now: u32) -> Verdict {
    let tuple = Tuple::of(packet);
    let service = tables.service(&packet.service());
    let Some(entry) = service.and_then(|_| CONNECTION_HASH.get_ptr_mut(&tuple)) else {
        cold_path();
        return admit(packet, tables, service, &tuple, now);
    };
    // SAFETY: the element stays until the program ends, and its words are read and written whole.
    let meta = Meta(unsafe { (&raw const (*entry).meta).read_volatile() });
    if !is_live(packet, meta, tables, now) {
        cold_path();
        return admit(packet, tables, service, &tuple, now);
    }
    follow(packet, tables, entry, meta, now)
}

#[inline(always)]
fn follow(packet: &Packet, tables: &BpfTables, entry: *mut Entry, meta: Meta, now: u32) -> Verdict {
    if packet.ttl <= 1 {
        cold_path();
        return Verdict::Pass(Reason::TtlExpired);
    }
    let server = meta.server();
    let link = tables.link(server);
    if link.egress() == 0 {
        cold_path();
        return Verdict::Drop(Reason::ServerUnresolved);
    }
    let touched = meta.touched(meta.state().next(packet.tcp_flags), now);
    if touched != meta {
        // SAFETY: as in `decide`.
        unsafe { (&raw mut (*entry).meta).write_volatile(touched.0) };
    }
    Verdict::Forward { server, link, opened: false, reason: Reason::KnownConnection }
}

#[inline(always)]
fn admit(packet: &Packet, tables: &BpfTables, service: Option<&Service>, tuple: &Tuple, now: u32) -> Verdict {
    let Some(service) = service else {
        return Verdict::Pass(if tables.is_vip(&packet.vip()) { Reason::NoService } else { Reason::NotVip });
    };
    if packet.has_martian_source() {
        return Verdict::Pass(Reason::MartianSource);
    }
    if tables.is_vip(&packet.source_as_vip()) {
        return Verdict::Pass(Reason::SourceIsVip);
    }
    if !packet.may_open() {
        return Verdict::Pass(Reason::NoConnection);
    }
    if packet.ttl <= 1 {
        return Verdict::Pass(Reason::TtlExpired);
    }
    let Some((server, link)) = next_server(tables, service) else {
        return Verdict::Pass(Reason::NoServer);
    };
    let entry = Entry {
        meta: Meta::new(server, State::first(packet.protocol, packet.tcp_flags), now).0,
        reserved: 0,
    };
    match CONNECTION_HASH.insert(tuple, &entry, 0) {
        Ok(()) => Verdict::Forward { server, link, opened: true, reason: Reason::NewConnection },
        Err(_) => Verdict::Forward { server, link, opened: false, reason: Reason::NoRoom },
    }
}

impl Tuple {
    #[inline(always)]
    fn of(packet: &Packet) -> Self {
        Self {
            source: packet.source,
            destination: packet.destination,
            source_port: packet.source_port,
            destination_port: packet.destination_port,
            protocol: u32::from(packet.protocol),
        }
    }
}
