//! Virtual services and virtual IP addresses.

use core::net::Ipv4Addr;

use crate::word::Word;

/// What names a virtual service. IPv4 addresses are written as IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ServiceKey {
    /// The virtual IP address.
    pub address: [u8; 16],
    /// The port, network order.
    pub port: [u8; 2],
    /// IANA protocol number.
    pub protocol: u8,
    /// Always 0.
    pub reserved: u8,
}

const _: () = assert!(size_of::<ServiceKey>() == 20 && align_of::<ServiceKey>() == 1);

impl ServiceKey {
    /// The key of a service on an IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4(address: [u8; 4], port: [u8; 2], protocol: u8) -> Self {
        Self { address: VipKey::ipv4(address).address, port, protocol, reserved: 0 }
    }
}

/// A virtual IP address, in the form of [`ServiceKey::address`].
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VipKey {
    /// The address.
    pub address: [u8; 16],
}

const _: () = assert!(size_of::<VipKey>() == 16 && align_of::<VipKey>() == 1);

impl VipKey {
    /// The key of an IPv4 address.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4([a, b, c, d]: [u8; 4]) -> Self {
        Self { address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] }
    }
}

impl From<Ipv4Addr> for VipKey {
    fn from(address: Ipv4Addr) -> Self {
        Self::ipv4(address.octets())
    }
}

/// A virtual service. Published by replacing the whole element, which the hash map does atomically.
#[repr(C)]
pub struct Service {
    /// How many connections have been scheduled from the slot table.
    pub turn: Word,
    /// Where the slot table lies.
    pub slots: Slots,
}

const _: () = assert!(size_of::<Service>() == 16);

/// A slot table: a stretch of the arena of real server indices.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// Its first slot.
    pub first: u32,
    /// How many slots; 0 when no real server takes new connections.
    pub length: u32,
}

const _: () = assert!(size_of::<Slots>() == 8);
