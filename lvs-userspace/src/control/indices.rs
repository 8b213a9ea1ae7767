//! Which real server has which index in the data path's arrays.
//!
//! A deleted real server leaves a tombstone: entries of the connection table still name its index, and the same real server
//! added again takes it back. An index goes to another real server only after the connection table names it no more.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use lvs_common::abi::ServerIndex;

use super::change::ChangeError;
use super::service::ServiceAddress;
use super::snapshot::Traffic;

/// A real server of a service.
pub(super) type ServerName = (ServiceAddress, SocketAddr);

/// What a deleted real server leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub(super) index: ServerIndex,
    /// The service that it was deleted from: another one of the same name counts anew.
    pub(super) generation: u64,
    /// What had been sent to it when its counters last started at 0.
    pub(super) zeroed: Traffic,
}

/// Gives out indices.
#[derive(Debug, Clone)]
pub(super) struct Indices {
    capacity: u32,
    never_used: ServerIndex,
    free: BTreeSet<ServerIndex>,
    tombstones: HashMap<ServerName, Tombstone>,
}

impl Indices {
    pub(super) fn new(capacity: u32) -> Self {
        Self { capacity, never_used: 0, free: BTreeSet::new(), tombstones: HashMap::new() }
    }

    /// An index that no connection names.
    pub(super) fn allocate(&mut self) -> Result<ServerIndex, ChangeError> {
        if let Some(index) = self.free.pop_first() {
            return Ok(index);
        }
        if self.never_used == self.capacity {
            return Err(ChangeError::Full { what: "real server".to_owned(), limit: self.capacity });
        }
        self.never_used += 1;
        Ok(self.never_used - 1)
    }

    /// Keeps the index of a deleted real server for its connections.
    pub(super) fn bury(&mut self, name: ServerName, tombstone: Tombstone) {
        self.tombstones.insert(name, tombstone);
    }

    /// The real server is back.
    pub(super) fn revive(&mut self, name: &ServerName) -> Option<Tombstone> {
        self.tombstones.remove(name)
    }

    pub(super) fn has_tombstones(&self) -> bool {
        !self.tombstones.is_empty()
    }

    /// Frees the tombstones' indices that no connection names.
    pub(super) fn reclaim(&mut self, named: &HashSet<ServerIndex>) {
        let unnamed = self.tombstones.extract_if(|_, tombstone| !named.contains(&tombstone.index));
        self.free.extend(unnamed.map(|(_, tombstone)| tombstone.index));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::service::Protocol;

    fn name(port: u16) -> ServerName {
        let service = ServiceAddress { protocol: Protocol::Tcp, address: ([10, 0, 0, 1], 80).into() };
        (service, ([10, 0, 0, 2], port).into())
    }

    fn tombstone(index: ServerIndex) -> Tombstone {
        Tombstone { index, generation: 1, zeroed: Traffic::default() }
    }

    #[test]
    fn a_server_that_returns_takes_its_index_back() {
        let mut indices = Indices::new(2);
        let index = indices.allocate().unwrap();
        indices.bury(name(80), tombstone(index));
        assert_eq!(indices.revive(&name(80)), Some(tombstone(index)));
        assert_eq!(indices.revive(&name(80)), None);
    }

    #[test]
    fn an_index_is_used_again_only_when_no_connection_names_it() {
        let mut indices = Indices::new(1);
        let index = indices.allocate().unwrap();
        indices.bury(name(80), tombstone(index));
        indices.reclaim(&HashSet::from([index]));
        assert!(matches!(indices.allocate(), Err(ChangeError::Full { limit: 1, .. })));
        indices.reclaim(&HashSet::new());
        assert_eq!(indices.allocate(), Ok(index));
        assert!(!indices.has_tombstones());
    }
}
