//! Every map, with its size and why.
//!
//! Sizes given here are the smallest that work; user space sets the real ones when it loads the program. Maps that user space
//! reads or writes without a system call are memory-mapped arrays, which also aligns their values to their size.

use core::ptr::read_volatile;

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, DevMap, HashMap, PerCpuArray};
use lvs_common::abi::{
    Link, ServerConnections, ServerIndex, ServerTraffic, Service, ServiceKey, Timeouts, VipKey,
};
use lvs_common::connection::{HashKey, Line};
use lvs_common::steer::UNREMEMBERED_GROUPS;
use lvs_common::verdict::Reason;
use lvs_common::word::Word;

/// `BPF_F_MMAPABLE` in include/uapi/linux/bpf.h.
const MMAPABLE: u32 = 1 << 10;
/// `BPF_F_NO_PREALLOC`: an update swaps the whole element, and the old one is freed after a grace period.
const NO_PREALLOC: u32 = 1;

/// The connection table: a power of two of lines.
#[map]
pub static LINES: Array<Line> = Array::with_max_entries(1, MMAPABLE);

/// Locks under which new connections are put into the table, chosen by fingerprint: few enough to stay in the cache.
#[map]
pub static LOCKS: Array<Word> = Array::with_max_entries(LOCK_COUNT, 0);

/// How many locks there are: a power of two.
pub const LOCK_COUNT: u32 = 1024;

/// When connections of each group of fingerprints were last steered without being remembered.
#[map]
pub static UNREMEMBERED: Array<Word> = Array::with_max_entries(UNREMEMBERED_GROUPS, 0);

/// Virtual services. The number of entries is a limit; memory is taken as they come.
#[map]
pub static SERVICES: HashMap<ServiceKey, Service> = HashMap::with_max_entries(65_536, NO_PREALLOC);

/// Virtual IP addresses: those that some service has. The value says nothing.
#[map]
pub static VIPS: HashMap<VipKey, u32> = HashMap::with_max_entries(65_536, NO_PREALLOC);

/// The arena of slot tables: real server indices, two to an element, as the kernel pads elements to eight bytes.
#[map]
pub static SLOTS: Array<[u32; 2]> = Array::with_max_entries(1, MMAPABLE);

/// How each real server is reached: one [`Link`] each.
#[map]
pub static LINKS: Array<Word> = Array::with_max_entries(1, MMAPABLE);

/// Connections of each real server.
#[map]
pub static CONNECTIONS: Array<ServerConnections> = Array::with_max_entries(1, MMAPABLE);

/// Packets and bytes of each real server.
#[map]
pub static TRAFFIC: PerCpuArray<ServerTraffic> = PerCpuArray::with_max_entries(1, 0);

/// Packets by reason.
#[map]
pub static REASONS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Reason::COUNT, 0);

/// When silent connections expire.
#[map]
pub static TIMEOUTS: Array<Timeouts> = Array::with_max_entries(1, MMAPABLE);

/// The director's interfaces by egress index: the MAC address that each sends from, as a [`Link`].
#[map]
pub static INTERFACES: Array<Word> = Array::with_max_entries(EGRESS_COUNT, MMAPABLE);

/// The same interfaces, as redirection needs them.
#[map]
pub static PORTS: DevMap = DevMap::with_max_entries(EGRESS_COUNT, 0);

/// Interfaces that a director can send through; index 0 means none.
const EGRESS_COUNT: u32 = 64;

/// Lines of the connection table, less one.
#[unsafe(no_mangle)]
static LINE_MASK: u32 = 0;

/// The secret under which connections are hashed.
#[unsafe(no_mangle)]
static HASH_KEY: HashKey = HashKey([0; 3]);

/// The egress index of the interface to which this program is attached.
#[unsafe(no_mangle)]
static OWN_EGRESS: u32 = 1;

#[inline(always)]
fn global<T: Copy>(value: &'static T) -> T {
    // SAFETY: a reference is valid; volatile, since user space patches the value before the program is loaded.
    unsafe { read_volatile(value) }
}

/// The secret under which connections are hashed.
#[inline(always)]
pub fn hash_key() -> HashKey {
    global(&HASH_KEY)
}

/// What cuts a hash down to a line of the connection table.
#[inline(always)]
pub fn line_mask() -> u32 {
    global(&LINE_MASK)
}

/// The egress index of the interface to which this program is attached.
#[inline(always)]
pub fn own_egress() -> u16 {
    global(&OWN_EGRESS) as u16
}

/// The MAC address of the interface to which this program is attached.
#[inline(always)]
pub fn own_mac() -> [u8; 6] {
    mac_of(own_egress())
}

/// The MAC address from which an interface sends.
#[inline(always)]
pub fn mac_of(egress: u16) -> [u8; 6] {
    INTERFACES.get(u32::from(egress)).map_or([0; 6], |mac| Link(mac.load()).mac())
}

/// Counts a packet.
#[inline(always)]
pub fn count(reason: Reason) {
    if let Some(counter) = REASONS.get_ptr_mut(reason.index()) {
        // SAFETY: the map gives this CPU's own value, and the program is not preempted by another XDP program.
        unsafe { *counter += 1 }
    }
}

/// Counts what is sent to a real server.
#[inline(always)]
pub fn count_traffic(server: ServerIndex, opened: bool, length: u16) {
    if let Some(traffic) = TRAFFIC.get_ptr_mut(server) {
        // SAFETY: as in `count`.
        unsafe {
            (*traffic).connections += u64::from(opened);
            (*traffic).packets += 1;
            (*traffic).bytes += u64::from(length);
        }
    }
}
