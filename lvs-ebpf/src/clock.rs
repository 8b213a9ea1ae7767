//! The data path's time.

use aya_ebpf::bindings::xdp_action::{XDP_ABORTED, XDP_PASS};
use aya_ebpf::helpers::generated::bpf_jiffies64;
use aya_ebpf::programs::XdpContext;

use crate::packet::Frame;

/// Tells user space the data path's time: writes the kernel's jiffies into the frame.
#[inline(always)]
pub fn tell(ctx: &XdpContext) -> u32 {
    match Frame::new(ctx).write_u64(jiffies()) {
        Some(()) => XDP_PASS,
        None => XDP_ABORTED,
    }
}

/// The kernel's jiffies.
#[inline(always)]
pub fn jiffies() -> u64 {
    // SAFETY: the helper takes no argument and has no precondition.
    unsafe { bpf_jiffies64() }
}
