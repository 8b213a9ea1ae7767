//! The plan of a lab: which networks there are, and which hosts are on them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use macaddr::MacAddr6;

/// The network of the tutorial, and of every plan that names no other.
pub const LAN: &str = "lan";

const USUAL_MTU: u16 = 1500;
const PREFIX_LENGTH: u8 = 24;
const FIRST_REAL_SERVER: u8 = 126;
const CLIENT: u8 = 200;
const DIRECTOR: u8 = 111;

/// A network: one bridge.
#[derive(Debug, Clone)]
pub struct NetworkPlan {
    pub(super) name: String,
    pub(super) mtu: u16,
}

impl NetworkPlan {
    /// A network with Ethernet's usual MTU of 1500 bytes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), mtu: USUAL_MTU }
    }

    /// The same with another MTU, in bytes, on every interface of the network.
    #[must_use]
    pub fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }
}

/// A host's interface: a cable to a network, with one address.
#[derive(Debug, Clone)]
pub(super) struct InterfacePlan {
    pub(super) network: String,
    pub(super) mac: MacAddr6,
    pub(super) address: InterfaceAddress,
}

/// An address and the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The host's address.
    pub ip: IpAddr,
    /// Bits of the prefix that the whole network shares.
    pub prefix_length: u8,
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix_length)
    }
}

/// A host; its interfaces are called eth0, eth1 and so on, in the order of the plan.
#[derive(Debug, Clone)]
pub struct HostPlan {
    pub(super) name: String,
    pub(super) interfaces: Vec<InterfacePlan>,
}

impl HostPlan {
    /// A host that is on no network yet. The name is also the name of the bridge's end of its cable, so it has at
    /// most 15 characters.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), interfaces: Vec::new() }
    }

    /// The next interface: its network, its MAC address, and its address with the length of the prefix.
    #[must_use]
    pub fn interface(
        mut self,
        network: &str,
        mac: MacAddr6,
        ip: impl Into<IpAddr>,
        prefix_length: u8,
    ) -> Self {
        let address = InterfaceAddress { ip: ip.into(), prefix_length };
        self.interfaces.push(InterfacePlan { network: network.to_owned(), mac, address });
        self
    }

    /// The tutorial's client: 172.30.100.200, 02:00:00:00:00:c1.
    #[must_use]
    pub fn client() -> Self {
        Self::new("client").interface(LAN, mac(0, 0xc1), on_lan(CLIENT), PREFIX_LENGTH)
    }

    /// The tutorial's director: 172.30.100.111, 02:00:00:00:00:d1.
    #[must_use]
    pub fn director() -> Self {
        Self::new("director").interface(LAN, mac(0, 0xd1), on_lan(DIRECTOR), PREFIX_LENGTH)
    }

    /// The tutorial's real server of this number, from 1: `rs1` is 172.30.100.126 with 02:00:00:00:00:a1.
    ///
    /// # Panics
    /// When the number is 0 or over 70: beyond are the client's address and the end of the network.
    #[must_use]
    pub fn real_server(number: u8) -> Self {
        assert!((1..=70).contains(&number), "real server number {number} must be 1 to 70");
        let index = number - 1;
        // a1 to af, then again in the next row.
        let mac = mac(index / 15, 0xa1 + index % 15);
        let ip = on_lan(FIRST_REAL_SERVER + index);
        Self::new(&format!("rs{number}")).interface(LAN, mac, ip, PREFIX_LENGTH)
    }
}

/// The plan of a whole lab.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    pub(super) networks: Vec<NetworkPlan>,
    pub(super) hosts: Vec<HostPlan>,
}

impl Topology {
    /// Client, director and two real servers on one network, 172.30.100.0/24.
    #[must_use]
    pub fn tutorial() -> Self {
        Self::with_real_servers(2)
    }

    /// The tutorial's network, client and director, with `count` real servers.
    ///
    /// # Panics
    /// When there are more than 70, see [`HostPlan::real_server`].
    #[must_use]
    pub fn with_real_servers(count: u8) -> Self {
        let plan = Self::default().network(NetworkPlan::new(LAN));
        let plan = plan.host(HostPlan::client()).host(HostPlan::director());
        (1..=count).fold(plan, |plan, number| plan.host(HostPlan::real_server(number)))
    }

    /// One network more.
    #[must_use]
    pub fn network(mut self, network: NetworkPlan) -> Self {
        self.networks.push(network);
        self
    }

    /// One host more.
    #[must_use]
    pub fn host(mut self, host: HostPlan) -> Self {
        self.hosts.push(host);
        self
    }
}

/// A locally administered MAC address that can be told at sight.
pub(super) fn mac(row: u8, last: u8) -> MacAddr6 {
    MacAddr6::new(2, 0, 0, 0, row, last)
}

fn on_lan(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 30, 100, last)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_tutorial_has_its_addresses() {
        let plan = Topology::tutorial();
        let hosts = plan.hosts.iter().map(|host| {
            let eth0 = &host.interfaces[0];
            format!("{} {} {}", host.name, eth0.address, eth0.mac)
        });
        assert_eq!(
            hosts.collect::<Vec<_>>(),
            [
                "client 172.30.100.200/24 02:00:00:00:00:C1",
                "director 172.30.100.111/24 02:00:00:00:00:D1",
                "rs1 172.30.100.126/24 02:00:00:00:00:A1",
                "rs2 172.30.100.127/24 02:00:00:00:00:A2",
            ]
        );
    }

    #[test]
    fn no_two_hosts_share_an_address() {
        let plan = Topology::with_real_servers(70);
        let interfaces = || plan.hosts.iter().flat_map(|host| &host.interfaces);
        assert_eq!(interfaces().map(|one| one.mac).collect::<HashSet<_>>().len(), 72);
        assert_eq!(interfaces().map(|one| one.address.ip).collect::<HashSet<_>>().len(), 72);
    }
}
