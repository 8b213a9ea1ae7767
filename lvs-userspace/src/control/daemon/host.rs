//! What a director does with the host around it: VIPs on its interface, neighbours, and the interface itself.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Daemon, DaemonError};
use crate::control::change::ChangeError;
use crate::control::reach::Behind;
use crate::dataplane::DataplaneError;
use crate::interface::{Interface, InterfaceChange, InterfaceError};
use crate::neighbour::{NeighbourEvent, Reachability};
use crate::netlink::NetlinkError;
use crate::vip::Ensured;

/// For so long a real server may be silent before it is worth a warning: at first every one is.
const PATIENCE: Duration = Duration::from_secs(1);

impl Daemon {
    /// All of them or none. Gives those that were not there before.
    pub(super) async fn ensure_vips(&mut self, vips: &[IpAddr]) -> Result<Vec<IpAddr>, ChangeError> {
        let mut added = Vec::new();
        for vip in vips {
            if !self.manage_vips {
                self.warn_unless_local(*vip).await;
                continue;
            }
            match self.vips.ensure(*vip, self.interface.index).await {
                Ok(Ensured::Added) => added.push(*vip),
                Ok(Ensured::AlreadyOurs | Ensured::AlreadyLocal) => {}
                Err(error) => {
                    self.release_vips(&added).await;
                    return Err(ChangeError::Failed(format!(
                        "can't put {vip} on {}: {error}",
                        self.interface.name
                    )));
                }
            }
        }
        Ok(added)
    }

    /// Removes those that are ours.
    pub(super) async fn release_vips(&mut self, vips: &[IpAddr]) {
        for vip in vips {
            if let Err(error) = self.vips.release(*vip).await {
                tracing::error!("can't remove {vip} from {}: {error}", self.interface.name);
            }
        }
    }

    async fn warn_unless_local(&self, vip: IpAddr) {
        match self.vips.is_local(vip).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(
                "VIP {vip} is not an address of this host: no one answers ARP for it, so clients can't reach it; \
                 `ip address add {vip}/32 dev {}`, or start the director with --manage-vips",
                self.interface.name
            ),
            Err(error) => {
                tracing::warn!("can't find out whether VIP {vip} is an address of this host: {error}");
            }
        }
    }

    /// A real server is reached in another way than before.
    pub(super) async fn neighbour(&mut self, NeighbourEvent { address, state }: NeighbourEvent) {
        let done = match state {
            Reachability::Resolved { mac, interface_index, interface } => {
                match self.behind(interface_index).await {
                    Ok(behind) => {
                        self.silent.remove(&address);
                        tracing::info!("real server {address} is {mac} behind {interface}");
                        self.director.resolved(address, mac, &behind)
                    }
                    Err(error) => self.unresolved(address, error.to_string()),
                }
            }
            Reachability::Unresolved { reason } => self.unresolved(address, reason),
            Reachability::Local => self.unresolved(
                address,
                "it is an address of the director itself, which serves no requests".to_owned(),
            ),
        };
        if let Err(error) = done {
            tracing::error!("real server {address}: {error}");
        }
    }

    fn unresolved(&mut self, address: IpAddr, reason: String) -> Result<(), DataplaneError> {
        self.silent.insert(address, (Instant::now(), reason.clone()));
        self.director.unresolved(address, reason)
    }

    /// Warns of real servers that have stayed silent.
    pub(super) fn report_silent(&mut self) {
        for (address, (_, reason)) in self.silent.extract_if(.., |_, (since, _)| since.elapsed() >= PATIENCE)
        {
            tracing::warn!("real server {address} gets no new connections: {reason}");
        }
    }

    async fn behind(&self, index: u32) -> Result<Behind, InterfaceError> {
        let interface = Interface::by_index(&self.netlink, index).await?;
        Ok(Behind { mac: interface.ethernet_mac()?, interface: interface.name, index })
    }

    /// The interface has changed.
    pub(super) async fn link(
        &mut self,
        change: Result<InterfaceChange, NetlinkError>,
    ) -> Result<(), DaemonError> {
        match change? {
            InterfaceChange::Removed => return Err(DaemonError::InterfaceGone(self.interface.name.clone())),
            InterfaceChange::Changed(now) => {
                let before = std::mem::replace(&mut self.interface, now);
                let now = &self.interface;
                if let Some(mac) = now.mac.filter(|_| now.mac != before.mac) {
                    tracing::info!("{} has the MAC address {mac} now", now.name);
                    self.director.dataplane().mac_changed(now.index, mac);
                }
                if now.mac != before.mac || now.running && !before.running {
                    self.announce_vips().await;
                }
            }
        }
        Ok(())
    }

    async fn announce_vips(&mut self) {
        for vip in self.vips.ours().collect::<Vec<_>>() {
            if let Err(error) = self.vips.announce(vip).await {
                tracing::error!("can't announce VIP {vip}: {error}");
            }
        }
    }
}
