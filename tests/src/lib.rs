//! The lab and the packet fixtures of `lvs-xdp`.

pub mod fixture;
pub mod lab;
pub mod product;
pub mod tutorial;
