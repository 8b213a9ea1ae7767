//! What each change does to the placements.

use std::net::SocketAddr;

use lvs_common::abi::Link;

use super::change::{Change, ChangeError};
use super::director::{Director, failed};
use super::indices::Tombstone;
use super::placement::{PlacedServer, Placement};
use super::reach::Reach;
use super::service::{ServerOptions, ServiceAddress, ServiceOptions};
use super::snapshot::Traffic;

impl Director {
    /// Does a change that the model has accepted; the services' tables are published later.
    pub(super) fn perform(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::AddService { service, options } => self.add_service(*service, options),
            Change::EditService { service, options } => {
                self.placement(service)?.set_scheduler(options.scheduler);
                Ok(())
            }
            Change::DeleteService { service } => self.delete_service(service),
            Change::Clear => {
                let services: Vec<_> = self.placements.keys().copied().collect();
                services.iter().try_for_each(|service| self.delete_service(service))
            }
            Change::AddServer { service, server, options } => self.add_server(service, *server, options),
            Change::EditServer { service, server, options } => self.edit_server(service, *server, options),
            Change::DeleteServer { service, server } => self.delete_server(service, *server),
            Change::Zero { service: Some(service) } => self.zero(service),
            Change::Zero { service: None } => {
                let services: Vec<_> = self.placements.keys().copied().collect();
                services.iter().try_for_each(|service| self.zero(service))
            }
        }
    }

    fn placement(&mut self, service: &ServiceAddress) -> Result<&mut Placement, ChangeError> {
        self.placements.get_mut(service).ok_or(ChangeError::ServiceNotDefined)
    }

    fn traffic(&self, index: u32) -> Result<Traffic, ChangeError> {
        self.dataplane.traffic(index).map_err(|error| failed(&error))
    }

    fn add_service(&mut self, service: ServiceAddress, options: &ServiceOptions) -> Result<(), ChangeError> {
        if service.address.is_ipv6() {
            return Err(ChangeError::Failed(format!("{service}: this version balances IPv4 only")));
        }
        self.generation += 1;
        self.placements.insert(service, Placement::new(self.generation, options.scheduler));
        Ok(())
    }

    fn delete_service(&mut self, service: &ServiceAddress) -> Result<(), ChangeError> {
        let servers: Vec<_> = self.placement(service)?.servers.iter().map(|server| server.address).collect();
        servers.into_iter().try_for_each(|server| self.delete_server(service, server))?;
        self.placements.remove(service);
        Ok(())
    }

    fn add_server(
        &mut self,
        service: &ServiceAddress,
        server: SocketAddr,
        options: &ServerOptions,
    ) -> Result<(), ChangeError> {
        let generation = self.placement(service)?.generation;
        let revived = self.indices.revive(&(*service, server));
        let index = revived.map_or_else(|| self.indices.allocate(), |tombstone| Ok(tombstone.index))?;
        let joined = self.traffic(index)?;
        let same_service = revived.filter(|tombstone| tombstone.generation == generation);
        let placed = PlacedServer {
            address: server,
            index,
            weight: options.weight,
            available: self.reach.get(&server.ip()).is_some_and(Reach::is_available),
            joined,
            zeroed: same_service.map_or(joined, |tombstone| tombstone.zeroed),
        };
        let placement = self.placement(service)?;
        placement.servers.insert(0, placed);
        let candidates = placement.candidates();
        placement.turns.server_added(&candidates);
        Ok(())
    }

    fn edit_server(
        &mut self,
        service: &ServiceAddress,
        server: SocketAddr,
        options: &ServerOptions,
    ) -> Result<(), ChangeError> {
        let placement = self.placement(service)?;
        for placed in placement.servers.iter_mut().filter(|placed| placed.address == server) {
            placed.weight = options.weight;
        }
        let candidates = placement.candidates();
        placement.turns.server_edited(&candidates);
        Ok(())
    }

    fn delete_server(&mut self, service: &ServiceAddress, server: SocketAddr) -> Result<(), ChangeError> {
        let placement = self.placement(service)?;
        let position = placement.position(server).ok_or(ChangeError::NoSuchServer)?;
        let placed = placement.servers.remove(position);
        let candidates = placement.candidates();
        placement.turns.server_removed(&candidates, position);
        let generation = placement.generation;
        let sent = self.traffic(placed.index)?;
        let placement = self.placement(service)?;
        placement.departed = placement.departed.plus(sent.since(placed.joined));
        let tombstone = Tombstone { index: placed.index, generation, zeroed: placed.zeroed };
        self.indices.bury((*service, server), tombstone);
        Ok(())
    }

    fn zero(&mut self, service: &ServiceAddress) -> Result<(), ChangeError> {
        let servers = self.placement(service)?.servers.clone();
        let zeroed = servers.into_iter().map(|server| {
            let sent = self.traffic(server.index)?;
            Ok(PlacedServer { joined: sent, zeroed: sent, ..server })
        });
        let servers = zeroed.collect::<Result<Vec<_>, ChangeError>>()?;
        let placement = self.placement(service)?;
        placement.servers = servers;
        placement.departed = Traffic::default();
        Ok(())
    }

    /// Deleted real servers' connections find nothing any more.
    pub(super) fn unlink(&self, former: &Placement, service: &ServiceAddress) {
        let present = self.placements.get(service);
        for server in &former.servers {
            let stays =
                present.is_some_and(|present| present.servers.iter().any(|s| s.index == server.index));
            if !stays {
                self.dataplane.set_link(server.index, Link::DELETED);
            }
        }
    }
}
