//! The XDP program of `lvs-xdp`. Glue only: packet memory to `lvs-common`, and its verdict to an XDP action.
#![no_std]
#![no_main]
#![expect(clippy::needless_pass_by_value, reason = "the macro xdp hands the context over by value")]

mod maps;
mod packet;
mod rewrite;
mod tables;

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS};
use aya_ebpf::helpers::generated::bpf_jiffies64;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use lvs_common::abi::tick;
use lvs_common::packet::{Packet, addressed_to, parse};
use lvs_common::steer::decide;
use lvs_common::verdict::{Reason, Verdict};

use crate::packet::Frame;
use crate::tables::BpfTables;

/// Steers a frame that the interface receives.
#[xdp(frags)]
fn director(ctx: XdpContext) -> u32 {
    let frame = Frame::new(&ctx);
    match description(&frame) {
        Ok(packet) => steer(&frame, &packet),
        Err(reason) => pass(reason),
    }
}

/// Lets everything through: an interface needs some program before it sends frames that XDP redirects to it.
#[xdp(frags)]
fn pass_all(_: XdpContext) -> u32 {
    XDP_PASS
}

/// Tells user space the data path's time: writes the kernel's jiffies into the frame.
#[xdp(frags)]
fn clock(ctx: XdpContext) -> u32 {
    match Frame::new(&ctx).write_u64(jiffies()) {
        Some(()) => XDP_PASS,
        None => XDP_ABORTED,
    }
}

#[inline(always)]
fn description(frame: &Frame<'_>) -> Result<Packet, Reason> {
    addressed_to(frame, maps::own_mac())?;
    parse(frame)
}

#[inline(always)]
fn steer(frame: &Frame<'_>, packet: &Packet) -> u32 {
    let Some(tables) = BpfTables::new() else {
        return XDP_PASS;
    };
    match decide(packet, &tables, tick(jiffies())) {
        Verdict::Pass(reason) => pass(reason),
        Verdict::Drop(reason) => {
            maps::count(reason);
            XDP_DROP
        }
        Verdict::Forward { server, link, opened, reason } => {
            maps::count(reason);
            maps::count_traffic(server, opened, packet.length);
            rewrite::forward(frame, packet, link).unwrap_or(XDP_DROP)
        }
    }
}

#[inline(always)]
fn pass(reason: Reason) -> u32 {
    maps::count(reason);
    XDP_PASS
}

#[inline(always)]
fn jiffies() -> u64 {
    // SAFETY: the helper takes no argument and has no precondition.
    unsafe { bpf_jiffies64() }
}

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
