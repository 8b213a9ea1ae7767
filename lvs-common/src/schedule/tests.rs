//! The schedulers against the kernel's algorithms, written down step by step.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

use super::{Candidate, Rr, Turns, Wrr};

type Name = u32;

/// A real server of the list.
#[derive(Debug, Clone, Copy)]
struct Destination {
    name: Name,
    weight: i64,
    overloaded: bool,
}

/// `struct ip_vs_wrr_mark`, and the list with its head: `cl` is the name under the mark, the head when there is none.
#[derive(Debug, Default)]
struct Kernel {
    list: VecDeque<Destination>,
    cl: Option<Name>,
    cw: i64,
    mw: i64,
    di: i64,
}

impl Kernel {
    /// The destination after this one; the first one after the head; the head after the last.
    fn next(&self, after: Option<Name>) -> Option<Destination> {
        let place = |name| self.list.iter().position(|destination| destination.name == name).unwrap();
        self.list.get(after.map_or(0, |name| place(name) + 1)).copied()
    }

    fn previous(&self, before: Name) -> Option<Name> {
        let place = self.list.iter().position(|destination| destination.name == before).unwrap();
        place.checked_sub(1).map(|place| self.list[place].name)
    }

    /// `ip_vs_wrr_gcd_weight`, by trying every divisor.
    fn gcd_weight(&self) -> i64 {
        let weights: Vec<i64> = self.list.iter().map(|d| d.weight).filter(|weight| *weight > 0).collect();
        let least = weights.iter().copied().min().unwrap_or(1);
        (1..=least).rev().find(|di| weights.iter().all(|weight| weight % di == 0)).unwrap_or(1)
    }

    fn max_weight(&self) -> i64 {
        self.list.iter().map(|destination| destination.weight).max().unwrap_or(0).max(0)
    }

    /// `ip_vs_wrr_dest_changed`.
    fn wrr_changed(&mut self) {
        self.cl = None;
        self.di = self.gcd_weight();
        self.mw = self.max_weight() - (self.di - 1);
        if self.cw > self.mw || self.cw == 0 {
            self.cw = self.mw;
        } else if self.di > 1 {
            self.cw = self.cw / self.di * self.di + 1;
        }
    }

    /// `ip_vs_wrr_schedule`: one pass over the list for each weight, until all have been in vain.
    fn wrr_schedule(&mut self) -> Option<Name> {
        for _ in 0..=self.mw + 2 {
            while let Some(destination) = self.next(self.cl) {
                self.cl = Some(destination.name);
                if !destination.overloaded && destination.weight > 0 && destination.weight >= self.cw {
                    return self.cl;
                }
            }
            self.cl = None;
            self.cw -= self.di;
            if self.cw <= 0 {
                self.cw = self.mw;
            }
        }
        None
    }

    /// `ip_vs_rr_schedule`: from the last pick to the end, then from the beginning.
    fn rr_schedule(&mut self) -> Option<Name> {
        let mut place = self.cl;
        for _ in 0..=self.list.len() {
            match self.next(place) {
                Some(destination) if !destination.overloaded && destination.weight > 0 => {
                    self.cl = Some(destination.name);
                    return self.cl;
                }
                destination => place = destination.map(|destination| destination.name),
            }
        }
        None
    }

    fn candidates(&self) -> Vec<Candidate> {
        let candidate = |d: &Destination| Candidate { weight: d.weight as u32, available: !d.overloaded };
        self.list.iter().map(candidate).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Add(u32),
    Edit(Index, u32),
    Remove(Index),
    Overload(Index, bool),
    Pick(usize),
}

fn weights() -> impl Strategy<Value = u32> {
    prop_oneof![1 => 0..2_u32, 4 => 0..13_u32, 2 => (1..7_u32).prop_map(|weight| weight * 6), 1 => 0..300_u32]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => weights().prop_map(Step::Add),
        2 => (any::<Index>(), weights()).prop_map(|(place, weight)| Step::Edit(place, weight)),
        1 => any::<Index>().prop_map(Step::Remove),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(place, overloaded)| Step::Overload(place, overloaded)),
        4 => (1..30_usize).prop_map(Step::Pick),
    ];
    vec(step, 1..50)
}

/// A scheduler here beside the kernel's.
struct Pair {
    kernel: Kernel,
    ours: Turns,
    added: Name,
}

impl Pair {
    fn new(ours: Turns) -> Self {
        Self { kernel: Kernel::default(), ours, added: 0 }
    }

    fn changed(&mut self) {
        if matches!(self.ours, Turns::Wrr(_)) {
            self.kernel.wrr_changed();
        }
    }

    fn add(&mut self, weight: u32) {
        self.added += 1;
        let new = Destination { name: self.added, weight: weight.into(), overloaded: false };
        self.kernel.list.push_front(new);
        self.changed();
        self.ours.server_added(&self.kernel.candidates());
    }

