//! The data path as user space holds it: programs, typed maps, counters, time.
//!
//! Invariant: nothing outside this module touches a map, and nothing inside it knows what a change or a command is.

mod ageing;
mod attach;
mod clock;
mod load;
mod mapping;
pub mod object;
mod test_run;

use std::sync::atomic::{AtomicU32, Ordering};

use aya::Ebpf;
use aya::maps::{Array, DevMap, HashMap, MapData, MapError, PerCpuArray};
use aya::programs::{ProgramError, Xdp};
use lvs_common::abi::{Link, ServerConnections, ServerIndex, ServiceKey, Slots, Timeouts, VipKey};
use lvs_common::connection::{Line, State};
use lvs_common::verdict::Reason;
use lvs_common::word::Word;

use self::attach::Attachments;
pub use self::attach::XdpMode;
use self::clock::Clock;
pub use self::load::Sizes;
use self::load::{Key, OWN_EGRESS, ServiceImage};
use self::mapping::Mapped;
pub use self::test_run::{TestRunOutcome, TestRunner};
use crate::control::snapshot::{ReasonCount, Traffic};

/// Why the data path can't be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum DataplaneError {
    /// The kernel refused the program or a map.
    #[error("the kernel refused the XDP program: {0}")]
    Load(String),
    /// The caller lacks the privileges.
    #[error(
        "no permission to load an XDP program: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW"
    )]
    Permission,
    /// The object lacks something.
    #[error("the built-in BPF object has no {name}: it belongs to another version of lvs-xdp")]
    Object {
        /// A program or map.
        name: &'static str,
    },
    /// A map operation failed.
    #[error("map {name}: {reason}")]
    Map {
        /// The map.
        name: &'static str,
        /// What the kernel said.
        reason: String,
    },
    /// The interface has a program.
    #[error(
        "{interface} has an XDP program already: stop what attached it (`ip link show {interface}` names the program), or `ip link set {interface} xdp off`"
    )]
    Busy {
        /// The interface.
        interface: String,
    },
    /// The program could not be attached.
    #[error("can't attach the XDP program to {interface} in {mode} mode: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// The mode that was tried.
        mode: XdpMode,
        /// What the kernel said.
        reason: String,
    },
    /// A test run failed.
    #[error("BPF_PROG_TEST_RUN: {0}")]
    TestRun(Box<ProgramError>),
    /// More interfaces than the data path can send through.
    #[error("can't send through another interface: the director uses at most {0}")]
    TooManyInterfaces(usize),
}

impl DataplaneError {
    fn load(error: impl std::error::Error + 'static) -> Self {
        let text = chain(&error);
        if text.contains("os error 1)") { Self::Permission } else { Self::Load(text) }
    }

    fn map(name: &'static str, error: &MapError) -> Self {
        Self::Map { name, reason: chain(error) }
    }
}

/// An error with its causes, which aya keeps apart.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn absent_is_fine(map: &'static str, result: Result<(), MapError>) -> Result<(), DataplaneError> {
    match result {
        Err(MapError::SyscallError(call)) if call.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        Err(error) => Err(DataplaneError::map(map, &error)),
        Ok(()) => Ok(()),
    }
}

/// The loaded data path. Dropping it detaches it.
pub struct Dataplane {
    attachments: Attachments,
    lines: Mapped<Line>,
    links: Mapped<Word>,
    connections: Mapped<ServerConnections>,
    slots: Mapped<AtomicU32>,
    interfaces: Mapped<Word>,
    services: HashMap<MapData, Key<ServiceKey>, ServiceImage>,
    vips: HashMap<MapData, Key<VipKey>, u32>,
    ports: DevMap<MapData>,
    timeouts: Array<MapData, [u32; State::SLOTS]>,
    traffic: PerCpuArray<MapData, [u64; 3]>,
    reasons: PerCpuArray<MapData, u64>,
    clock: Clock,
    sweep: ageing::Sweep,
    ebpf: Ebpf,
}

impl Dataplane {
    /// Loads the object and readies its maps; nothing is attached yet.
    ///
    /// # Errors
    /// When the kernel refuses the program, or the object is not this version's.
    pub fn load(object: &[u8], sizes: Sizes, key: [u64; 3]) -> Result<Self, DataplaneError> {
        Self::load_with(object, sizes, &[], key)
    }

    /// As [`load`](Self::load), for an object that has maps of its own, whose numbers of entries are given by name.
    ///
    /// # Errors
    /// As for `load`.
    pub fn load_with(
        object: &[u8],
        sizes: Sizes,
        own_maps: &[(&str, u32)],
        key: [u64; 3],
    ) -> Result<Self, DataplaneError> {
        let mut ebpf = load::load(object, sizes, own_maps, key)?;
        let clock = Clock::calibrate(load::xdp(&mut ebpf, "clock")?)?;
        let mut dataplane = Self {
            attachments: Attachments::default(),
            lines: Mapped::new("LINES", &load::data(&mut ebpf, "LINES")?)?,
            links: Mapped::new("LINKS", &load::data(&mut ebpf, "LINKS")?)?,
            connections: Mapped::new("CONNECTIONS", &load::data(&mut ebpf, "CONNECTIONS")?)?,
            slots: Mapped::new("SLOTS", &load::data(&mut ebpf, "SLOTS")?)?,
            interfaces: Mapped::new("INTERFACES", &load::data(&mut ebpf, "INTERFACES")?)?,
            services: load::take(&mut ebpf, "SERVICES")?,
            vips: load::take(&mut ebpf, "VIPS")?,
            ports: load::take(&mut ebpf, "PORTS")?,
            timeouts: load::take(&mut ebpf, "TIMEOUTS")?,
            traffic: load::take(&mut ebpf, "TRAFFIC")?,
            reasons: load::take(&mut ebpf, "REASONS")?,
            clock,
            sweep: ageing::Sweep::default(),
            ebpf,
        };
        dataplane.set_timeouts(&Timeouts::new(clock.ticks_per_second()))?;
        Ok(dataplane)
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), DataplaneError> {
        self.timeouts.set(0, timeouts.ticks(), 0).map_err(|error| DataplaneError::map("TIMEOUTS", &error))
    }

