//! The virtual IP addresses of services on the director itself, so that someone answers ARP for them.
//!
//! An address is written into a journal before it is added, and crossed out after it was removed. The next process
//! after a crash so knows each address that it has to remove, and never removes one that was there before.

mod address;
mod announce;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use macaddr::MacAddr6;
use tokio::task::AbortHandle;

use crate::interface::{Interface, InterfaceError};
use crate::journal::{Journal, JournalError};
use crate::netlink::{Netlink, NetlinkError};
use address::{Addition, OwnAddress};

/// What [`Vips::ensure`] found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was added, and will be removed when released.
    Added,
    /// It is there because we added it, now or before a crash.
    AlreadyOurs,
    /// It was there without us, and will stay.
    AlreadyLocal,
}

/// A VIP could not be added, removed or looked up.
#[derive(Debug, thiserror::Error)]
pub enum VipError {
    /// The kernel refused or can't be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// What we add can't be written down, so it is not added.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The interface can't have VIPs.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
}

/// The VIPs that this director added.
#[derive(Debug)]
pub struct Vips {
    netlink: Netlink,
    journal: Journal<Vec<OwnAddress>>,
    /// The interface of each.
    ours: BTreeMap<IpAddr, u32>,
    announcements: BTreeMap<IpAddr, AbortHandle>,
}

impl Vips {
    /// Reads the journal at `path`. VIPs of a killed predecessor that are still there are ours again: keep them by
    /// [`Vips::ensure`], or remove them by [`Vips::retain`].
    ///
    /// # Errors
    ///
    /// The journal can't be read or brought up to date, or the kernel can't be asked for its addresses.
    pub async fn open(netlink: Netlink, path: PathBuf) -> Result<Self, VipError> {
        let journal = Journal::<Vec<OwnAddress>>::here(path, "vips-1")?;
        let (written, discarded) = journal.recover()?;
        discarded.iter().for_each(|discarded| tracing::warn!("{discarded}"));
        let written = written.unwrap_or_default();
        let present = if written.is_empty() { BTreeSet::new() } else { address::present(&netlink).await? };
        let adopted = written.into_iter().filter(|own| present.contains(own));
        let ours = adopted.map(|own| (own.address, own.interface_index)).collect();
        let vips = Self { netlink, journal, ours, announcements: BTreeMap::new() };
        vips.write_down()?;
        Ok(vips)
    }

    /// Makes a VIP an address of this host: adds and announces it unless it is there.
    ///
    /// # Errors
    ///
    /// The interface is missing or not Ethernet, the journal can't be written, or the kernel refuses the address.
    pub async fn ensure(&mut self, vip: IpAddr, interface_index: u32) -> Result<Ensured, VipError> {
        match self.ours.get(&vip) {
            Some(held_on) if *held_on != interface_index => self.release(vip).await.map(drop)?,
            Some(_) => {}
            None if self.is_local(vip).await? => return Ok(Ensured::AlreadyLocal),
            None => {}
        }
        let mac = Interface::by_index(&self.netlink, interface_index).await?.ethernet_mac()?;
        self.add(OwnAddress { address: vip, interface_index }, mac).await
    }

    /// Removes a VIP, if it is one that we added. Tells whether it was.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the journal can't be written. The VIP is still ours then.
    pub async fn release(&mut self, vip: IpAddr) -> Result<bool, VipError> {
        let Some(&interface_index) = self.ours.get(&vip) else { return Ok(false) };
        self.stop_announcing(vip);
        address::remove(&self.netlink, OwnAddress { address: vip, interface_index }).await?;
        self.ours.remove(&vip);
        self.write_down()?;
        Ok(true)
    }

    /// Removes every VIP that we added.
    ///
    /// # Errors
    ///
    /// The first one that could not be removed; the others are.
    pub async fn release_all(&mut self) -> Result<(), VipError> {
        self.retain(&BTreeSet::new()).await
    }

    /// Removes the VIPs that we added and that are not needed.
    ///
    /// # Errors
    ///
    /// The first one that could not be removed; the others are.
    pub async fn retain(&mut self, needed: &BTreeSet<IpAddr>) -> Result<(), VipError> {
        let surplus: Vec<_> = self.ours.keys().filter(|vip| !needed.contains(vip)).copied().collect();
        let mut result = Ok(());
        for vip in surplus {
            let released = self.release(vip).await.map(drop);
            result = result.and(released);
        }
        result
    }

    /// Whether packets for `address` are delivered to this host, whoever arranged that.
    ///
    /// # Errors
    ///
    /// The kernel can't be asked.
    pub async fn is_local(&self, address: IpAddr) -> Result<bool, VipError> {
        Ok(address::is_local(&self.netlink, address).await?)
    }

    /// The VIPs that we added.
    pub fn ours(&self) -> impl Iterator<Item = IpAddr> {
        self.ours.keys().copied()
    }

    /// Announces a VIP that we added again, for example after its interface came back or changed its MAC address.
    ///
    /// # Errors
    ///
    /// The interface is missing or not Ethernet.
    pub async fn announce(&mut self, vip: IpAddr) -> Result<(), VipError> {
        let Some(&interface_index) = self.ours.get(&vip) else { return Ok(()) };
        let mac = Interface::by_index(&self.netlink, interface_index).await?.ethernet_mac()?;
        self.start_announcing(OwnAddress { address: vip, interface_index }, mac);
        Ok(())
    }

    /// Adds without asking first whether it is there: the kernel's answer tells, and nothing can come in between.
    async fn add(&mut self, own: OwnAddress, mac: MacAddr6) -> Result<Ensured, VipError> {
        let was_ours = self.ours.insert(own.address, own.interface_index).is_some();
        if !was_ours && let Err(error) = self.write_down() {
            self.ours.remove(&own.address);
            return Err(error);
        }
        match address::add(&self.netlink, own).await {
            Ok(Addition::Added) => {
                self.start_announcing(own, mac);
                Ok(Ensured::Added)
            }
            Ok(Addition::Existed) if was_ours => Ok(Ensured::AlreadyOurs),
            Ok(Addition::Existed) => self.forget(own.address).map(|()| Ensured::AlreadyLocal),
            Err(error) => {
                self.forget(own.address)?;
                Err(error.into())
            }
        }
    }

    fn forget(&mut self, vip: IpAddr) -> Result<(), VipError> {
        self.ours.remove(&vip);
        self.write_down()
    }

    fn write_down(&self) -> Result<(), VipError> {
        let own = |(&address, &interface_index)| OwnAddress { address, interface_index };
        let ours: Vec<_> = self.ours.iter().map(own).collect();
        let written = if ours.is_empty() { self.journal.remove() } else { self.journal.store(&ours) };
        Ok(written?)
    }

    fn start_announcing(&mut self, own: OwnAddress, mac: MacAddr6) {
        self.stop_announcing(own.address);
        // IPv6 neighbours learn of an address from the kernel's own neighbour advertisement.
        if let IpAddr::V4(vip) = own.address {
            let task = tokio::spawn(announce::announce(vip, own.interface_index, mac));
            self.announcements.insert(own.address, task.abort_handle());
        }
    }

    fn stop_announcing(&mut self, vip: IpAddr) {
        if let Some(announcement) = self.announcements.remove(&vip) {
            announcement.abort();
        }
    }
}
