//! A network: a bridge in a namespace of its own, and the cables from it to the hosts.

use std::io::{Seek, Write};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use macaddr::MacAddr6;

use super::namespace::{Namespace, output_of};
use super::topology::{InterfaceAddress, NetworkPlan};
use super::xdp::{self, XdpAction};

const BRIDGE: &str = "bridge";
const BRIDGE_MAC: &str = "02:00:00:00:00:b1";

/// With these off, every frame on the cable is as it would be on a real one: with its checksum in it, with its VLAN
/// tag in it, and no longer than the MTU.
const OFFLOADS: [&str; 7] =
    ["tx", "tso", "gro", "rxvlan", "txvlan", "rx-vlan-stag-hw-parse", "tx-vlan-stag-hw-insert"];

/// With these at 1, which they are in a new namespace, netfilter would reassemble fragments and drop malformed
/// frames inside the bridge.
const NETFILTER_IN_THE_BRIDGE: [&str; 3] = [
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-arptables",
];

/// A bridge. The ends of the cables are called as the hosts are that they go to.
#[derive(Debug)]
pub struct Network {
    name: String,
    mtu: u16,
    namespace: Namespace,
}

impl Network {
    pub(super) fn create(namespace: &str, plan: &NetworkPlan) -> Result<Self> {
        let namespace = Namespace::create(namespace)?;
        silence_ipv6(&namespace)?;
        leave_frames_alone(&namespace)?;
        let bridge = format!(
            "link add {BRIDGE} address {BRIDGE_MAC} mtu {} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            plan.mtu
        );
        batch(&namespace, &[bridge, format!("link set {BRIDGE} up")])?;
        Ok(Self { name: plan.name.clone(), mtu: plan.mtu, namespace })
    }

    /// The name in the plan.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the bridge is. A capture on the interface called as a host sees what goes to and comes from that host.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn keep(&mut self) {
        self.namespace.keep();
    }

    /// Lays a cable to the host called `host`, whose end is called `interface`.
    pub(super) fn connect(&self, host: &str, inside: &Namespace, interface: &Interface) -> Result<()> {
        let Interface { name, mac, address, .. } = interface;
        let (mtu, there) = (self.mtu, inside.name());
        batch(
            &self.namespace,
            &[
                format!(
                    "link add {host} mtu {mtu} type veth peer name {name} address {mac} mtu {mtu} netns {there}"
                ),
                format!("link set {host} master {BRIDGE} up"),
            ],
        )?;
        xdp::attach(&self.namespace, host, XdpAction::Pass)?;
        disable_offloads(&self.namespace, host)?;
        disable_offloads(inside, name)?;
        batch(inside, &[format!("address add {address} dev {name}"), format!("link set {name} up")])
    }
}

/// A host's end of a cable.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Such as `eth0`.
    pub name: String,
    /// The network that it is on.
    pub network: String,
    /// The MAC address that it was made with.
    pub mac: MacAddr6,
    /// The address that it was made with.
    pub address: InterfaceAddress,
}

fn disable_offloads(namespace: &Namespace, interface: &str) -> Result<()> {
    let mut command = namespace.command("ethtool")?;
    command.args(["-K", interface]).args(OFFLOADS.iter().flat_map(|offload| [*offload, "off"]));
    output_of(&mut command).with_context(|| format!("in namespace {}", namespace.name()))?;
    Ok(())
}

fn leave_frames_alone(namespace: &Namespace) -> Result<()> {
    if !namespace.has_sysctl("net/bridge")? {
        return Ok(());
    }
    namespace.set_sysctls(NETFILTER_IN_THE_BRIDGE.map(|setting| (setting, "0")))?;
    for setting in NETFILTER_IN_THE_BRIDGE {
        let value = namespace.sysctl(setting)?;
        ensure!(value == "0", "sysctl {setting} in namespace {} is {value} and must be 0", namespace.name());
    }
    Ok(())
}

fn silence_ipv6(namespace: &Namespace) -> Result<()> {
    if !namespace.has_sysctl("net/ipv6")? {
        return Ok(());
    }
    let settings = ["net/ipv6/conf/all/disable_ipv6", "net/ipv6/conf/default/disable_ipv6"];
    namespace.set_sysctls(settings.map(|setting| (setting, "1")))
}

/// Runs the lines as commands of `ip`, all in one process.
fn batch(namespace: &Namespace, lines: &[String]) -> Result<()> {
    let mut script = tempfile::tempfile().context("make a script for ip")?;
    script.write_all((lines.join("\n") + "\n").as_bytes())?;
    script.rewind()?;
    let mut command = namespace.command("ip")?;
    output_of(command.args(["-batch", "-"]).stdin(Stdio::from(script)))
        .with_context(|| format!("{lines:?} in namespace {}", namespace.name()))?;
    Ok(())
}
