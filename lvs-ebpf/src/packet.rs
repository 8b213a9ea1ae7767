//! Bounds-checked access to packet memory: the only unsafe code that touches it.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_xdp_get_buff_len;
use aya_ebpf::programs::XdpContext;
use lvs_common::packet::Bytes;

/// The frame that the program was called for. With multi-buffer XDP, memory holds its beginning only.
pub struct Frame<'a> {
    ctx: &'a XdpContext,
    data: usize,
    end: usize,
}

impl<'a> Frame<'a> {
    /// The frame of a program's context.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext) -> Self {
        Self { ctx, data: ctx.data(), end: ctx.data_end() }
    }

    #[inline(always)]
    fn at<const N: usize>(&self, offset: usize) -> Option<*mut [u8; N]> {
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        Some(start as *mut [u8; N])
    }

    /// Replaces the first eight bytes.
    #[inline(always)]
    pub fn write_u64(&self, value: u64) -> Option<()> {
        let start = self.at::<8>(0)?.cast::<u64>();
        // SAFETY: `at` has checked that the eight bytes lie in the packet.
        unsafe { start.write_unaligned(value) };
        Some(())
    }

    /// Sets destination and source MAC address. Words, as LLVM takes a `[u8; 6]` byte by byte over the stack.
    #[inline(always)]
    pub fn set_addresses(&self, destination: [u8; 6], source: [u8; 6]) -> Option<()> {
        let header = self.at::<14>(0)?.cast::<u8>();
        let [a, b, c, d, e, f] = destination;
        let [g, h, i, j, k, l] = source;
        // SAFETY: `at` has checked that the 14 bytes lie in the packet, and the writes are unaligned ones within them.
        unsafe {
            header.cast::<u32>().write_unaligned(u32::from_ne_bytes([a, b, c, d]));
            header.add(4).cast::<u32>().write_unaligned(u32::from_ne_bytes([e, f, g, h]));
            header.add(8).cast::<u32>().write_unaligned(u32::from_ne_bytes([i, j, k, l]));
        }
        Some(())
    }

    /// Subtracts one from IPv4's time to live, which is over 1, and corrects the header checksum (RFC 1624, equation 3).
    #[inline(always)]
    pub fn decrement_ttl(&self, network: usize) -> Option<()> {
        let header = self.at::<20>(network)?.cast::<u8>();
        // SAFETY: `at` has checked that the 20 bytes lie in the packet, and every access is within them.
        unsafe {
            let checksum = header.add(10).cast::<u16>();
            let sum = u32::from(checksum.read_unaligned()) + u32::from(0x0100_u16.to_be());
            // 0xffff carries, too: it is the other zero, which no computed checksum is (RFC 1624, section 3).
            checksum.write_unaligned((sum + ((sum + 1) >> 16)) as u16);
            let ttl = header.add(8);
            ttl.write(ttl.read().wrapping_sub(1));
        }
        Some(())
    }
}

impl Bytes for Frame<'_> {
    #[inline(always)]
    fn view<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        // SAFETY: `at` has checked that the bytes lie in the packet, which lives as long as the context.
        self.at::<N>(offset).map(|bytes| unsafe { &*bytes })
    }

    #[inline(always)]
    fn holds(&self, length: usize) -> bool {
        self.data + length <= self.end || self.whole_length() >= length as u64
    }
}

impl Frame<'_> {
    /// Counts the buffers after the first one, too.
    #[inline(always)]
    fn whole_length(&self) -> u64 {
        core::hint::cold_path();
        // SAFETY: the context is the one that the program was called with.
        unsafe { bpf_xdp_get_buff_len(self.ctx.as_ptr().cast()) }
    }
}
