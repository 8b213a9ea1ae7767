//! The arena of slot tables: who has which stretch of it.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use lvs_common::abi::Slots;

/// For so long after its release a stretch is not used again: a packet may just be reading it. Microseconds would do; a virtual
/// machine may stop a CPU for longer.
const GRACE: Duration = Duration::from_secs(1);

/// Gives out stretches of slots, first fit.
#[derive(Debug, Clone)]
pub(super) struct Arena {
    /// Length of each free stretch by its first slot; neighbours are always joined.
    free: BTreeMap<u32, u32>,
    resting: VecDeque<(Instant, Slots)>,
}

impl Arena {
    pub(super) fn new(capacity: u32) -> Self {
        Self { free: BTreeMap::from([(0, capacity)]), resting: VecDeque::new() }
    }

    /// A stretch of this length; nothing when none is left. No slots need no stretch.
    pub(super) fn allocate(&mut self, length: u32, now: Instant) -> Option<Slots> {
        if length == 0 {
            return Some(Slots { first: 0, length });
        }
        self.wake(now);
        let (first, available) = self.free.iter().map(|(f, l)| (*f, *l)).find(|(_, l)| *l >= length)?;
        self.free.remove(&first);
        if available > length {
            self.free.insert(first + length, available - length);
        }
        Some(Slots { first, length })
    }

    /// Gives a stretch back; it rests for a while.
    pub(super) fn release(&mut self, slots: Slots, now: Instant) {
        if slots.length > 0 {
            self.resting.push_back((now, slots));
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some((since, slots)) = self.resting.front().copied() {
            if now.saturating_duration_since(since) < GRACE {
                return;
            }
            self.resting.pop_front();
            self.join(slots);
        }
    }

    fn join(&mut self, Slots { mut first, mut length }: Slots) {
        if let Some(after) = self.free.remove(&(first + length)) {
            length += after;
        }
        let before = self.free.range(..first).next_back().map(|(start, length)| (*start, *length));
        if let Some((start, before)) = before.filter(|(start, length)| start + length == first) {
            first = start;
            length += before;
        }
        self.free.insert(first, length);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_released_stretch_rests_before_it_is_used_again() {
        let start = Instant::now();
        let mut arena = Arena::new(10);
        let slots = arena.allocate(10, start).unwrap();
        arena.release(slots, start);
        assert_eq!(arena.allocate(1, start + GRACE / 2), None);
        assert_eq!(arena.allocate(10, start + GRACE), Some(slots));
    }

    proptest! {
        #[test]
        fn stretches_never_overlap_and_all_come_back(steps in prop::collection::vec((any::<bool>(), 1_u32..40), 1..200)) {
            let mut now = Instant::now();
            let mut arena = Arena::new(256);
            let mut live: Vec<Slots> = Vec::new();
            for (release, n) in steps {
                now += GRACE;
                if release && !live.is_empty() {
                    arena.release(live.remove(n as usize % live.len()), now);
                } else if let Some(slots) = arena.allocate(n, now) {
                    for other in &live {
                        prop_assert!(slots.first >= other.first + other.length || other.first >= slots.first + slots.length);
                    }
                    live.push(slots);
                }
            }
            live.drain(..).for_each(|slots| arena.release(slots, now));
            prop_assert!(arena.allocate(256, now + GRACE).is_some());
        }
    }
}
