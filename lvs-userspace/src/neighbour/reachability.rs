//! From what the kernel says about an address to whether frames can be sent to it.

use std::net::IpAddr;

use super::Reachability;
use super::entry::Entry;
use crate::interface::Interface;

/// Everything that one look at an address found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// It is an address of this host.
    Local,
    /// Frames can't be sent to it directly: why.
    Blocked(String),
    /// It is on the network of an interface, with or without a neighbour entry there.
    OnLink { interface: Interface, entry: Option<Entry> },
}

impl Sight {
    /// What follows for `address`.
    pub(super) fn reachability(&self, address: IpAddr) -> Reachability {
        match self {
            Self::Local => Reachability::Local,
            Self::Blocked(reason) => Reachability::Unresolved { reason: reason.clone() },
            Self::OnLink { interface, entry } => behind(address, interface, entry.as_ref()),
        }
    }
}

/// What follows for an address on the network of `interface`.
pub(super) fn behind(address: IpAddr, interface: &Interface, entry: Option<&Entry>) -> Reachability {
    if let Err(error) = interface.usable() {
        return Reachability::Unresolved { reason: error.to_string() };
    }
    match entry.and_then(Entry::valid_mac) {
        Some(mac) => Reachability::Resolved {
            mac,
            interface_index: interface.index,
            interface: interface.name.clone(),
        },
        None => Reachability::Unresolved { reason: no_answer(address, interface) },
    }
}

/// One text for "not yet" and "no more": a server that stays away is news once, not at each of the kernel's attempts.
fn no_answer(address: IpAddr, interface: &Interface) -> String {
    let question = match address {
        IpAddr::V4(_) => "ARP",
        IpAddr::V6(_) => "neighbour discovery",
    };
    format!("{address} does not answer {question} on interface {}", interface.name)
}

#[cfg(test)]
pub(super) mod tests {
    use netlink_packet_route::neighbour::NeighbourState;

    use super::super::entry::tests::{ADDRESS, MAC, entry};
    use super::*;

    pub(in crate::neighbour) fn interface() -> Interface {
        Interface {
            index: 7,
            name: "eth0".into(),
            ethernet: true,
            mac: Some(macaddr::MacAddr6::new(2, 0, 0, 0, 0, 1)),
            mtu: 1500,
            up: true,
            running: true,
            arp: true,
            kind: None,
        }
    }

    pub(in crate::neighbour) fn on_link(state: NeighbourState) -> Sight {
        Sight::OnLink { interface: interface(), entry: Some(entry(state)) }
    }

    pub(in crate::neighbour) fn resolved() -> Reachability {
        Reachability::Resolved { mac: MAC, interface_index: 7, interface: "eth0".into() }
    }

    fn unresolved(reason: &str) -> Reachability {
        Reachability::Unresolved { reason: reason.into() }
    }

    #[test]
    fn a_valid_entry_on_a_running_interface_is_resolved() {
        assert_eq!(on_link(NeighbourState::Stale).reachability(ADDRESS), resolved());
    }

    #[test]
    fn no_entry_an_incomplete_one_and_a_failed_one_look_the_same() {
        let silent = unresolved("10.0.0.2 does not answer ARP on interface eth0");
        assert_eq!(behind(ADDRESS, &interface(), None), silent);
        for state in [NeighbourState::Incomplete, NeighbourState::Failed] {
            assert_eq!(on_link(state).reachability(ADDRESS), silent);
        }
    }

    #[test]
    fn an_interface_that_is_down_hides_a_valid_entry() {
        let down = Interface { up: false, running: false, ..interface() };
        let expected = unresolved("interface eth0 is down: switch it on with `ip link set eth0 up`");
        assert_eq!(behind(ADDRESS, &down, Some(&entry(NeighbourState::Permanent))), expected);
    }

    #[test]
    fn local_and_blocked_are_passed_on() {
        assert_eq!(Sight::Local.reachability(ADDRESS), Reachability::Local);
        assert_eq!(Sight::Blocked("why".into()).reachability(ADDRESS), unresolved("why"));
    }
}
