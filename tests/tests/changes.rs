//! The director's core on the real program: batches of changes, and the order of picks through them.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use etherparse::PacketBuilder;
use lvs_tests::lab::Lab;
use lvs_userspace::control::change::{Change, ChangeError};
use lvs_userspace::control::director::Director;
use lvs_userspace::control::reach::Behind;
use lvs_userspace::control::service::{Protocol, Scheduler, ServerOptions, ServiceAddress, ServiceOptions};
use lvs_userspace::dataplane::{Dataplane, Sizes, object};
use macaddr::MacAddr6;

const VIP: [u8; 4] = [172, 30, 100, 1];
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 0xd1];
const XDP_TX: u32 = 3;

/// A director on the director's host of a lab: the lab's eth0 stands for the interface that receives.
struct Bench {
    director: Director,
    behind: Behind,
    next_port: u16,
}

fn with_director(sizes: Sizes, test: impl FnOnce(&mut Bench) -> Result<()> + Send) -> Result<()> {
    let lab = Lab::tutorial()?;
    lab.host("director")?.enter(|| {
        let index = nix::net::if_::if_nametoindex("eth0")?;
        let mut dataplane = Dataplane::load(object::director()?, sizes, [1, 2, 3])?;
        dataplane.receive_as(index, MacAddr6::from(OWN))?;
        let behind = Behind { interface: "eth0".to_owned(), index, mac: MacAddr6::from(OWN) };
        test(&mut Bench { director: Director::new(dataplane), behind, next_port: 40_000 })
    })?
}

const fn small(servers: u32, slots: u32) -> Sizes {
    Sizes { connections: 1024, servers, slots }
}

fn service(port: u16) -> ServiceAddress {
    ServiceAddress { protocol: Protocol::Tcp, address: (VIP, port).into() }
}

fn server(n: u8, port: u16) -> SocketAddr {
    ([172, 30, 100, 125 + n], port).into()
}

fn add_service(port: u16, scheduler: Scheduler) -> Change {
    Change::AddService { service: service(port), options: ServiceOptions { scheduler } }
}

fn add(n: u8, weight: u32) -> Change {
    Change::AddServer { service: service(80), server: server(n, 80), options: ServerOptions { weight } }
}

fn edit(n: u8, weight: u32) -> Change {
    Change::EditServer { service: service(80), server: server(n, 80), options: ServerOptions { weight } }
}

fn delete(n: u8) -> Change {
    Change::DeleteServer { service: service(80), server: server(n, 80) }
}

impl Bench {
    fn apply(&mut self, changes: &[Change]) -> Result<(), (usize, ChangeError)> {
        let plan = self.director.plan(changes.to_vec())?;
        self.director.commit(plan)
    }

    /// Real server n answers ARP with a MAC address that ends in n.
    fn resolve(&mut self, n: u8) -> Result<()> {
        let mac = MacAddr6::new(2, 0, 0, 0, 1, n);
        Ok(self.director.resolved(server(n, 80).ip(), mac, &self.behind)?)
    }

    fn setup(&mut self, scheduler: Scheduler, weights: &[u32]) -> Result<()> {
        let servers = (1..).zip(weights).map(|(n, weight)| add(n, *weight));
        let changes: Vec<_> = std::iter::once(add_service(80, scheduler)).chain(servers).collect();
        self.apply(&changes).map_err(|(_, error)| error).context("the first batch")?;
        (1..=weights.len() as u8).try_for_each(|n| self.resolve(n))
    }

    /// Which real servers get the next new connections; 0 where none does.
    fn picks(&mut self, n: usize) -> Result<Vec<u8>> {
        (0..n).map(|_| self.pick()).collect()
    }

    fn pick(&mut self) -> Result<u8> {
        self.next_port += 1;
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 0xc1], OWN).ipv4([172, 30, 100, 200], VIP, 64);
        let mut frame = Vec::new();
        builder.tcp(self.next_port, 80, 1, 1024).syn().write(&mut frame, &[])?;
        let (action, out, _) = self.director.dataplane().test_run(&frame, 1)?;
        Ok(if action == XDP_TX { out.get(5).copied().unwrap_or(0) } else { 0 })
    }

    fn listing(&self) -> Result<String> {
        Ok(format!("{:?}", self.director.snapshot()?.services))
    }
}

#[test]
fn the_order_goes_on_through_edits_as_the_kernels_does() -> Result<()> {
    with_director(small(16, 1024), |bench| {
        bench.setup(Scheduler::Wrr, &[2, 1])?;
        assert_eq!(bench.picks(4)?, [2, 1, 1, 2]);
        bench.apply(&[edit(1, 1)]).map_err(|(_, error)| error)?;
        bench.apply(&[edit(2, 3)]).map_err(|(_, error)| error)?;
        // Recorded from ip_vs: `goes_on_as_the_kernel_does_after_edits` in lvs-common/src/schedule/wrr.rs has the source.
        assert_eq!(bench.picks(12)?, [2, 1, 2, 2, 2, 1, 2, 2, 2, 1, 2, 2]);
        bench.apply(&[edit(1, 0), edit(2, 0)]).map_err(|(_, error)| error)?;
        assert_eq!(bench.picks(3)?, [0, 0, 0]);
        Ok(())
    })
}

