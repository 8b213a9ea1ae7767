//! Loading the program and taking hold of its maps.

use aya::maps::{Map, MapData};
use aya::programs::{Program, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use lvs_common::abi::{ServiceKey, Slots, VipKey};

use super::DataplaneError;

/// How much the director can hold. Memory is taken when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Connections at half load of the table, where about one in 300 finds no place: 32 bytes each.
    pub connections: u32,
    /// Real servers, counted for each service: 24 bytes each, and 24 for each CPU.
    pub servers: u32,
    /// Slots of all scheduling tables together: 4 bytes each.
    pub slots: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { connections: 1 << 20, servers: 1 << 14, slots: 1 << 20 }
    }
}

impl Sizes {
    /// Lines of the connection table: half of its ways are for the connections, half are room.
    pub(super) fn lines(self) -> u32 {
        let ways = u64::from(self.connections) * 2;
        (ways / lvs_common::connection::WAYS as u64).next_power_of_two().clamp(2, 1 << 26) as u32
    }
}

/// The egress index of the interface that receives packets.
pub(super) const OWN_EGRESS: u16 = 1;

/// A map key as bytes.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Key<T>(pub(super) T);

// SAFETY: 20 bytes of integers without padding.
unsafe impl Pod for Key<ServiceKey> {}
// SAFETY: 16 bytes.
unsafe impl Pod for Key<VipKey> {}

/// A [`Service`](lvs_common::abi::Service) as user space writes it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct ServiceImage {
    pub(super) turn: u64,
    pub(super) slots: Slots,
}

// SAFETY: 16 bytes of integers without padding.
unsafe impl Pod for ServiceImage {}

const _: () = assert!(size_of::<ServiceImage>() == size_of::<lvs_common::abi::Service>());

/// Loads the object; the programs are verified but not yet attached. `own_maps` are those that only this object has, with their
/// numbers of entries.
pub(super) fn load(
    object: &[u8],
    sizes: Sizes,
    own_maps: &[(&str, u32)],
    key: [u64; 3],
) -> Result<Ebpf, DataplaneError> {
    let mask = sizes.lines() - 1;
    let own = u32::from(OWN_EGRESS);
    let mut loader = EbpfLoader::new();
    for (name, entries) in own_maps {
        loader.map_max_entries(name, *entries);
    }
    let mut ebpf = loader
        .map_max_entries("LINES", sizes.lines())
        .map_max_entries("LINKS", sizes.servers)
        .map_max_entries("CONNECTIONS", sizes.servers)
        .map_max_entries("TRAFFIC", sizes.servers)
        .map_max_entries("SLOTS", sizes.slots.div_ceil(2))
        .override_global("LINE_MASK", &mask, true)
        .override_global("HASH_KEY", &key, true)
        .override_global("OWN_EGRESS", &own, true)
        .load(object)
        .map_err(DataplaneError::load)?;
    for name in ["director", "pass_all", "clock"] {
        xdp(&mut ebpf, name)?.load().map_err(DataplaneError::load)?;
    }
    Ok(ebpf)
}

/// A program of the object.
pub(super) fn xdp<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Xdp, DataplaneError> {
    match ebpf.program_mut(name) {
        Some(Program::Xdp(program)) => Ok(program),
        _ => Err(DataplaneError::Object { name }),
    }
}

/// A map of the object, whatever it holds.
pub(super) fn data(ebpf: &mut Ebpf, name: &'static str) -> Result<MapData, DataplaneError> {
    match ebpf.take_map(name) {
        Some(Map::Array(data)) => Ok(data),
        _ => Err(DataplaneError::Object { name }),
    }
}

/// A typed map of the object.
pub(super) fn take<M: TryFrom<Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, DataplaneError> {
    let map = ebpf.take_map(name).ok_or(DataplaneError::Object { name })?;
    M::try_from(map).map_err(|_| DataplaneError::Object { name })
}
