//! The task that follows: commands, notices of the kernel and a slow clock in, events out.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use rtnetlink::MulticastGroup;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{MissedTickBehavior, interval};

use super::kernel::{Looker, ask, release};
use super::ledger::Ledger;
use super::ownership::{Claim, Management, decide};
use super::reachability::Sight;
use super::watched::Watched;
use super::{NeighbourError, NeighbourEvent};
use crate::netlink::{Events, Netlink, NetlinkError, Notice};

/// How often what nobody keeps fresh is looked at again, and a dead socket replaced.
const RETRY: Duration = Duration::from_secs(5);

const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Neigh,
    MulticastGroup::Link,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// What the owner wants.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    Watch(IpAddr),
    Unwatch(IpAddr),
}

pub(super) struct Follower {
    commands: UnboundedReceiver<Command>,
    output: UnboundedSender<NeighbourEvent>,
    netlink: Netlink,
    /// None after the socket died, until another one is open.
    events: Option<Events>,
    watched: Watched,
    ledger: Ledger,
    management: Management,
}

/// A neighbour entry that the kernel has to be asked for.
struct Question {
    address: IpAddr,
    interface_index: u32,
    learned: bool,
}

impl Follower {
    pub(super) fn new(
        commands: UnboundedReceiver<Command>,
        output: UnboundedSender<NeighbourEvent>,
        journal: Option<PathBuf>,
    ) -> Result<Self, NeighbourError> {
        Ok(Self {
            commands,
            output,
            netlink: Netlink::open()?,
            events: Some(Events::subscribe(&GROUPS)?),
            watched: Watched::default(),
            ledger: Ledger::open(journal)?,
            management: Management::ByKernel,
        })
    }

    /// Follows until the owner is gone, then gives everything back.
    pub(super) async fn run(mut self) {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                notice = next_notice(&mut self.events) => self.hear(notice),
                _ = retry.tick() => self.retry(),
            }
            self.take_what_waits().await;
            self.look().await;
        }
        self.give_everything_back().await;
    }

    /// A burst of commands and notices leads to one look, not to one for each.
    async fn take_what_waits(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command).await;
        }
        while let Some(notice) = self.events.as_mut().and_then(Events::next_ready) {
            self.hear(Some(notice));
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Watch(address) => self.watched.watch(address),
            Command::Unwatch(address) => {
                self.watched.unwatch(address);
                self.claim(address, None).await;
            }
        }
    }

    fn hear(&mut self, notice: Option<Notice>) {
        match notice {
            Some(Notice::Message(message)) => self.watched.hear(&message),
            Some(Notice::Overrun) => {
                tracing::warn!("rtnetlink events were lost: looking at every real server again");
                self.watched.mark_all();
            }
            None => {
                tracing::warn!("the rtnetlink event socket died: opening another one");
                self.events = None;
                self.subscribe_again();
            }
        }
    }

    fn retry(&mut self) {
        if self.events.is_none() {
            self.subscribe_again();
        }
        self.watched.mark_for_retry();
    }

    fn subscribe_again(&mut self) {
        match Events::subscribe(&GROUPS) {
            Ok(events) => {
                self.events = Some(events);
                self.watched.mark_all();
            }
            Err(error) => tracing::error!(%error, "real servers are not followed for now"),
        }
    }

    /// Looks at every marked address, tells what changed, then asks the kernel for what it does not keep fresh.
    async fn look(&mut self) {
        let netlink = self.netlink.clone();
        let mut looker = Looker::new(&netlink);
        let mut questions = Vec::new();
        for address in self.watched.take_marked() {
            match looker.look(address).await {
                Ok(sight) => questions.extend(self.see(address, &sight).await),
                Err(error) => self.failed(address, &error),
            }
        }
        self.ledger.save();
        for question in questions {
            self.ask(question).await;
        }
    }

    async fn see(&mut self, address: IpAddr, sight: &Sight) -> Option<Question> {
        if let Some(event) = self.watched.see(address, sight) {
            tracing::debug!(?event, "neighbour");
            // The owner may have stopped listening before it shuts us down.
            let _ = self.output.send(event);
        }
        let Sight::OnLink { interface, entry } = sight else {
            self.claim(address, None).await;
            return None;
        };
        if interface.usable().is_err() {
            return None;
        }
        let held = self.ledger.claim(address, interface.index);
        let decision = decide(address, interface.index, entry.as_ref(), held, self.management);
        self.claim(address, decision.claim).await;
        let learned = entry.as_ref().is_some_and(|entry| entry.learned);
        decision.ask.then_some(Question { address, interface_index: interface.index, learned })
    }

    async fn ask(&mut self, question: Question) {
        let Question { address, interface_index, learned } = question;
        match ask(&self.netlink, address, interface_index, learned).await {
            Ok(management) if management != self.management => {
                tracing::info!(?management, "who keeps neighbour entries fresh has changed");
                self.management = management;
            }
            Ok(_) => {}
            Err(error) => self.failed(address, &error),
        }
    }

    /// Records what is ours of `address`, and releases what was elsewhere.
    async fn claim(&mut self, address: IpAddr, claim: Option<Claim>) {
        if let Some(former) = self.ledger.set(address, claim) {
            self.release(former).await;
        }
    }

    async fn release(&mut self, claim: Claim) {
        if let Err(error) = release(&self.netlink, claim, self.management).await {
            tracing::warn!(%error, "a neighbour entry of ours is left behind");
        }
    }

    /// What can't be looked at now is looked at with the next notice or tick; what was told about it still holds.
    fn failed(&mut self, address: IpAddr, error: &NetlinkError) {
        tracing::warn!(%address, %error, "looking at a real server failed");
        self.watched.mark(address);
        if error.is_lost_connection() {
            match Netlink::open() {
                Ok(netlink) => self.netlink = netlink,
                Err(error) => tracing::error!(%error, "the kernel can't be asked for now"),
            }
        }
    }

    async fn give_everything_back(&mut self) {
        for claim in self.ledger.take_all() {
            self.release(claim).await;
        }
        self.ledger.save();
    }
}

/// The next notice, `None` for a dead socket; without a socket it waits for ever.
async fn next_notice(events: &mut Option<Events>) -> Option<Notice> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}
