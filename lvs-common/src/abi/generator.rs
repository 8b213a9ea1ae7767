//! What a benchmark asks of its packet generator.

/// The frames to make. Written while none is made.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// Each frame, except for what its flow changes: Ethernet, IPv4 without options, TCP or UDP.
    pub template: [u64; Self::FRAME_WORDS],
    /// Out of how many flows, up to 2^32, each frame's is chosen at random; or [`IN_SEQUENCE`](Self::IN_SEQUENCE), or
    /// [`HANDSHAKES`](Self::HANDSHAKES).
    pub flows: u64,
    /// How many destination addresses the flows have.
    pub destinations: u32,
    /// The first of them, in host order.
    pub first_destination: u32,
}

const _: () = assert!(size_of::<Orders>() == 80);

impl Orders {
    /// Length of a frame in u64.
    pub const FRAME_WORDS: usize = 8;
    /// Length of a frame in bytes.
    pub const FRAME_LENGTH: usize = Self::FRAME_WORDS * 8;
    /// One frame of each flow, and no flow is like another.
    pub const IN_SEQUENCE: u64 = 0;
    /// Two frames of each flow: the template, and the same with TCP's ACK for its only flag.
    pub const HANDSHAKES: u64 = u64::MAX;
}

/// What distinguishes a flow, in host order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Source address: 10/8.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
    /// Source port: 1024 and up.
    pub source_port: u16,
}

impl Flow {
    /// Offset of the source address in the frame.
    pub const SOURCE: usize = 26;
    /// Offset of the destination address.
    pub const DESTINATION: usize = 30;
    /// Offset of the source port.
    pub const SOURCE_PORT: usize = 34;

    /// Offset of TCP's flags.
    pub const TCP_FLAGS: usize = 47;

    const PORT_BITS: u32 = 15;

    /// The flow with this number: 2^39 numbers give different ones.
    #[inline(always)]
    #[must_use]
    pub const fn new(number: u64, orders: &Orders) -> Self {
        // Spreads neighbouring numbers over the destinations (2^32 divided by the golden ratio).
        let spread = (number as u32).wrapping_mul(0x9e37_79b9) as u64;
        Self {
            source: 10 << 24 | (number >> Self::PORT_BITS) as u32 & 0xff_ffff,
            destination: orders.first_destination + ((spread * orders.destinations as u64) >> 32) as u32,
            source_port: 1024 + (number as u16 & ((1 << Self::PORT_BITS) - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Flow, Orders};

    #[test]
    fn numbers_give_different_flows_to_every_destination() {
        let orders = Orders { template: [0; 8], flows: 0, destinations: 100, first_destination: 7 };
        let flows: Vec<_> = (0..100_000).map(|number| Flow::new(number, &orders)).collect();
        let tuples: HashSet<_> = flows.iter().map(|flow| (flow.source, flow.source_port)).collect();
        let destinations: HashSet<_> = flows.iter().map(|flow| flow.destination).collect();
        assert_eq!(tuples.len(), 100_000);
        assert_eq!(destinations, (7..107).collect());
    }
}
