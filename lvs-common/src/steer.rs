//! The director: one packet and the tables in, a verdict out.

use core::hint::cold_path;

use crate::abi::{Link, ServerConnections, ServerIndex, Service, ServiceKey, Timeouts, VipKey};
use crate::connection::{Candidate, HashKey, Line, Meta, Place, State, Way};
use crate::packet::Packet;
use crate::verdict::{Reason, Verdict};
use crate::word::Word;

/// What a decision reads and writes: BPF maps in the kernel, vectors on the host.
pub trait Tables {
    /// The secret under which connections are hashed.
    fn key(&self) -> HashKey;
    /// When silent connections expire.
    fn timeouts(&self) -> &Timeouts;
    /// The connection table's line for one of a [`Place`]'s hashes.
    fn line(&self, hash: u32) -> Option<&Line>;
    /// The lock under which the connection with this fingerprint is put into the table.
    fn lock(&self, fingerprint: u64) -> Option<&Word>;
    /// When a connection of this fingerprint's group was last steered without being remembered: a tick plus 1, or 0 for never.
    fn unremembered(&self, fingerprint: u64) -> Option<&Word>;
    /// A virtual service.
    fn service(&self, key: &ServiceKey) -> Option<&Service>;
    /// Whether some service has this address.
    fn is_vip(&self, key: &VipKey) -> bool;
    /// A slot of the arena.
    fn slot(&self, index: u32) -> Option<ServerIndex>;
    /// How a real server is reached.
    fn link(&self, server: ServerIndex) -> Link;
    /// A real server's connection counts.
    fn connections(&self, server: ServerIndex) -> Option<&ServerConnections>;
}

#[cfg(test)]
mod tests;

/// Connections that were steered without being remembered are known by groups of fingerprints: so many, a power of two.
pub const UNREMEMBERED_GROUPS: u32 = 4096;

/// How often a CPU looks at a lock that another one holds for some 300 ns, or longer when it is interrupted.
const LOCK_ATTEMPTS: u32 = 256;
/// How often a new connection looks for a place when other CPUs are faster.
const OPEN_ATTEMPTS: u32 = 4;

/// Decides about a packet that is addressed to the director. `now` is the present tick.
#[inline(always)]
pub fn decide<T: Tables>(packet: &Packet, tables: &T, now: u32) -> Verdict {
    let place = Place::of(packet, tables.key());
    match find(tables, &place) {
        Some((way, meta)) if is_live(packet, meta, tables, now) => follow(packet, tables, way, meta, now),
        _ => {
            cold_path();
            admit(packet, tables, &place, now)
        }
    }
}

/// The connection's way and what is known of it.
#[inline(always)]
fn find<'a, T: Tables>(tables: &'a T, place: &Place) -> Option<(&'a Way, Meta)> {
    let way = match tables.line(place.first)?.find(place.fingerprint) {
        Some(way) => way,
        None => tables.line(place.second)?.find(place.fingerprint)?,
    };
    let meta = way.meta();
    // Looked at again: had the way been given away before the meta was read, the fingerprint would be another one now.
    way.is(place.fingerprint).then_some((way, meta))
}

/// Whether the packet goes on with the connection, rather than finding it expired or opening it anew.
#[inline(always)]
pub fn is_live<T: Tables>(packet: &Packet, meta: Meta, tables: &T, now: u32) -> bool {
    meta.state() != State::Free
        && !meta.is_expired(tables.timeouts(), now)
        && !(packet.may_reopen() && meta.state().is_over())
}

/// A packet of a known connection goes where the connection goes.
#[inline(always)]
fn follow<T: Tables>(packet: &Packet, tables: &T, way: &Way, meta: Meta, now: u32) -> Verdict {
    let verdict = forward(tables, meta.server());
    if packet.ttl <= 1 {
        cold_path();
        return Verdict::Pass(Reason::TtlExpired);
    }
    if matches!(verdict, Verdict::Forward { .. }) {
        touch(packet, tables, way, meta, now);
    }
    verdict
}

