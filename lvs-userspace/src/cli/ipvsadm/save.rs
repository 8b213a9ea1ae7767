//! `-S`: the rules that make the table again.

use super::address;
use super::listing::{Order, ordered_servers, ordered_services};
use super::names::Names;
use crate::control::service::Protocol;
use crate::control::snapshot::{ServerState, ServiceState, Snapshot};

/// How to save.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaveRequest {
    /// Addresses and ports instead of names.
    pub numeric: bool,
}

/// The rules, sorted as ipvsadm sorts them, in the form that [`parse_rules`](super::parse_rules) reads.
#[must_use]
pub fn save(snapshot: &Snapshot, request: SaveRequest, names: &dyn Names) -> String {
    let names = (!request.numeric).then_some(names);
    ordered_services(snapshot, Order::Sorted).into_iter().map(|state| service_rules(state, names)).collect()
}

fn service_rules(state: &ServiceState, names: Option<&dyn Names>) -> String {
    let service = service_option(state, names);
    let mut rules = format!("-A {service} -s {}\n", state.options.scheduler);
    for server in ordered_servers(state, Order::Sorted) {
        rules.push_str(&server_rule(&service, server, state.service.protocol, names));
    }
    rules
}

fn server_rule(service: &str, state: &ServerState, protocol: Protocol, names: Option<&dyn Names>) -> String {
    let server = address::display(state.server, protocol, names);
    format!("-a {service} -r {server} -g -w {}\n", state.options.weight)
}

fn service_option(state: &ServiceState, names: Option<&dyn Names>) -> String {
    let protocol = state.service.protocol;
    let switch = match protocol {
        Protocol::Tcp => "-t",
        Protocol::Udp => "-u",
    };
    format!("{switch} {}", address::display(state.service.address, protocol, names))
}
