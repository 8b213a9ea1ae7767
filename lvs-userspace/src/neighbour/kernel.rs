//! The requests to the kernel.

use std::collections::HashMap;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourExtFlags, NeighbourFlags};

use super::entry::{Entry, naming};
use super::ownership::{Claim, Deed, Management, is_still_ours};
use super::path::Path;
use super::reachability::Sight;
use crate::interface::{Interface, InterfaceError};
use crate::netlink::{Existing, Netlink, NetlinkError, route_request};

/// The kernel's answers to a route request that mean "there is none": nothing known, `unreachable`, `prohibit`,
/// `blackhole`.
const NO_ROUTE: [i32; 4] = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::EACCES, libc::EINVAL];

/// Looks at addresses one after the other. Interfaces are asked for once.
pub(super) struct Looker<'a> {
    netlink: &'a Netlink,
    interfaces: HashMap<u32, Interface>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(netlink: &'a Netlink) -> Self {
        Self { netlink, interfaces: HashMap::new() }
    }

    /// Everything that the kernel says about `address` now.
    pub(super) async fn look(&mut self, address: IpAddr) -> Result<Sight, NetlinkError> {
        let interface_index = match path(self.netlink, address).await? {
            Path::Local => return Ok(Sight::Local),
            Path::Blocked(reason) => return Ok(Sight::Blocked(reason)),
            Path::OnLink { interface_index } => interface_index,
        };
        match self.interface(interface_index).await {
            Ok(interface) => {
                let entry = entry(self.netlink, address, interface_index).await?;
                Ok(Sight::OnLink { interface, entry })
            }
            Err(InterfaceError::Netlink(error)) => Err(error),
            Err(error) => Ok(Sight::Blocked(error.to_string())),
        }
    }

    async fn interface(&mut self, index: u32) -> Result<Interface, InterfaceError> {
        if let Some(interface) = self.interfaces.get(&index) {
            return Ok(interface.clone());
        }
        let interface = Interface::by_index(self.netlink, index).await?;
        self.interfaces.insert(index, interface.clone());
        Ok(interface)
    }
}

async fn path(netlink: &Netlink, address: IpAddr) -> Result<Path, NetlinkError> {
    let request = RouteNetlinkMessage::GetRoute(route_request(address));
    match netlink.get(format!("look up the route to {address}"), request).await {
        Ok(RouteNetlinkMessage::NewRoute(route)) => Ok(Path::from_route(address, &route)),
        Err(error) if !error.is_one_of(&NO_ROUTE) => Err(error),
        Ok(_) | Err(_) => Ok(Path::none(address)),
    }
}

async fn entry(
    netlink: &Netlink,
    address: IpAddr,
    interface_index: u32,
) -> Result<Option<Entry>, NetlinkError> {
    let operation = format!("look up the neighbour entry of {address} on interface {interface_index}");
    let request = RouteNetlinkMessage::GetNeighbour(naming(address, interface_index));
    match netlink.get(operation, request).await {
        Ok(RouteNetlinkMessage::NewNeighbour(message)) => Ok(Entry::from_message(&message)),
        Err(error) if !error.is_one_of(&[libc::ENOENT, libc::ENODEV]) => Err(error),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Whether a request for an entry also makes it managed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Resolve it now and keep it resolved. A kernel that does not know the flag resolves it once.
    Manage,
    /// Resolve it now. This takes the flag from an entry that has it.
    UseOnce,
}

/// Asks the kernel to resolve an address now and to keep it resolved. Tells whether it does the latter.
pub(super) async fn ask(
    netlink: &Netlink,
    address: IpAddr,
    interface_index: u32,
    learned: bool,
) -> Result<Management, NetlinkError> {
    match request(netlink, address, interface_index, learned, Request::Manage).await {
        Err(error) if error.is_one_of(&[libc::EINVAL]) => {
            request(netlink, address, interface_index, learned, Request::UseOnce).await?;
        }
        sent => sent?,
    }
    let entry = entry(netlink, address, interface_index).await?;
    let is_on_its_own = entry.is_some_and(|entry| !entry.managed && !entry.is_static());
    Ok(if is_on_its_own { Management::ByAsking } else { Management::ByKernel })
}

async fn request(
    netlink: &Netlink,
    address: IpAddr,
    interface_index: u32,
    learned: bool,
    request: Request,
) -> Result<(), NetlinkError> {
    let mut message = naming(address, interface_index);
    message.header.flags = NeighbourFlags::Use;
    // The kernel takes this flag away from an entry, too, when it is not repeated.
    message.header.flags.set(NeighbourFlags::ExtLearned, learned);
    if request == Request::Manage {
        message.attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
    }
    let operation = format!("ask for the neighbour entry of {address} on interface {interface_index}");
    netlink.create(operation, RouteNetlinkMessage::NewNeighbour(message), Existing::Replace).await
}

/// Undoes what was done to an entry, if it is still there and still ours.
pub(super) async fn release(
    netlink: &Netlink,
    claim: Claim,
    management: Management,
) -> Result<(), NetlinkError> {
    let Claim { address, interface_index, deed } = claim;
    let Some(entry) = entry(netlink, address, interface_index).await? else { return Ok(()) };
    if !is_still_ours(&entry, management) {
        return Ok(());
    }
    match deed {
        Deed::Created => delete(netlink, address, interface_index).await,
        Deed::MadeManaged => {
            request(netlink, address, interface_index, entry.learned, Request::UseOnce).await
        }
    }
}

async fn delete(netlink: &Netlink, address: IpAddr, interface_index: u32) -> Result<(), NetlinkError> {
    let operation = format!("delete the neighbour entry of {address} on interface {interface_index}");
    let request = RouteNetlinkMessage::DelNeighbour(naming(address, interface_index));
    match netlink.delete(operation, request).await {
        Err(error) if !error.is_one_of(&[libc::ENOENT, libc::ENODEV]) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
