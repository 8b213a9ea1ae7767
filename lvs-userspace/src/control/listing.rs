//! The state at one moment.

use super::director::Director;
use super::model::{Server, Service};
use super::placement::Placement;
use super::snapshot::{NeighbourState, ServerState, ServiceState, Snapshot, Traffic};
use crate::dataplane::DataplaneError;

impl Director {
    /// Everything that a listing shows.
    ///
    /// # Errors
    /// When a counter can't be read.
    pub fn snapshot(&self) -> Result<Snapshot, DataplaneError> {
        let services = self.model.services().filter_map(|service| {
            let placement = self.placements.get(&service.address)?;
            Some(self.service_state(service, placement))
        });
        Ok(Snapshot {
            connection_capacity: self.dataplane.connection_capacity(),
            services: services.collect::<Result<_, _>>()?,
            reasons: self.dataplane.reasons()?,
        })
    }

    fn service_state(
        &self,
        service: &Service,
        placement: &Placement,
    ) -> Result<ServiceState, DataplaneError> {
        let mut traffic = placement.departed;
        for server in &placement.servers {
            traffic = traffic.plus(self.dataplane.traffic(server.index)?.since(server.joined));
        }
        let servers = service.servers.iter().map(|server| self.server_state(server, placement));
        Ok(ServiceState {
            service: service.address,
            options: service.options.clone(),
            traffic,
            servers: servers.collect::<Result<_, _>>()?,
        })
    }

    fn server_state(&self, server: &Server, placement: &Placement) -> Result<ServerState, DataplaneError> {
        let placed = placement.servers.iter().find(|placed| placed.address == server.address);
        let (traffic, connections) = match placed {
            Some(placed) => (
                self.dataplane.traffic(placed.index)?.since(placed.zeroed),
                self.dataplane.connections(placed.index),
            ),
            None => (Traffic::default(), (0, 0)),
        };
        let asked = || NeighbourState::Unresolved { reason: "its MAC address is being asked for".to_owned() };
        Ok(ServerState {
            server: server.address,
            options: server.options.clone(),
            active_connections: connections.0,
            inactive_connections: connections.1,
            traffic,
            neighbour: self.reach.get(&server.address.ip()).map_or_else(asked, |reach| reach.state.clone()),
        })
    }
}