/// To the connection's real server, while it is there.
#[inline(always)]
fn forward<T: Tables>(tables: &T, server: ServerIndex) -> Verdict {
    match tables.link(server) {
        Link::DELETED => Verdict::Drop(Reason::ServerDeleted),
        Link::UNRESOLVED => Verdict::Drop(Reason::ServerUnresolved),
        link => Verdict::Forward { server, link, opened: false, reason: Reason::KnownConnection },
    }
}

/// Most packets change nothing: same state, same tick.
#[inline(always)]
fn touch<T: Tables>(packet: &Packet, tables: &T, way: &Way, meta: Meta, now: u32) {
    let state = meta.state().next(packet.tcp_flags);
    let touched = meta.touched(state, now);
    if touched != meta && way.update(meta, touched) && state != meta.state() {
        cold_path();
        recount(tables, meta, touched);
    }
}

/// Moves a connection from one count to another.
#[inline(always)]
fn recount<T: Tables>(tables: &T, before: Meta, after: Meta) {
    count(tables, before, u64::MAX);
    count(tables, after, 1);
}

#[inline(always)]
fn count<T: Tables>(tables: &T, meta: Meta, change: u64) {
    if meta.state() == State::Free {
        return;
    }
    if let Some(connections) = tables.connections(meta.server()) {
        let counter = if meta.state().is_active() { &connections.active } else { &connections.inactive };
        counter.fetch_add(change);
    }
}

/// A packet without a connection: of a service, and able to open one, or the kernel's business.
#[inline(always)]
fn admit<T: Tables>(packet: &Packet, tables: &T, place: &Place, now: u32) -> Verdict {
    let Some(service) = tables.service(&packet.service()) else {
        return Verdict::Pass(if tables.is_vip(&packet.vip()) { Reason::NoService } else { Reason::NotVip });
    };
    if packet.has_martian_source() {
        return Verdict::Pass(Reason::MartianSource);
    }
    if tables.is_vip(&packet.source_as_vip()) {
        return Verdict::Pass(Reason::SourceIsVip);
    }
    let by_hash = was_unremembered(tables, place, now);
    let opens = packet.may_open() || by_hash;
    if !opens && room(tables, place, now).is_some() {
        return Verdict::Pass(Reason::NoConnection);
    }
    if packet.ttl <= 1 {
        return Verdict::Pass(Reason::TtlExpired);
    }
    if service.slots.length == 0 {
        return Verdict::Pass(Reason::NoServer);
    }
    let verdict = if opens { open(packet, tables, place, service, by_hash, now) } else { None };
    verdict.unwrap_or_else(|| steer_by_hash(tables, place, service, now))
}

/// Whether a connection of the fingerprint's group was steered by hash, for want of room, so lately that it may still live: then
/// this packet may be one of it. Its server is chosen by hash, too, and the connection is remembered as soon as there is room.
#[inline(always)]
fn was_unremembered<T: Tables>(tables: &T, place: &Place, now: u32) -> bool {
    let since = tables.unremembered(place.fingerprint).map_or(0, Word::load);
    since != 0 && now.wrapping_sub((since - 1) as u32) <= tables.timeouts().of(State::Established as usize)
}

/// Opens a connection, or joins the one that another CPU has just opened; nothing when it can't be remembered.
#[inline(always)]
fn open<T: Tables>(
    packet: &Packet,
    tables: &T,
    place: &Place,
    service: &Service,
    by_hash: bool,
    now: u32,
) -> Option<Verdict> {
    let lock = tables.lock(place.fingerprint)?;
    acquire(lock)?;
    let settled =
        (0..OPEN_ATTEMPTS).find_map(|_| open_locked(packet, tables, place, service, by_hash, now).ok());
    lock.store(0);
    settled.flatten()
}

