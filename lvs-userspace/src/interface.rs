//! Facts about a network interface of the director.

mod changes;

pub use changes::{InterfaceChange, InterfaceChanges};

use macaddr::MacAddr6;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};

use crate::netlink::{Netlink, NetlinkError};

/// An interface as the kernel describes it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number in this network namespace.
    pub index: u32,
    /// Its name, for example `eth0`.
    pub name: String,
    /// Whether it carries Ethernet frames.
    pub ethernet: bool,
    /// Its own MAC address.
    pub mac: Option<MacAddr6>,
    /// Largest packet in bytes, without the Ethernet header.
    pub mtu: u32,
    /// Whether it was switched on (`ip link set up`).
    pub up: bool,
    /// Whether it is also able to carry frames (carrier).
    pub running: bool,
    /// Whether it speaks ARP (`ip link set arp on`).
    pub arp: bool,
    /// The driver kind of a virtual interface, for example `veth`; none for hardware.
    pub kind: Option<String>,
}

/// Why an interface can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// No interface has this name.
    #[error("there is no interface {name:?}: this network namespace has {}", existing.join(", "))]
    NoSuchName {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        existing: Vec<String>,
    },
    /// No interface has this number.
    #[error("there is no interface with index {0}")]
    NoSuchIndex(u32),
    /// For example `lo` or a tunnel.
    #[error("interface {0} is not Ethernet: the director needs an interface that carries Ethernet frames")]
    NotEthernet(String),
    /// An Ethernet interface without an address.
    #[error("interface {0} has no MAC address: give it one with `ip link set {0} address`")]
    NoMac(String),
    /// Switched off.
    #[error("interface {0} is down: switch it on with `ip link set {0} up`")]
    Down(String),
    /// Switched on, but without a link partner.
    #[error("interface {0} has no carrier: check the cable, the switch port or the interface's peer")]
    NoCarrier(String),
    /// The kernel could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

impl Interface {
    /// Looks an interface up by its name.
    ///
    /// # Errors
    ///
    /// [`InterfaceError::NoSuchName`], or the kernel could not be asked.
    pub async fn by_name(netlink: &Netlink, name: &str) -> Result<Self, InterfaceError> {
        let existing = Self::all(netlink).await?;
        let names = || existing.iter().map(|interface| interface.name.clone()).collect();
        match existing.iter().find(|interface| interface.name == name) {
            Some(interface) => Ok(interface.clone()),
            None => Err(InterfaceError::NoSuchName { name: name.to_owned(), existing: names() }),
        }
    }

    /// Looks an interface up by its number.
    ///
    /// # Errors
    ///
    /// [`InterfaceError::NoSuchIndex`], or the kernel could not be asked.
    pub async fn by_index(netlink: &Netlink, index: u32) -> Result<Self, InterfaceError> {
        let mut message = link_request();
        message.header.index = index;
        let operation = format!("look up the interface with index {index}");
        match netlink.get(operation, RouteNetlinkMessage::GetLink(message)).await {
            Ok(RouteNetlinkMessage::NewLink(link)) => Ok(Self::from(&link)),
            Err(error) if !error.is_one_of(&[libc::ENODEV]) => Err(error.into()),
            Ok(_) | Err(_) => Err(InterfaceError::NoSuchIndex(index)),
        }
    }

    /// Every interface of this network namespace.
    ///
    /// # Errors
    ///
    /// The kernel could not be asked.
    pub async fn all(netlink: &Netlink) -> Result<Vec<Self>, NetlinkError> {
        let links = netlink.dump("list the interfaces", RouteNetlinkMessage::GetLink(link_request())).await?;
        Ok(links.iter().filter_map(Self::from_message).collect())
    }

    /// The MAC address, if frames can be sent and received now.
    ///
    /// # Errors
    ///
    /// What is wrong with the interface.
    pub fn usable(&self) -> Result<MacAddr6, InterfaceError> {
        let mac = self.ethernet_mac()?;
        if !self.up {
            return Err(InterfaceError::Down(self.name.clone()));
        }
        if !self.running {
            return Err(InterfaceError::NoCarrier(self.name.clone()));
        }
        Ok(mac)
    }

