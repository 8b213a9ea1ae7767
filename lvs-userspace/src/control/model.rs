//! The director's configuration: which services there are, with which real servers.
//!
//! Pure and synchronous: what a change means and when it is refused, exactly as in IPVS
//! (net/netfilter/ipvs/ip_vs_ctl.c). What follows for the maps is another layer's business.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::change::{Change, ChangeError};
use super::service::{ServerOptions, ServiceAddress, ServiceOptions};

/// The services, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    services: IndexMap<ServiceAddress, Service>,
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What names it.
    pub address: ServiceAddress,
    /// Its settings.
    pub options: ServiceOptions,
    /// Its real servers in the order in which they were added.
    pub servers: Vec<Server>,
}

/// A real server of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What names it.
    pub address: SocketAddr,
    /// Its settings.
    pub options: ServerOptions,
}

impl Model {
    /// Every service, in the order in which they were added.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.services.values()
    }

    /// One service.
    #[must_use]
    pub fn service(&self, address: &ServiceAddress) -> Option<&Service> {
        self.services.get(address)
    }

    /// Every virtual IP address, sorted.
    #[must_use]
    pub fn vips(&self) -> Vec<IpAddr> {
        sorted(self.services().map(|service| service.address.address.ip()))
    }

    /// Every real server's address, sorted.
    #[must_use]
    pub fn server_addresses(&self) -> Vec<IpAddr> {
        sorted(self.services().flat_map(|service| &service.servers).map(|server| server.address.ip()))
    }

    /// Does one change.
    ///
    /// # Errors
    /// When IPVS would refuse it. Nothing is changed then.
    pub fn apply(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::AddService { service, options } => self.add_service(*service, options),
            Change::EditService { service, options } => self.edit_service(service, options),
            Change::DeleteService { service } => self.delete_service(service),
            Change::Clear => {
                self.services.clear();
                Ok(())
            }
            Change::AddServer { service, server, options } => self.defined(service)?.add(*server, options),
            Change::EditServer { service, server, options } => self.defined(service)?.edit(*server, options),
            Change::DeleteServer { service, server } => self.defined(service)?.delete(*server),
            Change::Zero { service } => self.zero(service.as_ref()),
        }
    }

    /// Does a batch of changes, whole or not at all.
    ///
    /// # Errors
    /// The first change that is refused, by its position in the batch, and why. Nothing is changed then.
    pub fn apply_all(&mut self, changes: &[Change]) -> Result<(), (usize, ChangeError)> {
        let mut next = self.clone();
        for (position, change) in changes.iter().enumerate() {
            next.apply(change).map_err(|error| (position, error))?;
        }
        *self = next;
        Ok(())
    }

    fn add_service(&mut self, address: ServiceAddress, options: &ServiceOptions) -> Result<(), ChangeError> {
        match self.services.entry(address) {
            Entry::Occupied(_) => Err(ChangeError::ServiceExists),
            Entry::Vacant(entry) => {
                entry.insert(Service { address, options: options.clone(), servers: Vec::new() });
                Ok(())
            }
        }
    }

    fn edit_service(
        &mut self,
        address: &ServiceAddress,
        options: &ServiceOptions,
    ) -> Result<(), ChangeError> {
        let service = self.services.get_mut(address).ok_or(ChangeError::NoSuchService)?;
        service.options.clone_from(options);
        Ok(())
    }

    fn delete_service(&mut self, address: &ServiceAddress) -> Result<(), ChangeError> {
        self.services.shift_remove(address).map(drop).ok_or(ChangeError::NoSuchService)
    }

    /// Counters are not part of the model: what remains is whether the service is there.
    fn zero(&self, address: Option<&ServiceAddress>) -> Result<(), ChangeError> {
        match address {
            Some(address) if !self.services.contains_key(address) => Err(ChangeError::NoSuchService),
            Some(_) | None => Ok(()),
        }
    }

    fn defined(&mut self, address: &ServiceAddress) -> Result<&mut Service, ChangeError> {
        self.services.get_mut(address).ok_or(ChangeError::ServiceNotDefined)
    }
}

