//! What ipvsadm can do and this director can't: refused in one sentence, never ignored.

use std::net::SocketAddr;

use super::command_table::{CommandName, CommandRule};
use super::draft::Draft;
use super::failure::Failure;
use super::options::{Meaning, SWITCHES, Switch};
use crate::control::service::Scheduler;

/// What ipvsadm takes when there is no `-s`.
const DEFAULT_SCHEDULER: &str = "wlc";

/// The schedulers that Linux has (net/netfilter/ipvs/ip_vs_*.c), and `none`.
const SCHEDULERS_OF_IPVS: [&str; 15] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos", "none"];

/// Refuses what a valid line asks for and the director can't do.
pub(super) fn check(name: CommandName, switch: &Switch, draft: &Draft) -> Result<(), Failure> {
    if !switch.available {
        return Err(command(switch));
    }
    if let Some(unavailable) = draft.unavailable {
        return Err(option(unavailable, &name.rule()));
    }
    check_family(draft)
}

/// Refuses a command.
pub(super) fn command(switch: &Switch) -> Failure {
    let commands = SWITCHES.iter().filter(|switch| matches!(switch.meaning, Meaning::Command(_)));
    Failure::invalid(format!(
        "{} is not available: the commands are {}",
        switch.both_spellings(),
        spellings(commands.filter(|switch| switch.available))
    ))
}

fn option(switch: &Switch, rule: &CommandRule) -> Failure {
    Failure::invalid(format!(
        "{} is not available: {} takes {}",
        switch.both_spellings(),
        rule.name,
        spellings(rule.available_switches())
    ))
}

fn spellings(switches: impl Iterator<Item = &'static Switch>) -> String {
    switches.map(Switch::spelling).collect::<Vec<_>>().join(", ")
}

fn check_family(draft: &Draft) -> Result<(), Failure> {
    let service = draft.service.map(|service| service.address);
    match [service, draft.server].into_iter().flatten().find(SocketAddr::is_ipv6) {
        Some(address) => Err(Failure::invalid(format!(
            "IPv6 address {} is not available: give an IPv4 address",
            address.ip()
        ))),
        None => Ok(()),
    }
}

/// Refuses a scheduler: one of IPVS's in a sentence, one that no one knows as the kernel does.
pub(super) fn scheduler(draft: &Draft) -> Failure {
    let name = draft.scheduler_name();
    if !SCHEDULERS_OF_IPVS.contains(&name) {
        return Failure::no_such_scheduler();
    }
    let why = if draft.scheduler.is_none() { ", the default without -s," } else { "" };
    let available = Scheduler::ALL.map(|scheduler| format!("-s {scheduler}")).join(" or ");
    Failure::invalid(format!("scheduler {name}{why} is not available: give {available}"))
}

impl Draft {
    /// The scheduler that ipvsadm would ask the kernel for.
    pub(super) fn scheduler_name(&self) -> &str {
        self.scheduler.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT_SCHEDULER)
    }
}
