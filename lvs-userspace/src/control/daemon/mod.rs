//! The running director: it waits for requests, neighbours, links, time and signals, and lets one at a time through to the
//! [`Director`].

mod events;
mod host;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use macaddr::MacAddr6;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::events::{Event, Events, Signals, ageing};
use super::api::Refusal;
use super::api::server::{Request, serve};
use super::change::Change;
use super::director::Director;
use super::instance::{Claim, InstanceError};
use crate::dataplane::{Dataplane, DataplaneError, Sizes, XdpMode};
use crate::interface::{Interface, InterfaceChanges, InterfaceError};
use crate::neighbour::{NeighbourError, Neighbours};
use crate::netlink::{Netlink, NetlinkError};
use crate::vip::{VipError, Vips};

/// For so long clients may finish what they have begun when the director stops.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a director runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The interface that receives packets.
    pub interface: String,
    /// Where the program runs; nothing: in the driver, or else in the generic path.
    pub mode: Option<XdpMode>,
    /// Put VIPs on the interface and announce them.
    pub manage_vips: bool,
    /// How much it holds.
    pub sizes: Sizes,
}

/// Why a director can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The program can't be loaded or attached.
    #[error(transparent)]
    Dataplane(#[from] DataplaneError),
    /// The interface can't be used.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The kernel can't be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// Neighbours can't be followed.
    #[error(transparent)]
    Neighbour(#[from] NeighbourError),
    /// VIPs can't be managed.
    #[error(transparent)]
    Vip(#[from] VipError),
    /// The socket can't be opened.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The first batch of changes was refused.
    #[error("{}", .0.error)]
    Refused(Refusal),
    /// A signal handler or the random source is missing.
    #[error("{what}: {cause}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The interface was deleted.
    #[error("interface {0} is gone")]
    InterfaceGone(String),
}

struct Daemon {
    director: Director,
    netlink: Netlink,
    neighbours: Neighbours,
    vips: Vips,
    interface: Interface,
    manage_vips: bool,
    /// Real servers that have just become unreachable: news only if they stay so.
    silent: BTreeMap<IpAddr, (Instant, String)>,
}

/// Runs a director with these first changes until SIGTERM, SIGINT or the loss of its interface, then leaves the host as
/// it was.
///
/// # Errors
/// When it can't start, or its interface goes.
pub async fn run(
    claim: &Claim,
    settings: &Settings,
    object: &[u8],
    rules: Vec<Change>,
) -> Result<(), DaemonError> {
    // Before anything is touched: a signal that comes while the director starts also ends it in order.
    let signals =
        Signals::catch().map_err(|cause| DaemonError::System { what: "can't wait for signals", cause })?;
    let netlink = Netlink::open()?;
    let interface = Interface::by_name(&netlink, &settings.interface).await?;
    let mac = interface.usable()?;
    let director = Director::new(Dataplane::load(object, settings.sizes, random_key()?)?);
    let vips = Vips::open(netlink.clone(), claim.instance().vip_journal()).await?;
    let links = InterfaceChanges::follow(netlink.clone(), interface.clone())?;
    let (neighbours, neighbour_events) = Neighbours::start(Some(claim.instance().neighbour_journal()))?;
    let manage_vips = settings.manage_vips;
    let mut daemon =
        Daemon { director, netlink, neighbours, vips, interface, manage_vips, silent: BTreeMap::new() };
    let (send_requests, requests) = mpsc::channel(16);
    let events = Events { neighbours: neighbour_events, links, requests, ageing: ageing(), signals };
    let outcome = match daemon.start(settings, mac, rules).await {
        Ok(()) => daemon.serve(claim, events, send_requests).await,
        Err(error) => Err(error),
    };
    daemon.stop().await;
    if outcome.is_ok() {
        tracing::info!("director detached from {}", settings.interface);
    }
    outcome
}

/// The secret under which connections are hashed.
fn random_key() -> Result<[u64; 3], DaemonError> {
    let mut key = [[0; 8]; 3];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(key.as_flattened_mut()));
    read.map_err(|cause| DaemonError::System { what: "/dev/urandom", cause })?;
    Ok(key.map(u64::from_ne_bytes))
}

impl Daemon {
    async fn start(
        &mut self,
        settings: &Settings,
        mac: MacAddr6,
        rules: Vec<Change>,
    ) -> Result<(), DaemonError> {
        // No VIP is announced before it is sure that its packets will be steered.
        let refused = |(position, error)| DaemonError::Refused(Refusal { position, error });
        self.director.plan(rules.clone()).map_err(refused)?;
        let mode = self.attach(settings.mode, mac)?;
        tracing::info!("director attached to {} in {mode} mode", self.interface.name);
        self.apply(rules).await.map_err(DaemonError::Refused)?;
        // What a killed predecessor has left and nothing needs goes now.
        let needed: BTreeSet<IpAddr> =
            if self.manage_vips { self.director.vips().into_iter().collect() } else { BTreeSet::new() };
        Ok(self.vips.retain(&needed).await?)
    }

    fn attach(&mut self, mode: Option<XdpMode>, mac: MacAddr6) -> Result<XdpMode, DataplaneError> {
        let Interface { name, index, .. } = &self.interface;
        let dataplane = self.director.dataplane();
        match (dataplane.attach(name, *index, mac, mode.unwrap_or(XdpMode::Driver)), mode) {
            (Ok(()), _) => Ok(mode.unwrap_or(XdpMode::Driver)),
            (Err(error @ DataplaneError::Attach { .. }), None) => {
                tracing::warn!("{error}; falling back to generic mode, which is several times slower");
                dataplane.attach(name, *index, mac, XdpMode::Generic)?;
                Ok(XdpMode::Generic)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn serve(
        &mut self,
        claim: &Claim,
        mut events: Events,
        requests: mpsc::Sender<Request>,
    ) -> Result<(), DaemonError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let api = tokio::spawn(serve(claim.listen()?, requests, async {
            // Ends with the sender, however that happens.
            let _ = stopped.await;
        }));
        tracing::info!("instance {} is ready", claim.instance().name());
        let outcome = self.handle_all(&mut events).await;
        drop((stop, events));
        match timeout(LAST_WORDS, api).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!("API socket: {error}"),
            Ok(Err(error)) => tracing::error!("API task: {error}"),
            Err(_) => tracing::warn!("a client did not finish its request in time: it gets no answer"),
        }
        outcome
    }

    async fn handle_all(&mut self, events: &mut Events) -> Result<(), DaemonError> {
        loop {
            match events.next().await {
                Event::Neighbour(event) => self.neighbour(event).await,
                Event::Link(change) => self.link(change).await?,
                Event::Request(request) => self.answer(request).await,
                Event::Age => {
                    self.director.age();
                    self.report_silent();
                }
                Event::Stop => return Ok(()),
            }
        }
    }

    async fn answer(&mut self, request: Request) {
        // A client that has gone does not want its answer.
        match request {
            Request::Apply { changes, reply } => {
                let _ = reply.send(self.apply(changes).await);
            }
            Request::Snapshot { reply } => {
                let _ = reply.send(self.director.snapshot().map_err(|error| error.to_string()));
            }
        }
    }

    async fn apply(&mut self, changes: Vec<Change>) -> Result<(), Refusal> {
        let refusal = |(position, error)| Refusal { position, error };
        let plan = self.director.plan(changes).map_err(refusal)?;
        let effects = plan.effects.clone();
        let added = self.ensure_vips(&effects.vips_added).await.map_err(|error| refusal((0, error)))?;
        if let Err(refused) = self.director.commit(plan) {
            self.release_vips(&added).await;
            return Err(refusal(refused));
        }
        effects.servers_added.iter().for_each(|address| self.neighbours.watch(*address));
        for address in &effects.servers_removed {
            self.neighbours.unwatch(*address);
            self.silent.remove(address);
        }
        self.release_vips(&effects.vips_removed).await;
        Ok(())
    }

    /// Leaves the host as it was. No one answers for the VIPs before packets for them stop being steered.
    async fn stop(mut self) {
        if let Err(error) = self.vips.release_all().await {
            tracing::error!("can't remove the VIPs: {error}");
        }
        self.neighbours.shutdown().await;
    }
}
