//! What a host looks like: the settings and addresses that matter to a real server.

use std::net::IpAddr;

use super::setting::{Parameter, Setting};
use super::vip::Vip;

/// The loopback interface, which holds the VIPs.
pub const LOOPBACK: &str = "lo";

/// The settings and addresses of one network namespace at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `net.ipv4.conf.all`
    pub all: Conf,
    /// `net.ipv4.conf.lo`
    pub lo: Conf,
    /// The interfaces that are up and speak ARP; never `lo`.
    pub arp_interfaces: Vec<ArpInterface>,
    /// The addresses of all interfaces.
    pub addresses: Vec<HeldAddress>,
}

/// Values of one `net.ipv4.conf.<interface>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conf {
    /// See [`Parameter::ArpIgnore`].
    pub arp_ignore: i32,
    /// See [`Parameter::ArpAnnounce`].
    pub arp_announce: i32,
    /// See [`Parameter::RpFilter`].
    pub rp_filter: i32,
    /// See [`Parameter::ProxyArp`].
    pub proxy_arp: i32,
}

/// An interface that can answer ARP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArpInterface {
    /// For example `eth0`.
    pub name: String,
    /// Its own settings.
    pub conf: Conf,
}

/// An address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAddress {
    /// The interface's name.
    pub interface: String,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
}

impl Found {
    /// The value of a setting that `up` takes care of.
    #[must_use]
    pub const fn setting(&self, setting: Setting) -> i32 {
        match setting {
            Setting::AllArpIgnore => self.all.arp_ignore,
            Setting::AllArpAnnounce => self.all.arp_announce,
            Setting::LoArpIgnore => self.lo.arp_ignore,
            Setting::LoArpAnnounce => self.lo.arp_announce,
        }
    }

    /// What the kernel goes by on an interface: the greater one of `all` and the interface's own.
    #[must_use]
    pub fn effective(&self, own: &Conf, parameter: Parameter) -> i32 {
        self.all.get(parameter).max(own.get(parameter))
    }

    /// The prefix lengths with which `lo` holds the VIP.
    pub fn prefixes_on_loopback(&self, vip: Vip) -> impl Iterator<Item = u8> {
        self.holders(vip).filter(|held| held.interface == LOOPBACK).map(|held| held.prefix)
    }

    /// The interfaces other than `lo` that hold the VIP.
    pub fn elsewhere(&self, vip: Vip) -> impl Iterator<Item = &HeldAddress> {
        self.holders(vip).filter(|held| held.interface != LOOPBACK)
    }

    fn holders(&self, vip: Vip) -> impl Iterator<Item = &HeldAddress> {
        self.addresses.iter().filter(move |held| held.address == vip.address())
    }
}

impl Conf {
    /// One of the values.
    #[must_use]
    pub const fn get(&self, parameter: Parameter) -> i32 {
        match parameter {
            Parameter::ArpIgnore => self.arp_ignore,
            Parameter::ArpAnnounce => self.arp_announce,
            Parameter::RpFilter => self.rp_filter,
            Parameter::ProxyArp => self.proxy_arp,
        }
    }
}