#[inline(always)]
fn acquire(lock: &Word) -> Option<()> {
    (0..LOCK_ATTEMPTS).any(|_| lock.replace(0, 1)).then_some(())
}

/// Another CPU has just taken the way: there may be another.
struct Overtaken;

#[inline(always)]
fn open_locked<T: Tables>(
    packet: &Packet,
    tables: &T,
    place: &Place,
    service: &Service,
    by_hash: bool,
    now: u32,
) -> Result<Option<Verdict>, Overtaken> {
    let (way, before) = match find(tables, place) {
        // Opened by another CPU a moment ago: nothing to touch.
        Some((_, meta)) if is_live(packet, meta, tables, now) => {
            return Ok(Some(forward(tables, meta.server())));
        }
        Some((_, Meta::CLAIMED)) => return Err(Overtaken),
        Some(own) => own,
        None => match room(tables, place, now) {
            Some(room) => room.way(tables, now).ok_or(Overtaken)?,
            None => return Ok(None),
        },
    };
    let number = if by_hash { place.slot_number() } else { service.turn.fetch_add(1) };
    let Some((server, link)) = server_of(tables, service, number) else {
        return Ok(Some(Verdict::Pass(Reason::NoServer)));
    };
    let after = Meta::new(server, State::first(packet.protocol, packet.tcp_flags), now);
    if !way.claim(before, place.fingerprint, after) {
        return Err(Overtaken);
    }
    recount(tables, before, after);
    Ok(Some(Verdict::Forward { server, link, opened: true, reason: Reason::NewConnection }))
}

/// A place for a new connection.
#[derive(Clone, Copy)]
struct Room {
    /// The line's hash.
    line: u32,
    candidate: Candidate,
}

impl Room {
    /// The way, and what is known of the connection that leaves it.
    #[inline(always)]
    fn way<'a, T: Tables>(&self, tables: &'a T, now: u32) -> Option<(&'a Way, Meta)> {
        tables.line(self.line)?.way_of(self.candidate, tables.timeouts(), now)
    }
}

/// Where a new connection can stand: free or expired ways first, then those whose connection is over, then half-open ones.
#[inline(always)]
fn room<T: Tables>(tables: &T, place: &Place, now: u32) -> Option<Room> {
    let timeouts = tables.timeouts();
    let mut best = Room { line: place.first, candidate: tables.line(place.first)?.candidate(timeouts, now) };
    if !best.candidate.is_free() {
        let other = tables.line(place.second)?.candidate(timeouts, now);
        if other.class() > best.candidate.class() {
            best = Room { line: place.second, candidate: other };
        }
    }
    (!best.candidate.is_none()).then_some(best)
}

/// The scheduler's next choice.
#[inline(always)]
pub fn next_server<T: Tables>(tables: &T, service: &Service) -> Option<(ServerIndex, Link)> {
    server_of(tables, service, service.turn.fetch_add(1))
}

/// Where the connection can't be remembered, every packet of it finds the same server by its hash.
#[inline(always)]
fn steer_by_hash<T: Tables>(tables: &T, place: &Place, service: &Service, now: u32) -> Verdict {
    let Some((server, link)) = server_of(tables, service, place.slot_number()) else {
        return Verdict::Pass(Reason::NoServer);
    };
    if let Some(since) = tables.unremembered(place.fingerprint) {
        since.store(u64::from(now) + 1);
    }
    Verdict::Forward { server, link, opened: false, reason: Reason::NoRoom }
}

/// The server in the slot to which a number leads, a turn or a hash.
#[inline(always)]
fn server_of<T: Tables>(tables: &T, service: &Service, number: u64) -> Option<(ServerIndex, Link)> {
    let slot = number.checked_rem(u64::from(service.slots.length))?;
    let server = tables.slot(service.slots.first.wrapping_add(slot as u32))?;
    let link = tables.link(server);
    (link.egress() != 0).then_some((server, link))
}
