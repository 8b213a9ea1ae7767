//! How a virtual service stands in the data path: its slot table, and its real servers' indices.

use std::net::{IpAddr, SocketAddr};

use lvs_common::abi::{ServerIndex, ServiceKey, Slots, VipKey};
use lvs_common::schedule::{Candidate, Rr, Turns, Wrr};

use super::service::{Scheduler, ServiceAddress};
use super::snapshot::Traffic;

/// Slots of one table at most (design: 2^16).
pub(super) const MAX_SLOTS: u64 = 1 << 16;

/// One service.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    /// Tells this service from an earlier one of the same name.
    pub(super) generation: u64,
    /// The scheduler's state at the table's first slot.
    pub(super) turns: Turns,
    /// The published table.
    pub(super) slots: Slots,
    /// In the kernel's order: the server added last comes first.
    pub(super) servers: Vec<PlacedServer>,
    /// What real servers that have left had been sent.
    pub(super) departed: Traffic,
}

/// One real server of a service.
#[derive(Debug, Clone)]
pub(super) struct PlacedServer {
    pub(super) address: SocketAddr,
    pub(super) index: ServerIndex,
    pub(super) weight: u32,
    /// Its MAC address is known, or has been.
    pub(super) available: bool,
    /// The index's counters when it joined: what came later counts for the service.
    pub(super) joined: Traffic,
    /// The index's counters when its own started at 0.
    pub(super) zeroed: Traffic,
}

impl Placement {
    pub(super) fn new(generation: u64, scheduler: Scheduler) -> Self {
        Self {
            generation,
            turns: first_turns(scheduler, &[]),
            slots: Slots { first: 0, length: 0 },
            servers: Vec::new(),
            departed: Traffic::default(),
        }
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let candidate =
            |server: &PlacedServer| Candidate { weight: server.weight, available: server.available };
        self.servers.iter().map(candidate).collect()
    }

    pub(super) fn position(&self, address: SocketAddr) -> Option<usize> {
        self.servers.iter().position(|server| server.address == address)
    }

    /// Another scheduler takes over, as after `ip_vs_bind_scheduler`.
    pub(super) fn set_scheduler(&mut self, scheduler: Scheduler) {
        if scheduler != self.scheduler() {
            self.turns = first_turns(scheduler, &self.candidates());
        }
    }

    fn scheduler(&self) -> Scheduler {
        match self.turns {
            Turns::Rr(_) => Scheduler::Rr,
            Turns::Wrr(_) => Scheduler::Wrr,
        }
    }

    /// Moves the scheduler on by the connections that the published table has scheduled.
    pub(super) fn settle(&mut self, turn: u64) {
        let candidates = self.candidates();
        let steps = turn.checked_rem(u64::from(self.slots.length)).unwrap_or(0);
        for _ in 0..steps {
            self.turns.next(&candidates);
        }
    }

    /// One cycle of the scheduler's sequence from here: the real servers' indices in the order of the picks.
    pub(super) fn table(&self) -> Vec<ServerIndex> {
        let candidates = fitting(self.candidates(), &self.turns);
        let mut turns = self.turns;
        let picks = (0..turns.cycle(&candidates)).map_while(|_| turns.next(&candidates));
        picks.filter_map(|position| Some(self.servers.get(position)?.index)).collect()
    }
}

/// Weights whose cycle is longer than a table are made smaller, none below 1: the proportion is then kept to about one in
/// [`MAX_SLOTS`].
fn fitting(mut candidates: Vec<Candidate>, turns: &Turns) -> Vec<Candidate> {
    let cycle = turns.cycle(&candidates);
    if cycle > MAX_SLOTS {
        let heaviest = candidates.iter().map(|candidate| u64::from(candidate.weight)).max().unwrap_or(1);
        let room = MAX_SLOTS / candidates.len() as u64;
        for candidate in candidates.iter_mut().filter(|candidate| candidate.weight > 0) {
            candidate.weight = (u64::from(candidate.weight) * room / heaviest).max(1) as u32;
        }
    }
    candidates
}

fn first_turns(scheduler: Scheduler, candidates: &[Candidate]) -> Turns {
    match scheduler {
        Scheduler::Rr => Turns::Rr(Rr::new()),
        Scheduler::Wrr => Turns::Wrr(Wrr::new(candidates)),
    }
}

/// The service's key in the data path; nothing for an address family that the data path does not know.
pub(super) fn service_key(service: &ServiceAddress) -> Option<ServiceKey> {
    match service.address {
        SocketAddr::V4(address) => Some(ServiceKey::ipv4(
            address.ip().octets(),
            address.port().to_be_bytes(),
            service.protocol.number(),
        )),
        SocketAddr::V6(_) => None,
    }
}

/// A virtual IP address in the data path.
pub(super) fn vip_key(address: IpAddr) -> Option<VipKey> {
    match address {
        IpAddr::V4(address) => Some(address.into()),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(scheduler: Scheduler, weights: &[u32]) -> Placement {
        let mut placement = Placement::new(1, scheduler);
        for (index, weight) in (0..).zip(weights) {
            let server = PlacedServer {
                address: ([10, 0, 0, index as u8], 80).into(),
                index,
                weight: *weight,
                available: true,
                joined: Traffic::default(),
                zeroed: Traffic::default(),
            };
            placement.servers.insert(0, server);
            placement.turns.server_added(&placement.candidates());
        }
        placement
    }

    #[test]
    fn the_table_is_one_cycle() {
        assert_eq!(placement(Scheduler::Wrr, &[2, 1]).table(), [1, 0, 0]);
        assert_eq!(placement(Scheduler::Rr, &[7, 0, 9]).table(), [2, 0]);
        assert_eq!(placement(Scheduler::Wrr, &[0]).table(), [] as [u32; 0]);
    }

    #[test]
    fn an_edit_goes_on_where_the_table_stood() {
        let mut placement = placement(Scheduler::Wrr, &[2, 1]);
        placement.slots.length = 3;
        placement.settle(3 * 1000 + 2);
        assert_eq!(placement.table(), [0, 1, 0]);
    }

    #[test]
    fn a_long_cycle_is_made_to_fit_in_proportion() {
        let table = placement(Scheduler::Wrr, &[1_000_000, 999_999, 1]).table();
        assert!(table.len() as u64 <= MAX_SLOTS);
        let count = |index| table.iter().filter(|slot| **slot == index).count();
        assert_eq!(count(2), 1);
        assert!(count(0).abs_diff(count(1)) <= 1, "{} {}", count(0), count(1));
    }
}
