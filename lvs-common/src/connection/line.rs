//! One cache line: a set of four ways.

use core::hint::black_box;

use super::Meta;
use crate::abi::Timeouts;
use crate::word::Word;

/// Ways of a line.
pub const WAYS: usize = 4;

/// The place of one connection.
#[cfg_attr(not(target_arch = "bpf"), derive(Default))]
#[repr(C)]
pub struct Way {
    fingerprint: Word,
    meta: Word,
}

/// A set: one cache line.
#[cfg_attr(not(target_arch = "bpf"), derive(Default))]
#[repr(C, align(64))]
pub struct Line {
    /// The ways, without order.
    pub ways: [Way; WAYS],
}

const _: () = assert!(size_of::<Way>() == 16);
const _: () = assert!(size_of::<Line>() == 64 && align_of::<Line>() == 64);

impl Way {
    /// Whether the way belongs to the connection with this fingerprint.
    #[inline(always)]
    #[must_use]
    pub fn is(&self, fingerprint: u64) -> bool {
        self.fingerprint.load() == fingerprint
    }

    /// The fingerprint: odd for a connection.
    #[inline(always)]
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.load()
    }

    /// What is known of the connection.
    #[inline(always)]
    #[must_use]
    pub fn meta(&self) -> Meta {
        Meta(self.meta.load())
    }

    /// Replaces what is known, unless somebody else has changed it meanwhile; says whether it did.
    #[inline(always)]
    pub fn update(&self, current: Meta, new: Meta) -> bool {
        self.meta.replace(current.0, new.0)
    }

    /// Gives the way to another connection, unless what is known of the present one has changed meanwhile; says whether it
    /// did.
    #[inline(always)]
    pub fn claim(&self, seen: Meta, fingerprint: u64, meta: Meta) -> bool {
        let claimed = self.update(seen, Meta::CLAIMED);
        if claimed {
            self.fingerprint.store(fingerprint);
            self.meta.store(meta.0);
        }
        claimed
    }
}

/// The way of a line that is given away first, and how readily.
///
/// Numbers and no reference: the verifier refuses a pointer that was selected without a branch, and LLVM likes such.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate(u64);

impl Candidate {
    /// Layout, so that the greatest goes first: bits 0 to 1 the way, 2 to 33 the age, 34 and up the class.
    #[inline(always)]
    fn new(way: usize, meta: Meta, timeouts: &Timeouts, now: u32) -> Self {
        let class = u64::from(meta.expendable(timeouts, now));
        Self(class << 34 | u64::from(meta.age(now)) << 2 | way as u64)
    }

    /// Every way holds a connection that must stay.
    #[inline(always)]
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.class() == 0
    }

    /// The way holds no living connection.
    #[inline(always)]
    #[must_use]
    pub const fn is_free(self) -> bool {
        self.class() == 3
    }

    /// How readily it goes ([`Meta::expendable`]).
    #[inline(always)]
    #[must_use]
    pub const fn class(self) -> u64 {
        self.0 >> 34
    }

    #[inline(always)]
    fn greater(self, other: Self) -> Self {
        // Both are under 2^63. The black box keeps LLVM from making a branch of the sign.
        let less = (black_box(self.0.wrapping_sub(other.0)).cast_signed() >> 63).cast_unsigned();
        Self(self.0 ^ ((self.0 ^ other.0) & less))
    }
}

