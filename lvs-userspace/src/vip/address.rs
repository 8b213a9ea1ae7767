//! The addresses of this host, by rtnetlink.

use std::collections::BTreeSet;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::RouteType;
use serde::{Deserialize, Serialize};

use crate::netlink::{
    Existing, Netlink, NetlinkError, address_message, addresses, full_length, own_address, route_request,
};

/// An address with its full prefix length on an interface, as we add it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct OwnAddress {
    pub(super) address: IpAddr,
    pub(super) interface_index: u32,
}

/// What adding an address led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addition {
    Added,
    Existed,
}

pub(super) async fn add(netlink: &Netlink, own: OwnAddress) -> Result<Addition, NetlinkError> {
    let operation = format!("add {}", described(own));
    let request = RouteNetlinkMessage::NewAddress(own.message());
    match netlink.create(operation, request, Existing::Refuse).await {
        Ok(()) => Ok(Addition::Added),
        Err(error) if error.is_one_of(&[libc::EEXIST]) => Ok(Addition::Existed),
        Err(error) => Err(error),
    }
}

/// Removes an address. One that is gone, with or without its interface, is no error.
pub(super) async fn remove(netlink: &Netlink, own: OwnAddress) -> Result<(), NetlinkError> {
    let operation = format!("remove {}", described(own));
    match netlink.delete(operation, RouteNetlinkMessage::DelAddress(own.message())).await {
        Err(error) if !error.is_one_of(&[libc::EADDRNOTAVAIL, libc::ENODEV]) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The addresses of this host that look like ours.
pub(super) async fn present(netlink: &Netlink) -> Result<BTreeSet<OwnAddress>, NetlinkError> {
    Ok(addresses(netlink).await?.iter().filter_map(OwnAddress::from_message).collect())
}

/// Whether the routing tables deliver packets for `address` to this host.
pub(super) async fn is_local(netlink: &Netlink, address: IpAddr) -> Result<bool, NetlinkError> {
    let operation = format!("look up the route to {address}");
    match netlink.get(operation, RouteNetlinkMessage::GetRoute(route_request(address))).await {
        Ok(RouteNetlinkMessage::NewRoute(route)) => Ok(route.header.kind == RouteType::Local),
        Err(error) if error.is_lost_connection() => Err(error),
        // No route at all, or one that refuses: not ours either.
        Ok(_) | Err(_) => Ok(false),
    }
}

impl OwnAddress {
    fn message(self) -> AddressMessage {
        address_message(self.address, self.interface_index)
    }

    fn from_message(message: &AddressMessage) -> Option<Self> {
        let own = Self { address: own_address(message)?, interface_index: message.header.index };
        (message.header.prefix_len == full_length(own.address)).then_some(own)
    }
}

fn described(own: OwnAddress) -> String {
    format!("{}/{} on interface {}", own.address, full_length(own.address), own.interface_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(address: &str) -> OwnAddress {
        OwnAddress { address: address.parse().unwrap(), interface_index: 7 }
    }

    #[test]
    fn what_is_added_is_recognised() {
        for own in [own("172.30.100.1"), own("fd00::1")] {
            assert_eq!(OwnAddress::from_message(&own.message()), Some(own));
        }
    }

    #[test]
    fn an_address_with_a_network_is_not_ours() {
        let mut message = own("172.30.100.1").message();
        message.header.prefix_len = 24;
        assert_eq!(OwnAddress::from_message(&message), None);
    }

    #[test]
    fn an_address_is_described_for_error_texts() {
        assert_eq!(described(own("172.30.100.1")), "172.30.100.1/32 on interface 7");
    }
}
