//! Schedulers that choose by turn: user space compiles one cycle of their sequence to a slot table, which the data path
//! indexes with a counter.
//!
//! The order of the picks is the kernel's after any history of changes: a scheduler here is the kernel's state machine, and
//! user space moves it on by the number of turns taken before it applies a change.

mod rr;
#[cfg(test)]
mod tests;
mod wrr;

pub use rr::Rr;
pub use wrr::Wrr;

/// A real server as a scheduler sees it. Lists are in the kernel's order: the server added last comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Capacity relative to the others; 0 takes nothing new.
    pub weight: u32,
    /// Can take new connections. What can't is passed over, as the kernel does with an overloaded one, and keeps its weight.
    pub available: bool,
}

/// A scheduler that chooses by turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// Round robin.
    Rr(Rr),
    /// Weighted round robin.
    Wrr(Wrr),
}

impl Turns {
    /// A server was put at the head of `servers`.
    pub fn server_added(&mut self, servers: &[Candidate]) {
        match self {
            Self::Rr(rr) => rr.server_added(),
            Self::Wrr(wrr) => wrr.servers_changed(servers),
        }
    }

    /// A server's weight has changed.
    pub fn server_edited(&mut self, servers: &[Candidate]) {
        match self {
            Self::Rr(_) => {}
            Self::Wrr(wrr) => wrr.servers_changed(servers),
        }
    }

    /// The server that was at `index` has left `servers`.
    pub fn server_removed(&mut self, servers: &[Candidate], index: usize) {
        match self {
            Self::Rr(rr) => rr.server_removed(index),
            Self::Wrr(wrr) => wrr.servers_changed(servers),
        }
    }

    /// The server for the next connection.
    pub fn next(&mut self, servers: &[Candidate]) -> Option<usize> {
        match self {
            Self::Rr(rr) => rr.next(servers),
            Self::Wrr(wrr) => wrr.next(servers),
        }
    }

    /// After how many picks the sequence repeats; 0 when no server takes new connections.
    #[must_use]
    pub fn cycle(&self, servers: &[Candidate]) -> u64 {
        let usable = servers.iter().filter(|server| server.available && server.weight > 0);
        match self {
            Self::Rr(_) => usable.count() as u64,
            Self::Wrr(_) => {
                let divisor = u64::from(wrr::divisor(servers));
                usable.map(|server| u64::from(server.weight) / divisor).sum()
            }
        }
    }
}