    /// How many connections the table holds at most.
    #[must_use]
    pub fn connection_capacity(&self) -> u64 {
        (self.lines.len() * lvs_common::connection::WAYS) as u64
    }

    /// How many real servers can be numbered.
    #[must_use]
    pub fn server_capacity(&self) -> u32 {
        self.links.len() as u32
    }

    /// How many slots the arena has.
    #[must_use]
    pub fn slot_capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    /// The instructions that the verifier walked and the bytes of machine code of the director's program.
    ///
    /// # Errors
    /// When the kernel can't tell.
    pub fn program_cost(&mut self) -> Result<(u32, u32), DataplaneError> {
        let info = load::xdp(&mut self.ebpf, "director")?.info().map_err(DataplaneError::load)?;
        Ok((info.verified_instruction_count().unwrap_or(0), info.size_jitted()))
    }

    /// The director's program.
    ///
    /// # Errors
    /// When the object is another version's.
    pub fn program(&mut self) -> Result<&Xdp, DataplaneError> {
        load::xdp(&mut self.ebpf, "director").map(|program| &*program)
    }

    /// Publishes a service with a slot table, at whose first slot the next connection starts.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn put_service(&mut self, key: ServiceKey, slots: Slots) -> Result<(), DataplaneError> {
        self.put_service_at(key, slots, 0)
    }

    /// Publishes a service with a slot table from which so many connections have been scheduled.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn put_service_at(&mut self, key: ServiceKey, slots: Slots, turn: u64) -> Result<(), DataplaneError> {
        self.services
            .insert(Key(key), ServiceImage { turn, slots }, 0)
            .map_err(|error| DataplaneError::map("SERVICES", &error))
    }

    /// Withdraws a service, if it was published; its connections stay.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn withdraw_service(&mut self, key: ServiceKey) -> Result<(), DataplaneError> {
        absent_is_fine("SERVICES", self.services.remove(&Key(key)))
    }

    /// How many connections have been scheduled from the service's present slot table.
    ///
    /// # Errors
    /// When it is not there.
    pub fn turn(&self, key: ServiceKey) -> Result<u64, DataplaneError> {
        let image =
            self.services.get(&Key(key), 0).map_err(|error| DataplaneError::map("SERVICES", &error))?;
        Ok(image.turn)
    }

    /// Makes an address a virtual one, or an ordinary one when no service is left on it.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn set_vip(&mut self, key: VipKey, virtual_ip: bool) -> Result<(), DataplaneError> {
        if virtual_ip {
            self.vips.insert(Key(key), 1, 0).map_err(|error| DataplaneError::map("VIPS", &error))
        } else {
            absent_is_fine("VIPS", self.vips.remove(&Key(key)))
        }
    }

    /// Writes slots that no published service uses.
    pub fn write_slots(&self, first: u32, servers: impl IntoIterator<Item = ServerIndex>) {
        let arena = self.slots.iter().skip(first as usize);
        for (slot, server) in arena.zip(servers) {
            slot.store(server, Ordering::Release);
        }
    }

    /// Sets how a real server is reached.
    pub fn set_link(&self, server: ServerIndex, link: Link) {
        if let Some(word) = self.links.get(server as usize) {
            word.store(link.0);
        }
    }

    /// What has been sent to a real server since its index was first used.
    ///
    /// # Errors
    /// When there is no such index.
    pub fn traffic(&self, server: ServerIndex) -> Result<Traffic, DataplaneError> {
        let cpus = self.traffic.get(&server, 0).map_err(|error| DataplaneError::map("TRAFFIC", &error))?;
        Ok(cpus.iter().fold(Traffic::default(), |sum, [connections, packets, bytes]| Traffic {
            connections: sum.connections + connections,
            packets: sum.packets + packets,
            bytes: sum.bytes + bytes,
        }))
    }

    /// A real server's active and inactive connections.
    #[must_use]
    pub fn connections(&self, server: ServerIndex) -> (u64, u64) {
        // Between a connection's leaving one count and joining the other a reader may see one too few.
        let count = |word: &Word| word.load().cast_signed().max(0).cast_unsigned();
        self.connections
            .get(server as usize)
            .map_or((0, 0), |server| (count(&server.active), count(&server.inactive)))
    }

    /// Every reason's counter.
    ///
    /// # Errors
    /// When the map can't be read.
    pub fn reasons(&self) -> Result<Vec<ReasonCount>, DataplaneError> {
        let count = |reason: &Reason| {
            let cpus = self
                .reasons
                .get(&reason.index(), 0)
                .map_err(|error| DataplaneError::map("REASONS", &error))?;
            Ok(ReasonCount { name: reason.name().to_owned(), packets: cpus.iter().sum() })
        };
        Reason::ALL.iter().map(count).collect()
    }
}
