//! The data path's tables in ordinary memory: [`decide`](crate::steer::decide) runs on them wherever Rust does.

use std::collections::{HashMap, HashSet};

use crate::abi::{Link, ServerConnections, ServerIndex, Service, ServiceKey, Slots, Timeouts, VipKey};
use crate::connection::{HashKey, Line, Meta, State, Way};
use crate::steer::{Tables, UNREMEMBERED_GROUPS};
use crate::word::Word;

/// As many as the kernel side has.
const LOCK_COUNT: usize = 1024;

/// [`Tables`] of vectors and hash maps. Packets and ageing may go on in several threads; what changes services needs it alone.
pub struct HostTables {
    /// The secret under which connections are hashed.
    pub key: HashKey,
    /// When silent connections expire.
    pub timeouts: Timeouts,
    /// The connection table: a power of two of lines.
    pub lines: Vec<Line>,
    /// Locks of new connections: a power of two.
    pub locks: Vec<Word>,
    /// When connections of each group were last steered without being remembered.
    pub unremembered: Vec<Word>,
    /// Virtual services.
    pub services: HashMap<ServiceKey, Service>,
    /// Virtual IP addresses.
    pub vips: HashSet<VipKey>,
    /// The arena of slot tables.
    pub slots: Vec<ServerIndex>,
    /// How each real server is reached.
    pub links: Vec<Word>,
    /// Connections of each real server.
    pub connections: Vec<ServerConnections>,
}

impl HostTables {
    /// Empty tables for so many lines, which are rounded up to a power of two of at least 2, and so many real servers.
    #[must_use]
    pub fn new(key: HashKey, timeouts: Timeouts, lines: usize, servers: usize) -> Self {
        Self {
            key,
            timeouts,
            lines: defaults(lines.next_power_of_two().max(2)),
            locks: defaults(LOCK_COUNT),
            unremembered: defaults(UNREMEMBERED_GROUPS as usize),
            services: HashMap::new(),
            vips: HashSet::new(),
            slots: Vec::new(),
            links: defaults(servers),
            connections: defaults(servers),
        }
    }

    /// Publishes a service on a new slot table, and its address as a virtual one.
    pub fn put_service(&mut self, key: ServiceKey, servers: &[ServerIndex]) {
        let slots = Slots { first: self.slots.len() as u32, length: servers.len() as u32 };
        self.slots.extend(servers);
        self.vips.insert(VipKey { address: key.address });
        self.services.insert(key, Service { turn: Word::new(0), slots });
    }

    /// Sets how a real server is reached.
    pub fn set_link(&self, server: ServerIndex, link: Link) {
        if let Some(word) = self.links.get(server as usize) {
            word.store(link.0);
        }
    }

    /// The fingerprint of each connection in the table and what is known of it.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Meta)> {
        self.ways().map(|way| (way.fingerprint(), way.meta())).filter(|(_, meta)| meta.state() != State::Free)
    }

    /// Takes what has expired out of the table and out of its real servers' counts.
    pub fn age(&self, now: u32) {
        let expired = |meta: Meta| meta.state() != State::Free && meta.is_expired(&self.timeouts, now);
        for way in self.ways() {
            let meta = way.meta();
            if expired(meta) && way.update(meta, Meta::FREE) {
                self.uncount(meta);
            }
        }
    }

    fn ways(&self) -> impl Iterator<Item = &Way> {
        self.lines.iter().flat_map(|line| &line.ways)
    }

    fn uncount(&self, meta: Meta) {
        if let Some(server) = self.connections.get(meta.server() as usize) {
            let counter = if meta.state().is_active() { &server.active } else { &server.inactive };
            counter.fetch_add(u64::MAX);
        }
    }
}

fn defaults<T: Default>(count: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(count).collect()
}

/// The entry of a table whose length is a power of two.
fn masked<T>(table: &[T], index: u64) -> Option<&T> {
    table.get(index as usize & table.len().checked_sub(1)?)
}

impl Tables for HostTables {
    fn key(&self) -> HashKey {
        self.key
    }

    fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    fn line(&self, hash: u32) -> Option<&Line> {
        masked(&self.lines, u64::from(hash))
    }

    fn lock(&self, fingerprint: u64) -> Option<&Word> {
        masked(&self.locks, fingerprint >> 1)
    }

    fn unremembered(&self, fingerprint: u64) -> Option<&Word> {
        masked(&self.unremembered, fingerprint >> 1)
    }

    fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.services.get(key)
    }

    fn is_vip(&self, key: &VipKey) -> bool {
        self.vips.contains(key)
    }

    fn slot(&self, index: u32) -> Option<ServerIndex> {
        self.slots.get(index as usize).copied()
    }

    fn link(&self, server: ServerIndex) -> Link {
        self.links.get(server as usize).map_or(Link::DELETED, |link| Link(link.load()))
    }

    fn connections(&self, server: ServerIndex) -> Option<&ServerConnections> {
        self.connections.get(server as usize)
    }
}
