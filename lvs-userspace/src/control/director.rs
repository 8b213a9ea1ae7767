//! The director's core: the model, how it stands in the data path, and the one writer of the maps. Synchronous.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use lvs_common::abi::Link;

use super::arena::Arena;
use super::change::{Change, ChangeError};
use super::indices::Indices;
use super::model::Model;
use super::placement::Placement;
use super::reach::Reach;
use super::service::ServiceAddress;
use crate::dataplane::{Dataplane, DataplaneError};

/// Services and real servers, and their place in the maps.
pub struct Director {
    pub(super) model: Model,
    pub(super) dataplane: Dataplane,
    pub(super) placements: HashMap<ServiceAddress, Placement>,
    pub(super) indices: Indices,
    pub(super) arena: Arena,
    /// What is known of each real server's address.
    pub(super) reach: HashMap<IpAddr, Reach>,
    pub(super) generation: u64,
}

/// Changes that the model accepts, with what they need of the host.
pub struct Plan {
    changes: Vec<Change>,
    model: Model,
    /// What follows for the host.
    pub effects: Effects,
}

/// What a batch of changes needs of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// Virtual IP addresses that get their first service.
    pub vips_added: Vec<IpAddr>,
    /// Virtual IP addresses that lose their last one.
    pub vips_removed: Vec<IpAddr>,
    /// Real servers' addresses to follow.
    pub servers_added: Vec<IpAddr>,
    /// Real servers' addresses that nothing needs any more.
    pub servers_removed: Vec<IpAddr>,
}

/// What a failed batch is put back to.
struct Before {
    indices: Indices,
    /// With the turn at which each service's table stood.
    placements: HashMap<ServiceAddress, Option<(Placement, u64)>>,
}

impl Director {
    /// A director without services on a data path that is loaded.
    #[must_use]
    pub fn new(dataplane: Dataplane) -> Self {
        Self {
            model: Model::default(),
            placements: HashMap::new(),
            indices: Indices::new(dataplane.server_capacity()),
            arena: Arena::new(dataplane.slot_capacity()),
            reach: HashMap::new(),
            generation: 0,
            dataplane,
        }
    }

    /// The data path, for attaching it and for test runs.
    pub fn dataplane(&mut self) -> &mut Dataplane {
        &mut self.dataplane
    }

    /// Every virtual IP address.
    #[must_use]
    pub fn vips(&self) -> Vec<IpAddr> {
        self.model.vips()
    }

    /// Checks a batch of changes; nothing happens yet.
    ///
    /// # Errors
    /// The first change that is refused, by its position in the batch, and why.
    pub fn plan(&self, changes: Vec<Change>) -> Result<Plan, (usize, ChangeError)> {
        let mut model = self.model.clone();
        model.apply_all(&changes)?;
        let (vips_added, vips_removed) = difference(&self.model.vips(), &model.vips());
        let (servers_added, servers_removed) =
            difference(&self.model.server_addresses(), &model.server_addresses());
        let effects = Effects { vips_added, vips_removed, servers_added, servers_removed };
        Ok(Plan { changes, model, effects })
    }

    /// Carries out a plan that was made of the present state: all of it, or nothing.
    ///
    /// # Errors
    /// When a table of the director is full or the kernel refuses a map update.
    pub fn commit(&mut self, plan: Plan) -> Result<(), (usize, ChangeError)> {
        let mut before = Before { indices: self.indices.clone(), placements: HashMap::new() };
        let last = plan.changes.len().saturating_sub(1);
        let performed = self.perform_all(&plan.changes, &mut before).and_then(|()| {
            self.publish_all(&plan.effects, before.placements.keys()).map_err(|error| (last, error))
        });
        match performed {
            Ok(()) => {
                self.release(&before);
                self.model = plan.model;
                self.reach.retain(|address, _| !plan.effects.servers_removed.contains(address));
                Ok(())
            }
            Err(refused) => {
                self.put_back(before);
                self.withdraw_vips(&plan.effects.vips_added);
                Err(refused)
            }
        }
    }

    fn perform_all(&mut self, changes: &[Change], before: &mut Before) -> Result<(), (usize, ChangeError)> {
        for (position, change) in changes.iter().enumerate() {
            for service in self.touched(change) {
                self.remember(service, before).map_err(|error| (position, failed(&error)))?;
            }
            self.perform(change).map_err(|error| (position, error))?;
        }
        Ok(())
    }

    /// Which services a change concerns.
    fn touched(&self, change: &Change) -> Vec<ServiceAddress> {
        match change {
            Change::AddService { service, .. }
            | Change::EditService { service, .. }
            | Change::DeleteService { service }
            | Change::AddServer { service, .. }
            | Change::EditServer { service, .. }
            | Change::DeleteServer { service, .. }
            | Change::Zero { service: Some(service) } => vec![*service],
            Change::Clear | Change::Zero { service: None } => self.placements.keys().copied().collect(),
        }
    }

    /// Before a service is touched for the first time its scheduler catches up with the data path.
    fn remember(&mut self, service: ServiceAddress, before: &mut Before) -> Result<(), DataplaneError> {
        if before.placements.contains_key(&service) {
            return Ok(());
        }
        let former = self.placements.get(&service).cloned();
        let turn = self.settle(&service)?;
        before.placements.insert(service, former.map(|former| (former, turn)));
        Ok(())
    }

    /// The tables that the batch has replaced are free, and nothing is sent to real servers that it has deleted.
    fn release(&mut self, before: &Before) {
        for (service, former) in &before.placements {
            let Some((former, _)) = former else { continue };
            self.arena.release(former.slots, Instant::now());
            self.unlink(former, service);
        }
    }

    fn put_back(&mut self, before: Before) {
        let mut touched = Vec::new();
        for (service, former) in before.placements {
            touched.push((service, former.as_ref().map_or(0, |(_, turn)| *turn)));
            let tried = match former {
                Some((placement, _)) => self.placements.insert(service, placement),
                None => self.placements.remove(&service),
            };
            let slots = tried.map(|tried| tried.slots);
            let kept = self.placements.get(&service).map(|placement| placement.slots);
            if let Some(slots) = slots.filter(|slots| Some(*slots) != kept) {
                self.arena.release(slots, Instant::now());
            }
        }
        self.indices = before.indices;
        for (service, turn) in touched {
            if let Err(error) = self.republish(&service, turn) {
                tracing::error!("{service}: can't go back to its former servers: {error}");
            }
        }
    }

    /// Ages a part of the connection table, and after the last part frees what deleted real servers have left.
    pub fn age(&mut self) {
        let whole_table = self.dataplane.age();
        if whole_table && self.indices.has_tombstones() {
            let named = self.dataplane.servers_with_connections();
            self.indices.reclaim(&named);
        }
    }

    /// Writes a real server's link into the data path.
    pub(super) fn write_link(&self, server: u32, reach: Option<&Reach>) {
        self.dataplane.set_link(server, reach.map_or(Link::UNRESOLVED, Reach::link));
    }
}

/// A map update that failed, as the answer to a change.
pub(super) fn failed(error: &DataplaneError) -> ChangeError {
    ChangeError::Failed(error.to_string())
}

/// What is only in the second, and what is only in the first.
fn difference(old: &[IpAddr], new: &[IpAddr]) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let only = |some: &[IpAddr], others: &[IpAddr]| {
        some.iter().filter(|address| others.binary_search(address).is_err()).copied().collect()
    };
    (only(new, old), only(old, new))
}
