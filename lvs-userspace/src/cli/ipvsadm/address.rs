//! `host[:port]`, read and written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::names::Names;
use super::number;
use crate::control::service::Protocol;

/// What `host[:port]` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The host's address.
    pub(super) address: IpAddr,
    /// The port, when one was given.
    pub(super) port: Option<u16>,
}

impl Endpoint {
    /// Reads an address or host name, and a port number or service name of `transport`
    /// (`parse_service` in ipvsadm.c).
    pub(super) fn parse(text: &str, transport: Option<&str>, names: &dyn Names) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (host, bracketed_port) = split_brackets(text)?;
        if let Ok(address) = host.parse::<Ipv6Addr>() {
            return Self::with_port(address.into(), bracketed_port, transport, names);
        }
        // As ipvsadm does, an IPv4 address in brackets loses the port behind them.
        let (host, port) = host.rsplit_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
        Self::with_port(ipv4(host, names)?.into(), port, transport, names)
    }

    fn with_port(
        address: IpAddr,
        port: Option<&str>,
        transport: Option<&str>,
        names: &dyn Names,
    ) -> Option<Self> {
        let port = match port {
            Some(port) => Some(parse_port(port, transport, names)?),
            None => None,
        };
        Some(Self { address, port })
    }
}

/// An IPv4 address or the name of a host that has one.
pub(super) fn ipv4(host: &str, names: &dyn Names) -> Option<Ipv4Addr> {
    if host.is_empty() {
        return None;
    }
    host.parse().ok().or_else(|| names.address_of(host))
}

/// Writes `host:port`, in names when `names` are given.
pub(super) fn display(address: SocketAddr, protocol: Protocol, names: Option<&dyn Names>) -> String {
    let Some(names) = names else {
        return address.to_string();
    };
    let transport = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let host = names.host_of(address.ip()).unwrap_or_else(|| address.ip().to_string());
    let port = names.service_of(address.port(), transport).unwrap_or_else(|| address.port().to_string());
    if address.is_ipv6() { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// `[host]:port` in its two parts. Brackets without a port are refused, as by ipvsadm.
fn split_brackets(text: &str) -> Option<(&str, Option<&str>)> {
    let Some(inner) = text.strip_prefix('[') else {
        return Some((text, None));
    };
    let (host, port) = inner.split_once(']')?;
    Some((host, Some(port.strip_prefix(':')?)))
}

fn parse_port(port: &str, transport: Option<&str>, names: &dyn Names) -> Option<u16> {
    number::parse(port, 0..=u16::MAX.into())
        .and_then(|port| port.try_into().ok())
        .or_else(|| names.port_of(port, transport?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ipvsadm::names::Numbers;

    fn parse(text: &str) -> Option<(String, Option<u16>)> {
        Endpoint::parse(text, Some("tcp"), &Numbers)
            .map(|endpoint| (endpoint.address.to_string(), endpoint.port))
    }

    #[test]
    fn address_and_port() {
        assert_eq!(parse("172.30.100.1:80"), Some(("172.30.100.1".into(), Some(80))));
        assert_eq!(parse("172.30.100.1"), Some(("172.30.100.1".into(), None)));
        assert_eq!(parse("[2001:db8::1]:80"), Some(("2001:db8::1".into(), Some(80))));
        assert_eq!(parse("2001:db8::1"), Some(("2001:db8::1".into(), None)));
        assert_eq!(parse("[172.30.100.1]:80"), Some(("172.30.100.1".into(), None)));
    }

    #[test]
    fn what_is_neither() {
        for text in
            ["", "80", ":80", "300.1.1.1:80", "172.30.100.1:", "172.30.100.1:65536", "[2001:db8::1]", "[::1"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
