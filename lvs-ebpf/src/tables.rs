//! `lvs-common`'s tables over BPF maps.

use lvs_common::abi::{Link, ServerConnections, ServerIndex, Service, ServiceKey, Timeouts, VipKey};
use lvs_common::connection::{HashKey, Line};
use lvs_common::steer::{Tables, UNREMEMBERED_GROUPS};
use lvs_common::word::Word;

use crate::maps;

/// The BPF maps.
pub struct BpfTables {
    timeouts: &'static Timeouts,
}

impl BpfTables {
    /// Nothing only if a map without an entry 0 could exist.
    #[inline(always)]
    pub fn new() -> Option<Self> {
        Some(Self { timeouts: maps::TIMEOUTS.get(0)? })
    }
}

impl Tables for BpfTables {
    #[inline(always)]
    fn key(&self) -> HashKey {
        maps::hash_key()
    }

    #[inline(always)]
    fn timeouts(&self) -> &Timeouts {
        self.timeouts
    }

    #[inline(always)]
    fn line(&self, hash: u32) -> Option<&Line> {
        maps::LINES.get(hash & maps::line_mask())
    }

    #[inline(always)]
    fn lock(&self, fingerprint: u64) -> Option<&Word> {
        maps::LOCKS.get((fingerprint >> 1) as u32 & (maps::LOCK_COUNT - 1))
    }

    #[inline(always)]
    fn unremembered(&self, fingerprint: u64) -> Option<&Word> {
        maps::UNREMEMBERED.get((fingerprint >> 1) as u32 & (UNREMEMBERED_GROUPS - 1))
    }

    #[inline(always)]
    fn service(&self, key: &ServiceKey) -> Option<&Service> {
        // SAFETY: an element stays until the program ends, as it runs inside an RCU read section; its words are atomic.
        unsafe { maps::SERVICES.get(key) }
    }

    #[inline(always)]
    fn is_vip(&self, key: &VipKey) -> bool {
        // SAFETY: as in `service`.
        unsafe { maps::VIPS.get(key) }.is_some()
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<ServerIndex> {
        maps::SLOTS.get(index / 2)?.get(index as usize % 2).copied()
    }

    #[inline(always)]
    fn link(&self, server: ServerIndex) -> Link {
        maps::LINKS.get(server).map_or(Link::DELETED, |link| Link(link.load()))
    }

    #[inline(always)]
    fn connections(&self, server: ServerIndex) -> Option<&ServerConnections> {
        maps::CONNECTIONS.get(server)
    }
}
