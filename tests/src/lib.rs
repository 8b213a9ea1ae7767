//! The lab of `lvs-xdp`.

pub mod lab;
pub mod product;
