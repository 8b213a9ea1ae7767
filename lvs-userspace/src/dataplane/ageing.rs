//! Ageing: expired connections leave the table and their real servers' counts.
//!
//! The data path judges expiry itself, so ageing only keeps the counts right and finds real servers without connections.

use std::collections::HashSet;

use lvs_common::abi::{ServerIndex, Timeouts};
use lvs_common::connection::{Meta, State, Way};

use super::Dataplane;

/// One step looks at this share of the table.
const STEPS: usize = 16;
/// A connection is swept this long after it has expired: until then a packet that another CPU is just handling may find it
/// alive.
const GRACE_SECONDS: f64 = 2.0;

/// Where the next step begins.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    next_step: usize,
}

impl Dataplane {
    /// Sweeps a sixteenth of the table; says whether that was the last of it.
    pub fn age(&mut self) -> bool {
        let step = self.lines.len().div_ceil(STEPS);
        let start = step * self.sweep.next_step;
        self.sweep.next_step = (self.sweep.next_step + 1) % STEPS;
        let timeouts = Timeouts::new(self.clock.ticks_per_second());
        let now = self.clock.now().wrapping_sub((GRACE_SECONDS * self.clock.ticks_per_second()) as u32);
        for way in self.lines.iter().skip(start).take(step).flat_map(|line| &line.ways) {
            self.age_way(way, &timeouts, now);
        }
        self.sweep.next_step == 0
    }

    fn age_way(&self, way: &Way, timeouts: &Timeouts, now: u32) {
        let meta = way.meta();
        let expired = meta.state() != State::Free && meta.is_expired(timeouts, now);
        // Only the very value that has expired goes: a packet that came meanwhile has changed it.
        if expired && way.update(meta, Meta::FREE) {
            self.uncount(meta);
        }
    }

    fn uncount(&self, meta: Meta) {
        if let Some(server) = self.connections.get(meta.server() as usize) {
            let counter = if meta.state().is_active() { &server.active } else { &server.inactive };
            counter.fetch_add(u64::MAX);
        }
    }

    /// The real servers that some entry of the connection table names.
    #[must_use]
    pub fn servers_with_connections(&self) -> HashSet<ServerIndex> {
        let metas = self.lines.iter().flat_map(|line| &line.ways).map(Way::meta);
        metas.filter(|meta| meta.state() != State::Free).map(Meta::server).collect()
    }
}