    fn edit(&mut self, place: Index, weight: u32) {
        if !self.kernel.list.is_empty() {
            let place = place.index(self.kernel.list.len());
            self.kernel.list[place].weight = weight.into();
            self.changed();
            self.ours.server_edited(&self.kernel.candidates());
        }
    }

    /// `ip_vs_rr_del_dest` moves the mark back from a server that leaves.
    fn remove(&mut self, place: Index) {
        if !self.kernel.list.is_empty() {
            let place = place.index(self.kernel.list.len());
            let name = self.kernel.list[place].name;
            if self.kernel.cl == Some(name) {
                self.kernel.cl = self.kernel.previous(name);
            }
            self.kernel.list.remove(place);
            self.changed();
            self.ours.server_removed(&self.kernel.candidates(), place);
        }
    }

    fn overload(&mut self, place: Index, overloaded: bool) {
        if !self.kernel.list.is_empty() {
            let place = place.index(self.kernel.list.len());
            self.kernel.list[place].overloaded = overloaded;
        }
    }

    fn has_usable(&self) -> bool {
        self.kernel.list.iter().any(|destination| !destination.overloaded && destination.weight > 0)
    }

    /// What the kernel picks, and what we do.
    fn pick(&mut self) -> (Option<Name>, Option<Name>) {
        let kernel = match self.ours {
            Turns::Rr(_) => self.kernel.rr_schedule(),
            Turns::Wrr(_) => self.kernel.wrr_schedule(),
        };
        let ours = self.ours.next(&self.kernel.candidates());
        (kernel, ours.map(|place| self.kernel.list[place].name))
    }

    /// Takes a step and gives what both have picked.
    fn take(&mut self, step: &Step) -> Vec<(Option<Name>, Option<Name>)> {
        match step {
            Step::Add(weight) => self.add(*weight),
            Step::Edit(place, weight) => self.edit(*place, *weight),
            Step::Remove(place) => self.remove(*place),
            Step::Overload(place, overloaded) => self.overload(*place, *overloaded),
            Step::Pick(n) if self.has_usable() => return (0..*n).map(|_| self.pick()).collect(),
            Step::Pick(_) => {}
        }
        Vec::new()
    }
}

proptest! {
    #[test]
    fn picks_are_the_kernels_after_any_history(wrr: bool, steps in steps()) {
        let mut pair = Pair::new(if wrr { Turns::Wrr(Wrr::default()) } else { Turns::Rr(Rr::new()) });
        for step in &steps {
            for (kernel, ours) in pair.take(step) {
                prop_assert_eq!(ours, kernel, "{:?}", pair.kernel);
            }
        }
    }

    /// A cycle of wrr: each server by its share of the weights, wherever it begins; then the state is what it was.
    #[test]
    fn a_cycle_holds_each_server_by_weight(steps in steps(), weights in vec(weights(), 1..8)) {
        let mut pair = Pair::new(Turns::Wrr(Wrr::default()));
        steps.iter().for_each(|step| drop(pair.take(step)));
        pair.kernel.list.iter_mut().for_each(|destination| destination.overloaded = false);
        weights.iter().for_each(|weight| pair.add(*weight));
        let servers = pair.kernel.candidates();
        let divisor = pair.kernel.gcd_weight() as u64;
        let total: u64 = servers.iter().map(|server| u64::from(server.weight) / divisor).sum();
        prop_assert_eq!(pair.ours.cycle(&servers), total);
        // From one pick on: before the first one the mark may stand where no pick leaves it.
        let mut turns = pair.ours;
        turns.next(&servers);
        let start = turns;
        let mut picks = vec![0; servers.len()];
        (0..total).filter_map(|_| turns.next(&servers)).for_each(|place| picks[place] += 1);
        let shares: Vec<u64> = servers.iter().map(|server| u64::from(server.weight) / divisor).collect();
        prop_assert_eq!(picks, shares);
        prop_assert_eq!(turns, start);
    }

    #[test]
    fn who_can_take_nothing_is_never_picked(
        wrr: bool,
        servers in vec((weights(), any::<bool>()), 0..8),
        picks in 1..50_usize,
    ) {
        let servers: Vec<_> =
            servers.into_iter().map(|(weight, available)| Candidate { weight, available }).collect();
        let mut turns = if wrr { Turns::Wrr(Wrr::new(&servers)) } else { Turns::Rr(Rr::new()) };
        let usable = servers.iter().any(|server| server.available && server.weight > 0);
        for _ in 0..picks {
            let pick = turns.next(&servers);
            prop_assert_eq!(pick.is_some(), usable);
            prop_assert!(pick.is_none_or(|place| servers[place].available && servers[place].weight > 0));
        }
        prop_assert_eq!(turns.cycle(&servers) > 0, usable);
    }
}
