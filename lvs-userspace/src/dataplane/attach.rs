//! Attaching to interfaces, and detaching.

use std::fmt;

use aya::programs::links::FdLink;
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, Xdp};
use clap::ValueEnum;
use lvs_common::abi::Link;
use macaddr::MacAddr6;
use serde::{Deserialize, Serialize};

use super::{Dataplane, DataplaneError, OWN_EGRESS, load};

/// Where in the receive path the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver, before the kernel allocates anything.
    Driver,
    /// After the kernel has made a socket buffer: works with every driver, several times slower.
    Generic,
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Driver => "driver",
            Self::Generic => "generic",
        })
    }
}

/// One interface with a program.
struct Attachment {
    interface_index: u32,
    egress: u16,
    /// Detaches when dropped.
    _link: Option<FdLink>,
}

/// Every interface that the director receives or sends through.
#[derive(Default)]
pub(super) struct Attachments(Vec<Attachment>);

impl Dataplane {
    /// Attaches the director to the interface that receives packets.
    ///
    /// # Errors
    /// When the interface has another program or its driver can't run one in this mode.
    pub fn attach(
        &mut self,
        interface: &str,
        index: u32,
        mac: MacAddr6,
        mode: XdpMode,
    ) -> Result<(), DataplaneError> {
        self.receive_as(index, mac)?;
        let link = attach(load::xdp(&mut self.ebpf, "director")?, interface, index, mode)?;
        self.attachments.0.push(Attachment { interface_index: index, egress: OWN_EGRESS, _link: Some(link) });
        Ok(())
    }

    /// Tells the data path on which interface it receives, before its first packet: it takes only frames for that MAC address.
    ///
    /// # Errors
    /// When there is no interface with this index.
    pub fn receive_as(&mut self, index: u32, mac: MacAddr6) -> Result<(), DataplaneError> {
        self.set_interface(OWN_EGRESS, index, mac)
    }

    /// The egress index of an interface behind which a real server is. Its first use readies the interface for redirection: a
    /// driver sends redirected frames only where some XDP program runs, so one that passes everything is attached.
    ///
    /// # Errors
    /// When there are too many interfaces.
    pub fn egress(&mut self, interface: &str, index: u32, mac: MacAddr6) -> Result<u16, DataplaneError> {
        if let Some(known) = self.attachments.0.iter().find(|known| known.interface_index == index) {
            return Ok(known.egress);
        }
        let egress = (OWN_EGRESS..)
            .find(|egress| self.attachments.0.iter().all(|known| known.egress != *egress))
            .filter(|egress| usize::from(*egress) < self.interfaces.len())
            .ok_or(DataplaneError::TooManyInterfaces(self.interfaces.len() - 1))?;
        self.set_interface(egress, index, mac)?;
        let link = attach(load::xdp(&mut self.ebpf, "pass_all")?, interface, index, XdpMode::Driver)
            .inspect_err(|error| tracing::warn!("frames redirected to {interface} may be lost: {error}"))
            .ok();
        self.attachments.0.push(Attachment { interface_index: index, egress, _link: link });
        Ok(egress)
    }

    fn set_interface(&mut self, egress: u16, index: u32, mac: MacAddr6) -> Result<(), DataplaneError> {
        self.ports
            .set(u32::from(egress), index, None, 0)
            .map_err(|error| DataplaneError::Map { name: "PORTS", reason: super::chain(&error) })?;
        self.write_mac(egress, mac);
        Ok(())
    }

    fn write_mac(&self, egress: u16, mac: MacAddr6) {
        if let Some(word) = self.interfaces.get(usize::from(egress)) {
            word.store(Link::new(mac.into_array(), 0).0);
        }
    }

    /// An interface has got another MAC address.
    pub fn mac_changed(&self, interface_index: u32, mac: MacAddr6) {
        for known in self.attachments.0.iter().filter(|known| known.interface_index == interface_index) {
            self.write_mac(known.egress, mac);
        }
    }
}

fn attach(program: &mut Xdp, interface: &str, index: u32, mode: XdpMode) -> Result<FdLink, DataplaneError> {
    let flags = match mode {
        XdpMode::Driver => aya::programs::XdpMode::Driver,
        XdpMode::Generic => aya::programs::XdpMode::Skb,
    };
    let refused = |error: &ProgramError| match error {
        ProgramError::SyscallError(call) if call.io_error.raw_os_error() == Some(libc::EBUSY) => {
            DataplaneError::Busy { interface: interface.to_owned() }
        }
        other => {
            DataplaneError::Attach { interface: interface.to_owned(), mode, reason: super::chain(other) }
        }
    };
    let id = program.attach_to_if_index(index, flags).map_err(|error| refused(&error))?;
    let link: XdpLink = program.take_link(id).map_err(|error| refused(&error))?;
    // What was attached through netlink would outlive the process: such a kernel is too old.
    FdLink::try_from(link).map_err(|_| DataplaneError::Attach {
        interface: interface.to_owned(),
        mode,
        reason: "the kernel has no BPF links for XDP: 6.1 or newer is needed".to_owned(),
    })
}
