//! What the options of one command line amount to, each checked as it is read, as ipvsadm does.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::address::{self, Endpoint};
use super::failure::Failure;
use super::groups::Group;
use super::names::Names;
use super::number;
use super::options::{Meaning, OptionName, Switch};
use super::scan::Given;
use crate::control::service::Protocol;

/// 31 days, in seconds.
const MAX_TIMEOUT: i64 = 86400 * 31;

/// The protocols that ipvsadm can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
    Sctp,
}

impl Transport {
    /// The word of `/etc/services`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// The protocol, when it can be balanced.
    pub(super) const fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Tcp => Some(Protocol::Tcp),
            Self::Udp => Some(Protocol::Udp),
            Self::Sctp => None,
        }
    }
}

/// How packets get to a real server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Forwarding {
    #[default]
    Route,
    Tunnel,
    Masquerade,
}

/// The virtual service of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServiceDraft {
    pub(super) transport: Transport,
    /// Port 0 when none was given.
    pub(super) address: SocketAddr,
    /// A firewall mark names the service, the address means nothing.
    pub(super) by_mark: bool,
}

/// The options so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What was given.
    pub(super) given: BTreeSet<Group>,
    /// The first option that the director can't do.
    pub(super) unavailable: Option<&'static Switch>,
    pub(super) service: Option<ServiceDraft>,
    pub(super) server: Option<SocketAddr>,
    pub(super) scheduler: Option<String>,
    pub(super) scheduler_flags: Option<String>,
    pub(super) forwarding: Forwarding,
    pub(super) weight: Option<u32>,
}

impl Draft {
    /// Reads every option in its order.
    pub(super) fn collect(options: &[Given], names: &dyn Names) -> Result<Self, Failure> {
        let mut draft = Self::default();
        for option in options {
            draft.add(option, names)?;
        }
        Ok(draft)
    }

    fn add(&mut self, option: &Given, names: &dyn Names) -> Result<(), Failure> {
        self.mark(option.switch)?;
        option.number()?;
        match option.switch.meaning {
            Meaning::Command(_) => Err(Failure::invalid(format!("invalid option `{}'", option.word))),
            Meaning::Option(name) => self.set(name, option, names),
            Meaning::Mark => Ok(()),
        }
    }

    fn mark(&mut self, switch: &'static Switch) -> Result<(), Failure> {
        if let Some(group) = switch.group
            && !self.given.insert(group)
        {
            return Err(Failure::invalid(format!("multiple '{}' options specified", group.name())));
        }
        if !switch.available {
            self.unavailable.get_or_insert(switch);
        }
        Ok(())
    }

    fn set(&mut self, name: OptionName, option: &Given, names: &dyn Names) -> Result<(), Failure> {
        let text = option.value.as_deref().unwrap_or_default();
        match name {
            OptionName::TcpService => self.set_service(Transport::Tcp, text, names)?,
            OptionName::UdpService => self.set_service(Transport::Udp, text, names)?,
            OptionName::SctpService => self.set_service(Transport::Sctp, text, names)?,
            OptionName::FirewallMark => self.set_firewall_mark(text)?,
            OptionName::Ipv6 => self.set_ipv6()?,
            OptionName::Scheduler => self.scheduler = Some(text.to_owned()),
            OptionName::SchedulerFlags => self.scheduler_flags = Some(text.to_owned()),
            OptionName::Persistent => check_persistence(option.value.as_deref())?,
            OptionName::Netmask => self.check_netmask(text, names)?,
            OptionName::RealServer => self.set_server(text, names)?,
            OptionName::Tunneling => self.forwarding = Forwarding::Tunnel,
            OptionName::Masquerading => self.forwarding = Forwarding::Masquerade,
            OptionName::Weight => self.weight = option.number()?,
            OptionName::TunnelType => check_tunnel_type(text)?,
            OptionName::MulticastGroup => check_multicast_group(text)?,
        }
        Ok(())
    }

    fn set_service(&mut self, transport: Transport, value: &str, names: &dyn Names) -> Result<(), Failure> {
        let endpoint = Endpoint::parse(value, Some(transport.name()), names)
            .ok_or_else(|| Failure::invalid("illegal virtual server address[:port] specified"))?;
        let address = SocketAddr::new(endpoint.address, endpoint.port.unwrap_or(0));
        self.service = Some(ServiceDraft { transport, address, by_mark: false });
        Ok(())
    }

    fn set_firewall_mark(&mut self, value: &str) -> Result<(), Failure> {
        if number::parse(value, 1..=u32::MAX.into()).is_none() {
            return Err(Failure::invalid(format!("invalid fwmark value `{value}' specified")));
        }
        let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        self.service = Some(ServiceDraft { transport: Transport::Tcp, address, by_mark: true });
        Ok(())
    }

    fn set_ipv6(&mut self) -> Result<(), Failure> {
        match &mut self.service {
            Some(service) if service.by_mark => {
                service.address.set_ip(Ipv6Addr::UNSPECIFIED.into());
                Ok(())
            }
            Some(_) | None => Err(Failure::invalid("-6 used before -f\n")),
        }
    }

    /// What the service lends to `-r` is what was read of it before `-r`.
    fn set_server(&mut self, value: &str, names: &dyn Names) -> Result<(), Failure> {
        let transport = self.service.map(|service| service.transport.name());
        let endpoint = Endpoint::parse(value, transport, names)
            .ok_or_else(|| Failure::invalid("illegal real server address[:port] specified"))?;
        let service_port = self.service.map_or(0, |service| service.address.port());
        self.server = Some(SocketAddr::new(endpoint.address, endpoint.port.unwrap_or(service_port)));
        Ok(())
    }

    fn check_netmask(&self, value: &str, names: &dyn Names) -> Result<(), Failure> {
        let ipv6 = self.service.is_some_and(|service| service.address.is_ipv6());
        if ipv6 && number::parse(value, 1..=128).is_none() {
            return Err(Failure::invalid("illegal ipv6 netmask specified"));
        }
        if !ipv6 && address::ipv4(value, names).is_none() {
            return Err(Failure::invalid("illegal virtual server persistent mask specified"));
        }
        Ok(())
    }
}

/// A timeout in seconds.
pub(super) fn check_timeout(value: &str, min: i64) -> Result<(), Failure> {
    number::parse(value, min..=MAX_TIMEOUT)
        .map(drop)
        .ok_or_else(|| Failure::invalid(format!("invalid timeout value `{value}' specified")))
}

fn check_persistence(timeout: Option<&str>) -> Result<(), Failure> {
    timeout.map_or(Ok(()), |timeout| check_timeout(timeout, 1))
}

fn check_multicast_group(value: &str) -> Result<(), Failure> {
    let version = if value.contains(':') { "IPv6" } else { "IPv4" };
    match value.parse::<IpAddr>() {
        Ok(address) if address.is_multicast() => Ok(()),
        Ok(_) | Err(_) => Err(Failure::invalid(format!("invalid {version} mcast-group `{value}'"))),
    }
}

fn check_tunnel_type(value: &str) -> Result<(), Failure> {
    match value {
        "ipip" | "gue" | "gre" => Ok(()),
        _ => Err(Failure::invalid("illegal tunnel type specified")),
    }
}
