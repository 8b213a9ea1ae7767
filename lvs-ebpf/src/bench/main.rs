//! What the director is measured with, a packet generator, and against: a director of the same features whose connections
//! lie in the kernel's LRU hash, and a program that only sends the frame back.
#![no_std]
#![no_main]
#![expect(clippy::needless_pass_by_value, reason = "the macro xdp hands the context over by value")]

mod generator;
mod lru;

use aya_ebpf::bindings::xdp_action::{XDP_PASS, XDP_TX};
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lvs_ebpf::{clock, receive};

/// Steers a frame as the product's program does, with another connection table.
#[xdp(frags)]
fn director(ctx: XdpContext) -> u32 {
    receive(&ctx, lru::decide)
}

/// Lets everything through: an interface needs some program before it sends frames that XDP redirects to it.
#[xdp(frags)]
fn pass_all(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Tells user space the data path's time.
#[xdp(frags)]
fn clock(ctx: XdpContext) -> u32 {
    clock::tell(&ctx)
}

/// Sends the frame back: what any director costs at least.
#[xdp(frags)]
fn reflect(_: XdpContext) -> u32 {
    XDP_TX
}
