//! Real servers, by index.

use crate::word::Word;

/// Names a real server of one service; its place in the arrays below. Less than 2^20.
pub type ServerIndex = u32;

/// A real server's MAC address and the interface behind which it is, in one u64, so that no CPU can see half of a change.
///
/// Layout: bits 0 to 47 the MAC address, its first byte lowest; bits 48 to 63 the egress index, 1 and up.
/// The two values that have egress 0 say why nothing can be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link(pub u64);

impl Link {
    /// No real server has this index.
    pub const DELETED: Self = Self(0);
    /// The real server's MAC address has never been known.
    pub const UNRESOLVED: Self = Self(1);

    /// A MAC address behind the interface with this egress index.
    #[must_use]
    pub const fn new(mac: [u8; 6], egress: u16) -> Self {
        let [a, b, c, d, e, f] = mac;
        Self(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) | (egress as u64) << 48)
    }

    /// The MAC address.
    #[inline(always)]
    #[must_use]
    pub const fn mac(self) -> [u8; 6] {
        let [a, b, c, d, e, f, _, _] = self.0.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// The egress index; 0 when nothing can be sent.
    #[inline(always)]
    #[must_use]
    pub const fn egress(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let [a, b, c, d, e, g] = self.mac();
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x} behind {}", self.egress())
    }
}

/// How many connections of a real server are in the connection table.
#[cfg_attr(not(target_arch = "bpf"), derive(Default))]
#[repr(C)]
pub struct ServerConnections {
    /// Those in a state that IPVS counts as active.
    pub active: Word,
    /// All others.
    pub inactive: Word,
}

const _: () = assert!(size_of::<ServerConnections>() == 16);

/// What was sent to a real server by one CPU.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerTraffic {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets sent.
    pub packets: u64,
    /// Their bytes by the IP header's total length.
    pub bytes: u64,
}

const _: () = assert!(size_of::<ServerTraffic>() == 24);

#[cfg(test)]
mod tests {
    use super::Link;

    #[test]
    fn link_keeps_mac_and_egress_apart() {
        let link = Link::new([2, 0, 0, 0, 0, 0xa1], 0xffff);
        assert_eq!((link.mac(), link.egress()), ([2, 0, 0, 0, 0, 0xa1], 0xffff));
        assert_eq!(Link::DELETED.egress(), 0);
        assert_eq!(Link::UNRESOLVED.egress(), 0);
    }
}
