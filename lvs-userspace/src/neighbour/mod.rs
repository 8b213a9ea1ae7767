//! Real server IP address -> MAC address and interface, resolved actively and followed while the director runs.
//!
//! The kernel is the one truth. Its notices are hints to look again, never facts: they come over another socket than
//! the answers to requests, so nothing can be said about their order. Each look asks for the route, the interface
//! and the neighbour entry of an address, and an event goes out when the result differs from the one before.
//!
//! An entry that is not managed yet gets `NTF_EXT_MANAGED` (Linux 5.16): the kernel then resolves it at once,
//! keeps it fresh without traffic, and tries again by itself when nobody answers. Older kernels get `NTF_USE` instead,
//! asked again every few seconds.

mod entry;
mod follower;
mod kernel;
mod ledger;
mod ownership;
mod path;
mod reachability;
mod watched;

use std::net::IpAddr;
use std::path::PathBuf;

use macaddr::MacAddr6;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use crate::journal::JournalError;
use crate::netlink::NetlinkError;
use follower::{Command, Follower};

/// How an address is reached at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// Frames can be sent to it.
    Resolved {
        /// Its MAC address.
        mac: MacAddr6,
        /// The number of the interface behind which it is.
        interface_index: u32,
        /// The name of that interface.
        interface: String,
    },
    /// Frames can't be sent to it.
    Unresolved {
        /// Why, in one sentence without a full stop.
        reason: String,
    },
    /// It is an address of this host.
    Local,
}

/// A watched address is reached in another way than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourEvent {
    /// The watched address.
    pub address: IpAddr,
    /// How it is reached now.
    pub state: Reachability,
}

/// Neighbours can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum NeighbourError {
    /// The kernel can't be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// What a killed predecessor left can't be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Follows the neighbours of this network namespace.
///
/// Neighbour entries that were created or made managed here are deleted, or made unmanaged again, when their address
/// is no longer watched and at the end. Entries that were permanent or managed before are used and left alone.
///
/// After a crash the managed entries stay: the kernel keeps probing them until they are deleted or their interface
/// goes down, which costs one ARP request every few seconds and nothing else. With a journal the next start knows
/// them as its own, so that a clean end removes them.
#[derive(Debug)]
pub struct Neighbours {
    commands: UnboundedSender<Command>,
    follower: JoinHandle<()>,
}

impl Neighbours {
    /// Starts following, as a task of the current tokio runtime. `journal` is where to write down which neighbour
    /// entries are ours.
    ///
    /// # Errors
    ///
    /// No netlink socket can be opened, or the journal is there but can't be read.
    pub fn start(
        journal: Option<PathBuf>,
    ) -> Result<(Self, UnboundedReceiver<NeighbourEvent>), NeighbourError> {
        let (commands, receive_commands) = mpsc::unbounded_channel();
        let (send_events, events) = mpsc::unbounded_channel();
        let follower = Follower::new(receive_commands, send_events, journal)?;
        Ok((Self { commands, follower: tokio::spawn(follower.run()) }, events))
    }

    /// Starts to follow an address. The first event comes at once; watching it again changes nothing.
    pub fn watch(&self, address: IpAddr) {
        self.send(Command::Watch(address));
    }

    /// Stops following an address, however often it was watched.
    pub fn unwatch(&self, address: IpAddr) {
        self.send(Command::Unwatch(address));
    }

    /// Stops following everything and waits until the neighbour entries are as they were found.
    pub async fn shutdown(self) {
        drop(self.commands);
        if let Err(error) = self.follower.await {
            tracing::error!(%error, "the neighbour follower ended abnormally");
        }
    }

    fn send(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::error!("the neighbour follower has ended: real servers are no longer followed");
        }
    }
}
