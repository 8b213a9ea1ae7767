//! Time, as the data path has it: coarse ticks made from jiffies, which cost nothing to read.

use crate::connection::State;

/// Jiffies are shifted right by this much: a tick is 64 jiffies, 0.256 s at 250 Hz and 0.064 s at 1000 Hz.
pub const TICK_SHIFT: u32 = 6;

/// The tick of a value of the kernel's `jiffies_64`. Wraps after 8 years at 1000 Hz; ages are wrapping differences.
#[inline(always)]
#[must_use]
pub const fn tick(jiffies: u64) -> u32 {
    (jiffies >> TICK_SHIFT) as u32
}

/// Ticks after which a silent connection expires, by state. User space may change one u32 while packets flow.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    ticks: [u32; State::SLOTS],
}

const _: () = assert!(size_of::<Timeouts>() == 32);

impl Timeouts {
    /// The kernel's defaults in ticks of `ticks_per_second` (`tcp_timeouts` in net/netfilter/ipvs/ip_vs_proto_tcp.c,
    /// `udp_timeouts` in ip_vs_proto_udp.c).
    #[must_use]
    pub fn new(ticks_per_second: f64) -> Self {
        // What is no state never expires.
        let mut ticks = [u32::MAX; State::SLOTS];
        for state in State::ALL {
            if let Some(slot) = ticks.get_mut(state as usize) {
                *slot = (f64::from(state.default_timeout()) * ticks_per_second + 0.5) as u32;
            }
        }
        Self { ticks }
    }

    /// The ticks, by state.
    #[must_use]
    pub const fn ticks(&self) -> [u32; State::SLOTS] {
        self.ticks
    }

    /// How long a connection may be silent in the state with this number.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, state: usize) -> u32 {
        self.ticks.get(state & (State::SLOTS - 1)).copied().unwrap_or(0)
    }
}
