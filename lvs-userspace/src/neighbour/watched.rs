//! The table of watched addresses: what was last told about each, and which have to be looked at again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::NeighbourMessage;

use super::entry::Entry;
use super::path::covers;
use super::reachability::{Sight, behind};
use super::{NeighbourEvent, Reachability};
use crate::interface::Interface;

/// The watched addresses.
#[derive(Debug, Default)]
pub(super) struct Watched(BTreeMap<IpAddr, Server>);

#[derive(Debug)]
struct Server {
    /// What it looks like may have changed.
    marked: bool,
    told: Option<Reachability>,
    /// Where its neighbour entry was last seen or missed.
    on_link: Option<Interface>,
    /// Whether its entry was managed when last seen.
    managed: bool,
}

impl Watched {
    /// Adds an address, to be looked at.
    pub(super) fn watch(&mut self, address: IpAddr) {
        let new = Server { marked: true, told: None, on_link: None, managed: false };
        self.0.entry(address).or_insert(new);
    }

    /// Removes an address.
    pub(super) fn unwatch(&mut self, address: IpAddr) {
        self.0.remove(&address);
    }

    /// Marks one address.
    pub(super) fn mark(&mut self, address: IpAddr) {
        if let Some(server) = self.0.get_mut(&address) {
            server.marked = true;
        }
    }

    /// Marks every address.
    pub(super) fn mark_all(&mut self) {
        self.mark_where(|_, _| true);
    }

    /// Marks the addresses that the kernel does not keep fresh for us: unresolved ones and those without management.
    pub(super) fn mark_for_retry(&mut self) {
        self.mark_where(|_, server| match server.told {
            Some(Reachability::Resolved { .. }) => !server.managed,
            Some(Reachability::Local) => false,
            Some(Reachability::Unresolved { .. }) | None => true,
        });
    }

