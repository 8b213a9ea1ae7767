//! What is known of a connection, in one u64.

use core::hint::black_box;

use super::State;
use crate::abi::{ServerIndex, Timeouts};

/// Layout: bits 0 to 31 the tick of the last packet, 32 to 34 the state, 35 to 43 free, 44 to 63 the real server's index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Meta(pub u64);

const STATE: u32 = 32;
const SERVER: u32 = 44;
/// Everything but state and tick.
const KEPT: u64 = !((7 << STATE) | 0xffff_ffff);

impl Meta {
    /// No connection.
    pub const FREE: Self = Self(0);
    /// Not yet a connection: the way is being given to one. Its state is [`State::Free`], but it is not expendable.
    pub const CLAIMED: Self = Self(7 << STATE);

    /// A connection to a real server, last seen now.
    #[inline(always)]
    #[must_use]
    pub const fn new(server: ServerIndex, state: State, now: u32) -> Self {
        Self((server as u64) << SERVER | (state as u64) << STATE | now as u64)
    }

    /// The real server's index.
    #[inline(always)]
    #[must_use]
    pub const fn server(self) -> ServerIndex {
        (self.0 >> SERVER) as u32
    }

    /// The state.
    #[inline(always)]
    #[must_use]
    pub const fn state(self) -> State {
        State::from_bits(self.0 >> STATE)
    }

    /// Ticks since the last packet.
    #[inline(always)]
    #[must_use]
    pub const fn age(self, now: u32) -> u32 {
        now.wrapping_sub(self.0 as u32)
    }

    /// Silent for longer than its state allows. A tick from the future, which a CPU that is a moment ahead may leave, counts
    /// as just seen.
    #[inline(always)]
    #[must_use]
    pub fn is_expired(self, timeouts: &Timeouts, now: u32) -> bool {
        let age = self.age(now);
        age > timeouts.of(self.slot()) && age <= u32::MAX / 2
    }

    /// [`is_expired`](Self::is_expired) as 1 or 0, and without a branch. The black boxes keep LLVM from making one again:
    /// the verifier would walk both ways of it for each way of a line.
    #[inline(always)]
    fn expired(self, timeouts: &Timeouts, now: u32) -> u64 {
        let age = u64::from(self.age(now));
        let left = u64::from(timeouts.of(self.slot())).wrapping_sub(age);
        black_box(left) >> 63 & !(black_box(age) >> 31)
    }

    /// The state as an index.
    #[inline(always)]
    const fn slot(self) -> usize {
        (self.0 >> STATE) as usize & (State::SLOTS - 1)
    }

    /// The same connection after another packet.
    #[inline(always)]
    #[must_use]
    pub const fn touched(self, state: State, now: u32) -> Self {
        Self(self.0 & KEPT | (state as u64) << STATE | now as u64)
    }

    /// How readily the connection gives its place to another: 0 never, 1 half-open, 2 over, 3 free or expired.
    #[inline(always)]
    #[must_use]
    pub fn expendable(self, timeouts: &Timeouts, now: u32) -> u8 {
        (CLASSES >> (self.slot() * 2)) as u8 & 3 | (self.expired(timeouts, now) * 3) as u8
    }
}

impl core::fmt::Debug for Meta {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} to server {}, seen at tick {}", self.state().name(), self.server(), self.0 as u32)
    }
}

/// [`Meta::expendable`] of a connection that has not expired, two bits for each state.
const CLASSES: u32 = {
    let mut classes = 0;
    let mut states: &[State] = &State::ALL;
    while let [state, rest @ ..] = states {
        let class = match state {
            State::Free => 3,
            State::FinWait | State::TimeWait | State::Close => 2,
            State::SynReceived => 1,
            State::Established | State::Udp => 0,
        };
        classes |= class << (*state as u32 * 2);
        states = rest;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let meta = Meta::new(0xf_ffff, State::Udp, 0xffff_fff0);
        assert_eq!((meta.server(), meta.state(), meta.age(0x10)), (0xf_ffff, State::Udp, 0x20));
        let touched = meta.touched(State::Established, 7);
        assert_eq!((touched.server(), touched.state(), touched.age(7)), (0xf_ffff, State::Established, 0));
    }

    #[test]
    fn expires_after_its_timeout_and_not_before() {
        let timeouts = Timeouts::new(4.0);
        let meta = Meta::new(1, State::Close, 100);
        assert!(!meta.is_expired(&timeouts, 140));
        assert!(meta.is_expired(&timeouts, 141));
        assert!(!meta.is_expired(&timeouts, 99), "seen by a CPU that is a tick ahead");
    }

    #[test]
    fn an_established_connection_is_never_expendable() {
        let timeouts = Timeouts::new(4.0);
        let class = |state, now| Meta::new(1, state, 0).expendable(&timeouts, now);
        assert_eq!(class(State::Established, 3600), 0);
        assert_eq!(class(State::Established, 3601), 3);
        assert_eq!(class(State::SynReceived, 1), 1);
        assert_eq!(class(State::FinWait, 1), 2);
        assert_eq!(class(State::Udp, 1), 0);
        assert_eq!(Meta::FREE.expendable(&timeouts, 1), 3);
    }
}
