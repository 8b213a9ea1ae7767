//! The lab: hosts and networks made of network namespaces, for the demo, the end-to-end tests and benchmarks.
//!
//! A [`Lab`] is built from a [`Topology`] and removed when it is dropped, also by a panic. Many labs may stand at the
//! same time, in one process or in several: nothing of theirs is in the machine's own network namespace, and their
//! names carry the process's id and a counter. What a killed process left behind, the next lab removes.
//!
//! Drop does not run when a signal ends the process. A program that wants its lab removed on Ctrl-C catches the
//! signal and returns from `main`; [`Process`] children are in a process group of their own, so the terminal's Ctrl-C
//! does not reach them first.
//!
//! ```no_run
//! use lvs_tests::lab::{Lab, Nginx, http_get};
//!
//! # fn main() -> anyhow::Result<()> {
//! let lab = Lab::tutorial()?;
//! let _nginx = Nginx::start(lab.host("rs1")?, lab.folder(), "rs1")?;
//! assert_eq!(http_get(lab.host("client")?, "http://172.30.100.126/")?, "rs1\n");
//! # Ok(())
//! # }
//! ```

mod arp;
mod background;
mod capture;
mod client;
mod frame;
mod host;
mod name;
mod namespace;
mod network;
mod nginx;
mod packet_socket;
mod process;
mod stale;
mod sysctl;
mod topology;
mod udp_server;
mod wait;
pub mod xdp;

use std::path::Path;
use std::sync::Once;

use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use tempfile::TempDir;

use name::LabName;

pub use arp::arp_answers;
pub use capture::Capture;
pub use client::{HttpConnection, connect, http_get};
pub use frame::{Direction, Frame};
pub use host::Host;
pub use namespace::Namespace;
pub use network::{Interface, Network};
pub use nginx::Nginx;
pub use packet_socket::send_frame;
pub use process::Process;
pub use stale::remove_stale;
pub use topology::{HostPlan, InterfaceAddress, LAN, NetworkPlan, Topology};
pub use udp_server::UdpServer;
pub use wait::wait_until;

/// Interface names have at most this many bytes.
const LONGEST_INTERFACE_NAME: usize = 15;

/// Hosts and networks that stand until this value is dropped.
#[derive(Debug)]
pub struct Lab {
    name: LabName,
    hosts: Vec<Host>,
    networks: Vec<Network>,
    folder: TempDir,
}

impl Lab {
    /// The four hosts of the tutorial: client, director, rs1 and rs2.
    ///
    /// # Errors
    /// As [`Lab::build`].
    pub fn tutorial() -> Result<Self> {
        Self::build(&Topology::tutorial())
    }

    /// Builds a lab under a name that no other has.
    ///
    /// # Errors
    /// When the caller is not root, or a command that makes a part of the lab fails; what was made is removed.
    pub fn build(plan: &Topology) -> Result<Self> {
        Self::build_as(LabName::unique(), plan)
    }

    /// Builds a lab under a fixed name of lower-case letters, so that it can be kept and found again.
    ///
    /// # Errors
    /// As [`Lab::build`], and when a lab of this name stands already.
    pub fn build_named(name: &str, plan: &Topology) -> Result<Self> {
        Self::build_as(LabName::fixed(name)?, plan)
    }

    /// Removes the lab that [`Lab::build_named`] made and [`Lab::keep`] left standing, and ends what runs in it. Says
    /// whether there was one.
    ///
    /// # Errors
    /// When the caller is not root or a part can't be removed.
    pub fn remove_named(name: &str) -> Result<bool> {
        require_root()?;
        stale::remove(&LabName::fixed(name)?)
    }

    /// Leaves the lab standing after the end of the process.
    pub fn keep(mut self) {
        self.hosts.iter_mut().for_each(Host::keep);
        self.networks.iter_mut().for_each(Network::keep);
        self.folder.disable_cleanup(true);
    }

    /// Adds a host to the standing lab.
    ///
    /// # Errors
    /// When the name is taken or no interface's, or the plan speaks of a network that there is not.
    pub fn add_host(&mut self, plan: &HostPlan) -> Result<&Host> {
        let name = &plan.name;
        ensure!(
            !name.is_empty() && name.len() <= LONGEST_INTERFACE_NAME,
            "host name {name:?} must have 1 to {LONGEST_INTERFACE_NAME} bytes"
        );
        let host = Host::create(&self.name.namespace(name), plan)?;
        for interface in host.interfaces() {
            self.network(&interface.network)?.connect(name, &host, interface)?;
        }
        self.hosts.push(host);
        self.host(name)
    }

    /// Adds a network to the standing lab.
    ///
    /// # Errors
    /// When a host or a network of this name exists.
    pub fn add_network(&mut self, plan: &NetworkPlan) -> Result<()> {
        let network = Network::create(&self.name.namespace(&plan.name), plan)?;
        self.networks.push(network);
        Ok(())
    }

    /// The host called `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn host(&self, name: &str) -> Result<&Host> {
        let found = self.hosts.iter().find(|host| host.host_name() == name);
        found.with_context(|| format!("the lab has no host {name:?}"))
    }

    /// All hosts, in the order of the plan.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The network called `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn network(&self, name: &str) -> Result<&Network> {
        let found = self.networks.iter().find(|network| network.name() == name);
        found.with_context(|| format!("the lab has no network {name:?}"))
    }

    /// A folder for the lab's files, removed with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn build_as(name: LabName, plan: &Topology) -> Result<Self> {
        require_root()?;
        remove_stale_once();
        let folder = stale::create_folder(&name)?;
        let mut lab = Self { name, hosts: Vec::new(), networks: Vec::new(), folder };
        plan.networks.iter().try_for_each(|network| lab.add_network(network))?;
        plan.hosts.iter().try_for_each(|host| lab.add_host(host).map(|_| ()))?;
        Ok(lab)
    }
}

fn require_root() -> Result<()> {
    ensure!(
        Uid::effective().is_root(),
        "the lab makes network namespaces, which only root may do: run it as root, with sudo for example"
    );
    Ok(())
}

/// A lab that can't be removed is no reason not to build another.
fn remove_stale_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = remove_stale() {
            eprintln!("lab: {error:#}");
        }
    });
}
