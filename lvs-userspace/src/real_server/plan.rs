//! What `up` and `down` will do, decided before anything is touched.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::found::Found;
use super::record::Record;
use super::setting::Setting;
use super::vip::Vip;

/// One change that `up` makes. What it found is part of it, so that it can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Give a setting another value.
    Set {
        /// Which one.
        setting: Setting,
        /// What it was before.
        found: i32,
        /// What it becomes.
        value: i32,
    },
    /// Put a VIP on `lo` where it was not.
    AddAddress {
        /// Which one.
        vip: Vip,
    },
}

/// One change that `down` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Give a setting back the value that `up` found.
    Restore {
        /// Which one.
        setting: Setting,
        /// What it is now.
        value: i32,
        /// What it becomes.
        found: i32,
    },
    /// Take a VIP from `lo` that `up` put there.
    RemoveAddress {
        /// Which one.
        vip: Vip,
    },
}

/// Something that `down` leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Someone gave the setting yet another value after `up`.
    Setting {
        /// Which one.
        setting: Setting,
        /// What it is now.
        is: i32,
        /// What `up` found.
        found: i32,
        /// What `up` set.
        value: i32,
    },
    /// The VIP was on `lo` before `up`.
    Address {
        /// Which one.
        vip: Vip,
    },
}

/// The steps from what was found to a real server that holds the VIPs and is silent about them.
///
/// Settings come first: between a VIP on `lo` and `arp_ignore` the host would answer ARP for it. A value that already
/// suits stays, also a stricter one. A VIP that is on `lo` stays as it is, whatever its prefix.
#[must_use]
pub fn plan_up(found: &Found, vips: &[Vip]) -> Vec<Step> {
    let settings = Setting::ALL
        .into_iter()
        .filter(|_| vips.iter().any(|vip| vip.address().is_ipv4()))
        .map(|setting| Step::Set { setting, found: found.setting(setting), value: setting.wanted() })
        .filter(|step| !is_right(step));
    let addresses = vips
        .iter()
        .filter(|vip| found.prefixes_on_loopback(**vip).next().is_none())
        .map(|vip| Step::AddAddress { vip: *vip });
    settings.chain(addresses).collect()
}

fn is_right(step: &Step) -> bool {
    match step {
        Step::Set { setting, found, .. } => setting.parameter().suits(*found),
        Step::AddAddress { .. } => false,
    }
}

/// How recorded steps are undone: addresses first, settings last, each in the reverse order.
///
/// A step that is not in effect any more, or never was, needs no undoing.
#[must_use]
pub fn plan_down(steps: &[Step], found: &Found) -> Vec<Undo> {
    let mut undos: Vec<_> = steps.iter().rev().filter_map(|step| undo(step, found)).collect();
    undos.sort_by_key(|undo| matches!(undo, Undo::Restore { .. }));
    undos
}

fn undo(step: &Step, now: &Found) -> Option<Undo> {
    match *step {
        Step::Set { setting, found, value } => {
            (now.setting(setting) == value).then_some(Undo::Restore { setting, value, found })
        }
        Step::AddAddress { vip } => now
            .prefixes_on_loopback(vip)
            .any(|prefix| prefix == vip.prefix())
            .then_some(Undo::RemoveAddress { vip }),
    }
}

/// What `down` will not touch though it looks like a part of `up`.
#[must_use]
pub fn left_alone(record: &Record, now: &Found) -> Vec<Left> {
    let settings = record.steps.iter().filter_map(|step| changed_since(step, now));
    let addresses = record
        .vips
        .iter()
        .filter(|vip| !record.steps.contains(&Step::AddAddress { vip: **vip }))
        .filter(|vip| now.prefixes_on_loopback(**vip).next().is_some())
        .map(|vip| Left::Address { vip: *vip });
    settings.chain(addresses).collect()
}

fn changed_since(step: &Step, now: &Found) -> Option<Left> {
    match *step {
        Step::Set { setting, found, value } => {
            let is = now.setting(setting);
            (is != found && is != value).then_some(Left::Setting { setting, is, found, value })
        }
        Step::AddAddress { .. } => None,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { setting, found, value } => write!(f, "{setting}: {found} -> {value}"),
            Self::AddAddress { vip } => write!(f, "lo: {vip}/{} added", vip.prefix()),
        }
    }
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restore { setting, value, found } => write!(f, "{setting}: {value} -> {found}"),
            Self::RemoveAddress { vip } => write!(f, "lo: {vip}/{} removed", vip.prefix()),
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { setting, is, found, value } => write!(
                f,
                "{setting} is {is}, neither what `up` set ({value}) nor what it found ({found}): left as it is"
            ),
            Self::Address { vip } => write!(f, "{vip} was on lo before `up`: it stays"),
        }
    }
}
