//! The program on two CPUs at once, on few connections and while user space changes what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use etherparse::PacketBuilder;
use lvs_common::abi::{Link, ServerIndex, ServiceKey, Slots, VipKey};
use lvs_common::packet::TCP;
use lvs_userspace::dataplane::{Dataplane, Sizes, TestRunOutcome, TestRunner, object};
use macaddr::MacAddr6;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

const VIP: [u8; 4] = [172, 30, 100, 1];
const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x11];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
/// Every network namespace has its loopback interface under this index.
const LOOPBACK: u32 = 1;
const XDP_ABORTED: u32 = 0;
const XDP_TX: u32 = 3;
const LASTS: Duration = Duration::from_secs(1);
/// Each test wants both CPUs for itself.
static CPUS: Mutex<()> = Mutex::new(());
/// The smallest table: two lines, so every connection has the same eight places.
const SIZES: Sizes = Sizes { connections: 4, servers: 16, slots: 16 };

fn mac(server: ServerIndex) -> [u8; 6] {
    [2, 0, 0, 0, 1, server as u8]
}

fn service() -> ServiceKey {
    ServiceKey::ipv4(VIP, 80_u16.to_be_bytes(), TCP)
}

/// A data path without an interface, with a service on real servers 1 to 5.
fn dataplane() -> Result<Dataplane> {
    let mut dataplane = Dataplane::load(object::director()?, SIZES, [0x1234_5678, 0x9abc_def0, 0x0fed_cba9])?;
    dataplane.receive_as(LOOPBACK, MacAddr6::from(OWN_MAC))?;
    dataplane.set_vip(VipKey::ipv4(VIP), true)?;
    dataplane.write_slots(0, 1..=5);
    (1..=5).for_each(|server| dataplane.set_link(server, Link::new(mac(server), 1)));
    dataplane.put_service(service(), Slots { first: 0, length: 5 })?;
    Ok(dataplane)
}

#[derive(Debug, Clone, Copy)]
enum Flags {
    Syn,
    Ack,
    Reset,
}

fn frame(client: u32, flags: Flags) -> Vec<u8> {
    let [.., a, b, c] = client.to_be_bytes();
    let ethernet = PacketBuilder::ethernet2(CLIENT_MAC, OWN_MAC).ipv4([10, a, b, c], VIP, 64);
    let tcp = ethernet.tcp(40_000, 80, 1, 1024);
    let tcp = match flags {
        Flags::Syn => tcp.syn(),
        Flags::Ack => tcp.ack(1),
        Flags::Reset => tcp.rst(),
    };
    let mut bytes = Vec::new();
    tcp.write(&mut bytes, &[]).expect("a vector takes every byte");
    bytes
}

fn destination(outcome: &TestRunOutcome) -> Option<[u8; 6]> {
    outcome.frame.first_chunk().copied()
}

fn pin_to(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus)
        .with_context(|| format!("run on CPU {cpu}: the hammer needs two"))
}

/// Two threads meet here again and again, without sleeping: they go on within nanoseconds.
#[derive(Default)]
struct Meeting(AtomicU64);

impl Meeting {
    /// Waits for the other one's `n`-th arrival; false if it does not come.
    fn wait(&self, n: u64) -> bool {
        let patience = Instant::now() + Duration::from_secs(5);
        self.0.fetch_add(1, Ordering::AcqRel);
        while self.0.load(Ordering::Acquire) < 2 * n {
            if Instant::now() > patience {
                return false;
            }
            spin_loop();
        }
        true
    }
}

const CONNECTIONS: u32 = 4;
const ROUNDS: u32 = 10_000;

/// Which client's packet went to which MAC address.
type Answers = Vec<(u32, [u8; 6])>;

/// Opens the same four connections as the other CPU, in its order or in the opposite one.
fn open_all(runner: &TestRunner, round: u32, reversed: bool) -> Result<Answers> {
    let mut clients: Vec<u32> = (0..CONNECTIONS).map(|i| round * CONNECTIONS + i).collect();
    if reversed {
        clients.reverse();
    }
    let open = |client: u32| {
        let outcome = runner.run(&frame(client, Flags::Syn))?;
        ensure!(outcome.action == XDP_TX, "client {client}: XDP action {}", outcome.action);
        Ok((client, destination(&outcome).context("an empty frame")?))
    };
    [clients.clone(), clients].into_iter().flatten().map(open).collect()
}

/// The connections' real servers. They are over then: their places go to the next round's.
fn close_all(runner: &TestRunner, round: u32) -> Result<Answers> {
    let close = |client: u32| {
        let outcome = runner.run(&frame(client, Flags::Ack))?;
        runner.run(&frame(client, Flags::Reset))?;
        Ok((client, destination(&outcome).context("an empty frame")?))
    };
    (0..CONNECTIONS).map(|i| close(round * CONNECTIONS + i)).collect()
}

/// What one CPU saw while connections opened, and, on CPU 0, where they went afterwards.
fn rounds(cpu: usize, runner: &TestRunner, meeting: &Meeting) -> Result<(Answers, Answers)> {
    pin_to(cpu)?;
    let (mut opening, mut known) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ensure!(meeting.wait(u64::from(round) * 2 + 1), "the other CPU did not start round {round}");
        opening.extend(open_all(runner, round, cpu == 1 && round % 2 == 1)?);
        ensure!(meeting.wait(u64::from(round) * 2 + 2), "the other CPU did not end round {round}");
        if cpu == 0 {
            known.extend(close_all(runner, round)?);
        }
    }
    Ok((opening, known))
}

