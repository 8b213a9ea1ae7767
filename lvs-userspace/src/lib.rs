//! `lvs-xdp`: a Layer 4 director for LVS-DR on XDP. The library behind the binary.
//!
//! Data flows one way. A change: `cli` or `config` or `neighbour` -> `control` -> `dataplane` -> maps.
//! A figure: maps -> `dataplane` -> `control` -> `cli`. No module reaches back up its arrow.

pub mod cli;
pub mod control;
pub mod dataplane;
pub mod interface;
pub mod journal;
pub mod neighbour;
pub mod netlink;
pub mod netns;
pub mod real_server;
pub mod vip;
