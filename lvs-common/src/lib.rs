//! What the kernel side and the user side of `lvs-xdp` agree on, and every decision about a packet.
//!
//! Nothing here performs I/O, reads a clock or draws a random number: frames, tables, keys and time are arguments.
//! The same functions run inside the XDP program, in unit and property tests and under `BPF_PROG_TEST_RUN`.
#![cfg_attr(not(any(test, feature = "host")), no_std)]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(internal_features, reason = "BPF has no stable atomic read-modify-write")
)]

pub mod abi;
pub mod connection;
#[cfg(any(test, feature = "host"))]
pub mod host;
pub mod packet;
pub mod schedule;
pub mod steer;
pub mod verdict;
pub mod word;
