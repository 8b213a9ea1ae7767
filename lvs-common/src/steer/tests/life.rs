//! The life of one connection.

use super::*;

#[test]
fn counts_follow_the_state() {
    let tables = tables(16);
    let steps = [
        (SYN, State::SynReceived, (1, 0)),
        (SYN, State::SynReceived, (1, 0)),
        (ACK, State::Established, (1, 0)),
        (ACK | FIN, State::FinWait, (0, 1)),
        (ACK, State::FinWait, (0, 1)),
        (RST, State::Close, (0, 1)),
    ];
    for (flags, expected, counts) in steps {
        assert_eq!(sent(&tables, &tcp(1, flags), NOW).0, 1);
        assert_eq!((state(&tables), counted(&tables, 1)), (expected, counts), "after {flags:#04x}");
    }
    assert_eq!(counted(&tables, 2), (0, 0));
}

#[test]
fn udp_is_never_active() {
    let tables = tables(16);
    sent(&tables, &udp(1), NOW);
    sent(&tables, &udp(1), NOW);
    assert_eq!((state(&tables), counted(&tables, 3)), (State::Udp, (0, 1)));
}

/// The packets that bring a connection into a state, and for how many seconds it then may be silent.
const SILENCES: [(&[u8], State, u32); 5] = [
    (&[SYN], State::SynReceived, 60),
    (&[SYN, ACK], State::Established, 900),
    (&[SYN, ACK, FIN], State::FinWait, 120),
    (&[SYN, FIN], State::TimeWait, 120),
    (&[SYN, ACK, RST], State::Close, 10),
];

#[test]
fn a_silent_connection_expires_by_its_state() {
    for (flags, expected, seconds) in SILENCES {
        let tables = tables(16);
        send_all(&tables, 1, flags, NOW);
        assert_eq!(state(&tables), expected);
        let (last, over) = (NOW + seconds * SECOND, NOW + seconds * SECOND + 1);
        assert_eq!(
            reason(&tables, &Packet { ttl: 1, ..tcp(1, 0) }, last),
            Reason::TtlExpired,
            "{expected:?}"
        );
        assert_eq!(reason(&tables, &tcp(1, ACK), over), Reason::NoConnection, "{expected:?}");
        assert_eq!(reason(&tables, &tcp(1, ACK), last), Reason::KnownConnection, "{expected:?}");
    }
}

#[test]
fn each_packet_starts_the_silence_anew() {
    let tables = tables(16);
    sent(&tables, &tcp(1, SYN), NOW);
    let mut now = NOW;
    for _ in 0..3 {
        now += 60 * SECOND;
        assert_eq!(reason(&tables, &tcp(1, SYN), now), Reason::KnownConnection);
    }
    assert_eq!(reason(&tables, &tcp(1, ACK), now + 60 * SECOND + 1), Reason::NoConnection);
}

#[test]
fn the_clock_may_wrap() {
    let tables = tables(16);
    sent(&tables, &tcp(1, SYN), u32::MAX - 5);
    assert_eq!(reason(&tables, &tcp(1, SYN), 5), Reason::KnownConnection);
    assert_eq!(reason(&tables, &tcp(1, ACK), 5 + 60 * SECOND + 1), Reason::NoConnection);
}

#[test]
fn what_is_over_or_expired_starts_again_with_the_next_server() {
    for (flags, expected, seconds) in SILENCES {
        let tables = tables(16);
        send_all(&tables, 1, flags, NOW);
        let now = if expected.is_over() { NOW } else { NOW + seconds * SECOND + 1 };
        assert_eq!(sent(&tables, &tcp(1, SYN), now), (2, Reason::NewConnection), "{expected:?}");
        assert_eq!(state(&tables), State::SynReceived);
        assert_eq!((counted(&tables, 1), counted(&tables, 2)), ((0, 0), (1, 0)), "{expected:?}");
    }
}

#[test]
fn only_a_bare_syn_starts_again() {
    let tables = tables(16);
    send_all(&tables, 1, &[SYN, ACK, FIN], NOW);
    assert_eq!(sent(&tables, &tcp(1, ACK), NOW), (1, Reason::KnownConnection));
    assert_eq!(sent(&tables, &tcp(1, SYN | RST), NOW), (1, Reason::KnownConnection));
    assert_eq!(state(&tables), State::Close);
}

#[test]
fn an_over_connection_whose_server_is_gone_starts_again_elsewhere() {
    let tables = tables(16);
    send_all(&tables, 1, &[SYN, ACK, RST], NOW);
    tables.set_link(1, Link::DELETED);
    assert_eq!(decide(&tcp(1, ACK), &tables, NOW), Verdict::Drop(Reason::ServerDeleted));
    assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (2, Reason::NewConnection));
    assert_counts(&tables);
}

#[test]
fn a_swept_connection_leaves_the_counts_and_opens_again() {
    let tables = tables(16);
    sent(&tables, &tcp(1, SYN), NOW);
    tables.age(NOW + 60 * SECOND);
    assert_eq!(counted(&tables, 1), (1, 0), "not yet expired");
    tables.age(NOW + 60 * SECOND + 1);
    assert_eq!((counted(&tables, 1), tables.entries().count()), ((0, 0), 0));
    assert_eq!(reason(&tables, &tcp(1, ACK), NOW), Reason::NoConnection);
    assert_eq!(sent(&tables, &tcp(1, SYN), NOW), (2, Reason::NewConnection));
    assert_counts(&tables);
}
