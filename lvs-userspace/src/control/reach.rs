//! What neighbour events do: a real server's link follows its MAC address, and who can't be reached gets nothing new.

use std::net::IpAddr;
use std::time::Instant;

use lvs_common::abi::Link;
use macaddr::MacAddr6;

use super::director::Director;
use super::service::ServiceAddress;
use super::snapshot::NeighbourState;
use crate::dataplane::DataplaneError;

/// What is known of a real server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// As a listing shows it.
    pub state: NeighbourState,
    /// The last link that was known: established connections keep it while the address is being asked for again.
    link: Link,
}

impl Reach {
    /// The real server can take new connections.
    pub(super) fn is_available(&self) -> bool {
        matches!(self.state, NeighbourState::Resolved { .. })
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }
}

/// The interface behind which a real server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its name.
    pub interface: String,
    /// Its index.
    pub index: u32,
    /// Its own MAC address, from which frames are sent.
    pub mac: MacAddr6,
}

impl Director {
    /// A real server's MAC address is known, or has changed.
    ///
    /// # Errors
    /// When the director can't send through the interface.
    pub fn resolved(
        &mut self,
        address: IpAddr,
        mac: MacAddr6,
        behind: &Behind,
    ) -> Result<(), DataplaneError> {
        let egress = self.dataplane.egress(&behind.interface, behind.index, behind.mac)?;
        let state = NeighbourState::Resolved { mac, interface: behind.interface.clone() };
        self.reached(address, Reach { state, link: Link::new(mac.into_array(), egress) })
    }

    /// A real server can't be reached: no new connections, and those that it has keep its last known MAC address.
    ///
    /// # Errors
    /// When a map can't be written.
    pub fn unresolved(&mut self, address: IpAddr, reason: String) -> Result<(), DataplaneError> {
        let link = self.reach.get(&address).map_or(Link::UNRESOLVED, Reach::link);
        self.reached(address, Reach { state: NeighbourState::Unresolved { reason }, link })
    }

    fn reached(&mut self, address: IpAddr, reach: Reach) -> Result<(), DataplaneError> {
        // The event of an address that has just left.
        if self.model.server_addresses().binary_search(&address).is_err() {
            return Ok(());
        }
        let available = reach.is_available();
        for placement in self.placements.values() {
            for server in placement.servers.iter().filter(|server| server.address.ip() == address) {
                self.write_link(server.index, Some(&reach));
            }
        }
        self.reach.insert(address, reach);
        let concerned = |placement: &super::placement::Placement| {
            placement
                .servers
                .iter()
                .any(|server| server.address.ip() == address && server.available != available)
        };
        let services: Vec<ServiceAddress> = self
            .placements
            .iter()
            .filter(|(_, placement)| concerned(placement))
            .map(|(service, _)| *service)
            .collect();
        services.into_iter().try_for_each(|service| self.set_available(service, address, available))
    }

    /// The scheduler passes over a server that can't be reached, at the place in its sequence where it stands.
    fn set_available(
        &mut self,
        service: ServiceAddress,
        address: IpAddr,
        available: bool,
    ) -> Result<(), DataplaneError> {
        let Some(former) = self.placements.get(&service).cloned() else {
            return Ok(());
        };
        self.settle(&service)?;
        if let Some(placement) = self.placements.get_mut(&service) {
            let servers = placement.servers.iter_mut();
            servers
                .filter(|server| server.address.ip() == address)
                .for_each(|server| server.available = available);
        }
        if let Err(error) = self.compile(&service) {
            tracing::error!("{service}: its scheduler does not take notice of {address}: {error}");
            self.placements.insert(service, former);
            return Ok(());
        }
        self.republish(&service, 0)?;
        self.arena.release(former.slots, Instant::now());
        Ok(())
    }
}
