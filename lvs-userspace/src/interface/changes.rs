//! Following one interface while the director runs.

use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::MulticastGroup;

use super::{Interface, InterfaceError};
use crate::netlink::{Events, Netlink, NetlinkError, Notice};

/// What happened to a followed interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceChange {
    /// A fact differs from before: its own MAC address, its name, its MTU, whether it is up.
    Changed(Interface),
    /// It is gone from this network namespace.
    Removed,
}

/// Tells the changes of one interface.
pub struct InterfaceChanges {
    netlink: Netlink,
    index: u32,
    known: Option<Interface>,
    /// None after the socket died, until another one is open.
    events: Option<Events>,
    /// What is known may be outdated: notices were lost, or none were heard yet.
    outdated: bool,
}

impl InterfaceChanges {
    /// Follows `interface` from the state that the caller knows: a change since then is told too.
    ///
    /// # Errors
    ///
    /// The kernel's link events could not be subscribed to.
    pub fn follow(netlink: Netlink, interface: Interface) -> Result<Self, NetlinkError> {
        let events = Some(Events::subscribe(&[MulticastGroup::Link])?);
        Ok(Self { netlink, index: interface.index, known: Some(interface), events, outdated: true })
    }

    /// Waits until something about the interface differs from what was last told. Safe to cancel.
    ///
    /// # Errors
    ///
    /// The kernel could not be asked. The next call tries again.
    pub async fn next(&mut self) -> Result<InterfaceChange, NetlinkError> {
        loop {
            let current = if self.outdated { self.read().await? } else { self.hear().await? };
            if let Some(change) = current.and_then(|current| self.compare(current)) {
                return Ok(change);
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Option<Interface>>, NetlinkError> {
        let current = match Interface::by_index(&self.netlink, self.index).await {
            Ok(interface) => Some(interface),
            Err(InterfaceError::Netlink(error)) => return Err(self.reconnect(error)),
            Err(_) => None,
        };
        self.outdated = false;
        Ok(Some(current))
    }

    /// The error, after another connection was opened in place of a dead one.
    fn reconnect(&mut self, error: NetlinkError) -> NetlinkError {
        if error.is_lost_connection()
            && let Ok(netlink) = Netlink::open()
        {
            self.netlink = netlink;
        }
        error
    }

    /// One notice: the interface as it is now (inner `None`: gone), or `None` when it is about something else.
    async fn hear(&mut self) -> Result<Option<Option<Interface>>, NetlinkError> {
        let Some(events) = &mut self.events else {
            self.events = Some(Events::subscribe(&[MulticastGroup::Link])?);
            self.outdated = true;
            return Ok(None);
        };
        match events.next().await {
            Some(Notice::Message(message)) => return Ok(self.interface_in(&message)),
            Some(Notice::Overrun) => self.outdated = true,
            None => self.events = None,
        }
        Ok(None)
    }

    fn interface_in(&self, message: &RouteNetlinkMessage) -> Option<Option<Interface>> {
        // A bridge tells about its ports in messages of its own family, which lack most facts.
        let is_ours = |link: &LinkMessage| {
            link.header.index == self.index && link.header.interface_family == AddressFamily::Unspec
        };
        match message {
            RouteNetlinkMessage::NewLink(link) if is_ours(link) => Some(Some(Interface::from(link))),
            RouteNetlinkMessage::DelLink(link) if is_ours(link) => Some(None),
            _ => None,
        }
    }

    fn compare(&mut self, current: Option<Interface>) -> Option<InterfaceChange> {
        if current == self.known {
            return None;
        }
        self.known.clone_from(&current);
        Some(current.map_or(InterfaceChange::Removed, InterfaceChange::Changed))
    }
}
