//! `-L`: the table of services and real servers, byte for byte as ipvsadm 1.31 prints it.
//!
//! One difference is wanted: ipvsadm sorts by a 32-bit subtraction and so puts 224.0.0.1 before 1.2.3.4; here
//! lower addresses come first.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;

use super::address;
use super::failure::Failure;
use super::names::Names;
use crate::control::service::{Protocol, ServiceAddress};
use crate::control::snapshot::{NeighbourState, ServerState, ServiceState, Snapshot, Traffic};

/// IPVS's version that the listing claims, for what parses it.
const IPVS_VERSION: &str = "1.2.1";
const SERVICE_WIDTH: usize = 33;
const SERVER_WIDTH: usize = 28;

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only this service, without the version line.
    pub service: Option<ServiceAddress>,
    /// Addresses and ports instead of names.
    pub numeric: bool,
    /// What to say of each.
    pub columns: Columns,
    /// In which order.
    pub order: Order,
}

/// What a listing says of services and real servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Columns {
    /// Settings and connections.
    #[default]
    Connections,
    /// `--stats`
    Traffic {
        /// `--exact`: every digit.
        exact: bool,
    },
}

/// The order of a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By protocol, address and port.
    #[default]
    Sorted,
    /// `--nosort`, the kernel's order: services as they were added, real servers last added first.
    Kernel,
}

/// A listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The table, in the layout that other programs parse.
    pub stdout: String,
    /// One line for each listed real server that can't be reached.
    pub stderr: String,
}

/// Lists what the request asks for.
///
/// # Errors
/// When the one service that is asked for is not there.
pub fn list(snapshot: &Snapshot, request: &ListRequest, names: &dyn Names) -> Result<Listing, Failure> {
    let services = chosen_services(snapshot, request)?;
    let mut table = Table { request, names: (!request.numeric).then_some(names), text: String::new() };
    if request.service.is_none() {
        let size = snapshot.connection_capacity;
        table.line(format_args!("IP Virtual Server version {IPVS_VERSION} (size={size})"));
    }
    table.title();
    for service in &services {
        table.service(service);
    }
    Ok(Listing { stdout: table.text, stderr: unreachable_servers(&services, request.order) })
}

/// The services in the order of the listing.
pub(super) fn ordered_services(snapshot: &Snapshot, order: Order) -> Vec<&ServiceState> {
    let mut services: Vec<_> = snapshot.services.iter().collect();
    match order {
        Order::Sorted => services.sort_by_key(|state| {
            let ServiceAddress { protocol, address } = state.service;
            (address.is_ipv6(), protocol, address.ip(), address.port())
        }),
        Order::Kernel => {}
    }
    services
}

/// A service's real servers in the order of the listing.
pub(super) fn ordered_servers(service: &ServiceState, order: Order) -> Vec<&ServerState> {
    let mut servers: Vec<_> = service.servers.iter().collect();
    match order {
        Order::Sorted => servers.sort_by_key(|state| (state.server.ip(), state.server.port())),
        Order::Kernel => servers.reverse(),
    }
    servers
}

fn chosen_services<'a>(
    snapshot: &'a Snapshot,
    request: &ListRequest,
) -> Result<Vec<&'a ServiceState>, Failure> {
    let mut services = ordered_services(snapshot, request.order);
    if let Some(only) = request.service {
        services.retain(|state| state.service == only);
        if services.is_empty() {
            return Err(Failure::nothing_to_list());
        }
    }
    Ok(services)
}

fn unreachable_servers(services: &[&ServiceState], order: Order) -> String {
    let mut told = BTreeSet::new();
    let mut text = String::new();
    for state in services.iter().flat_map(|service| ordered_servers(service, order)) {
        if let NeighbourState::Unresolved { reason } = &state.neighbour
            && told.insert(state.server)
        {
            text.push_str(&format!("{} gets no new connections: {reason}\n", state.server));
        }
    }
    text
}

struct Table<'a> {
    request: &'a ListRequest,
    names: Option<&'a dyn Names>,
    text: String,
}

impl Table<'_> {
    fn title(&mut self) {
        match self.request.columns {
            Columns::Connections => {
                self.line(format_args!("Prot LocalAddress:Port Scheduler Flags"));
                self.line(format_args!(
                    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"
                ));
            }
            Columns::Traffic { .. } => {
                let names = ["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"];
                let columns: String = names.iter().map(|name| format!(" {name:>8}")).collect();
                self.line(format_args!("{:<SERVICE_WIDTH$}{columns}", "Prot LocalAddress:Port"));
                self.line(format_args!("  -> RemoteAddress:Port"));
            }
        }
    }

    fn service(&mut self, state: &ServiceState) {
        let ServiceAddress { protocol, address } = state.service;
        let name = format!("{:<4} {}", protocol.to_string(), self.endpoint(address, protocol));
        let name = cut(&name, SERVICE_WIDTH, address);
        match self.request.columns {
            Columns::Connections => self.line(format_args!("{name} {}", state.options.scheduler)),
            Columns::Traffic { exact } => {
                self.line(format_args!("{name:<SERVICE_WIDTH$}{}", traffic(state.traffic, exact)));
            }
        }
        for server in ordered_servers(state, self.request.order) {
            self.server(server, protocol);
        }
    }

    fn server(&mut self, state: &ServerState, protocol: Protocol) {
        let name = self.endpoint(state.server, protocol);
        let name = cut(&name, SERVER_WIDTH, state.server);
        match self.request.columns {
            Columns::Connections => self.line(format_args!(
                "  -> {name:<SERVER_WIDTH$} {:<7} {:<6} {:<10} {:<10}",
                "Route", state.options.weight, state.active_connections, state.inactive_connections
            )),
            Columns::Traffic { exact } => {
                self.line(format_args!("  -> {name:<SERVER_WIDTH$}{}", traffic(state.traffic, exact)));
            }
        }
    }

    fn endpoint(&self, address: SocketAddr, protocol: Protocol) -> String {
        address::display(address, protocol, self.names)
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// IPv4 names that are too long for their column are cut, IPv6 ones are not.
fn cut(name: &str, width: usize, address: SocketAddr) -> String {
    if address.is_ipv6() { name.to_owned() } else { name.chars().take(width).collect() }
}

/// The five numbers of `--stats`. In direct routing the answers pass the director by: out is always 0.
fn traffic(Traffic { connections, packets, bytes }: Traffic, exact: bool) -> String {
    [connections, packets, 0, bytes, 0].map(|number| large_number(number, exact)).concat()
}

/// `print_largenum` in ipvsadm.c.
fn large_number(number: u64, exact: bool) -> String {
    if exact {
        let digits = number.to_string();
        return format!(" {digits:>8}");
    }
    match number {
        0..100_000_000 => format!("{number:>9}"),
        100_000_000..1_000_000_000 => format!("{:>8}K", number / 1_000),
        1_000_000_000..100_000_000_000 => format!("{:>8}M", number / 1_000_000),
        100_000_000_000..100_000_000_000_000 => format!("{:>8}G", number / 1_000_000_000),
        100_000_000_000_000.. => format!("{:>8}T", number / 1_000_000_000_000),
    }
}
