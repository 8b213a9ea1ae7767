//! What a director waits for.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::control::api::server::Request;
use crate::interface::{InterfaceChange, InterfaceChanges};
use crate::neighbour::NeighbourEvent;
use crate::netlink::NetlinkError;

/// A sixteenth of the connection table is aged at a time, so the whole of it every four seconds.
const AGEING: Duration = Duration::from_millis(250);

/// Every source of events.
pub(super) struct Events {
    pub(super) neighbours: UnboundedReceiver<NeighbourEvent>,
    pub(super) links: InterfaceChanges,
    pub(super) requests: Receiver<Request>,
    pub(super) signals: Signals,
    pub(super) ageing: Interval,
}

/// The signals that end a director in order.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// One thing that has happened.
pub(super) enum Event {
    Neighbour(NeighbourEvent),
    Link(Result<InterfaceChange, NetlinkError>),
    Request(Request),
    Age,
    Stop,
}

impl Signals {
    /// From now on the signals no longer end the process by themselves.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }
}

/// When to age.
pub(super) fn ageing() -> Interval {
    let mut ageing = interval(AGEING);
    ageing.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ageing
}

impl Events {
    /// The next event, whatever it is.
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.signals.terminate.recv() => Event::Stop,
            _ = self.signals.interrupt.recv() => Event::Stop,
            Some(event) = self.neighbours.recv() => Event::Neighbour(event),
            change = self.links.next() => Event::Link(change),
            Some(request) = self.requests.recv() => Event::Request(request),
            _ = self.ageing.tick() => Event::Age,
        }
    }
}
