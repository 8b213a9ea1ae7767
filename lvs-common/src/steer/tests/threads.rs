//! Several threads on few lines.

use std::array;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::connection::Place;
use crate::word::Word;

/// More than there are CPUs, so that threads are also stopped in the middle of a decision.
const THREADS: u64 = 4;
const LASTS: Duration = Duration::from_millis(700);

/// SplitMix64: the tests' dice, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ a >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (b ^ b >> 31) % limit
    }
}

fn in_threads<R: Send>(work: impl Fn(&mut Dice) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| (seed, &work))
            .map(|(seed, work)| scope.spawn(move || work(&mut Dice(seed))))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn assert_sound(tables: &HostTables) {
    let fingerprints: Vec<u64> = tables.entries().map(|(fingerprint, _)| fingerprint).collect();
    let different: HashSet<u64> = fingerprints.iter().copied().collect();
    assert_eq!(different.len(), fingerprints.len(), "a connection stands twice: {fingerprints:x?}");
    assert!(tables.locks.iter().all(|lock| lock.load() == 0), "a lock stays taken");
    assert_counts(tables);
}

/// Six connections have room for eight: whoever comes first, each must get one server and keep it.
#[test]
fn one_connection_opened_everywhere_at_once_has_one_server() {
    const CONNECTIONS: u16 = 6;
    let until = Instant::now() + LASTS;
    let mut rounds = 0;
    while Instant::now() < until {
        let tables = tables(2);
        let first = rounds * 8;
        let answers = in_threads(|dice| {
            array::from_fn::<_, 24, _>(|_| {
                let client = first + dice.below(CONNECTIONS.into()) as u16;
                (client, sent(&tables, &tcp(client, SYN), NOW))
            })
        });
        let mut servers: HashMap<u16, HashSet<ServerIndex>> = HashMap::new();
        for (client, (server, why)) in answers.into_iter().flatten() {
            if why != Reason::NoRoom {
                servers.entry(client).or_default().insert(server);
            }
        }
        assert!(servers.values().all(|servers| servers.len() == 1), "{servers:?}");
        assert_sound(&tables);
        rounds += 1;
    }
}

/// Forty connections of two services on eight places, which open, close, are evicted and expire under the threads' hands.
#[test]
fn connections_that_push_each_other_out_are_counted_right() {
    let mut tables = tables(2);
    let other = ServiceKey::ipv4(VIP, 81_u16.to_be_bytes(), TCP);
    tables.put_service(other, &[3]);
    let clock = AtomicU32::new(NOW);
    let done = AtomicBool::new(false);
    let until = Instant::now() + LASTS * 2;
    let work = |dice: &mut Dice| {
        while Instant::now() < until {
            let flags = [SYN, SYN, ACK, ACK | FIN, RST][dice.below(5) as usize];
            let client = dice.below(40) as u16;
            let (port, servers) = if client < 20 { (80_u16, [1, 2]) } else { (81, [3, 3]) };
            let packet = Packet { destination_port: port.to_be(), ..tcp(client, flags) };
            if let Verdict::Forward { server, .. } = decide(&packet, &tables, clock.load(Ordering::Relaxed)) {
                assert!(servers.contains(&server), "port {port} at real server {server}");
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| age(&tables, &clock, &done));
        in_threads(work);
        done.store(true, Ordering::Relaxed);
    });
    assert_sound(&tables);
}

/// Sweeps until it is told to stop; every now and then a minute passes.
fn age(tables: &HostTables, clock: &AtomicU32, done: &AtomicBool) {
    let mut sweeps = 0_u32;
    while !done.load(Ordering::Relaxed) {
        let step = if sweeps.is_multiple_of(64) { 61 * SECOND } else { 0 };
        let now = clock.fetch_add(step, Ordering::Relaxed);
        tables.age(now.wrapping_sub(2 * SECOND));
        sweeps += 1;
        thread::yield_now();
    }
}

/// Established connections fill half of the table; what goes on beside them must not touch them.
#[test]
fn established_connections_stay_where_they_are_beside_a_flood() {
    let tables = tables(2);
    let servers: Vec<ServerIndex> =
        (0..4).map(|client| [SYN, ACK].map(|flags| sent(&tables, &tcp(client, flags), NOW).0)[1]).collect();
    let until = Instant::now() + LASTS;
    in_threads(|dice| {
        while Instant::now() < until {
            let client = dice.below(4) as u16;
            let answer = sent(&tables, &tcp(client, ACK), NOW + dice.below(3) as u32);
            assert_eq!(answer, (servers[usize::from(client)], Reason::KnownConnection));
            decide(&tcp(100 + dice.below(1000) as u16, SYN), &tables, NOW);
        }
    });
    assert_sound(&tables);
}

/// With one lock for all, those who wait in vain are steered by hash, and nothing else goes wrong.
#[test]
fn one_lock_for_all_connections_is_enough() {
    let mut tables = tables(64);
    tables.locks = vec![Word::new(0)];
    let answers = in_threads(|dice| {
        array::from_fn::<_, 2000, _>(|_| {
            let packet = tcp(dice.below(64) as u16, SYN);
            (Place::of(&packet, KEY).fingerprint, sent(&tables, &packet, NOW))
        })
    });
    let table: HashMap<u64, ServerIndex> =
        tables.entries().map(|(fingerprint, meta)| (fingerprint, meta.server())).collect();
    for (fingerprint, (server, why)) in answers.into_iter().flatten() {
        assert!(why == Reason::NoRoom || table[&fingerprint] == server);
    }
    assert_sound(&tables);
}