fn sorted(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    addresses.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Service {
    fn add(&mut self, address: SocketAddr, options: &ServerOptions) -> Result<(), ChangeError> {
        if self.server_mut(address).is_some() {
            return Err(ChangeError::ServerExists);
        }
        if !is_unicast(address.ip()) || address.is_ipv6() != self.address.address.is_ipv6() {
            return Err(ChangeError::NotUnicast);
        }
        self.servers.push(Server { address, options: options.clone() });
        Ok(())
    }

    fn edit(&mut self, address: SocketAddr, options: &ServerOptions) -> Result<(), ChangeError> {
        let server = self.server_mut(address).ok_or(ChangeError::NoSuchServer)?;
        server.options.clone_from(options);
        Ok(())
    }

    fn delete(&mut self, address: SocketAddr) -> Result<(), ChangeError> {
        let position = self.servers.iter().position(|server| server.address == address);
        self.servers.remove(position.ok_or(ChangeError::NoSuchServer)?);
        Ok(())
    }

    fn server_mut(&mut self, address: SocketAddr) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.address == address)
    }
}

/// `inet_addr_type` and `ipv6_addr_type` in the kernel, as far as they don't depend on the host's routes: a
/// loopback address is local and accepted, and so is the reserved 240/4.
fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let this_network = address.octets().first() == Some(&0);
            !this_network && !address.is_multicast() && address != Ipv4Addr::BROADCAST
        }
        IpAddr::V6(address) => {
            !address.is_unspecified() && !address.is_multicast() && !address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::service::{Protocol, Scheduler};

    const OPTIONS: ServiceOptions = ServiceOptions { scheduler: Scheduler::Rr };

    fn service(port: u16) -> ServiceAddress {
        ServiceAddress { protocol: Protocol::Tcp, address: SocketAddr::from(([172, 30, 100, 1], port)) }
    }

    fn add(port: u16) -> Change {
        Change::AddService { service: service(port), options: OPTIONS }
    }

    fn add_server(port: u16, server: &str) -> Change {
        let options = ServerOptions { weight: 1 };
        Change::AddServer { service: service(port), server: server.parse().unwrap(), options }
    }

    #[test]
    fn deletion_keeps_the_others_in_their_order() {
        let mut model = Model::default();
        model.apply_all(&[add(3), add(1), add(2)]).unwrap();
        model.apply(&Change::DeleteService { service: service(1) }).unwrap();
        assert_eq!(
            model.services().map(|service| service.address).collect::<Vec<_>>(),
            [service(3), service(2)]
        );
    }

    #[test]
    fn a_refused_batch_changes_nothing() {
        let mut model = Model::default();
        model.apply(&add(1)).unwrap();
        let before = model.clone();
        let batch = [add(2), Change::Clear, add(1), add(1)];
        assert_eq!(model.apply_all(&batch), Err((3, ChangeError::ServiceExists)));
        assert_eq!(model, before);
    }

    #[test]
    fn editing_a_service_keeps_its_servers() {
        let mut model = Model::default();
        let options = ServiceOptions { scheduler: Scheduler::Wrr };
        model.apply_all(&[add(1), add_server(1, "172.30.100.126:1")]).unwrap();
        model.apply(&Change::EditService { service: service(1), options: options.clone() }).unwrap();
        let edited = model.service(&service(1)).unwrap();
        assert_eq!((edited.options.clone(), edited.servers.len()), (options, 1));
    }

    #[test]
    fn a_server_is_known_by_its_port_too() {
        let mut model = Model::default();
        model
            .apply_all(&[add(1), add_server(1, "172.30.100.126:1"), add_server(1, "172.30.100.126:2")])
            .unwrap();
        assert_eq!(model.apply(&add_server(1, "172.30.100.126:2")), Err(ChangeError::ServerExists));
    }

    #[test]
    fn a_real_server_has_a_unicast_address() {
        let mut model = Model::default();
        model.apply(&add(1)).unwrap();
        for refused in [
            "224.0.0.1:1",
            "239.255.255.255:1",
            "255.255.255.255:1",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "[2001:db8::1]:1",
        ] {
            assert_eq!(model.apply(&add_server(1, refused)), Err(ChangeError::NotUnicast), "{refused}");
        }
        for accepted in ["127.0.0.1:1", "172.30.100.126:1", "240.0.0.1:1"] {
            assert_eq!(model.apply(&add_server(1, accepted)), Ok(()), "{accepted}");
        }
    }

    #[test]
    fn ipv6_real_servers_are_global_or_loopback() {
        for (address, unicast) in
            [("2001:db8::1", true), ("::1", true), ("::", false), ("ff02::1", false), ("fe80::1", false)]
        {
            assert_eq!(is_unicast(address.parse().unwrap()), unicast, "{address}");
        }
    }

    #[test]
    fn zeroing_asks_for_a_service_that_is_there() {
        let mut model = Model::default();
        assert_eq!(model.apply(&Change::Zero { service: None }), Ok(()));
        assert_eq!(model.apply(&Change::Zero { service: Some(service(1)) }), Err(ChangeError::NoSuchService));
    }
}