#[test]
fn two_cpus_that_open_one_connection_choose_one_server() -> Result<()> {
    let _cpus = CPUS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dataplane = dataplane()?;
    let runner = dataplane.test_runner()?;
    let meeting = Meeting::default();
    let [first, second] = thread::scope(|scope| {
        [0, 1]
            .map(|cpu| {
                scope.spawn({
                    let (runner, meeting) = (&runner, &meeting);
                    move || rounds(cpu, runner, meeting)
                })
            })
            .map(|thread| thread.join().expect("the thread reports errors"))
    });
    let ((first, known), (second, _)) = (first?, second?);
    let known: BTreeMap<u32, [u8; 6]> = known.into_iter().collect();
    let strays = first.iter().chain(&second).filter(|(client, mac)| known.get(client) != Some(mac));
    let (strays, no_room) = (strays.count() as u64, reason(&dataplane, "no_room")?);
    // A CPU that is interrupted while it holds a lock makes the other one steer by hash.
    assert!(strays <= no_room, "{strays} packets went astray, but only {no_room} were steered by hash");
    assert!(no_room < u64::from(ROUNDS * CONNECTIONS) / 50, "{no_room} packets were steered by hash");
    let over: u64 = (1..=5).map(|server| dataplane.connections(server).1).sum();
    let active: u64 = (1..=5).map(|server| dataplane.connections(server).0).sum();
    assert_eq!((active, over), (0, 8), "all places are taken by connections that are over");
    Ok(())
}

fn reason(dataplane: &Dataplane, name: &str) -> Result<u64> {
    let reasons = dataplane.reasons()?;
    reasons
        .into_iter()
        .find(|reason| reason.name == name)
        .map(|reason| reason.packets)
        .context("no such reason")
}

/// Does something over and over on CPU 1 until the work on CPU 0 is done.
fn while_changing<R: Send>(
    change: impl FnMut() -> Result<()> + Send,
    work: impl FnOnce() -> Result<R> + Send,
) -> Result<R> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let changes = scope.spawn(|| change_until(&done, change));
        let result = pin_to(0).and_then(|()| work());
        done.store(true, Ordering::Relaxed);
        let changes = changes.join().expect("the thread reports errors")?;
        ensure!(changes > 1000, "only {changes} changes while packets ran");
        result
    })
}

fn change_until(done: &AtomicBool, mut change: impl FnMut() -> Result<()>) -> Result<u64> {
    pin_to(1)?;
    let mut changes = 0;
    while !done.load(Ordering::Relaxed) {
        change()?;
        changes += 1;
    }
    Ok(changes)
}

#[test]
fn a_link_that_changes_is_seen_whole() -> Result<()> {
    let _cpus = CPUS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dataplane = dataplane()?;
    let runner = dataplane.test_runner()?;
    dataplane.put_service(service(), Slots { first: 0, length: 1 })?;
    let here = ([0x02, 0x11, 0x11, 0x11, 0x11, 0x11], 1, XDP_TX);
    // Nothing can be sent through interface 2, as there is none.
    let there = ([0xee; 6], 2, XDP_ABORTED);
    let (syn, ack) = (frame(1, Flags::Syn), frame(1, Flags::Ack));
    runner.run(&syn)?;
    let mut turn = 0;
    let flip = || {
        let (mac, egress, _) = if turn % 2 == 0 { here } else { there };
        turn += 1;
        dataplane.set_link(1, Link::new(mac, egress));
        Ok(())
    };
    let seen = while_changing(flip, || {
        let until = Instant::now() + LASTS;
        let mut seen = BTreeSet::new();
        while Instant::now() < until {
            let outcome = runner.run(&ack)?;
            seen.insert((destination(&outcome), outcome.action));
        }
        Ok(seen)
    })?;
    let mut whole = BTreeSet::from([here, there].map(|(mac, _, action)| (Some(mac), action)));
    // The link of before the first change.
    let first = (Some(mac(1)), XDP_TX);
    if seen.contains(&first) {
        whole.insert(first);
    }
    assert_eq!(seen, whole);
    Ok(())
}

#[test]
fn a_service_that_changes_is_seen_whole() -> Result<()> {
    let _cpus = CPUS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut dataplane = dataplane()?;
    let runner = dataplane.test_runner()?;
    // One past each table stands a real server of neither.
    dataplane.write_slots(0, [1, 2, 9, 9, 3, 4, 5, 9]);
    dataplane.set_link(9, Link::new(mac(9), 1));
    let tables = [Slots { first: 0, length: 2 }, Slots { first: 4, length: 3 }];
    dataplane.put_service(service(), tables[0])?;
    let mut turns = tables.into_iter().cycle();
    let swap = || Ok(dataplane.put_service(service(), turns.next().context("an endless iterator")?)?);
    let seen = while_changing(swap, || {
        let until = Instant::now() + LASTS;
        let mut seen = BTreeSet::new();
        for client in (0..).take_while(|_| Instant::now() < until) {
            let outcome = runner.run(&frame(client, Flags::Syn))?;
            seen.insert((destination(&outcome), outcome.action));
        }
        Ok(seen)
    })?;
    assert_eq!(seen, (1..=5).map(|server| (Some(mac(server)), XDP_TX)).collect());
    Ok(())
}
