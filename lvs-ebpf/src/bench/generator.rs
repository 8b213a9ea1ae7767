//! Makes one frame for each run and hands it to the program under test.
//!
//! A test run gives a program what its last run left of the frame: a program that changes its frame would soon be measured
//! with another one, and always with the same flow. So each run begins here. The program under test must leave the frame's
//! length alone.

use core::hint::black_box;

use aya_ebpf::bindings::xdp_action::XDP_ABORTED;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::{Array, PerCpuArray, ProgramArray};
use aya_ebpf::programs::XdpContext;
use lvs_common::abi::{Flow, Orders};

/// What to generate.
#[map]
static ORDERS: Array<Orders> = Array::with_max_entries(1, 0);

/// Each CPU's place in the sequence of flows: the next one's number, or the state of the random numbers.
#[map]
static CURSOR: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// The programs that follow: the one under test, or [`slow`] and then the one under test.
#[map]
static TARGETS: ProgramArray = ProgramArray::with_max_entries(2, 0);

/// TCP's flag (RFC 9293, section 3.1).
const ACK: u8 = 0x10;

/// Readings of the clock in [`slow`], of about 30 ns each.
const DELAY: usize = 8;

#[xdp(frags)]
fn generator(ctx: XdpContext) -> u32 {
    if make_frame(&ctx).is_some() {
        // SAFETY: nothing here has anything to drop.
        unsafe { TARGETS.tail_call(&ctx, 0) };
    }
    XDP_ABORTED
}

/// Costs time before the program under test: a benchmark that does not show it is broken.
#[xdp(frags)]
fn slow(ctx: XdpContext) -> u32 {
    for _ in 0..DELAY {
        // SAFETY: the helper takes no argument and has no precondition.
        black_box(unsafe { bpf_ktime_get_ns() });
    }
    // SAFETY: nothing here has anything to drop.
    unsafe { TARGETS.tail_call(&ctx, 1) };
    XDP_ABORTED
}

#[inline(always)]
fn make_frame(ctx: &XdpContext) -> Option<()> {
    let orders = ORDERS.get(0)?;
    let start = ctx.data();
    if start + Orders::FRAME_LENGTH > ctx.data_end() {
        return None;
    }
    let frame = start as *mut u8;
    let (number, acknowledges) = next(orders)?;
    let flow = Flow::new(number, orders);
    // SAFETY: the check above has shown that the whole frame lies in the packet.
    unsafe {
        frame.cast::<[u64; Orders::FRAME_WORDS]>().write_unaligned(orders.template);
        frame.add(Flow::SOURCE).cast::<u32>().write_unaligned(flow.source.to_be());
        frame.add(Flow::DESTINATION).cast::<u32>().write_unaligned(flow.destination.to_be());
        frame.add(Flow::SOURCE_PORT).cast::<u16>().write_unaligned(flow.source_port.to_be());
        if acknowledges {
            frame.add(Flow::TCP_FLAGS).write(ACK);
        }
    }
    Some(())
}

/// The number of the next flow, and whether its frame acknowledges.
#[inline(always)]
fn next(orders: &Orders) -> Option<(u64, bool)> {
    let cursor = CURSOR.get_ptr_mut(0)?;
    // SAFETY: the map gives this CPU's own value, and the program is not preempted by another one of its kind.
    unsafe {
        let number = *cursor;
        if matches!(orders.flows, Orders::IN_SEQUENCE | Orders::HANDSHAKES) {
            *cursor = number.wrapping_add(1);
            let twice = orders.flows == Orders::HANDSHAKES;
            return Some((number >> u32::from(twice), twice && number & 1 == 1));
        }
        // Knuth's MMIX generator; its upper half is the random one.
        *cursor = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((((*cursor >> 32) * orders.flows) >> 32, false))
    }
}