#[test]
fn a_server_that_is_silent_is_passed_over_and_comes_back_in_its_place() -> Result<()> {
    with_director(small(16, 1024), |bench| {
        bench.setup(Scheduler::Rr, &[1, 1, 1])?;
        assert_eq!(bench.picks(4)?, [3, 2, 1, 3]);
        bench.director.unresolved(server(2, 80).ip(), "does not answer ARP".to_owned())?;
        assert_eq!(bench.picks(3)?, [1, 3, 1]);
        bench.resolve(2)?;
        assert_eq!(bench.picks(3)?, [3, 2, 1]);
        Ok(())
    })
}

#[test]
fn a_batch_that_is_refused_changes_nothing() -> Result<()> {
    with_director(small(16, 1024), |bench| {
        bench.setup(Scheduler::Wrr, &[2, 1])?;
        assert_eq!(bench.picks(1)?, [2]);
        let before = bench.listing()?;
        let refused = bench.apply(&[edit(1, 7), delete(2), add_service(81, Scheduler::Rr), add(1, 1)]);
        assert_eq!(refused, Err((3, ChangeError::ServerExists)));
        assert_eq!(bench.listing()?, before);
        assert_eq!(bench.picks(5)?, [1, 1, 2, 1, 1]);
        Ok(())
    })
}

#[test]
fn a_batch_for_which_there_is_no_room_changes_nothing() -> Result<()> {
    with_director(small(3, 1024), |bench| {
        bench.setup(Scheduler::Wrr, &[2, 1])?;
        let before = bench.listing()?;
        let refused = bench.apply(&[delete(1), add(3, 1), add(4, 1)]);
        assert!(matches!(refused, Err((2, ChangeError::Full { limit: 3, .. }))), "{refused:?}");
        assert_eq!(bench.listing()?, before);
        assert_eq!(bench.picks(3)?, [2, 1, 1]);
        // The third index is free as before.
        assert_eq!(bench.apply(&[add(3, 1)]), Ok(()));
        Ok(())
    })
}

#[test]
fn a_table_for_which_there_is_no_room_leaves_the_former_one() -> Result<()> {
    with_director(small(16, 16), |bench| {
        bench.setup(Scheduler::Wrr, &[2, 1])?;
        assert_eq!(bench.picks(2)?, [2, 1]);
        let before = bench.listing()?;
        let refused = bench.apply(&[edit(1, 50)]);
        assert!(matches!(refused, Err((0, ChangeError::Full { limit: 16, .. }))), "{refused:?}");
        assert_eq!(bench.listing()?, before);
        assert_eq!(bench.picks(6)?, [1, 2, 1, 1, 2, 1], "the sequence goes on where it stood");
        Ok(())
    })
}

#[test]
fn a_server_that_returns_takes_its_connections_and_counters_back() -> Result<()> {
    with_director(small(16, 1024), |bench| {
        bench.setup(Scheduler::Wrr, &[1])?;
        assert_eq!(bench.picks(2)?, [1, 1]);
        let before = bench.listing()?;
        bench.apply(&[delete(1)]).map_err(|(_, error)| error)?;
        assert_eq!(bench.picks(1)?, [0]);
        bench.apply(&[add(1, 1)]).map_err(|(_, error)| error)?;
        bench.resolve(1)?;
        assert_eq!(bench.listing()?, before);
        Ok(())
    })
}

/// One round of ageing over the whole table.
fn age(bench: &mut Bench) {
    (0..16).for_each(|_| bench.director.age());
}

#[test]
fn a_deleted_servers_index_is_free_when_no_connection_names_it() -> Result<()> {
    with_director(small(2, 1024), |bench| {
        bench.setup(Scheduler::Wrr, &[1])?;
        bench.apply(&[delete(1), add(2, 1)]).map_err(|(_, error)| error)?;
        assert!(matches!(bench.apply(&[add(3, 1)]), Err((0, ChangeError::Full { .. }))));
        age(bench);
        assert_eq!(bench.apply(&[add(3, 1)]), Ok(()));
        Ok(())
    })
}

#[test]
fn a_deleted_servers_index_stays_its_own_while_a_connection_names_it() -> Result<()> {
    with_director(small(2, 1024), |bench| {
        bench.setup(Scheduler::Wrr, &[1])?;
        assert_eq!(bench.picks(1)?, [1]);
        bench.apply(&[delete(1), add(2, 1)]).map_err(|(_, error)| error)?;
        age(bench);
        assert!(matches!(bench.apply(&[add(3, 1)]), Err((0, ChangeError::Full { .. }))));
        assert_eq!(bench.apply(&[add(1, 1)]), Ok(()), "it returns to its own index");
        Ok(())
    })
}

#[test]
fn news_of_a_neighbour_for_which_there_is_no_room_leave_the_former_table() -> Result<()> {
    with_director(small(16, 4), |bench| {
        bench.setup(Scheduler::Rr, &[1, 1])?;
        // Four slots: what was released rests for a second, so there is soon no room for another table.
        bench.director.unresolved(server(2, 80).ip(), "does not answer ARP".to_owned())?;
        bench.resolve(2)?;
        bench.director.unresolved(server(2, 80).ip(), "does not answer ARP".to_owned())?;
        let picks = bench.picks(4)?;
        assert!(!picks.contains(&0), "every connection finds a server: {picks:?}");
        Ok(())
    })
}