impl Line {
    /// The way of a connection.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, fingerprint: u64) -> Option<&Way> {
        self.ways.iter().find(|way| way.is(fingerprint))
    }

    /// The most expendable way, the longest silent one among equals.
    #[inline(always)]
    #[must_use]
    pub fn candidate(&self, timeouts: &Timeouts, now: u32) -> Candidate {
        let ways = self.ways.iter().enumerate();
        let judged = ways.map(|(place, way)| Candidate::new(place, way.meta(), timeouts, now));
        judged.fold(Candidate(0), Candidate::greater)
    }

    /// The candidate's way with what is known of its connection now; nothing if that is less expendable than it was.
    #[inline(always)]
    #[must_use]
    pub fn way_of(&self, candidate: Candidate, timeouts: &Timeouts, now: u32) -> Option<(&Way, Meta)> {
        let way = self.ways.get(candidate.0 as usize & (WAYS - 1))?;
        let meta = way.meta();
        (u64::from(meta.expendable(timeouts, now)) >= candidate.class()).then_some((way, meta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::State;

    fn line(metas: [Meta; WAYS]) -> Line {
        let way = |meta: Meta| Way { fingerprint: Word::new(meta.0 | 1), meta: Word::new(meta.0) };
        Line { ways: metas.map(way) }
    }

    fn choice(metas: [Meta; WAYS], now: u32) -> (usize, u64) {
        let candidate = line(metas).candidate(&Timeouts::new(4.0), now);
        (candidate.0 as usize & 3, candidate.class())
    }

    #[test]
    fn expired_goes_before_over_before_half_open_and_established_never() {
        let established = Meta::new(1, State::Established, 1000);
        let half_open = Meta::new(1, State::SynReceived, 1000);
        let over = Meta::new(1, State::FinWait, 1000);
        let expired = Meta::new(1, State::Close, 100);
        assert_eq!(choice([established, half_open, over, expired], 1001), (3, 3));
        assert_eq!(choice([established, half_open, over, established], 1001), (2, 2));
        assert_eq!(choice([half_open, established, established, established], 1001), (0, 1));
        assert!(line([established; WAYS]).candidate(&Timeouts::new(4.0), 1001).is_none());
    }

    #[test]
    fn the_longest_silent_goes_first_among_equals() {
        let at = |seen| Meta::new(1, State::SynReceived, seen);
        assert_eq!(choice([at(1003), at(1001), at(1002), at(1004)], 1005).0, 1);
    }

    #[test]
    fn a_claim_needs_what_was_seen() {
        let line = line([Meta::new(1, State::FinWait, 1000); WAYS]);
        let timeouts = Timeouts::new(4.0);
        let candidate = line.candidate(&timeouts, 1001);
        let (way, seen) = line.way_of(candidate, &timeouts, 1001).unwrap();
        assert!(way.update(seen, Meta::new(1, State::Established, 1001)), "its packet came meanwhile");
        assert!(!way.claim(seen, 77, Meta::new(2, State::SynReceived, 1001)));
        assert!(!way.is(77) && way.meta().state() == State::Established);
        assert!(line.way_of(candidate, &timeouts, 1001).is_none());
    }

    #[test]
    fn a_claimed_way_belongs_to_the_new_connection_only() {
        let line = line([Meta::FREE; WAYS]);
        let timeouts = Timeouts::new(4.0);
        let (way, seen) = line.way_of(line.candidate(&timeouts, 1), &timeouts, 1).unwrap();
        assert!(way.claim(seen, 77, Meta::new(2, State::SynReceived, 1)));
        assert_eq!(line.find(77).unwrap().meta().server(), 2);
        assert!(!way.claim(seen, 99, Meta::new(3, State::SynReceived, 1)));
        assert!(way.is(77));
    }

    #[test]
    fn what_was_free_and_is_half_open_now_is_no_longer_the_candidate() {
        let line = line([Meta::FREE; WAYS]);
        let timeouts = Timeouts::new(4.0);
        let candidate = line.candidate(&timeouts, 1);
        let (way, seen) = line.way_of(candidate, &timeouts, 1).unwrap();
        assert!(way.claim(seen, 77, Meta::new(2, State::SynReceived, 1)));
        assert!(line.way_of(candidate, &timeouts, 1).is_none());
    }

    #[test]
    fn a_way_that_is_being_given_away_is_nobodys() {
        let line =
            line([Meta::CLAIMED, Meta::CLAIMED, Meta::CLAIMED, Meta::new(1, State::Established, 1000)]);
        assert!(line.candidate(&Timeouts::new(4.0), 1001).is_none());
        assert_eq!(Meta::CLAIMED.state(), State::Free);
    }
}
