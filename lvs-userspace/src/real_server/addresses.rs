//! Interfaces and addresses by rtnetlink.

use std::io;
use std::net::IpAddr;

use futures_util::TryStreamExt;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::Handle;
use tokio::runtime::{Builder, Runtime};

use super::found::{HeldAddress, LOOPBACK};
use super::vip::Vip;

/// Reads and changes the addresses of the network namespace in which it was opened.
pub struct Addresses {
    runtime: Runtime,
    netlink: Handle,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    index: u32,
    /// For example `eth0`.
    pub name: String,
    /// Whether it is up and speaks ARP (IFF_UP without IFF_NOARP).
    pub speaks_arp: bool,
}

/// The kernel could not be asked or refused.
#[derive(Debug, thiserror::Error)]
#[error("can't {operation}")]
pub struct AddressError {
    operation: String,
    source: io::Error,
}

impl Addresses {
    /// Opens a connection to the kernel. Not to be called where a tokio runtime is running.
    ///
    /// # Errors
    /// When no netlink socket can be opened.
    pub fn open() -> Result<Self, AddressError> {
        let failed = |source| AddressError { operation: "open a netlink socket".to_owned(), source };
        let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (connection, netlink, _) = {
            let _context = runtime.enter();
            rtnetlink::new_connection().map_err(failed)?
        };
        runtime.spawn(connection);
        Ok(Self { runtime, netlink })
    }

    /// Every interface.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn interfaces(&self) -> Result<Vec<Interface>, AddressError> {
        let links: Vec<LinkMessage> = self
            .runtime
            .block_on(self.netlink.link().get().execute().try_collect())
            .map_err(failed("list the interfaces"))?;
        Ok(links.into_iter().filter_map(interface).collect())
    }

    /// The addresses of these interfaces.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn held(&self, interfaces: &[Interface]) -> Result<Vec<HeldAddress>, AddressError> {
        let addresses: Vec<AddressMessage> = self
            .runtime
            .block_on(self.netlink.address().get().execute().try_collect())
            .map_err(failed("list the addresses"))?;
        Ok(addresses.iter().filter_map(|message| held(message, interfaces)).collect())
    }

    /// What `ip address add VIP/32 dev lo` does (for IPv6: /128).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_to_loopback(&self, vip: Vip) -> Result<(), AddressError> {
        let request = self.netlink.address().add(self.loopback()?, vip.address(), vip.prefix());
        self.runtime.block_on(request.execute()).map_err(failed(&format!("add {vip}/{} to lo", vip.prefix())))
    }

    /// What `ip address del VIP/32 dev lo` does (for IPv6: /128).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove_from_loopback(&self, vip: Vip) -> Result<(), AddressError> {
        let mut add = self.netlink.address().add(self.loopback()?, vip.address(), vip.prefix());
        let request = self.netlink.address().del(add.message_mut().clone());
        self.runtime
            .block_on(request.execute())
            .map_err(failed(&format!("remove {vip}/{} from lo", vip.prefix())))
    }

    fn loopback(&self) -> Result<u32, AddressError> {
        let interfaces = self.interfaces()?;
        let loopback = interfaces.iter().find(|interface| interface.name == LOOPBACK);
        loopback.map(|interface| interface.index).ok_or_else(|| AddressError {
            operation: "find the interface lo".to_owned(),
            source: io::ErrorKind::NotFound.into(),
        })
    }
}

fn interface(message: LinkMessage) -> Option<Interface> {
    let flags = message.header.flags;
    let speaks_arp = flags.contains(LinkFlags::Up) && !flags.contains(LinkFlags::Noarp);
    message.attributes.into_iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(Interface { index: message.header.index, name, speaks_arp }),
        _ => None,
    })
}

fn held(message: &AddressMessage, interfaces: &[Interface]) -> Option<HeldAddress> {
    let interface = interfaces.iter().find(|interface| interface.index == message.header.index)?;
    Some(HeldAddress {
        interface: interface.name.clone(),
        address: own_address(message)?,
        prefix: message.header.prefix_len,
    })
}

/// On a point-to-point interface `Address` is the peer's and `Local` the own one; elsewhere `Local` may be missing.
fn own_address(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

fn failed(operation: &str) -> impl FnOnce(rtnetlink::Error) -> AddressError {
    let operation = operation.to_owned();
    move |error| AddressError { operation, source: io_error(error) }
}

fn io_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}
