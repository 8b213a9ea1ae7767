//! Bringing placements into the maps.
//!
//! The order matters while packets flow: a real server's link stands before a table names it, a table is whole before a
//! service names it, and a service is gone before its address stops being a virtual one.

use std::net::IpAddr;
use std::time::Instant;

use super::change::ChangeError;
use super::director::{Director, Effects, failed};
use super::placement::{service_key, vip_key};
use super::service::ServiceAddress;
use crate::dataplane::DataplaneError;

impl Director {
    /// Publishes the services that a batch concerns; what is gone is withdrawn.
    pub(super) fn publish_all<'a>(
        &mut self,
        effects: &Effects,
        services: impl Iterator<Item = &'a ServiceAddress>,
    ) -> Result<(), ChangeError> {
        self.set_vips(&effects.vips_added, true)?;
        for service in services {
            self.compile(service)?;
            self.republish(service, 0).map_err(|error| failed(&error))?;
        }
        self.set_vips(&effects.vips_removed, false)
    }

    fn set_vips(&mut self, addresses: &[IpAddr], virtual_ip: bool) -> Result<(), ChangeError> {
        for key in addresses.iter().copied().filter_map(vip_key) {
            self.dataplane.set_vip(key, virtual_ip).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Compiles the service's scheduler to a new table. The former one stays until the batch is done.
    pub(super) fn compile(&mut self, service: &ServiceAddress) -> Result<(), ChangeError> {
        let Some(placement) = self.placements.get_mut(service) else {
            return Ok(());
        };
        let table = placement.table();
        let limit = self.dataplane.slot_capacity();
        let full = || ChangeError::Full { what: "scheduling slot".to_owned(), limit };
        placement.slots = self.arena.allocate(table.len() as u32, Instant::now()).ok_or_else(full)?;
        self.dataplane.write_slots(placement.slots.first, table);
        Ok(())
    }

    /// Virtual IP addresses of a batch that came to nothing.
    pub(super) fn withdraw_vips(&mut self, addresses: &[IpAddr]) {
        if let Err(error) = self.set_vips(addresses, false) {
            tracing::error!("can't withdraw {addresses:?}: {error}");
        }
    }

    /// Makes the data path know the service as it is placed, its table at this turn.
    pub(super) fn republish(&mut self, service: &ServiceAddress, turn: u64) -> Result<(), DataplaneError> {
        let Some(key) = service_key(service) else {
            return Ok(());
        };
        match self.placements.get(service) {
            Some(placement) => {
                for server in &placement.servers {
                    self.write_link(server.index, self.reach.get(&server.address.ip()));
                }
                self.dataplane.put_service_at(key, placement.slots, turn)
            }
            None => self.dataplane.withdraw_service(key),
        }
    }

    /// The scheduler catches up with the connections that its published table has scheduled, and a new table begins there.
    /// Gives the turn at which the table stands.
    pub(super) fn settle(&mut self, service: &ServiceAddress) -> Result<u64, DataplaneError> {
        let (Some(placement), Some(key)) = (self.placements.get_mut(service), service_key(service)) else {
            return Ok(0);
        };
        let turn = self.dataplane.turn(key)?;
        placement.settle(turn);
        Ok(turn)
    }
}
