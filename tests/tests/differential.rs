//! The same packets and histories through `decide` on the host and through the program in the kernel.
//!
//! This proves the glue: what the kernel side reads, writes and counts. `LVS_DIFFERENTIAL` sets the number of packets.
#![expect(clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::env;

use anyhow::{Context, Result, bail, ensure};
use etherparse::{IpHeaders, Ipv4Header, Ipv4Options, PacketBuilder, TcpHeader};
use lvs_common::abi::{Link, ServerIndex, ServiceKey, Slots, Timeouts, VipKey, tick};
use lvs_common::connection::HashKey;
use lvs_common::host::HostTables;
use lvs_common::packet::{TCP, UDP, addressed_to, parse};
use lvs_common::steer::decide;
use lvs_common::verdict::{Reason, Verdict};
use lvs_userspace::dataplane::{Dataplane, Sizes, TestRunner, object};
use macaddr::MacAddr6;

const VIPS: [[u8; 4]; 2] = [[172, 30, 100, 1], [172, 30, 100, 2]];
const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x11];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];
const OWN_EGRESS: u16 = 1;
/// Every network namespace has its loopback interface under this index.
const LOOPBACK: u32 = 1;
const KEY: [u64; 3] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x0f1e_2d3c_4b5a_6978];
const SERVERS: u64 = 8;
const PACKETS: usize = 20_000;
/// Short enough that nothing expires meanwhile.
const PACKETS_IN_A_HISTORY: usize = 2_000;
/// A jiffy from its end a tick is too short for a packet.
const LAST_JIFFIES: u64 = 2;

const XDP_ABORTED: u32 = 0;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

/// SplitMix64: the same packets in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ a >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ b >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

fn tcp_header(dice: &mut Dice, source: u16, destination: u16) -> TcpHeader {
    let mut header = TcpHeader::new(source, destination, 1, 1024);
    let any = dice.next();
    let [syn, ack, fin, rst] = match dice.below(8) {
        0..3 => [true, false, false, false],
        3..6 => [false, true, false, false],
        6 => [false, true, true, false],
        _ => [any & 1 == 0, any & 2 == 0, any & 4 == 0, any & 8 == 0],
    };
    (header.syn, header.ack, header.fin, header.rst) = (syn, ack, fin, rst);
    header
}

fn ip_header(dice: &mut Dice, clients: u64) -> Ipv4Header {
    let source = match dice.below(40) {
        0 => VIPS[0],
        1 => (dice.next() as u32).to_be_bytes(),
        _ => [10, 0, 0, dice.below(clients) as u8],
    };
    let mut header = Ipv4Header { source, destination: dice.of(&VIPS), ..Ipv4Header::default() };
    header.time_to_live = if dice.one_in(30) { dice.below(3) as u8 } else { 64 };
    if dice.one_in(10) {
        header.options = Ipv4Options::from([7; 8]);
    }
    if dice.one_in(40) {
        header.more_fragments = true;
    }
    header
}

/// A packet of one of so many clients to one of the services, or nearly.
fn valid_frame(dice: &mut Dice, clients: u64) -> Result<Vec<u8>> {
    let ip = IpHeaders::Ipv4(ip_header(dice, clients), etherparse::Ipv4Extensions::default());
    let packet = PacketBuilder::ethernet2(CLIENT_MAC, OWN_MAC).ip(ip);
    let (source, payload) = (40_000 + dice.below(2) as u16, vec![0x55; dice.below(100) as usize]);
    let mut bytes = Vec::new();
    if dice.one_in(4) {
        packet.udp(source, dice.of(&[53, 53, 80])).write(&mut bytes, &payload)?;
    } else {
        let port = dice.of(&[80, 80, 80, 80, 443]);
        packet.tcp_header(tcp_header(dice, source, port)).write(&mut bytes, &payload)?;
    }
    Ok(bytes)
}

