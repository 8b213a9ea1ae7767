//! The parts that speak rtnetlink, against the kernel: each test has two network namespaces of its own, joined by a
//! veth pair. Needs root, `ip` and `arping`.
//!
//! `director` has 10.0.0.1/24 on `eth0`, `server` has 10.0.0.2/24 on its `eth0`.

mod namespace;

use std::collections::BTreeSet;
use std::fs::File;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use lvs_userspace::interface::{Interface, InterfaceChange, InterfaceChanges, InterfaceError};
use lvs_userspace::neighbour::{NeighbourEvent, Neighbours, Reachability};
use lvs_userspace::netlink::Netlink;
use lvs_userspace::vip::{Ensured, Vips};
use macaddr::MacAddr6;
use namespace::Namespace;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout_at};

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const SERVER_MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 2);
const DIRECTOR_MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 1);
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 30, 100, 1));
/// Far above what anything here takes, so that a busy machine does not fail a test.
const PATIENCE: Duration = Duration::from_secs(15);

/// Two joined namespaces, removed when dropped.
struct Pair {
    director: Namespace,
    server: Namespace,
    folder: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        let (director, server) = (Namespace::new(), Namespace::new());
        // Duplicate address detection would bring events of its own a second later.
        director.sysctl("net.ipv6.conf.default.disable_ipv6", "1");
        director.link_to(&server);
        for (side, mac, address) in
            [(&director, DIRECTOR_MAC, "10.0.0.1/24"), (&server, SERVER_MAC, "10.0.0.2/24")]
        {
            side.ip(&format!("link set eth0 address {mac}"));
            side.bring_up(address);
        }
        Self { director, server, folder: tempfile::tempdir().unwrap() }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.json")
    }

    /// Runs a test in the director's namespace.
    fn run<F: Future<Output = ()>>(&self, test: impl FnOnce() -> F + Send) {
        enter(&self.director, || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test());
        });
    }

    /// A socket that hears the ARP that reaches the server.
    fn arp_listener(&self) -> OwnedFd {
        enter(&self.server, || {
            let arp = SockProtocol::EthAll;
            let socket =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, Some(arp)).unwrap();
            setsockopt(&socket, ReceiveTimeout, &TimeVal::seconds(1)).unwrap();
            socket
        })
    }

    fn neighbour_entry(&self) -> String {
        self.director.ip("neighbour show 10.0.0.2")
    }

    fn has_vip(&self) -> bool {
        self.director.ip("address show to 172.30.100.1/32").contains("172.30.100.1")
    }
}

