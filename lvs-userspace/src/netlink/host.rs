//! One host's address in rtnetlink's terms, and the addresses of this one.

use std::net::IpAddr;

use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, NetlinkError};

pub(crate) fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// The prefix length that covers this address only.
pub(crate) fn full_length(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// A message that asks for the route to `address`.
pub(crate) fn route_request(address: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(address);
    message.header.destination_prefix_length = full_length(address);
    message.attributes.push(RouteAttribute::Destination(address.into()));
    message
}

/// `address` with its full prefix length on an interface, as `ip address add` describes it.
pub(crate) fn address_message(address: IpAddr, interface_index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = full_length(address);
    message.header.scope = AddressScope::Universe;
    message.header.index = interface_index;
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    message
}

/// The addresses of this host's interfaces.
pub(crate) async fn addresses(netlink: &Netlink) -> Result<Vec<AddressMessage>, NetlinkError> {
    let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let messages = netlink.dump("list the addresses of this host", request).await?;
    let address = |message| match message {
        RouteNetlinkMessage::NewAddress(address) => Some(address),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(address).collect())
}

/// The host's own address: with a peer, `Address` is the peer's; IPv6 addresses without one have no `Local`.
pub(crate) fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_address_is_the_local_one_or_else_the_only_one() {
        let [own, peer] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse::<IpAddr>().unwrap());
        let mut message = AddressMessage::default();
        assert_eq!(own_address(&message), None);
        message.attributes.push(AddressAttribute::Address(peer));
        assert_eq!(own_address(&message), Some(peer));
        message.attributes.push(AddressAttribute::Local(own));
        assert_eq!(own_address(&message), Some(own));
    }
}
