//! Interfaces and addresses by rtnetlink, for a caller that waits.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use tokio::runtime::{Builder, Runtime};

use super::found::HeldAddress;
use super::vip::Vip;
use crate::interface::Interface;
use crate::netlink::{Existing, Netlink, NetlinkError, address_message, addresses, own_address};

/// The index of `lo` in every network namespace (`LOOPBACK_IFINDEX` in `include/net/flow.h`).
const LOOPBACK_INDEX: u32 = 1;

/// Reads and changes the addresses of the network namespace in which it was opened.
pub struct Addresses {
    runtime: Runtime,
    netlink: Netlink,
}

impl Addresses {
    /// Opens a connection to the kernel. Not to be called where a tokio runtime is running.
    ///
    /// # Errors
    /// When no netlink socket can be opened.
    pub fn open() -> Result<Self, NetlinkError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| NetlinkError::new("wait for rtnetlink", cause))?;
        let netlink = runtime.block_on(async { Netlink::open() })?;
        Ok(Self { runtime, netlink })
    }

    /// Every interface.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn interfaces(&self) -> Result<Vec<Interface>, NetlinkError> {
        self.runtime.block_on(Interface::all(&self.netlink))
    }

    /// The addresses of these interfaces.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn held(&self, interfaces: &[Interface]) -> Result<Vec<HeldAddress>, NetlinkError> {
        let messages = self.runtime.block_on(addresses(&self.netlink))?;
        Ok(messages.iter().filter_map(|message| held(message, interfaces)).collect())
    }

    /// What `ip address add VIP/32 dev lo` does (for IPv6: /128).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_to_loopback(&self, vip: Vip) -> Result<(), NetlinkError> {
        let operation = format!("add {vip}/{} to lo", vip.prefix());
        let message = RouteNetlinkMessage::NewAddress(on_loopback(vip));
        self.runtime.block_on(self.netlink.create(operation, message, Existing::Refuse))
    }

    /// What `ip address del VIP/32 dev lo` does (for IPv6: /128).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove_from_loopback(&self, vip: Vip) -> Result<(), NetlinkError> {
        let operation = format!("remove {vip}/{} from lo", vip.prefix());
        let message = RouteNetlinkMessage::DelAddress(on_loopback(vip));
        self.runtime.block_on(self.netlink.delete(operation, message))
    }
}

fn on_loopback(vip: Vip) -> AddressMessage {
    address_message(vip.address(), LOOPBACK_INDEX)
}

fn held(message: &AddressMessage, interfaces: &[Interface]) -> Option<HeldAddress> {
    let interface = interfaces.iter().find(|interface| interface.index == message.header.index)?;
    Some(HeldAddress {
        interface: interface.name.clone(),
        address: own_address(message)?,
        prefix: message.header.prefix_len,
    })
}
