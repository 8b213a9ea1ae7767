//! The lab of `lvs-xdp`.
