//! A virtual IP address as a real server holds it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A virtual IP address: one unicast address, alone (/32 or /128).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "IpAddr", into = "IpAddr")]
pub struct Vip(IpAddr);

/// Why something is no virtual IP address of a real server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VipError {
    /// Neither an IPv4 nor an IPv6 address.
    #[error("{0:?} is not an IP address: give one like 172.30.100.1")]
    NotAnAddress(String),
    /// What follows the slash is no prefix length of this kind of address.
    #[error("{prefix:?} is not a prefix length: give {address} alone or as {address}/{alone}")]
    NotAPrefix {
        /// What precedes the slash.
        address: IpAddr,
        /// What follows the slash.
        prefix: String,
        /// The only prefix length that is accepted.
        alone: u8,
    },
    /// A prefix shorter than the whole address.
    #[error(
        "a /{prefix} on lo makes the whole subnet local to the real server: give {address} alone or as {address}/{alone}"
    )]
    Subnet {
        /// The address.
        address: IpAddr,
        /// Its prefix length.
        prefix: u8,
        /// The only prefix length that is accepted.
        alone: u8,
    },
    /// An address that no single host can have, or only on one link.
    #[error("{address} is {kind}: a VIP is a unicast address that clients can reach")]
    NotUnicast {
        /// The address.
        address: IpAddr,
        /// What it is instead.
        kind: &'static str,
    },
    /// The same address twice.
    #[error("{0} is given twice: give each VIP once")]
    Twice(Vip),
}

impl Vip {
    /// The address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// The prefix length of the address alone: 32 or 128.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        alone(self.0)
    }

    /// Refuses a list that names an address twice.
    ///
    /// # Errors
    /// [`VipError::Twice`] for the first address that was there before.
    pub fn refuse_duplicates(vips: &[Self]) -> Result<(), VipError> {
        let mut rest = vips;
        while let Some((first, others)) = rest.split_first() {
            if others.contains(first) {
                return Err(VipError::Twice(*first));
            }
            rest = others;
        }
        Ok(())
    }
}

impl TryFrom<IpAddr> for Vip {
    type Error = VipError;

    fn try_from(address: IpAddr) -> Result<Self, Self::Error> {
        let kind = match address {
            IpAddr::V4(address) => not_unicast_v4(address),
            IpAddr::V6(address) => not_unicast_v6(address),
        };
        kind.map_or(Ok(Self(address)), |kind| Err(VipError::NotUnicast { address, kind }))
    }
}

impl FromStr for Vip {
    type Err = VipError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse().map_err(|_| VipError::NotAnAddress(text.to_owned()))?;
        prefix.map_or(Ok(()), |prefix| refuse_subnet(address, prefix))?;
        Self::try_from(address)
    }
}

impl From<Vip> for IpAddr {
    fn from(vip: Vip) -> Self {
        vip.0
    }
}

impl fmt::Display for Vip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn refuse_subnet(address: IpAddr, prefix: &str) -> Result<(), VipError> {
    let alone = alone(address);
    match prefix.parse() {
        Ok(length) if length == alone => Ok(()),
        Ok(length) if length < alone => Err(VipError::Subnet { address, prefix: length, alone }),
        Ok(_) | Err(_) => Err(VipError::NotAPrefix { address, prefix: prefix.to_owned(), alone }),
    }
}

const fn alone(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn not_unicast_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("of 0.0.0.0/8, \"this network\""),
        [127, ..] => Some("a loopback address"),
        [224..=239, ..] => Some("a multicast address"),
        [255, 255, 255, 255] => Some("the broadcast address"),
        _ => None,
    }
}

fn not_unicast_v6(address: Ipv6Addr) -> Option<&'static str> {
    [
        (address.is_unspecified(), "the unspecified address"),
        (address.is_loopback(), "the loopback address"),
        (address.is_multicast(), "a multicast address"),
        (address.is_unicast_link_local(), "a link-local address"),
        (address.to_ipv4_mapped().is_some(), "an IPv4-mapped address"),
    ]
    .into_iter()
    .find_map(|(is, kind)| is.then_some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<Vip>().unwrap_err().to_string()
    }

    #[test]
    fn an_address_alone_is_accepted() {
        for (text, prefix) in
            [("172.30.100.1", 32), ("172.30.100.1/32", 32), ("2001:db8::1", 128), ("2001:db8::1/128", 128)]
        {
            assert_eq!(text.parse::<Vip>().unwrap().prefix(), prefix, "{text}");
        }
    }

    #[test]
    fn a_subnet_is_refused_and_the_sentence_says_why() {
        assert_eq!(
            refusal("172.30.100.1/24"),
            "a /24 on lo makes the whole subnet local to the real server: give 172.30.100.1 alone or as 172.30.100.1/32"
        );
        assert!(refusal("2001:db8::1/64").ends_with("2001:db8::1/128"));
    }

    #[test]
    fn what_is_no_address_or_prefix_is_named() {
        assert!(refusal("web").starts_with("\"web\" is not an IP address"));
        assert!(refusal("172.30.100.1/33").starts_with("\"33\" is not a prefix length"));
        assert!(refusal("172.30.100.1/255.255.255.0").contains("is not a prefix length"));
        assert!(refusal("172.30.100.1/").contains("is not a prefix length"));
    }

    #[test]
    fn only_unicast_is_accepted() {
        for (text, kind) in [
            ("0.0.0.0", "this network"),
            ("127.0.0.1", "loopback"),
            ("224.0.0.18", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("ff02::1", "multicast"),
            ("fe80::1", "link-local"),
            ("::ffff:172.30.100.1", "IPv4-mapped"),
        ] {
            assert!(refusal(text).contains(kind), "{text}: {}", refusal(text));
        }
    }

    #[test]
    fn a_duplicate_is_named() {
        let [a, b] = ["172.30.100.1", "172.30.100.2"].map(|text| text.parse::<Vip>().unwrap());
        assert_eq!(Vip::refuse_duplicates(&[a, b]), Ok(()));
        assert_eq!(Vip::refuse_duplicates(&[a, b, a]), Err(VipError::Twice(a)));
    }
}