    /// Marks the addresses that a notice of the kernel is about.
    pub(super) fn hear(&mut self, message: &RouteNetlinkMessage) {
        match message {
            RouteNetlinkMessage::NewNeighbour(message) => self.hear_neighbour(message),
            RouteNetlinkMessage::DelNeighbour(message) => self.hear_deletion(message),
            RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
                self.mark_where(|address, _| covers(route, address));
            }
            RouteNetlinkMessage::NewLink(_)
            | RouteNetlinkMessage::DelLink(_)
            | RouteNetlinkMessage::NewAddress(_)
            | RouteNetlinkMessage::DelAddress(_)
            | RouteNetlinkMessage::NewRule(_)
            | RouteNetlinkMessage::DelRule(_) => self.mark_all(),
            _ => {}
        }
    }

    /// The marked addresses; they are not marked any more.
    pub(super) fn take_marked(&mut self) -> Vec<IpAddr> {
        let take = |(address, server): (&IpAddr, &mut Server)| {
            std::mem::take(&mut server.marked).then_some(*address)
        };
        self.0.iter_mut().filter_map(take).collect()
    }

    /// Takes in what a look at an address found. An event when it differs from what was told before.
    pub(super) fn see(&mut self, address: IpAddr, sight: &Sight) -> Option<NeighbourEvent> {
        let server = self.0.get_mut(&address)?;
        let state = sight.reachability(address);
        (server.on_link, server.managed) = match sight {
            Sight::Local | Sight::Blocked(_) => (None, false),
            Sight::OnLink { interface, entry } => {
                (Some(interface.clone()), entry.as_ref().is_some_and(|e| e.managed || e.is_static()))
            }
        };
        if server.told.as_ref() == Some(&state) {
            return None;
        }
        server.told = Some(state.clone());
        Some(NeighbourEvent { address, state })
    }

    /// A managed entry changes its state every few seconds. Only what contradicts the last look is worth another one:
    /// the last notice always agrees with the kernel, so the last look does in the end.
    fn hear_neighbour(&mut self, message: &NeighbourMessage) {
        let Some(entry) = Entry::from_message(message) else { return };
        let Some(server) = self.0.get_mut(&entry.address) else { return };
        let Some(interface) = &server.on_link else { return };
        if interface.index == entry.interface_index {
            let state = behind(entry.address, interface, Some(&entry));
            let lost_management = server.managed && !entry.managed && !entry.is_static();
            server.marked |= lost_management || server.told.as_ref() != Some(&state);
        }
    }

    fn hear_deletion(&mut self, message: &NeighbourMessage) {
        if let Some(entry) = Entry::from_message(message) {
            self.mark(entry.address);
        }
    }

    fn mark_where(&mut self, condition: impl Fn(IpAddr, &Server) -> bool) {
        for (address, server) in &mut self.0 {
            server.marked |= condition(*address, server);
        }
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::LinkMessage;
    use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourState};

    use super::super::entry::tests::{ADDRESS, message};
    use super::super::reachability::tests::{on_link, resolved};
    use super::*;
    use crate::netlink::route_request;

    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

    /// Two watched addresses, none marked; the first one is resolved and managed.
    fn watched() -> Watched {
        let mut watched = Watched::default();
        watched.watch(ADDRESS);
        watched.watch(OTHER);
        assert_eq!(watched.take_marked(), [ADDRESS, OTHER]);
        watched.see(ADDRESS, &on_link(NeighbourState::Reachable));
        watched.see(OTHER, &Sight::Local);
        watched
    }

    fn marked_by(message: &RouteNetlinkMessage) -> Vec<IpAddr> {
        let mut watched = watched();
        watched.hear(message);
        watched.take_marked()
    }

    fn new(message: NeighbourMessage) -> RouteNetlinkMessage {
        RouteNetlinkMessage::NewNeighbour(message)
    }

    #[test]
    fn watching_again_is_not_a_reason_to_look_again() {
        let mut watched = watched();
        watched.watch(ADDRESS);
        assert!(watched.take_marked().is_empty());
    }

    #[test]
    fn an_event_comes_only_with_a_change() {
        let mut watched = Watched::default();
        watched.watch(ADDRESS);
        let event = NeighbourEvent { address: ADDRESS, state: resolved() };
        assert_eq!(watched.see(ADDRESS, &on_link(NeighbourState::Reachable)), Some(event));
        assert_eq!(watched.see(ADDRESS, &on_link(NeighbourState::Stale)), None);
        let lost = watched.see(ADDRESS, &on_link(NeighbourState::Failed)).map(|event| event.state);
        assert!(matches!(lost, Some(Reachability::Unresolved { .. })));
        assert_eq!(watched.see(ADDRESS, &on_link(NeighbourState::Incomplete)), None);
    }

    #[test]
    fn an_address_that_is_not_watched_gives_no_event() {
        let mut watched = watched();
        watched.unwatch(ADDRESS);
        assert_eq!(watched.see(ADDRESS, &Sight::Local), None);
    }

    #[test]
    fn a_probe_of_the_kernel_that_changes_nothing_is_not_looked_at() {
        assert!(marked_by(&new(message(NeighbourState::Probe))).is_empty());
    }

    #[test]
    fn a_failed_entry_a_new_mac_and_a_deletion_are_looked_at() {
        assert_eq!(marked_by(&new(message(NeighbourState::Failed))), [ADDRESS]);
        let mut moved = message(NeighbourState::Reachable);
        moved.attributes.insert(0, NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 9]));
        moved.attributes.swap(0, 2);
        assert_eq!(marked_by(&new(moved)), [ADDRESS]);
        let gone = RouteNetlinkMessage::DelNeighbour(message(NeighbourState::Failed));
        assert_eq!(marked_by(&gone), [ADDRESS]);
    }

    #[test]
    fn an_entry_that_is_no_longer_managed_is_looked_at() {
        let mut ordinary = message(NeighbourState::Reachable);
        ordinary.attributes.retain(|a| !matches!(a, NeighbourAttribute::ExtFlags(_)));
        assert_eq!(marked_by(&new(ordinary)), [ADDRESS]);
    }

    #[test]
    fn an_entry_on_another_interface_is_not_looked_at() {
        let mut elsewhere = message(NeighbourState::Failed);
        elsewhere.header.ifindex = 8;
        assert!(marked_by(&new(elsewhere)).is_empty());
    }

    #[test]
    fn a_route_marks_what_it_covers_and_a_link_everything() {
        assert_eq!(marked_by(&RouteNetlinkMessage::DelRoute(route_request(OTHER))), [OTHER]);
        assert_eq!(marked_by(&RouteNetlinkMessage::NewLink(LinkMessage::default())), [ADDRESS, OTHER]);
    }

    #[test]
    fn only_what_the_kernel_does_not_keep_fresh_is_tried_again() {
        let mut watched = watched();
        watched.mark_for_retry();
        assert!(watched.take_marked().is_empty());
        watched.see(ADDRESS, &on_link(NeighbourState::Failed));
        watched.mark_for_retry();
        assert_eq!(watched.take_marked(), [ADDRESS]);
    }
}
