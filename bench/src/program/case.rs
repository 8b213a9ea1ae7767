//! What is measured: one kind of traffic through directors that are set up alike.

use lvs_common::verdict::Reason;
use serde::{Deserialize, Serialize};

use super::frame::Kind;

/// A program under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Program {
    /// Sends the frame back: what the harness costs, which is subtracted from the rest.
    Floor,
    /// The product's program.
    Director,
    /// The same director with its connections in the kernel's LRU hash.
    LruHash,
}

impl Program {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Director => "director",
            Self::LruHash => "LRU hash",
        }
    }
}

/// Which flows the packets belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flows {
    /// So many, at random, whose connections are all known.
    Known(u32),
    /// So many, at random, that have no connection.
    Unrelated(u32),
    /// Each packet opens a connection, in a table that was empty.
    NewWithRoom,
    /// Each packet opens a connection, after so many others that the table is full of half-open ones.
    NewAfter(u32),
}

impl Flows {
    /// Out of how many flows the generator chooses.
    pub(crate) fn at_random(self) -> Option<u32> {
        match self {
            Self::Known(flows) | Self::Unrelated(flows) => Some(flows),
            Self::NewWithRoom | Self::NewAfter(_) => None,
        }
    }
}

/// One kind of traffic through directors that are set up alike.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) flows: Flows,
    /// For how many connections the table is made: it has twice as many places.
    pub(crate) connections: u32,
    /// Virtual services that the director has.
    pub(crate) services: u32,
    /// Over how many of them the flows spread.
    pub(crate) used_services: u32,
    /// Real servers of each service.
    pub(crate) servers: u32,
    /// CPUs that work at the same time.
    pub(crate) cpus: usize,
    /// Packets of one measurement on each CPU.
    pub(crate) packets: u32,
    /// What must happen to all packets but those that `counts` tolerates.
    pub(crate) expected: Reason,
    /// Programs under test.
    pub(crate) programs: &'static [Program],
    /// How many times faster than the LRU hash the director must be.
    pub(crate) bar: Option<f64>,
    /// The case than which this one may cost only so much more, as a share.
    pub(crate) flat: Option<(&'static str, f64)>,
    /// Left out of quick runs.
    pub(crate) takes_long: bool,
}

impl Case {
    /// Half of the places would be for `connections`; the other half is room.
    pub(crate) fn places(&self) -> u32 {
        (self.connections * 2).next_power_of_two()
    }

    /// Real servers of all services.
    pub(crate) fn all_servers(&self) -> u32 {
        self.services * self.servers
    }

    /// The harness costs the same for all cases with this key.
    pub(crate) fn floor(&self) -> (bool, usize) {
        (self.flows.at_random().is_some(), self.cpus)
    }
}
