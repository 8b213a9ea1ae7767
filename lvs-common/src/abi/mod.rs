//! Map keys and values: what user space writes and the data path reads, or the reverse.
//!
//! Everything is `repr(C)` without padding, made of integers and byte arrays only. Addresses and ports are in network order.
//! What a packet reads is either immutable once published or one aligned u64: an update of a longer array value can be seen
//! half done by another CPU.

mod clock;
mod generator;
mod server;
mod service;

pub use clock::{TICK_SHIFT, Timeouts, tick};
pub use generator::{Flow, Orders};
pub use server::{Link, ServerConnections, ServerIndex, ServerTraffic};
pub use service::{Service, ServiceKey, Slots, VipKey};

/// Version of everything in this module and of the connection table's layout; raised with every incompatible change.
pub const ABI_VERSION: u32 = 1;
