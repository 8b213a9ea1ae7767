//! The companion: makes a host a real server of LVS-DR, and a host again.
//!
//! A real server holds the VIP on `lo`, so that it accepts what the director sends it, and is silent about it in ARP.
//! [`Companion`](companion::Companion) looks at the [`host`], has the changes decided by [`plan`], keeps them in a
//! [`record`] and makes them. [`status`] judges the result.
//!
//! IPv6 needs the address alone: Linux answers neighbour solicitations only on the interface that holds the address.

pub mod addresses;
pub mod companion;
pub mod found;
pub mod host;
pub mod plan;
pub mod record;
pub mod setting;
pub mod status;
pub mod sysctl;
pub mod vip;
