//! Where a connection stands: its fingerprint and its two lines.

use crate::packet::Packet;

/// The secret of one boot of the table, drawn by user space. Without it nobody can aim connections at one line.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u64; 3]);

/// A connection's fingerprint and the hashes of its two lines.
///
/// A packet is taken for another connection's when fingerprint and line agree: with `n` connections in the table the chance
/// is at most `n / 2^63` for a packet of a new connection. It would go to the other connection's real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 63 bits of keyed hash; the lowest bit is 1, so it is neither free nor claimed.
    pub fingerprint: u64,
    /// Hash of the line in which the connection is looked for first.
    pub first: u32,
    /// Hash of the other line: different from the first in its lowest bit, so never the same line.
    pub second: u32,
}

// Odd constants with balanced bits: 2^64 divided by the golden ratio, and two from SplitMix64 (Steele, Lea, Flood: Fast
// Splittable Pseudorandom Number Generators, OOPSLA 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX_1: u64 = 0xbf58_476d_1ce4_e5b9;
const MIX_2: u64 = 0x94d0_49bb_1331_11eb;

impl Place {
    /// The place of the connection to which a packet belongs.
    #[inline(always)]
    #[must_use]
    pub const fn of(packet: &Packet, key: HashKey) -> Self {
        let addresses = packet.source as u64 | (packet.destination as u64) << 32;
        let rest = packet.source_port as u64
            | (packet.destination_port as u64) << 16
            | (packet.protocol as u64) << 32;
        let HashKey([first, second, third]) = key;
        let a = fold((addresses ^ first).wrapping_mul(second | 1));
        let b = fold(a.wrapping_add(rest ^ third).wrapping_mul(MIX_1));
        let fingerprint = fold(b.wrapping_mul(MIX_2));
        // The lines depend on another mix than the fingerprint, so a line's fingerprints keep all their bits.
        let lines = fold((a ^ b.rotate_left(32)).wrapping_mul(GOLDEN));
        let first = lines as u32;
        Self { fingerprint: fingerprint | 1, first, second: first ^ ((lines >> 32) as u32 | 1) }
    }
}

impl Place {
    /// What the connection's hash says where no turn is taken.
    #[inline(always)]
    #[must_use]
    pub const fn slot_number(&self) -> u64 {
        self.fingerprint >> 32
    }
}

#[inline(always)]
const fn fold(value: u64) -> u64 {
    value ^ value >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const KEY: HashKey = HashKey([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x0f1e_2d3c_4b5a_6978]);

    fn packet(source: u32, source_port: u16) -> Packet {
        Packet {
            source: source.to_be(),
            destination: u32::from_be_bytes([172, 30, 100, 1]).to_be(),
            source_port: source_port.to_be(),
            destination_port: 80_u16.to_be(),
            protocol: 6,
            tcp_flags: 0,
            ttl: 64,
            network: 14,
            length: 40,
        }
    }

    #[test]
    fn every_part_of_the_tuple_counts() {
        let base = packet(0x0a00_0001, 40_000);
        let variants = [
            Packet { source: base.source ^ 0x0100_0000, ..base },
            Packet { destination: base.destination ^ 0x0100_0000, ..base },
            Packet { source_port: base.source_port ^ 0x0100, ..base },
            Packet { destination_port: base.destination_port ^ 0x0100, ..base },
            Packet { protocol: 17, ..base },
        ];
        let place = Place::of(&base, KEY);
        for variant in variants {
            assert_ne!(Place::of(&variant, KEY).fingerprint, place.fingerprint, "{variant:?}");
        }
        assert_ne!(Place::of(&base, HashKey([1, 2, 3])).fingerprint, place.fingerprint);
    }

    #[test]
    fn the_lines_differ_and_the_fingerprint_is_odd() {
        for port in 1024..5000 {
            let place = Place::of(&packet(0x0a00_0001, port), KEY);
            assert_eq!((place.first ^ place.second) & 1, 1);
            assert_eq!(place.fingerprint & 1, 1);
        }
    }

    /// A million neighbouring tuples over 2^16 lines: at least as even as random numbers would be (chi-squared, 5 sigma).
    #[test]
    fn neighbouring_tuples_spread_over_the_lines() {
        const LINES: u32 = 1 << 16;
        let mut first = vec![0_u32; LINES as usize];
        let mut second = first.clone();
        let mut fingerprints = HashSet::new();
        for host in 0..64 {
            for port in 0..16_384 {
                let place = Place::of(&packet(0x0a00_0000 + host, 1024 + port), KEY);
                first[(place.first % LINES) as usize] += 1;
                second[(place.second % LINES) as usize] += 1;
                assert!(fingerprints.insert(place.fingerprint));
            }
        }
        let expected = f64::from(64 * 16_384) / f64::from(LINES);
        for counts in [first, second] {
            let chi: f64 = counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
            let sigmas = (chi - f64::from(LINES)) / f64::from(2 * LINES).sqrt();
            assert!(sigmas < 5.0, "{sigmas} sigmas");
        }
    }
}
