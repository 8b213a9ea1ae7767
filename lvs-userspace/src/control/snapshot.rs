//! The director's state at one moment, as a listing shows it.

use std::net::SocketAddr;

use macaddr::MacAddr6;
use serde::{Deserialize, Serialize};

use super::service::{ServerOptions, ServiceAddress, ServiceOptions};

/// Everything that a listing can show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// How many connections the connection table holds at most.
    pub connection_capacity: u64,
    /// The services in the order in which they were added.
    pub services: Vec<ServiceState>,
    /// The reasons' counters: name and number of packets, in the order of their numbers.
    pub reasons: Vec<ReasonCount>,
}

/// One virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// What names it.
    pub service: ServiceAddress,
    /// Its settings.
    pub options: ServiceOptions,
    /// Since it was added or zeroed; includes real servers that have left.
    pub traffic: Traffic,
    /// Its real servers in the order in which they were added.
    pub servers: Vec<ServerState>,
}

/// One real server of one virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerState {
    /// What names it.
    pub server: SocketAddr,
    /// Its settings.
    pub options: ServerOptions,
    /// Connections that IPVS counts as active: established or opening.
    pub active_connections: u64,
    /// All others that have not expired.
    pub inactive_connections: u64,
    /// Since it was added or zeroed.
    pub traffic: Traffic,
    /// Whether frames can be sent to it.
    pub neighbour: NeighbourState,
}

/// How the director reaches a real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum NeighbourState {
    /// Its MAC address and the interface behind which it is are known.
    Resolved {
        /// Its Ethernet address.
        mac: MacAddr6,
        /// The director's interface.
        interface: String,
    },
    /// Not known: it gets no new connection.
    Unresolved {
        /// Why, in one sentence without a full stop.
        reason: String,
    },
}

/// What was sent to a service or a real server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets steered.
    pub packets: u64,
    /// Their bytes, by the IP header's total length (as IPVS counts: without Ethernet).
    pub bytes: u64,
}

/// One verdict reason's counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// The reason's name, for example `not_vip`.
    pub name: String,
    /// Packets that left with it.
    pub packets: u64,
}

impl Traffic {
    /// What came after `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            connections: self.connections.saturating_sub(earlier.connections),
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
        }
    }
}