/// The same, and every now and then padded, cut or with a byte changed; the kernel takes no fewer than 14.
fn frame(dice: &mut Dice, clients: u64) -> Result<Vec<u8>> {
    let mut bytes = valid_frame(dice, clients)?;
    match dice.below(12) {
        0 => bytes.resize(bytes.len() + dice.below(30) as usize, 0),
        1 => bytes.truncate(14 + dice.below(bytes.len() as u64 - 14) as usize),
        2 => {
            let place = dice.below(bytes.len().min(60) as u64) as usize;
            bytes[place] = dice.next() as u8;
        }
        3 if dice.one_in(10) => bytes = (0..14 + dice.below(80)).map(|_| dice.next() as u8).collect(),
        _ => {}
    }
    Ok(bytes)
}

/// Both directors, which are told the same.
struct Pair {
    host: HostTables,
    kernel: Dataplane,
    runner: TestRunner,
    counters: Vec<u64>,
}

impl Pair {
    fn new(connections: u32) -> Result<Self> {
        let sizes = Sizes { connections, servers: SERVERS as u32, slots: 4096 };
        let mut kernel = Dataplane::load(object::director()?, sizes, KEY)?;
        kernel.receive_as(LOOPBACK, MacAddr6::from(OWN_MAC))?;
        let lines = kernel.connection_capacity() as usize / lvs_common::connection::WAYS;
        // Nothing expires: in the kernel for want of time, on the host by long timeouts.
        let host = HostTables::new(HashKey(KEY), Timeouts::new(1000.0), lines, SERVERS as usize);
        let runner = kernel.test_runner()?;
        Ok(Self { host, kernel, runner, counters: vec![0; Reason::COUNT as usize] })
    }

    fn put_service(&mut self, key: ServiceKey, servers: &[ServerIndex]) -> Result<()> {
        self.host.put_service(key, servers);
        let slots: Slots = self.host.services[&key].slots;
        self.kernel.write_slots(slots.first, servers.iter().copied());
        self.kernel.set_vip(VipKey { address: key.address }, true)?;
        Ok(self.kernel.put_service(key, slots)?)
    }

    fn withdraw(&mut self, key: ServiceKey) -> Result<()> {
        self.host.services.remove(&key);
        Ok(self.kernel.withdraw_service(key)?)
    }

    fn set_link(&self, server: ServerIndex, link: Link) {
        self.host.set_link(server, link);
        self.kernel.set_link(server, link);
    }

    fn change(&mut self, dice: &mut Dice) -> Result<()> {
        let server = 1 + dice.below(SERVERS - 1) as ServerIndex;
        let key = dice.of(&services());
        match dice.below(8) {
            0 => self.withdraw(key),
            1..3 => {
                let servers: Vec<ServerIndex> =
                    (0..dice.below(9)).map(|_| 1 + dice.below(SERVERS - 1) as u32).collect();
                self.put_service(key, &servers)
            }
            3 => {
                self.set_link(server, dice.of(&[Link::DELETED, Link::UNRESOLVED]));
                Ok(())
            }
            _ => {
                self.set_link(server, link(server));
                Ok(())
            }
        }
    }

    /// The present tick, when enough is left of it for a packet.
    fn tick(&mut self) -> Result<u32> {
        loop {
            let jiffies = self.kernel.jiffies()?;
            if tick(jiffies) == tick(jiffies + LAST_JIFFIES) {
                return Ok(tick(jiffies));
            }
        }
    }

    /// Whether both agree; nothing when the tick changed in between, so they may rightly differ from now on.
    fn agree_on(&mut self, frame: &[u8]) -> Result<Option<()>> {
        let now = self.tick()?;
        let outcome = self.runner.run(frame)?;
        if tick(self.kernel.jiffies()?) != now {
            return Ok(None);
        }
        let verdict = self.on_host(frame, now);
        ensure!(outcome.action == action(&verdict), "{verdict:?} on the host, XDP action {}", outcome.action);
        ensure!(is_rewritten(frame, &outcome.frame, &verdict), "{verdict:?}: sent\n{:02x?}", outcome.frame);
        self.check_counters(verdict.reason())?;
        Ok(Some(()))
    }

    fn on_host(&self, frame: &[u8], now: u32) -> Verdict {
        match addressed_to(frame, OWN_MAC).and_then(|()| parse(frame)) {
            Ok(packet) => decide(&packet, &self.host, now),
            Err(reason) => Verdict::Pass(reason),
        }
    }

