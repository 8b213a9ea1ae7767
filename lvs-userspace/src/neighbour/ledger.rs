//! The claims that are held, and their journal.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::ownership::Claim;
use crate::journal::{Journal, JournalError};

/// Which neighbour entries are ours.
#[derive(Debug)]
pub(super) struct Ledger {
    held: BTreeMap<IpAddr, Claim>,
    /// Of a killed predecessor, and not met again yet.
    inherited: Vec<Claim>,
    journal: Option<Journal<Vec<Claim>>>,
    unsaved: bool,
}

impl Ledger {
    /// Reads what a killed predecessor left.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, JournalError> {
        let journal = path.map(|path| Journal::here(path, "neighbours-1")).transpose()?;
        let recovered = journal.as_ref().map(Journal::recover).transpose()?;
        let (inherited, discarded) = recovered.unwrap_or_default();
        discarded.iter().for_each(|discarded| tracing::warn!("{discarded}"));
        let inherited = inherited.unwrap_or_default();
        Ok(Self { held: BTreeMap::new(), inherited, journal, unsaved: false })
    }

    /// What is ours of `address`, on whichever interface; else what a predecessor held on this one.
    pub(super) fn claim(&self, address: IpAddr, interface_index: u32) -> Option<Claim> {
        let inherited = |claim: &&Claim| claim.address == address && claim.interface_index == interface_index;
        self.held.get(&address).or_else(|| self.inherited.iter().find(inherited)).copied()
    }

    /// Records what is ours of `address` from now on. Returns a claim elsewhere that has to be released.
    pub(super) fn set(&mut self, address: IpAddr, claim: Option<Claim>) -> Option<Claim> {
        let former = match claim {
            Some(claim) => self.held.insert(address, claim),
            None => self.held.remove(&address),
        };
        self.unsaved |= former != claim;
        let is_same_entry = |inherited: &Claim| {
            claim.is_some_and(|claim| {
                (claim.address, claim.interface_index) == (inherited.address, inherited.interface_index)
            })
        };
        self.inherited.retain(|inherited| !is_same_entry(inherited));
        former.filter(|former| !is_same_entry(former))
    }

    /// Gives every claim up, inherited ones too.
    pub(super) fn take_all(&mut self) -> Vec<Claim> {
        self.unsaved = true;
        let held = std::mem::take(&mut self.held);
        held.into_values().chain(self.inherited.drain(..)).collect()
    }

    /// Brings the journal up to date. An entry that is not written down is harmless, so a full disk stops nothing.
    pub(super) fn save(&mut self) {
        let Some(journal) = self.journal.as_ref().filter(|_| self.unsaved) else { return };
        let claims: Vec<_> = self.held.values().chain(&self.inherited).copied().collect();
        let saved = if claims.is_empty() { journal.remove() } else { journal.store(&claims) };
        match saved {
            Ok(()) => self.unsaved = false,
            Err(error) => tracing::warn!(%error, "neighbour entries of ours would outlive a crash"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::ADDRESS;
    use super::super::ownership::Deed;
    use super::*;

    const CLAIM: Claim = Claim { address: ADDRESS, interface_index: 7, deed: Deed::Created };
    const ELSEWHERE: Claim = Claim { interface_index: 8, ..CLAIM };

    fn path(folder: &tempfile::TempDir) -> Option<PathBuf> {
        Some(folder.path().join("neighbours.json"))
    }

    #[test]
    fn a_claim_survives_its_process_and_goes_when_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut killed = Ledger::open(path(&folder)).unwrap();
        assert_eq!(killed.set(ADDRESS, Some(CLAIM)), None);
        killed.save();
        let mut next = Ledger::open(path(&folder)).unwrap();
        assert_eq!(next.claim(ADDRESS, 7), Some(CLAIM));
        assert_eq!(next.claim(ADDRESS, 8), None);
        assert_eq!(next.take_all(), [CLAIM]);
        next.save();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_inherited_claim_that_is_met_again_is_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut killed = Ledger::open(path(&folder)).unwrap();
        killed.set(ADDRESS, Some(CLAIM));
        killed.save();
        let mut next = Ledger::open(path(&folder)).unwrap();
        next.set(ADDRESS, Some(CLAIM));
        assert_eq!(next.take_all(), [CLAIM]);
    }

    #[test]
    fn a_claim_that_moves_leaves_one_to_release() {
        let mut ledger = Ledger::open(None).unwrap();
        assert_eq!(ledger.set(ADDRESS, Some(ELSEWHERE)), None);
        assert_eq!(ledger.set(ADDRESS, Some(CLAIM)), Some(ELSEWHERE));
        assert_eq!(ledger.set(ADDRESS, Some(CLAIM)), None);
        assert_eq!(ledger.set(ADDRESS, None), Some(CLAIM));
    }
}
