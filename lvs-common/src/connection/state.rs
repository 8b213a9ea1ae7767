//! States of a connection, as a director in Direct Routing sees it: only the client's half.
//!
//! TCP is IPVS's `tcp_states` for `INPUT_ONLY` (net/netfilter/ipvs/ip_vs_proto_tcp.c), without the rows that can't be reached
//! when every connection starts with a SYN.

use crate::packet::{FIN, RST, SYN, UDP};

/// What is known of a connection's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// No connection: the way can be taken.
    Free = 0,
    /// A SYN was seen.
    SynReceived = 1,
    /// The client has acknowledged.
    Established = 2,
    /// The client has closed its half.
    FinWait = 3,
    /// A FIN came before the client had acknowledged.
    TimeWait = 4,
    /// A RST was seen.
    Close = 5,
    /// UDP has one state.
    Udp = 6,
}

use State::{Close, Established, FinWait, Free, SynReceived, TimeWait, Udp};

/// What can happen to a TCP connection; RST weighs more than SYN, SYN more than FIN.
#[derive(Clone, Copy)]
enum Event {
    Syn = 0,
    Fin = 1,
    Ack = 2,
    Rst = 3,
}

impl Event {
    const COUNT: u32 = 4;

    const fn of(tcp_flags: u8) -> Self {
        if tcp_flags & RST != 0 {
            Self::Rst
        } else if tcp_flags & SYN != 0 {
            Self::Syn
        } else if tcp_flags & FIN != 0 {
            Self::Fin
        } else {
            Self::Ack
        }
    }
}

/// FIN, SYN and RST are TCP's lowest three flags.
const FLAGS: u8 = FIN | SYN | RST;

/// [`Event::of`] the lowest three flags, two bits each: a shift instead of branches.
const EVENTS: u32 = {
    let mut packed = 0;
    let mut flags = 0;
    while flags <= FLAGS {
        packed |= (Event::of(flags) as u32) << (flags * 2);
        flags += 1;
    }
    packed
};

/// [`State::first`] of TCP by the lowest three flags, `WIDTH` bits each.
const FIRST: u32 = {
    let mut packed = 0;
    let mut flags = 0;
    while flags <= FLAGS {
        let state = if flags & SYN != 0 { SynReceived } else { Established.next(flags) };
        packed |= (state as u32) << (flags as u32 * WIDTH);
        flags += 1;
    }
    packed
};

/// Bits of a state in [`NEXT`].
const WIDTH: u32 = 3;

/// The next TCP state, `WIDTH` bits for each state from `SynReceived` to `Close` and each event: a look-up is a shift.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const NEXT: u64 = {
    // Syn, Fin, Ack, Rst
    let rows = [
        [SynReceived, TimeWait, Established, SynReceived], // SynReceived
        [Established, FinWait, Established, Close],        // Established
        [SynReceived, FinWait, FinWait, Close],            // FinWait
        [SynReceived, TimeWait, TimeWait, Close],          // TimeWait
        [SynReceived, Close, Close, Close],                // Close
    ];
    let mut packed = 0;
    let mut i = 0;
    while i < rows.len() * Event::COUNT as usize {
        packed |= (rows[i / 4][i % 4] as u64) << (i as u32 * WIDTH);
        i += 1;
    }
    packed
};

impl State {
    /// Room for states in tables that are indexed by state: a power of two.
    pub const SLOTS: usize = 8;
    /// Every state.
    pub const ALL: [Self; 7] = [Free, SynReceived, Established, FinWait, TimeWait, Close, Udp];

    #[inline(always)]
    pub(super) const fn from_bits(bits: u64) -> Self {
        match bits & 7 {
            1 => SynReceived,
            2 => Established,
            3 => FinWait,
            4 => TimeWait,
            5 => Close,
            6 => Udp,
            _ => Free,
        }
    }

