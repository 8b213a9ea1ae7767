//! The kernel's settings on which a real server's silence depends, and what they have to be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A parameter of `net.ipv4.conf.<interface>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// To which ARP requests the host answers.
    ArpIgnore,
    /// Which of its addresses the host names as the sender of its own ARP requests.
    ArpAnnounce,
    /// Reverse path filter: 1 is strict.
    RpFilter,
    /// Answering ARP on behalf of others.
    ProxyArp,
}

impl Parameter {
    /// Its name under `net.ipv4.conf.<interface>`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::RpFilter => "rp_filter",
            Self::ProxyArp => "proxy_arp",
        }
    }

    /// The values that [`suits`](Self::suits) accepts, in words.
    #[must_use]
    pub const fn suitable(self) -> &'static str {
        match self {
            Self::ArpIgnore => "1, 2 or 8",
            Self::ArpAnnounce => "2",
            Self::RpFilter => "0 or 2",
            Self::ProxyArp => "0",
        }
    }

    /// Whether an interface with this effective value does what a real server needs.
    ///
    /// The kernel (`arp_ignore()` and `arp_solicit()` in `net/ipv4/arp.c`) takes an unknown value for 0, and an
    /// `arp_ignore` of 3 still answers for an address of global scope.
    #[must_use]
    pub const fn suits(self, effective: i32) -> bool {
        match self {
            Self::ArpIgnore => matches!(effective, 1 | 2 | 8),
            Self::ArpAnnounce => effective == 2,
            Self::RpFilter => effective != 1,
            Self::ProxyArp => effective == 0,
        }
    }
}

/// A setting that `up` takes care of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Setting {
    /// Of every interface.
    #[serde(rename = "net.ipv4.conf.all.arp_ignore")]
    AllArpIgnore,
    /// Of every interface.
    #[serde(rename = "net.ipv4.conf.all.arp_announce")]
    AllArpAnnounce,
    /// Of `lo`.
    #[serde(rename = "net.ipv4.conf.lo.arp_ignore")]
    LoArpIgnore,
    /// Of `lo`.
    #[serde(rename = "net.ipv4.conf.lo.arp_announce")]
    LoArpAnnounce,
}

impl Setting {
    /// All of them, in the order in which `up` sets them.
    pub const ALL: [Self; 4] =
        [Self::AllArpIgnore, Self::AllArpAnnounce, Self::LoArpIgnore, Self::LoArpAnnounce];

    /// `all` or `lo`.
    #[must_use]
    pub const fn interface(self) -> &'static str {
        match self {
            Self::AllArpIgnore | Self::AllArpAnnounce => "all",
            Self::LoArpIgnore | Self::LoArpAnnounce => "lo",
        }
    }

    /// What it sets.
    #[must_use]
    pub const fn parameter(self) -> Parameter {
        match self {
            Self::AllArpIgnore | Self::LoArpIgnore => Parameter::ArpIgnore,
            Self::AllArpAnnounce | Self::LoArpAnnounce => Parameter::ArpAnnounce,
        }
    }

    /// What `up` sets it to where it does not suit.
    #[must_use]
    pub const fn wanted(self) -> i32 {
        match self {
            Self::AllArpIgnore | Self::LoArpIgnore => 1,
            Self::AllArpAnnounce | Self::LoArpAnnounce => 2,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net.ipv4.conf.{}.{}", self.interface(), self.parameter().name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_up_sets_suits() {
        for setting in Setting::ALL {
            assert!(setting.parameter().suits(setting.wanted()), "{setting}");
        }
    }

    #[test]
    fn stricter_values_suit_and_3_does_not() {
        let suitable: Vec<_> = (-1..10).filter(|value| Parameter::ArpIgnore.suits(*value)).collect();
        assert_eq!(suitable, [1, 2, 8]);
        let suitable: Vec<_> = (-1..10).filter(|value| Parameter::ArpAnnounce.suits(*value)).collect();
        assert_eq!(suitable, [2]);
    }

    #[test]
    fn the_record_names_a_setting_as_sysctl_does() {
        for setting in Setting::ALL {
            assert_eq!(serde_json::to_string(&setting).unwrap(), format!("\"{setting}\""));
        }
    }
}
