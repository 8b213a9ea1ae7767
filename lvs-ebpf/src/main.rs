//! The XDP program of `lvs-xdp`.
#![no_std]
#![no_main]
#![expect(clippy::needless_pass_by_value, reason = "the macro xdp hands the context over by value")]

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lvs_common::steer::decide;
use lvs_ebpf::{clock, receive};

/// Steers a frame that the interface receives.
#[xdp(frags)]
fn director(ctx: XdpContext) -> u32 {
    receive(&ctx, decide)
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
