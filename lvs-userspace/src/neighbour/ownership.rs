//! Which neighbour entries are ours, and what has to be done to give them back.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::entry::Entry;

/// What we did to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    /// There was none before: it is deleted in the end.
    Created,
    /// It was an ordinary one: it becomes one again.
    MadeManaged,
}

/// One entry to which we did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) address: IpAddr,
    pub(super) interface_index: u32,
    pub(super) deed: Deed,
}

impl Claim {
    fn is_about(&self, address: IpAddr, interface_index: u32) -> bool {
        self.address == address && self.interface_index == interface_index
    }
}

/// Whether this kernel knows `NTF_EXT_MANAGED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Management {
    /// It does, or that is not known to be wrong yet.
    ByKernel,
    /// It does not: entries have to be asked for again and again.
    ByAsking,
}

/// What one look at the entry of an on-link address leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// What is ours from now on.
    pub(super) claim: Option<Claim>,
    /// Whether the kernel has to be asked to resolve it.
    pub(super) ask: bool,
}

/// Decides what to do about `entry`, given what is already ours.
pub(super) fn decide(
    address: IpAddr,
    interface_index: u32,
    entry: Option<&Entry>,
    held: Option<Claim>,
    management: Management,
) -> Decision {
    let held = held.filter(|claim| claim.is_about(address, interface_index));
    let claim = |deed| Claim { address, interface_index, deed };
    match entry {
        None => Decision { claim: Some(claim(Deed::Created)), ask: true },
        Some(entry) if entry.is_static() => Decision { claim: None, ask: false },
        Some(entry) if entry.managed => Decision { claim: held, ask: false },
        Some(_) => match management {
            Management::ByKernel => Decision { claim: held.or(Some(claim(Deed::MadeManaged))), ask: true },
            Management::ByAsking => Decision { claim: held, ask: true },
        },
    }
}

/// Whether the entry that is there now is still the one that the claim is about, not one that someone else put there.
pub(super) fn is_still_ours(entry: &Entry, management: Management) -> bool {
    !entry.is_static() && (entry.managed || management == Management::ByAsking)
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::neighbour::NeighbourState;

    use super::super::entry::tests::{ADDRESS, entry};
    use super::*;

    const CREATED: Claim = Claim { address: ADDRESS, interface_index: 7, deed: Deed::Created };
    const MADE_MANAGED: Claim = Claim { deed: Deed::MadeManaged, ..CREATED };

    fn ordinary() -> Entry {
        Entry { managed: false, ..entry(NeighbourState::Stale) }
    }

    fn decided(entry: Option<&Entry>, held: Option<Claim>, management: Management) -> (Option<Claim>, bool) {
        let Decision { claim, ask } = decide(ADDRESS, 7, entry, held, management);
        (claim, ask)
    }

    #[test]
    fn an_absent_entry_is_created() {
        assert_eq!(decided(None, None, Management::ByKernel), (Some(CREATED), true));
        assert_eq!(decided(None, Some(MADE_MANAGED), Management::ByKernel), (Some(CREATED), true));
    }

    #[test]
    fn an_ordinary_entry_is_made_managed() {
        assert_eq!(decided(Some(&ordinary()), None, Management::ByKernel), (Some(MADE_MANAGED), true));
    }

    #[test]
    fn an_entry_that_was_created_here_stays_so_when_it_lost_the_flag() {
        assert_eq!(decided(Some(&ordinary()), Some(CREATED), Management::ByKernel), (Some(CREATED), true));
    }

    #[test]
    fn a_managed_entry_of_someone_else_is_left_alone() {
        let managed = entry(NeighbourState::Reachable);
        assert_eq!(decided(Some(&managed), None, Management::ByKernel), (None, false));
        assert_eq!(decided(Some(&managed), Some(CREATED), Management::ByKernel), (Some(CREATED), false));
    }

    #[test]
    fn a_permanent_entry_is_left_alone_even_where_ours_was() {
        for state in [NeighbourState::Permanent, NeighbourState::Noarp] {
            let entry = entry(state);
            assert_eq!(decided(Some(&entry), Some(CREATED), Management::ByKernel), (None, false));
            assert!(!is_still_ours(&entry, Management::ByKernel));
        }
    }

    #[test]
    fn a_claim_on_another_interface_counts_for_nothing() {
        let elsewhere = Claim { interface_index: 8, ..CREATED };
        let managed = entry(NeighbourState::Reachable);
        assert_eq!(decided(Some(&managed), Some(elsewhere), Management::ByKernel), (None, false));
    }

    #[test]
    fn without_managed_entries_the_kernel_is_asked_each_time() {
        assert_eq!(decided(Some(&ordinary()), None, Management::ByAsking), (None, true));
        assert_eq!(decided(Some(&ordinary()), Some(CREATED), Management::ByAsking), (Some(CREATED), true));
        assert!(is_still_ours(&ordinary(), Management::ByAsking));
        assert!(!is_still_ours(&ordinary(), Management::ByKernel));
    }
}