/// Works on a thread of its own in a namespace.
fn enter<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> T {
    let enter = || {
        let file = File::open(format!("/run/netns/{}", namespace.name)).unwrap();
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    };
    std::thread::scope(|scope| match scope.spawn(enter).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

type Events = UnboundedReceiver<NeighbourEvent>;

/// The next event that fits, within a bounded time.
async fn next(events: &mut Events, awaited: &str, fits: impl Fn(&Reachability) -> bool) -> Reachability {
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    while let Ok(event) = timeout_at(deadline, events.recv()).await {
        let NeighbourEvent { address, state } = event.expect("the follower ended");
        assert_eq!(address, SERVER);
        if fits(&state) {
            return state;
        }
        last = Some(state);
    }
    panic!("waited for {awaited}, last event: {last:?}");
}

fn has_mac(mac: MacAddr6) -> impl Fn(&Reachability) -> bool {
    move |state| matches!(state, Reachability::Resolved { mac: found, .. } if *found == mac)
}

fn is_unresolved(state: &Reachability) -> bool {
    matches!(state, Reachability::Unresolved { .. })
}

fn reason(state: Reachability) -> String {
    match state {
        Reachability::Unresolved { reason } => reason,
        other => panic!("not unresolved but {other:?}"),
    }
}

async fn until(awaited: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited for {awaited}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn start() -> (Neighbours, Events) {
    Neighbours::start(None).unwrap()
}

/// Starts, and waits until the server is resolved.
async fn start_resolved() -> (Neighbours, Events) {
    let (neighbours, mut events) = start();
    neighbours.watch(SERVER);
    next(&mut events, "the server's MAC", has_mac(SERVER_MAC)).await;
    (neighbours, events)
}

#[test]
fn an_unknown_neighbour_is_resolved_and_kept_fresh() {
    let pair = Pair::new();
    pair.run(|| async {
        let (neighbours, mut events) = start();
        neighbours.watch(SERVER);
        let state = next(&mut events, "the server's MAC", has_mac(SERVER_MAC)).await;
        let Reachability::Resolved { interface, interface_index, .. } = state else { unreachable!() };
        assert_eq!(interface, "eth0");
        let facts = Interface::by_name(&Netlink::open().unwrap(), "eth0").await.unwrap();
        assert_eq!(interface_index, facts.index);
        until("a managed entry", || pair.neighbour_entry().contains("managed")).await;
        neighbours.shutdown().await;
    });
}

#[test]
fn a_changed_mac_is_followed_within_moments() {
    let pair = Pair::new();
    pair.run(|| async {
        let (_neighbours, mut events) = start_resolved().await;
        pair.server.ip("link set eth0 address 02:00:00:00:00:99");
        pair.director.ip("neighbour replace 10.0.0.2 lladdr 02:00:00:00:00:99 dev eth0 nud reachable");
        let changed = Instant::now();
        next(&mut events, "the new MAC", has_mac(MacAddr6::new(2, 0, 0, 0, 0, 0x99))).await;
        assert!(changed.elapsed() < Duration::from_millis(500), "took {:?}", changed.elapsed());
        until("an entry managed again", || pair.neighbour_entry().contains("managed")).await;
    });
}

#[test]
fn gratuitous_arp_of_the_server_is_heeded() {
    let pair = Pair::new();
    pair.run(|| async {
        let (_neighbours, mut events) = start_resolved().await;
        pair.server.ip("link set eth0 address 02:00:00:00:00:98");
        let announce = || {
            let request = ["-U", "-c", "1", "-w", "1", "-I", "eth0", "10.0.0.2"];
            let _ = pair.server.command("arping", &request).output();
            pair.neighbour_entry().contains("02:00:00:00:00:98")
        };
        // The kernel does not believe a second MAC within a second of the first (locktime).
        until("the kernel to take the new MAC", announce).await;
        next(&mut events, "the new MAC", has_mac(MacAddr6::new(2, 0, 0, 0, 0, 0x98))).await;
    });
}

#[test]
fn a_lost_link_and_its_return_are_told() {
    let pair = Pair::new();
    pair.run(|| async {
        let (_neighbours, mut events) = start_resolved().await;
        pair.server.ip("link set eth0 down");
        let lost = reason(next(&mut events, "the loss of carrier", is_unresolved).await);
        assert!(lost.starts_with("interface eth0 has no carrier"), "{lost}");
        pair.server.ip("link set eth0 up");
        next(&mut events, "the server's return", has_mac(SERVER_MAC)).await;
        pair.director.ip("link set eth0 down");
        next(&mut events, "the director's interface down", is_unresolved).await;
        pair.director.ip("link set eth0 up");
        next(&mut events, "the interface's return", has_mac(SERVER_MAC)).await;
    });
}

#[test]
fn a_server_that_falls_silent_is_told_and_found_again() {
    let pair = Pair::new();
    pair.director.ip("link set eth0 up");
    pair.director.sysctl("net.ipv4.neigh.eth0.interval_probe_time_ms", "100");
    pair.director.sysctl("net.ipv4.neigh.eth0.base_reachable_time_ms", "200");
    pair.director.sysctl("net.ipv4.neigh.eth0.retrans_time_ms", "50");
    pair.director.sysctl("net.ipv4.neigh.eth0.delay_first_probe_time", "0");
    pair.run(|| async {
        let (_neighbours, mut events) = start_resolved().await;
        pair.server.ip("address flush dev eth0");
        let silent = reason(next(&mut events, "silence", is_unresolved).await);
        assert_eq!(silent, "10.0.0.2 does not answer ARP on interface eth0");
        pair.server.ip("address add 10.0.0.2/24 dev eth0");
        next(&mut events, "the server's return", has_mac(SERVER_MAC)).await;
    });
}

#[test]
fn a_server_that_is_not_on_link_is_refused_until_the_route_changes() {
    let pair = Pair::new();
    pair.director.ip("address flush dev eth0");
    pair.director.ip("address add 10.9.9.1/24 dev eth0");
    pair.run(|| async {
        let (neighbours, mut events) = start();
        neighbours.watch(SERVER);
        let none = reason(next(&mut events, "the lack of a route", is_unresolved).await);
        assert!(none.starts_with("there is no route to 10.0.0.2"), "{none}");
        pair.director.ip("route add default via 10.9.9.2");
        let gateway = reason(next(&mut events, "the gateway", is_unresolved).await);
        assert!(gateway.starts_with("10.0.0.2 is behind gateway 10.9.9.2"), "{gateway}");
        pair.director.ip("address add 10.0.0.1/24 dev eth0");
        next(&mut events, "the server on link", has_mac(SERVER_MAC)).await;
        pair.director.ip("address add 10.0.0.2/32 dev lo");
        next(&mut events, "a local address", |state| *state == Reachability::Local).await;
    });
}

#[test]
fn an_entry_that_was_created_is_removed_when_no_longer_watched() {
    let pair = Pair::new();
    pair.run(|| async {
        let (neighbours, _events) = start_resolved().await;
        neighbours.unwatch(SERVER);
        until("the entry's removal", || pair.neighbour_entry().is_empty()).await;
    });
}

#[test]
fn entries_that_were_there_before_stay_as_they_were() {
    let pair = Pair::new();
    pair.director.ip("neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud stale");
    pair.run(|| async {
        let (neighbours, _events) = start_resolved().await;
        until("a managed entry", || pair.neighbour_entry().contains("managed")).await;
        neighbours.shutdown().await;
        let entry = pair.neighbour_entry();
        assert!(entry.contains("02:00:00:00:00:02") && !entry.contains("managed"), "{entry}");
        for before in ["lladdr 02:00:00:00:00:02 nud permanent", "managed"] {
            pair.director.ip(&format!("neighbour replace 10.0.0.2 dev eth0 {before}"));
            let (neighbours, _events) = start_resolved().await;
            neighbours.shutdown().await;
            let entry = pair.neighbour_entry().to_lowercase();
            assert!(entry.contains(before.split(' ').next_back().unwrap()), "{before} became {entry}");
            pair.director.ip("neighbour delete 10.0.0.2 dev eth0");
        }
    });
}

#[test]
fn an_entry_of_a_killed_director_is_removed_by_the_next_one() {
    let pair = Pair::new();
    let resolve = || async {
        let (neighbours, mut events) = Neighbours::start(Some(pair.journal())).unwrap();
        neighbours.watch(SERVER);
        next(&mut events, "the server's MAC", has_mac(SERVER_MAC)).await;
        until("a managed entry", || pair.neighbour_entry().contains("managed")).await;
        neighbours
    };
    // Leaking the handle and dropping the runtime ends the follower as a kill would.
    pair.run(|| async { std::mem::forget(resolve().await) });
    assert!(pair.neighbour_entry().contains("managed") && pair.journal().exists());
    pair.run(|| async { resolve().await.shutdown().await });
    assert_eq!(pair.neighbour_entry(), "");
    assert!(!pair.journal().exists());
}

#[test]
fn a_flood_of_events_ends_in_the_right_state() {
    let pair = Pair::new();
    pair.run(|| async {
        let (_neighbours, mut events) = start_resolved().await;
        let batch = pair.folder.path().join("batch");
        let change = |n: u32| format!("route add 198.18.{}.{} dev eth0\n", n / 256, n % 256);
        let moved = "neighbour replace 10.0.0.2 lladdr 02:00:00:00:00:97 dev eth0 nud reachable\n";
        let lines: String = (0..10_000).map(change).chain([moved.to_owned()]).collect();
        std::fs::write(&batch, lines).unwrap();
        // While `ip` runs, this thread reads nothing: far more arrives than the socket can hold, and the last is lost.
        pair.director.ip(&format!("-batch {}", batch.display()));
        next(&mut events, "the MAC at the end of the flood", has_mac(MacAddr6::new(2, 0, 0, 0, 0, 0x97)))
            .await;
    });
}

/// The director's VIPs, and the index of its `eth0`.
async fn open_vips(pair: &Pair) -> (Vips, u32) {
    let netlink = Netlink::open().unwrap();
    let index = Interface::by_name(&netlink, "eth0").await.unwrap().index;
    (Vips::open(netlink, pair.journal()).await.unwrap(), index)
}

#[test]
fn a_vip_is_added_announced_and_removed() {
    let pair = Pair::new();
    let listener = pair.arp_listener();
    pair.run(|| async {
        let (mut vips, index) = open_vips(&pair).await;
        assert!(!vips.is_local(VIP).await.unwrap());
        assert_eq!(vips.ensure(VIP, index).await.unwrap(), Ensured::Added);
        assert!(pair.has_vip() && pair.journal().exists() && vips.is_local(VIP).await.unwrap());
        assert_eq!(vips.ensure(VIP, index).await.unwrap(), Ensured::AlreadyOurs);
        let heard = tokio::task::spawn_blocking(move || announcements(&listener));
        assert_eq!(heard.await.unwrap(), BTreeSet::from([1, 2]), "ARP operations: 1 request, 2 reply");
        assert!(vips.release(VIP).await.unwrap());
        assert!(!pair.has_vip() && !pair.journal().exists());
        assert!(!vips.release(VIP).await.unwrap());
    });
}

/// The ARP operations in which the VIP was announced with the director's MAC, read until both were heard.
fn announcements(listener: &OwnedFd) -> BTreeSet<u8> {
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut operations = BTreeSet::new();
    while operations.len() < 2 && std::time::Instant::now() < deadline {
        let mut frame = [0; 128];
        let length = recv(listener.as_raw_fd(), &mut frame, MsgFlags::empty()).unwrap_or(0);
        operations.extend(announced_by(frame.get(..length).unwrap()));
    }
    operations
}

fn announced_by(frame: &[u8]) -> Option<u8> {
    let sender = [DIRECTOR_MAC.as_bytes(), &[172, 30, 100, 1]].concat();
    let is_announcement = frame.starts_with(&[0xff; 6])
        && frame.get(12..14)? == [0x08, 0x06]
        && frame.get(22..32)? == sender
        && frame.get(38..42)? == [172, 30, 100, 1];
    is_announcement.then_some(*frame.get(21)?)
}

#[test]
fn a_vip_that_was_there_before_is_not_removed() {
    let pair = Pair::new();
    for before in ["172.30.100.1/24 dev eth0", "172.30.100.1/32 dev lo"] {
        pair.director.ip(&format!("address add {before}"));
        pair.run(|| async {
            let (mut vips, index) = open_vips(&pair).await;
            assert_eq!(vips.ensure(VIP, index).await.unwrap(), Ensured::AlreadyLocal);
            assert!(!vips.release(VIP).await.unwrap());
            vips.release_all().await.unwrap();
        });
        assert!(pair.director.ip("address show").contains("172.30.100.1"), "{before}");
        pair.director.ip(&format!("address delete {before}"));
    }
}

#[test]
fn a_vip_of_a_killed_director_is_adopted_and_removed_when_not_needed() {
    let pair = Pair::new();
    pair.run(|| async {
        let (mut vips, index) = open_vips(&pair).await;
        vips.ensure(VIP, index).await.unwrap();
    });
    pair.run(|| async {
        let (mut vips, index) = open_vips(&pair).await;
        assert_eq!(vips.ours().collect::<Vec<_>>(), [VIP]);
        assert_eq!(vips.ensure(VIP, index).await.unwrap(), Ensured::AlreadyOurs);
        vips.retain(&BTreeSet::from([VIP])).await.unwrap();
        assert!(pair.has_vip());
        vips.retain(&BTreeSet::new()).await.unwrap();
        assert!(!pair.has_vip());
    });
}

#[test]
fn a_vip_that_someone_removed_meanwhile_is_added_again_or_forgotten() {
    let pair = Pair::new();
    pair.run(|| async {
        let (mut vips, index) = open_vips(&pair).await;
        vips.ensure(VIP, index).await.unwrap();
        pair.director.ip("address delete 172.30.100.1/32 dev eth0");
        assert_eq!(vips.ensure(VIP, index).await.unwrap(), Ensured::Added);
        pair.director.ip("address delete 172.30.100.1/32 dev eth0");
        let (reopened, _) = open_vips(&pair).await;
        assert_eq!(reopened.ours().count(), 0);
        vips.release_all().await.unwrap();
    });
}

#[test]
fn interfaces_are_described_and_a_missing_one_is_named() {
    let pair = Pair::new();
    pair.run(|| async {
        let netlink = Netlink::open().unwrap();
        let eth0 = Interface::by_name(&netlink, "eth0").await.unwrap();
        assert_eq!(eth0.usable().unwrap(), DIRECTOR_MAC);
        assert_eq!((eth0.mtu, eth0.kind.as_deref()), (1500, Some("veth")));
        assert_eq!(Interface::by_index(&netlink, eth0.index).await.unwrap(), eth0);
        let lo = Interface::by_name(&netlink, "lo").await.unwrap();
        assert!(matches!(lo.usable(), Err(InterfaceError::NotEthernet(_))));
        let missing = Interface::by_name(&netlink, "eth9").await.unwrap_err().to_string();
        assert_eq!(missing, r#"there is no interface "eth9": this network namespace has lo, eth0"#);
        let unknown = Interface::by_index(&netlink, 4711).await.unwrap_err().to_string();
        assert_eq!(unknown, "there is no interface with index 4711");
    });
}

#[test]
fn a_change_of_the_directors_own_mac_is_told() {
    let pair = Pair::new();
    pair.run(|| async {
        let netlink = Netlink::open().unwrap();
        let eth0 = Interface::by_name(&netlink, "eth0").await.unwrap();
        let mut changes = InterfaceChanges::follow(netlink, eth0).unwrap();
        pair.director.ip("link set eth0 address 02:00:00:00:00:77");
        let changed = next_change(&mut changes, "the new MAC").await;
        let InterfaceChange::Changed(interface) = changed else { panic!("{changed:?}") };
        assert_eq!(interface.mac, Some(MacAddr6::new(2, 0, 0, 0, 0, 0x77)));
        pair.director.ip("link delete eth0");
        while next_change(&mut changes, "the removal").await != InterfaceChange::Removed {}
    });
}

async fn next_change(changes: &mut InterfaceChanges, awaited: &str) -> InterfaceChange {
    let deadline = Instant::now() + PATIENCE;
    timeout_at(deadline, changes.next()).await.unwrap_or_else(|_| panic!("waited for {awaited}")).unwrap()
}
