//! From a frame to an XDP action, around whatever decides.

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::programs::XdpContext;
use lvs_common::abi::tick;
use lvs_common::packet::{Packet, addressed_to, parse};
use lvs_common::verdict::{Reason, Verdict};

use crate::clock::jiffies;
use crate::packet::Frame;
use crate::tables::BpfTables;
use crate::{maps, rewrite};

/// Describes the frame, has it decided on, counts it, and does what the verdict says.
#[inline(always)]
pub fn receive(ctx: &XdpContext, decide: impl FnOnce(&Packet, &BpfTables, u32) -> Verdict) -> u32 {
    let frame = Frame::new(ctx);
    match description(&frame) {
        Ok(packet) => steer(&frame, &packet, decide),
        Err(reason) => pass(reason),
    }
}

#[inline(always)]
fn description(frame: &Frame<'_>) -> Result<Packet, Reason> {
    addressed_to(frame, maps::own_mac())?;
    parse(frame)
}

#[inline(always)]
fn steer(
    frame: &Frame<'_>,
    packet: &Packet,
    decide: impl FnOnce(&Packet, &BpfTables, u32) -> Verdict,
) -> u32 {
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
