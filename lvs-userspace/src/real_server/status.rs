//! Whether a host is a good real server: each setting, what it should be, and what goes wrong otherwise.

use super::found::{ArpInterface, Conf, Found, HeldAddress};
use super::setting::{Parameter, Setting};
use super::vip::Vip;

const LEAK: &str = "this real server answers ARP for the VIP: clients bypass the director";
const FLIP: &str = "its own connections announce the VIP as their source in ARP requests \
                    and clients' caches flip to it";
const MISSING: &str = "packets for the VIP are not accepted, clients time out";
const SUBNET: &str = "the whole subnet is local to this host: it reaches none of its neighbours there";
const LATER: &str = "the interfaces that are up are right by themselves, but one that is added later is not";
const HALF: &str = "the LVS-DR recipe sets all and lo: lo by itself changes nothing for ARP that arrives elsewhere, \
                    but whoever resets all then leaks the VIP";
const STRICT: &str =
    "strict: packets are dropped when the way back to the client leads out of another interface";
const PROXY: &str = "with forwarding on, this host answers ARP for the VIP whenever the VIP is not on lo";

/// One line of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The setting or address.
    pub subject: String,
    /// What it is.
    pub is: String,
    /// What it should be.
    pub should_be: String,
    /// Whether that is all right.
    pub verdict: Verdict,
}

/// How good what was found is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Right,
    /// Worth knowing, but the real server does its work.
    Note(String),
    /// The real server does harm, does not work, or will after the next mishap; why.
    Wrong(String),
}

impl Finding {
    /// Whether something has to be done about it.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        matches!(self.verdict, Verdict::Wrong(_))
    }
}

/// Judges a host as the real server of these VIPs.
#[must_use]
pub fn findings(found: &Found, vips: &[Vip]) -> Vec<Finding> {
    let any_ipv4 = vips.iter().any(|vip| vip.address().is_ipv4());
    let arp = if any_ipv4 { arp_findings(found) } else { Vec::new() };
    arp.into_iter().chain(vips.iter().flat_map(|vip| vip_findings(found, *vip))).collect()
}

fn arp_findings(found: &Found) -> Vec<Finding> {
    let settings = Setting::ALL.into_iter().map(|setting| setting_finding(found, setting));
    let interfaces = found.arp_interfaces.iter().flat_map(|interface| interface_findings(found, interface));
    settings.chain(interfaces).collect()
}

fn setting_finding(found: &Found, setting: Setting) -> Finding {
    Finding {
        subject: setting.to_string(),
        is: found.setting(setting).to_string(),
        should_be: setting.parameter().suitable().to_owned(),
        verdict: setting_verdict(found, setting),
    }
}

fn setting_verdict(found: &Found, setting: Setting) -> Verdict {
    let parameter = setting.parameter();
    if parameter.suits(found.setting(setting)) {
        return Verdict::Right;
    }
    let why = match setting {
        Setting::AllArpIgnore | Setting::AllArpAnnounce if every_interface_suits(found, parameter) => LATER,
        Setting::AllArpIgnore | Setting::AllArpAnnounce => consequence(parameter),
        Setting::LoArpIgnore | Setting::LoArpAnnounce => HALF,
    };
    Verdict::Wrong(why.to_owned())
}

/// Whether there are interfaces that speak ARP, and each does what a real server needs.
fn every_interface_suits(found: &Found, parameter: Parameter) -> bool {
    let mut interfaces = found.arp_interfaces.iter();
    !found.arp_interfaces.is_empty()
        && interfaces.all(|interface| parameter.suits(found.effective(&interface.conf, parameter)))
}

fn interface_findings(found: &Found, interface: &ArpInterface) -> Vec<Finding> {
    let ArpInterface { name, conf } = interface;
    let wrong = |parameter| Verdict::Wrong(consequence(parameter).to_owned());
    let note = |parameter| Verdict::Note(consequence(parameter).to_owned());
    let always = [Parameter::ArpIgnore, Parameter::ArpAnnounce]
        .map(|parameter| effective_finding(found, name, conf, parameter, wrong(parameter)));
    let notable = [Parameter::RpFilter, Parameter::ProxyArp]
        .map(|parameter| effective_finding(found, name, conf, parameter, note(parameter)))
        .into_iter()
        .filter(|finding| finding.verdict != Verdict::Right);
    always.into_iter().chain(notable).collect()
}

const fn consequence(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::ArpIgnore => LEAK,
        Parameter::ArpAnnounce => FLIP,
        Parameter::RpFilter => STRICT,
        Parameter::ProxyArp => PROXY,
    }
}

fn effective_finding(
    found: &Found,
    interface: &str,
    own: &Conf,
    parameter: Parameter,
    otherwise: Verdict,
) -> Finding {
    let effective = found.effective(own, parameter);
    Finding {
        subject: format!("net.ipv4.conf.{interface}.{}", parameter.name()),
        is: format!("{} (effective {effective})", own.get(parameter)),
        should_be: parameter.suitable().to_owned(),
        verdict: if parameter.suits(effective) { Verdict::Right } else { otherwise },
    }
}

fn vip_findings(found: &Found, vip: Vip) -> Vec<Finding> {
    let elsewhere = found.elsewhere(vip).map(|held| elsewhere_finding(found, vip, held));
    std::iter::once(loopback_finding(found, vip)).chain(elsewhere).collect()
}

fn loopback_finding(found: &Found, vip: Vip) -> Finding {
    let prefixes: Vec<u8> = found.prefixes_on_loopback(vip).collect();
    let verdict = match (prefixes.as_slice(), found.elsewhere(vip).next()) {
        ([], None) => Verdict::Wrong(MISSING.to_owned()),
        ([], Some(held)) => Verdict::Note(format!("{} holds it in place of lo", held.interface)),
        (prefixes, _) if prefixes.iter().any(|prefix| *prefix < vip.prefix()) => {
            Verdict::Wrong(SUBNET.to_owned())
        }
        _ => Verdict::Right,
    };
    Finding {
        subject: format!("{vip} on lo"),
        is: prefix_list(&prefixes),
        should_be: format!("/{}", vip.prefix()),
        verdict,
    }
}

fn prefix_list(prefixes: &[u8]) -> String {
    if prefixes.is_empty() {
        return "missing".to_owned();
    }
    prefixes.iter().map(|prefix| format!("/{prefix}")).collect::<Vec<_>>().join(", ")
}

fn elsewhere_finding(found: &Found, vip: Vip, held: &HeldAddress) -> Finding {
    Finding {
        subject: format!("{vip} on {}", held.interface),
        is: format!("/{}", held.prefix),
        should_be: "missing".to_owned(),
        verdict: verdict_elsewhere(found, vip, &held.interface),
    }
}

fn verdict_elsewhere(found: &Found, vip: Vip, name: &str) -> Verdict {
    let Some(interface) = found.arp_interfaces.iter().find(|interface| interface.name == name) else {
        return Verdict::Note(format!("{name} does not speak ARP now: as silent as lo"));
    };
    if vip.address().is_ipv6() {
        return Verdict::Wrong(format!(
            "{name} answers neighbour solicitations for the VIP: clients bypass the director"
        ));
    }
    let effective = found.effective(&interface.conf, Parameter::ArpIgnore);
    if effective == 8 {
        return Verdict::Note(format!("{name} is silent about it only while arp_ignore is 8"));
    }
    Verdict::Wrong(format!(
        "{name} answers ARP for an address of its own though arp_ignore is {effective}: clients bypass the director"
    ))
}

#[cfg(test)]
mod tests;
