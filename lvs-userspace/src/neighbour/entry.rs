//! A neighbour entry of the kernel.

use std::net::IpAddr;

use macaddr::MacAddr6;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteType;

use crate::interface::mac_address;
use crate::netlink::family;

/// What a neighbour entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: IpAddr,
    pub(super) interface_index: u32,
    pub(super) state: NeighbourState,
    pub(super) mac: Option<MacAddr6>,
    /// The kernel keeps it resolved (`NTF_EXT_MANAGED`).
    pub(super) managed: bool,
    /// A routing daemon maintains it (`NTF_EXT_LEARNED`).
    pub(super) learned: bool,
}

impl Entry {
    /// Reads a message about an IPv4 or IPv6 neighbour.
    pub(super) fn from_message(message: &NeighbourMessage) -> Option<Self> {
        let mut entry = Self {
            address: message.attributes.iter().find_map(destination)?,
            interface_index: message.header.ifindex,
            state: message.header.state,
            mac: None,
            managed: false,
            learned: message.header.flags.contains(NeighbourFlags::ExtLearned),
        };
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::LinkLayerAddress(bytes) => entry.mac = mac_address(bytes),
                NeighbourAttribute::ExtFlags(flags) => {
                    entry.managed = flags.contains(NeighbourExtFlags::Managed);
                }
                _ => {}
            }
        }
        Some(entry)
    }

    /// The MAC address, if frames may be sent to it now. Group and nil addresses are no real server's.
    pub(super) fn valid_mac(&self) -> Option<MacAddr6> {
        let [first_byte, ..] = self.mac?.into_array();
        let is_group = first_byte & 1 != 0;
        self.mac.filter(|mac| self.is_valid() && !mac.is_nil() && !is_group)
    }

    /// Set by hand: it stays as it is, and the kernel would make it an ordinary one if we asked for it.
    pub(super) fn is_static(&self) -> bool {
        matches!(self.state, NeighbourState::Permanent | NeighbourState::Noarp)
    }

    fn is_valid(&self) -> bool {
        matches!(
            self.state,
            NeighbourState::Reachable
                | NeighbourState::Stale
                | NeighbourState::Delay
                | NeighbourState::Probe
                | NeighbourState::Permanent
                | NeighbourState::Noarp
        )
    }
}

/// A message that names the entry of `address` on an interface, and nothing else.
pub(super) fn naming(address: IpAddr, interface_index: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = interface_index;
    message.header.kind = RouteType::Unspec;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message
}

fn destination(attribute: &NeighbourAttribute) -> Option<IpAddr> {
    match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::neighbour) const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    pub(in crate::neighbour) const MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 2);

    pub(in crate::neighbour) fn entry(state: NeighbourState) -> Entry {
        Entry { address: ADDRESS, interface_index: 7, state, mac: Some(MAC), managed: true, learned: false }
    }

    pub(in crate::neighbour) fn message(state: NeighbourState) -> NeighbourMessage {
        let mut message = naming(ADDRESS, 7);
        message.header.state = state;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(MAC.as_bytes().to_vec()));
        message.attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
        message
    }

    #[test]
    fn a_message_is_read() {
        let read = Entry::from_message(&message(NeighbourState::Reachable));
        assert_eq!(read, Some(entry(NeighbourState::Reachable)));
    }

    #[test]
    fn an_ipv6_message_is_read_and_a_bridge_entry_is_not() {
        let address: IpAddr = "fe80::1".parse().unwrap();
        assert_eq!(Entry::from_message(&naming(address, 7)).unwrap().address, address);
        assert_eq!(Entry::from_message(&NeighbourMessage::default()), None);
    }

    #[test]
    fn only_states_in_which_the_kernel_itself_sends_are_valid() {
        use NeighbourState as State;
        for state in
            [State::Reachable, State::Stale, State::Delay, State::Probe, State::Permanent, State::Noarp]
        {
            assert_eq!(entry(state).valid_mac(), Some(MAC), "{state}");
        }
        for state in [State::Incomplete, State::Failed, State::None, State::Other(0x100)] {
            assert_eq!(entry(state).valid_mac(), None, "{state}");
        }
    }

    #[test]
    fn a_mac_that_is_absent_nil_or_a_group_is_not_valid() {
        for mac in [None, Some(MacAddr6::nil()), Some(MacAddr6::broadcast())] {
            assert_eq!(Entry { mac, ..entry(NeighbourState::Reachable) }.valid_mac(), None);
        }
    }

    #[test]
    fn a_mac_of_another_length_is_none() {
        let mut message = message(NeighbourState::Reachable);
        message.attributes.retain(|a| !matches!(a, NeighbourAttribute::LinkLayerAddress(_)));
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(vec![2; 20]));
        assert_eq!(Entry::from_message(&message).unwrap().mac, None);
    }
}
