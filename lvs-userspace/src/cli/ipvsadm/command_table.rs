//! Which options each command requires, allows and forbids.

use std::collections::BTreeSet;

use super::failure::Failure;
use super::groups::{GROUPS, Group};
use super::options::{SWITCHES, Switch};

/// What a command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandName {
    AddService,
    EditService,
    DeleteService,
    Clear,
    List,
    AddServer,
    DeleteServer,
    EditServer,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
    Restore,
    Save,
    Zero,
    Help,
    Version,
}

/// The options of one command. What it does not name is illegal.
#[derive(Debug)]
pub(super) struct CommandRule {
    /// ipvsadm's name for the command, for its messages.
    pub(super) name: &'static str,
    required: &'static [Group],
    optional: &'static [Group],
    /// At most one of these.
    exclusive: &'static [Group],
}

impl CommandName {
    /// Its row of ipvsadm's `commands_v_options`.
    #[rustfmt::skip]
    pub(super) const fn rule(self) -> CommandRule {
        const SERVICE: &[Group] = &[Group::ServiceAddress];
        const SERVER: &[Group] = &[Group::ServiceAddress, Group::RealServer];
        match self {
            Self::AddService => CommandRule::new("add-service", SERVICE, SERVICE_OPTIONS),
            Self::EditService => CommandRule::new("edit-service", SERVICE, SERVICE_OPTIONS),
            Self::DeleteService => CommandRule::new("delete-service", SERVICE, &[]),
            Self::Clear => CommandRule::new("flush", &[], &[]),
            Self::List => CommandRule { exclusive: LIST_SUBJECTS, ..CommandRule::new("list", &[], LIST_OPTIONS) },
            Self::AddServer => CommandRule::new("add-server", SERVER, SERVER_OPTIONS),
            Self::DeleteServer => CommandRule::new("delete-server", SERVER, &[]),
            Self::EditServer => CommandRule::new("edit-server", SERVER, SERVER_OPTIONS),
            Self::SetTimeouts => CommandRule::new("set", &[], &[]),
            Self::StartDaemon => CommandRule::new("start-daemon", &[], DAEMON_OPTIONS),
            Self::StopDaemon => CommandRule::new("stop-daemon", &[], &[Group::SyncId]),
            Self::Restore => CommandRule::new("restore", &[], &[]),
            Self::Save => CommandRule::new("save", &[], &[Group::Numeric]),
            Self::Zero => CommandRule::new("zero", &[], SERVICE),
            Self::Help => CommandRule::new("help", &[], &[]),
            Self::Version => CommandRule::new("version", &[], &[]),
        }
    }
}

const SERVICE_OPTIONS: &[Group] = &[
    Group::Scheduler,
    Group::Persistent,
    Group::Netmask,
    Group::OnePacket,
    Group::PersistenceEngine,
    Group::SchedulerFlags,
];

const SERVER_OPTIONS: &[Group] = &[
    Group::ForwardingMethod,
    Group::Weight,
    Group::UpperThreshold,
    Group::LowerThreshold,
    Group::TunnelType,
    Group::TunnelPort,
    Group::TunnelNoChecksum,
    Group::TunnelChecksum,
    Group::TunnelRemoteChecksum,
];

const LIST_OPTIONS: &[Group] = &[
    Group::Numeric,
    Group::Stats,
    Group::Rate,
    Group::Thresholds,
    Group::PersistentConnections,
    Group::NoSort,
    Group::Exact,
    Group::TunnelInfo,
];

const LIST_SUBJECTS: &[Group] = &[Group::Connection, Group::ServiceAddress, Group::Timeout, Group::Daemon];

const DAEMON_OPTIONS: &[Group] = &[
    Group::MulticastInterface,
    Group::SyncId,
    Group::MulticastGroup,
    Group::MulticastPort,
    Group::MulticastTtl,
    Group::SyncMaxLength,
];

impl CommandRule {
    const fn new(name: &'static str, required: &'static [Group], optional: &'static [Group]) -> Self {
        Self { name, required, optional, exclusive: &[] }
    }

    /// Says what is wrong first, in ipvsadm's order (`generic_opt_check` in ipvsadm.c).
    pub(super) fn check(&self, given: &BTreeSet<Group>) -> Result<(), Failure> {
        let mut exclusive = None;
        for (group, option) in GROUPS {
            if !given.contains(&group) {
                self.check_absent(group, option)?;
                continue;
            }
            self.check_present(group, option)?;
            if self.exclusive.contains(&group) {
                self.check_only(option, exclusive.replace(option))?;
            }
        }
        Ok(())
    }

    /// The options that a user can give to this command.
    pub(super) fn available_switches(&self) -> impl Iterator<Item = &'static Switch> {
        SWITCHES
            .iter()
            .filter(|switch| switch.available && switch.group.is_some_and(|group| self.allows(group)))
    }

    fn allows(&self, group: Group) -> bool {
        [self.required, self.optional, self.exclusive].iter().any(|groups| groups.contains(&group))
    }

    fn check_absent(&self, group: Group, option: &str) -> Result<(), Failure> {
        if self.required.contains(&group) {
            let command = self.name;
            return Err(Failure::invalid(format!(
                "You need to supply the '{option}' option for the '{command}' command"
            )));
        }
        Ok(())
    }

    fn check_present(&self, group: Group, option: &str) -> Result<(), Failure> {
        if !self.allows(group) {
            let command = self.name;
            return Err(Failure::invalid(format!("Illegal '{option}' option with the '{command}' command")));
        }
        Ok(())
    }

    fn check_only(&self, option: &str, before: Option<&str>) -> Result<(), Failure> {
        before.map_or(Ok(()), |before| {
            let command = self.name;
            Err(Failure::invalid(format!(
                "The option '{option}' conflicts with the '{before}' option in the '{command}' command"
            )))
        })
    }
}
