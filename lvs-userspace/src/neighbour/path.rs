//! The route to an address: on-link, local, or none that direct routing can use.

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia};

/// What the routing table says about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// It is on the network of this interface.
    OnLink { interface_index: u32 },
    /// It is an address of this host.
    Local,
    /// Frames can't be sent to it directly: why.
    Blocked(String),
}

impl Path {
    /// Judges the kernel's answer to `RTM_GETROUTE` for `address`.
    pub(super) fn from_route(address: IpAddr, route: &RouteMessage) -> Self {
        match route.header.kind {
            RouteType::Local => return Self::Local,
            RouteType::Unicast => {}
            kind => return Self::Blocked(format!("the route to {address} is of type {kind:?}, not unicast")),
        }
        if let Some(gateway) = route.attributes.iter().find_map(gateway) {
            return Self::Blocked(format!("{address} is behind gateway {gateway}: {NEEDED}"));
        }
        let interface = route.attributes.iter().find_map(output_interface);
        interface.map_or_else(|| Self::none(address), |interface_index| Self::OnLink { interface_index })
    }

    /// There is no route.
    pub(super) fn none(address: IpAddr) -> Self {
        Self::Blocked(format!("there is no route to {address}: {NEEDED}"))
    }
}

const NEEDED: &str = "direct routing needs the real server on a directly attached network";

/// Whether a change of `route` can change the path to `address`.
pub(super) fn covers(route: &RouteMessage, address: IpAddr) -> bool {
    let length = u32::from(route.header.destination_prefix_length);
    let destination = route.attributes.iter().find_map(destination);
    match (address, route.header.address_family, destination) {
        (IpAddr::V4(_), AddressFamily::Inet, None) | (IpAddr::V6(_), AddressFamily::Inet6, None) => {
            length == 0
        }
        (IpAddr::V4(address), _, Some(IpAddr::V4(prefix))) => {
            (address.to_bits() ^ prefix.to_bits()).checked_shr(32_u32.saturating_sub(length)).unwrap_or(0)
                == 0
        }
        (IpAddr::V6(address), _, Some(IpAddr::V6(prefix))) => {
            (address.to_bits() ^ prefix.to_bits()).checked_shr(128_u32.saturating_sub(length)).unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

fn destination(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Destination(address) => ip_address(address),
        _ => None,
    }
}

fn output_interface(attribute: &RouteAttribute) -> Option<u32> {
    match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    }
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(address) => ip_address(address),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}

fn ip_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::ADDRESS;
    use super::*;
    use crate::netlink::route_request;

    fn route(kind: RouteType, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut message = route_request(ADDRESS);
        message.header.kind = kind;
        message.attributes.extend(attributes);
        message
    }

    fn reason(path: Path) -> String {
        match path {
            Path::Blocked(reason) => reason,
            other => panic!("not blocked but {other:?}"),
        }
    }

    #[test]
    fn a_unicast_route_without_gateway_is_on_link() {
        let route = route(RouteType::Unicast, vec![RouteAttribute::Oif(7)]);
        assert_eq!(Path::from_route(ADDRESS, &route), Path::OnLink { interface_index: 7 });
    }

    #[test]
    fn an_address_of_this_host_is_local() {
        let route = route(RouteType::Local, vec![RouteAttribute::Oif(1)]);
        assert_eq!(Path::from_route(ADDRESS, &route), Path::Local);
    }

    #[test]
    fn a_gateway_says_what_direct_routing_needs() {
        let inet6 = RouteVia::Inet6("fe80::1".parse().unwrap());
        let gateway: IpAddr = "10.0.0.254".parse().unwrap();
        for attribute in [RouteAttribute::Gateway(gateway.into()), RouteAttribute::Via(inet6)] {
            let route = route(RouteType::Unicast, vec![attribute, RouteAttribute::Oif(7)]);
            let reason = reason(Path::from_route(ADDRESS, &route));
            assert!(reason.starts_with("10.0.0.2 is behind gateway "), "{reason}");
            assert!(reason.ends_with("on a directly attached network"), "{reason}");
        }
    }

    #[test]
    fn other_routes_are_blocked() {
        let broadcast = route(RouteType::Broadcast, vec![RouteAttribute::Oif(7)]);
        assert_eq!(
            reason(Path::from_route(ADDRESS, &broadcast)),
            "the route to 10.0.0.2 is of type Broadcast, not unicast"
        );
        let without_interface = route(RouteType::Unicast, vec![]);
        assert!(reason(Path::from_route(ADDRESS, &without_interface)).starts_with("there is no route"));
    }

    fn prefix(address: &str, length: u8) -> RouteMessage {
        let mut message = route_request(address.parse().unwrap());
        message.header.destination_prefix_length = length;
        message
    }

    #[test]
    fn a_route_covers_the_addresses_of_its_prefix() {
        assert!(covers(&prefix("10.0.0.0", 24), ADDRESS));
        assert!(covers(&prefix("10.0.0.2", 32), ADDRESS));
        assert!(covers(&prefix("0.0.0.0", 0), ADDRESS));
        assert!(!covers(&prefix("10.0.1.0", 24), ADDRESS));
        assert!(!covers(&prefix("10.0.0.3", 32), ADDRESS));
        assert!(!covers(&prefix("::", 0), ADDRESS));
        assert!(covers(&prefix("fd00::", 64), "fd00::9".parse().unwrap()));
        assert!(!covers(&prefix("fd00::", 64), "fd00:0:0:1::9".parse().unwrap()));
    }

    #[test]
    fn a_default_route_without_destination_covers_its_family() {
        let mut default = RouteMessage::default();
        default.header.address_family = AddressFamily::Inet;
        assert!(covers(&default, ADDRESS));
        assert!(!covers(&default, "fd00::9".parse().unwrap()));
    }
}