    fn check_counters(&mut self, reason: Reason) -> Result<()> {
        self.counters[reason.index() as usize] += 1;
        let counted: Vec<u64> = self.kernel.reasons()?.iter().map(|reason| reason.packets).collect();
        ensure!(counted == self.counters, "{reason:?} on the host, counters in the kernel: {counted:?}");
        Ok(())
    }

    fn check_connections(&self) -> Result<()> {
        for server in 0..SERVERS as u32 {
            let host = &self.host.connections[server as usize];
            let host = (host.active.load(), host.inactive.load());
            let kernel = self.kernel.connections(server);
            ensure!(host == kernel, "real server {server}: {host:?} on the host, {kernel:?} in the kernel");
        }
        Ok(())
    }
}

fn services() -> [ServiceKey; 3] {
    let [first, second] = VIPS;
    [(first, 80, TCP), (second, 80, TCP), (first, 53, UDP)]
        .map(|(address, port, protocol)| ServiceKey::ipv4(address, u16::to_be_bytes(port), protocol))
}

/// Server 7 is behind an interface that is gone.
fn link(server: ServerIndex) -> Link {
    let egress = if server == 7 { 2 } else { OWN_EGRESS };
    Link::new([2, 0, 0, 0, 1, server as u8], egress)
}

fn action(verdict: &Verdict) -> u32 {
    match verdict {
        Verdict::Pass(_) => XDP_PASS,
        Verdict::Drop(_) => XDP_DROP,
        Verdict::Forward { link, .. } if link.egress() == OWN_EGRESS => XDP_TX,
        Verdict::Forward { .. } => XDP_ABORTED,
    }
}

/// The one's complement sum of the IP header with its checksum, in which 0 and 0xffff are the same.
fn header_sum(frame: &[u8]) -> u32 {
    let header = &frame[14..][..usize::from(frame[14] & 0x0f) * 4];
    header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum::<u32>() % 0xffff
}

/// What is sent has its real server's address, our own, a shorter life and the checksum for it; all else is untouched.
fn is_rewritten(before: &[u8], after: &[u8], verdict: &Verdict) -> bool {
    let Verdict::Forward { link, .. } = verdict else { return before == after };
    let source = if link.egress() == OWN_EGRESS { OWN_MAC } else { [0; 6] };
    let mut expected = before.to_vec();
    expected[..6].copy_from_slice(&link.mac());
    expected[6..12].copy_from_slice(&source);
    expected[22] -= 1;
    expected[24..26].copy_from_slice(&after[24..26]);
    expected == after && header_sum(before) == header_sum(after)
}

/// One history; the number of packets on which both agreed.
fn history(dice: &mut Dice, packets: usize) -> Result<usize> {
    let mut pair = Pair::new(dice.of(&[4, 16, 1024]))?;
    let clients = dice.of(&[6, 20, 200]);
    (1..SERVERS as u32).for_each(|server| pair.set_link(server, link(server)));
    for key in services() {
        pair.put_service(key, &[1, 2, 1, 3, 7])?;
    }
    for n in 0..packets {
        if dice.one_in(50) {
            pair.change(dice)?;
        }
        let frame = frame(dice, clients)?;
        match pair.agree_on(&frame).with_context(|| format!("packet {n}: {frame:02x?}"))? {
            Some(()) => {}
            None => return Ok(n),
        }
    }
    pair.check_connections()?;
    Ok(packets)
}

#[test]
fn host_and_kernel_agree() -> Result<()> {
    let wanted = match env::var("LVS_DIFFERENTIAL") {
        Ok(number) => number.parse().with_context(|| format!("LVS_DIFFERENTIAL={number} is no number"))?,
        Err(_) => PACKETS,
    };
    let mut agreed = 0;
    for seed in 0.. {
        let missing = wanted - agreed;
        if missing == 0 {
            break;
        }
        if seed > 10 + 3 * (wanted / PACKETS_IN_A_HISTORY) as u64 {
            bail!("the clock ticks in the middle of every packet: {agreed} of {wanted} compared");
        }
        let packets = missing.min(PACKETS_IN_A_HISTORY);
        agreed += history(&mut Dice(seed), packets).with_context(|| format!("history {seed}"))?;
    }
    println!("{agreed} packets");
    Ok(())
}