    /// The state of a connection after the first packet that is known of it: half-open after a SYN, and established after any other
    /// TCP packet, as of a connection that was steered without being remembered.
    #[inline(always)]
    #[must_use]
    pub const fn first(protocol: u8, tcp_flags: u8) -> Self {
        if protocol == UDP {
            Udp
        } else {
            Self::from_bits((FIRST >> ((tcp_flags & FLAGS) as u32 * WIDTH)) as u64)
        }
    }

    /// The state after a packet with these TCP flags.
    #[inline(always)]
    #[must_use]
    pub const fn next(self, tcp_flags: u8) -> Self {
        match self {
            Free | Udp => self,
            SynReceived | Established | FinWait | TimeWait | Close => {
                let event = EVENTS >> ((tcp_flags & FLAGS) * 2) & 3;
                let cell = (self as u32 - 1) * Event::COUNT + event;
                Self::from_bits(NEXT >> (cell * WIDTH))
            }
        }
    }

    /// Counts among a real server's active connections (`tcp_state_active_table` in ip_vs_proto_tcp.c).
    #[inline(always)]
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, SynReceived | Established)
    }

    /// The connection is over: a SYN opens another one.
    #[inline(always)]
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, FinWait | TimeWait | Close)
    }

    /// Seconds of silence after which the connection expires, as the kernel has them (`tcp_timeouts` in ip_vs_proto_tcp.c,
    /// `udp_timeouts` in ip_vs_proto_udp.c).
    #[must_use]
    pub const fn default_timeout(self) -> u32 {
        match self {
            Free => 0,
            SynReceived => 60,
            Established => 900,
            FinWait | TimeWait => 120,
            Close => 10,
            Udp => 300,
        }
    }

    /// The name in a listing of connections (`tcp_state_name_table` in ip_vs_proto_tcp.c).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Free => "NONE",
            SynReceived => "SYN_RECV",
            Established => "ESTABLISHED",
            FinWait => "FIN_WAIT",
            TimeWait => "TIME_WAIT",
            Close => "CLOSE",
            Udp => "UDP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: u8 = 0x10;

    fn after(flags: &[u8]) -> State {
        flags.iter().fold(State::first(crate::packet::TCP, SYN), |state, flags| state.next(*flags))
    }

    #[test]
    fn a_client_that_closes_ends_in_fin_wait() {
        assert_eq!(after(&[]), SynReceived);
        assert_eq!(after(&[ACK]), Established);
        assert_eq!(after(&[ACK, ACK | FIN]), FinWait);
        assert_eq!(after(&[ACK, ACK | FIN, ACK]), FinWait);
    }

    #[test]
    fn a_reset_closes_what_was_established_only() {
        assert_eq!(after(&[ACK, RST]), Close);
        assert_eq!(after(&[ACK, RST | FIN | SYN]), Close);
        assert_eq!(after(&[RST]), SynReceived);
    }

    #[test]
    fn a_fin_before_the_first_ack_is_time_wait() {
        assert_eq!(after(&[FIN]), TimeWait);
        assert_eq!(after(&[FIN, ACK]), TimeWait);
        assert_eq!(after(&[FIN, RST]), Close);
    }

    #[test]
    fn a_syn_reopens_what_is_over_and_leaves_what_lives() {
        for over in [FinWait, TimeWait, Close] {
            assert!(over.is_over());
            assert_eq!(over.next(SYN), SynReceived);
        }
        assert_eq!(Established.next(SYN), Established);
    }

    #[test]
    fn a_connection_that_is_met_on_its_way_is_as_far_as_its_packet_says() {
        assert_eq!(State::first(crate::packet::TCP, ACK), Established);
        assert_eq!(State::first(crate::packet::TCP, ACK | FIN), FinWait);
        assert_eq!(State::first(crate::packet::TCP, RST), Close);
    }

    #[test]
    fn udp_and_free_have_no_next() {
        assert_eq!(State::first(UDP, 0), Udp);
        assert_eq!(Udp.next(RST | SYN | FIN), Udp);
        assert_eq!(Free.next(ACK), Free);
    }

    #[test]
    fn bits_give_the_state_back() {
        for state in State::ALL {
            assert_eq!(State::from_bits(state as u64), state);
        }
    }
}
