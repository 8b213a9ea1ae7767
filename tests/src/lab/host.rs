//! A host: a namespace with interfaces on the lab's networks.

use std::net::IpAddr;
use std::ops::Deref;

use anyhow::{Context, Result};
use macaddr::MacAddr6;

use super::namespace::Namespace;
use super::network::Interface;
use super::topology::HostPlan;

/// What a new namespace would otherwise take over from the machine's own settings, and what IPv6 would say unasked.
const SETTINGS: [(&str, &str); 10] = [
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv4/conf/*/arp_announce", "0"),
    ("net/ipv4/conf/*/arp_filter", "0"),
    ("net/ipv4/conf/*/arp_ignore", "0"),
    ("net/ipv4/conf/*/proxy_arp", "0"),
    ("net/ipv4/conf/*/rp_filter", "0"),
    ("net/ipv4/conf/*/send_redirects", "0"),
    ("net/ipv6/conf/*/accept_dad", "0"),
    ("net/ipv6/conf/*/accept_ra", "0"),
    ("net/ipv6/conf/*/router_solicitations", "0"),
];

/// A host of the lab. It is a namespace with addresses: what [`Namespace`] can do, a host can.
#[derive(Debug)]
pub struct Host {
    name: String,
    namespace: Namespace,
    interfaces: Vec<Interface>,
}

impl Host {
    pub(super) fn create(namespace: &str, plan: &HostPlan) -> Result<Self> {
        let namespace = Namespace::create(namespace)?;
        apply_settings(&namespace)?;
        let interfaces = plan.interfaces.iter().enumerate().map(|(index, interface)| Interface {
            name: format!("eth{index}"),
            network: interface.network.clone(),
            mac: interface.mac,
            address: interface.address,
        });
        Ok(Self { name: plan.name.clone(), interfaces: interfaces.collect(), namespace })
    }

    /// The name in the plan, such as `rs1`; [`Namespace::name`] is that of the namespace.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.name
    }

    /// The namespace that the host is.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its interfaces, eth0 first.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Its first interface.
    ///
    /// # Errors
    /// When the plan gave it none.
    pub fn eth0(&self) -> Result<&Interface> {
        self.interfaces.first().with_context(|| format!("host {} has no interface", self.name))
    }

    /// The address of its first interface.
    ///
    /// # Errors
    /// When the plan gave it none.
    pub fn ip(&self) -> Result<IpAddr> {
        Ok(self.eth0()?.address.ip)
    }

    /// The MAC address of its first interface.
    ///
    /// # Errors
    /// When the plan gave it none.
    pub fn mac(&self) -> Result<MacAddr6> {
        Ok(self.eth0()?.mac)
    }

    pub(super) fn keep(&mut self) {
        self.namespace.keep();
    }
}

impl Deref for Host {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

fn apply_settings(namespace: &Namespace) -> Result<()> {
    let ipv6 = namespace.has_sysctl("net/ipv6")?;
    let known = SETTINGS.into_iter().filter(|(setting, _)| ipv6 || !setting.starts_with("net/ipv6"));
    let settings: Vec<(String, &str)> = known
        .flat_map(|(setting, value)| {
            ["all", "default", "lo"].map(|interface| (setting.replace('*', interface), value))
        })
        .collect();
    namespace.set_sysctls(settings.iter().map(|(setting, value)| (setting.as_str(), *value)))
}