    /// The MAC address of an interface that may be down.
    ///
    /// # Errors
    ///
    /// It is not Ethernet or has no MAC address.
    pub fn ethernet_mac(&self) -> Result<MacAddr6, InterfaceError> {
        if !self.ethernet {
            return Err(InterfaceError::NotEthernet(self.name.clone()));
        }
        self.mac.filter(|mac| !mac.is_nil()).ok_or_else(|| InterfaceError::NoMac(self.name.clone()))
    }

    fn from_message(message: &RouteNetlinkMessage) -> Option<Self> {
        match message {
            RouteNetlinkMessage::NewLink(link) => Some(Self::from(link)),
            _ => None,
        }
    }
}

impl From<&LinkMessage> for Interface {
    fn from(link: &LinkMessage) -> Self {
        let mut interface = Self {
            index: link.header.index,
            name: String::new(),
            ethernet: link.header.link_layer_type == LinkLayerType::Ether,
            mac: None,
            mtu: 0,
            up: link.header.flags.contains(LinkFlags::Up),
            running: link.header.flags.contains(LinkFlags::Running),
            arp: !link.header.flags.contains(LinkFlags::Noarp),
            kind: None,
        };
        for attribute in &link.attributes {
            interface.read(attribute);
        }
        interface
    }
}

impl Interface {
    fn read(&mut self, attribute: &LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => self.mtu = *mtu,
            LinkAttribute::Address(bytes) => self.mac = mac_address(bytes),
            LinkAttribute::LinkInfo(infos) => self.kind = infos.iter().find_map(kind),
            _ => {}
        }
    }
}

/// A link-layer address of six bytes.
pub(crate) fn mac_address(bytes: &[u8]) -> Option<MacAddr6> {
    <[u8; 6]>::try_from(bytes).ok().map(MacAddr6::from)
}

fn kind(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

/// A request without statistics, which cost the kernel more than all the rest.
fn link_request() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::InfoKind;

    use super::*;

    fn veth() -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        link.header.link_layer_type = LinkLayerType::Ether;
        link.header.flags = LinkFlags::Up | LinkFlags::Running;
        link.attributes = vec![
            LinkAttribute::IfName("eth0".into()),
            LinkAttribute::Mtu(1500),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
        ];
        link
    }

    #[test]
    fn a_link_message_is_read() {
        let expected = Interface {
            index: 7,
            name: "eth0".into(),
            ethernet: true,
            mac: Some(MacAddr6::new(2, 0, 0, 0, 0, 1)),
            mtu: 1500,
            up: true,
            running: true,
            arp: true,
            kind: Some("veth".into()),
        };
        assert_eq!(Interface::from(&veth()), expected);
        let mut silent = veth();
        silent.header.flags |= LinkFlags::Noarp;
        assert_eq!(Interface::from(&silent), Interface { arp: false, ..expected });
    }

    fn refusal(change: impl FnOnce(&mut Interface)) -> String {
        let mut interface = Interface::from(&veth());
        change(&mut interface);
        interface.usable().unwrap_err().to_string()
    }

    #[test]
    fn a_usable_interface_gives_its_mac() {
        assert_eq!(Interface::from(&veth()).usable().unwrap(), MacAddr6::new(2, 0, 0, 0, 0, 1));
    }

    #[test]
    fn each_defect_has_its_sentence() {
        assert!(refusal(|i| i.ethernet = false).starts_with("interface eth0 is not Ethernet"));
        assert!(refusal(|i| i.mac = None).starts_with("interface eth0 has no MAC address"));
        assert!(refusal(|i| i.mac = Some(MacAddr6::nil())).starts_with("interface eth0 has no MAC"));
        assert!(refusal(|i| i.up = false).starts_with("interface eth0 is down"));
        assert!(refusal(|i| i.running = false).starts_with("interface eth0 has no carrier"));
    }

    #[test]
    fn a_missing_interface_lists_those_that_exist() {
        let error =
            InterfaceError::NoSuchName { name: "eth9".into(), existing: vec!["lo".into(), "eth0".into()] };
        assert_eq!(error.to_string(), r#"there is no interface "eth9": this network namespace has lo, eth0"#);
    }
}
