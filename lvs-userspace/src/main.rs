//! The binary `lvs-xdp`.
fn main() {}
