//! The host that becomes a real server: the only place where it is looked at or changed.

use super::addresses::Addresses;
use super::found::{ArpInterface, Found, LOOPBACK};
use super::plan::{Step, Undo};
use super::setting::Setting;
use super::sysctl::{Sysctl, SysctlError};
use super::vip::Vip;
use crate::interface::Interface;
use crate::netlink::NetlinkError;

/// What the companion needs of a host.
pub trait Host {
    /// Looks at all that matters.
    ///
    /// # Errors
    /// When something can't be read.
    fn look(&self) -> Result<Found, HostError>;

    /// Gives a setting a value.
    ///
    /// # Errors
    /// When it is refused; nothing is changed then.
    fn set(&mut self, setting: Setting, value: i32) -> Result<(), HostError>;

    /// Puts an address that is not there on `lo`.
    ///
    /// # Errors
    /// When it is refused; nothing is changed then.
    fn add_address(&mut self, vip: Vip) -> Result<(), HostError>;

    /// Takes an address from `lo`.
    ///
    /// # Errors
    /// When it is refused; nothing is changed then.
    fn remove_address(&mut self, vip: Vip) -> Result<(), HostError>;

    /// Makes one change of `up`.
    ///
    /// # Errors
    /// When it is refused; nothing is changed then.
    fn execute(&mut self, step: &Step) -> Result<(), HostError> {
        match *step {
            Step::Set { setting, value, .. } => self.set(setting, value),
            Step::AddAddress { vip } => self.add_address(vip),
        }
    }

    /// Makes one change of `down`.
    ///
    /// # Errors
    /// When it is refused; nothing is changed then.
    fn undo(&mut self, undo: &Undo) -> Result<(), HostError> {
        match *undo {
            Undo::Restore { setting, found, .. } => self.set(setting, found),
            Undo::RemoveAddress { vip } => self.remove_address(vip),
        }
    }
}

/// The host could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A setting.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// An interface or address.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// The kernel of this machine, in the network namespace of the thread that opened it.
pub struct Kernel {
    sysctl: Sysctl,
    addresses: Addresses,
}

impl Kernel {
    /// Opens what is needed. Not to be called where a tokio runtime is running.
    ///
    /// # Errors
    /// When no netlink socket can be opened.
    pub fn open() -> Result<Self, HostError> {
        Ok(Self { sysctl: Sysctl::default(), addresses: Addresses::open()? })
    }

    /// An interface that vanishes meanwhile is left out.
    fn arp_interface(&self, name: &str) -> Option<Result<ArpInterface, SysctlError>> {
        match self.sysctl.conf(name) {
            Ok(conf) => Some(Ok(ArpInterface { name: name.to_owned(), conf })),
            Err(error) if error.is_missing_interface() => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl Host for Kernel {
    fn look(&self) -> Result<Found, HostError> {
        let interfaces = self.addresses.interfaces()?;
        let arp_interfaces = interfaces
            .iter()
            .filter(|interface| can_answer_arp(interface))
            .filter_map(|interface| self.arp_interface(&interface.name))
            .collect::<Result<_, _>>()?;
        Ok(Found {
            all: self.sysctl.conf("all")?,
            lo: self.sysctl.conf(LOOPBACK)?,
            arp_interfaces,
            addresses: self.addresses.held(&interfaces)?,
        })
    }

    fn set(&mut self, setting: Setting, value: i32) -> Result<(), HostError> {
        Ok(self.sysctl.set(setting, value)?)
    }

    fn add_address(&mut self, vip: Vip) -> Result<(), HostError> {
        Ok(self.addresses.add_to_loopback(vip)?)
    }

    fn remove_address(&mut self, vip: Vip) -> Result<(), HostError> {
        Ok(self.addresses.remove_from_loopback(vip)?)
    }
}

fn can_answer_arp(interface: &Interface) -> bool {
    interface.up && interface.arp && interface.name != LOOPBACK
}
