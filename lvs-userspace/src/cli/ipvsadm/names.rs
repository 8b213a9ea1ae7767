//! Names of hosts and of ports.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use super::services_file::ServicesFile;

/// Where names come from. `transport` is the word of `/etc/services`: `tcp`, `udp` or `sctp`.
pub trait Names {
    /// The first IPv4 address of a host; also understands `127.1` and the like, as the C library does.
    fn address_of(&self, host: &str) -> Option<Ipv4Addr>;
    /// A host's name.
    fn host_of(&self, address: IpAddr) -> Option<String>;
    /// A service's port.
    fn port_of(&self, service: &str, transport: &str) -> Option<u16>;
    /// A port's service.
    fn service_of(&self, port: u16, transport: &str) -> Option<String>;
}

/// No names at all: only addresses and numbers are understood.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers;

impl Names for Numbers {
    fn address_of(&self, _host: &str) -> Option<Ipv4Addr> {
        None
    }

    fn host_of(&self, _address: IpAddr) -> Option<String> {
        None
    }

    fn port_of(&self, _service: &str, _transport: &str) -> Option<u16> {
        None
    }

    fn service_of(&self, _port: u16, _transport: &str) -> Option<String> {
        None
    }
}

/// The host's names: its resolver (`/etc/hosts`, DNS) and `/etc/services`.
#[derive(Debug, Default)]
pub struct SystemNames {
    services: ServicesFile,
}

impl SystemNames {
    /// Reads the names of ports. Without the file there are none.
    ///
    /// # Errors
    /// When the file is there and can't be read.
    pub fn new() -> io::Result<Self> {
        Self::with_services(Path::new("/etc/services"))
    }

    fn with_services(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(text) => Ok(Self { services: ServicesFile::parse(&String::from_utf8_lossy(&text)) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }
}

impl Names for SystemNames {
    fn address_of(&self, host: &str) -> Option<Ipv4Addr> {
        let addresses = (host, 0).to_socket_addrs().ok()?;
        addresses.into_iter().find_map(|address| match address {
            SocketAddr::V4(address) => Some(*address.ip()),
            SocketAddr::V6(_) => None,
        })
    }

    fn host_of(&self, address: IpAddr) -> Option<String> {
        dns_lookup::lookup_addr(&address).ok()
    }

    fn port_of(&self, service: &str, transport: &str) -> Option<u16> {
        self.services.port_of(service, transport)
    }

    fn service_of(&self, port: u16, transport: &str) -> Option<String> {
        self.services.service_of(port, transport).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_reads_the_old_ways_to_write_an_address() {
        let names = SystemNames::default();
        assert_eq!(names.address_of("127.1"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(names.address_of("0xac.30.100.2"), Some(Ipv4Addr::new(172, 30, 100, 2)));
        assert_eq!(names.address_of("010.0.0.1"), Some(Ipv4Addr::new(8, 0, 0, 1)));
    }

    #[test]
    fn without_a_services_file_ports_have_no_names() {
        let names = SystemNames::with_services(Path::new("/nonexistent/services")).unwrap();
        assert_eq!(names.port_of("http", "tcp"), None);
        assert!(SystemNames::with_services(Path::new("/")).is_err());
    }
}
