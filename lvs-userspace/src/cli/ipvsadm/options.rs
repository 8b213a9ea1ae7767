//! Every switch that ipvsadm 1.31 knows, as one table.

use super::command_table::CommandName;
use super::groups::Group;

/// What a switch takes besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    /// Nothing.
    None,
    /// A text.
    Text,
    /// `master` or `backup`; what ipvsadm says otherwise.
    Role(&'static str),
    /// A text, or nothing when another switch or the end follows.
    OptionalText,
    /// A decimal number.
    Number {
        /// What ipvsadm calls it when it is out of range: `illegal {what} specified`.
        what: &'static str,
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
}

/// What a switch says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What to do: the first switch, and no other, is one of these.
    Command(CommandName),
    /// With what.
    Option(OptionName),
    /// Nothing beyond its group.
    Mark,
}

/// An option that says more than that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionName {
    TcpService,
    UdpService,
    SctpService,
    FirewallMark,
    Ipv6,
    Scheduler,
    SchedulerFlags,
    Persistent,
    Netmask,
    RealServer,
    Tunneling,
    Masquerading,
    TunnelType,
    Weight,
    MulticastGroup,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switch {
    /// Its name after `--`.
    pub(super) long: &'static str,
    /// Its letter after `-`.
    pub(super) short: Option<char>,
    /// What it takes.
    pub(super) argument: Argument,
    /// What it says.
    pub(super) meaning: Meaning,
    /// Its group; `--sort` and `-6` may be repeated and go with every command.
    pub(super) group: Option<Group>,
    /// Whether the director can do it. What it can't is understood, checked, and refused.
    pub(super) available: bool,
}

impl Switch {
    /// How it is typed at its shortest.
    pub(super) fn spelling(&self) -> String {
        self.short.map_or_else(|| format!("--{}", self.long), |short| format!("-{short}"))
    }

    /// Both ways to type it.
    pub(super) fn both_spellings(&self) -> String {
        match self.short {
            Some(short) => format!("-{short} (--{})", self.long),
            None => format!("--{}", self.long),
        }
    }

    const fn new(long: &'static str, short: char, meaning: Meaning, group: Option<Group>) -> Self {
        let short = if short == NO_LETTER { None } else { Some(short) };
        Self { long, short, argument: Argument::None, meaning, group, available: true }
    }

    const fn command(long: &'static str, short: char, name: CommandName) -> Self {
        Self::new(long, short, Meaning::Command(name), None)
    }

    const fn option(long: &'static str, short: char, name: OptionName, group: Group) -> Self {
        Self::new(long, short, Meaning::Option(name), Some(group))
    }

    const fn mark(long: &'static str, short: char, group: Group) -> Self {
        Self::new(long, short, Meaning::Mark, Some(group))
    }

    const fn takes(self, argument: Argument) -> Self {
        Self { argument, ..self }
    }

    const fn takes_number(self, what: &'static str, min: i64, max: i64) -> Self {
        self.takes(Argument::Number { what, min, max })
    }

    const fn without_group(self) -> Self {
        Self { group: None, ..self }
    }

    const fn unavailable(self) -> Self {
        Self { available: false, ..self }
    }
}

const NO_LETTER: char = '\0';
const INT_MAX: i64 = i32::MAX as i64;
/// The longest UDP payload.
const MAX_SYNC_LENGTH: i64 = 65535 - 20 - 8;

/// Every switch, in ipvsadm's order. The limit of the weight is the one that Debian patches in.
#[rustfmt::skip]
pub(super) const SWITCHES: &[Switch] = &[
    Switch::command("add-service", 'A', CommandName::AddService),
    Switch::command("edit-service", 'E', CommandName::EditService),
    Switch::command("delete-service", 'D', CommandName::DeleteService),
    Switch::command("clear", 'C', CommandName::Clear),
    Switch::command("list", 'L', CommandName::List),
    Switch::command("list", 'l', CommandName::List),
    Switch::command("zero", 'Z', CommandName::Zero),
    Switch::command("add-server", 'a', CommandName::AddServer),
    Switch::command("edit-server", 'e', CommandName::EditServer),
    Switch::command("delete-server", 'd', CommandName::DeleteServer),
    Switch::command("set", NO_LETTER, CommandName::SetTimeouts).unavailable(),
    Switch::command("help", 'h', CommandName::Help),
    Switch::command("version", 'v', CommandName::Version),
    Switch::command("restore", 'R', CommandName::Restore),
    Switch::command("save", 'S', CommandName::Save),
    Switch::command("start-daemon", NO_LETTER, CommandName::StartDaemon).takes(Argument::Role("illegal start-daemon parameter specified")).unavailable(),
    Switch::command("stop-daemon", NO_LETTER, CommandName::StopDaemon).takes(Argument::Role("illegal start_daemon specified")).unavailable(),
    Switch::option("tcp-service", 't', OptionName::TcpService, Group::ServiceAddress).takes(Argument::Text),
    Switch::option("udp-service", 'u', OptionName::UdpService, Group::ServiceAddress).takes(Argument::Text),
    Switch::option("sctp-service", NO_LETTER, OptionName::SctpService, Group::ServiceAddress).takes(Argument::Text).unavailable(),
    Switch::option("fwmark-service", 'f', OptionName::FirewallMark, Group::ServiceAddress).takes(Argument::Text).unavailable(),
    Switch::option("scheduler", 's', OptionName::Scheduler, Group::Scheduler).takes(Argument::Text),
    Switch::option("persistent", 'p', OptionName::Persistent, Group::Persistent).takes(Argument::OptionalText).unavailable(),
    Switch::option("netmask", 'M', OptionName::Netmask, Group::Netmask).takes(Argument::Text).unavailable(),
    Switch::option("real-server", 'r', OptionName::RealServer, Group::RealServer).takes(Argument::Text),
    Switch::option("masquerading", 'm', OptionName::Masquerading, Group::ForwardingMethod).unavailable(),
    Switch::option("ipip", 'i', OptionName::Tunneling, Group::ForwardingMethod).unavailable(),
    Switch::mark("gatewaying", 'g', Group::ForwardingMethod),
    Switch::option("weight", 'w', OptionName::Weight, Group::Weight).takes_number("weight", 0, INT_MAX),
    Switch::mark("u-threshold", 'x', Group::UpperThreshold).takes_number("u_threshold", 0, INT_MAX).unavailable(),
    Switch::mark("l-threshold", 'y', Group::LowerThreshold).takes_number("l_threshold", 0, INT_MAX).unavailable(),
    Switch::mark("numeric", 'n', Group::Numeric),
    Switch::mark("connection", 'c', Group::Connection).unavailable(),
    Switch::mark("mcast-interface", NO_LETTER, Group::MulticastInterface).takes(Argument::Text).unavailable(),
    Switch::mark("syncid", NO_LETTER, Group::SyncId).takes_number("syncid", 0, 255).unavailable(),
    Switch::mark("timeout", NO_LETTER, Group::Timeout).unavailable(),
    Switch::mark("daemon", NO_LETTER, Group::Daemon).unavailable(),
    Switch::mark("stats", NO_LETTER, Group::Stats),
    Switch::mark("rate", NO_LETTER, Group::Rate).unavailable(),
    Switch::mark("thresholds", NO_LETTER, Group::Thresholds).unavailable(),
    Switch::mark("persistent-conn", NO_LETTER, Group::PersistentConnections).unavailable(),
    Switch::mark("nosort", NO_LETTER, Group::NoSort),
    Switch::mark("sort", NO_LETTER, Group::NoSort).without_group(),
    Switch::mark("exact", 'X', Group::Exact),
    Switch::option("ipv6", '6', OptionName::Ipv6, Group::ServiceAddress).without_group().unavailable(),
    Switch::mark("ops", 'o', Group::OnePacket).unavailable(),
    Switch::mark("pe", NO_LETTER, Group::PersistenceEngine).takes(Argument::Text).unavailable(),
    Switch::option("sched-flags", 'b', OptionName::SchedulerFlags, Group::SchedulerFlags).takes(Argument::Text).unavailable(),
    Switch::option("mcast-group", NO_LETTER, OptionName::MulticastGroup, Group::MulticastGroup).takes(Argument::Text).unavailable(),
    Switch::mark("mcast-port", NO_LETTER, Group::MulticastPort).takes_number("mcast-port", 1, 65535).unavailable(),
    Switch::mark("mcast-ttl", NO_LETTER, Group::MulticastTtl).takes_number("mcast-ttl", 1, 255).unavailable(),
    Switch::mark("sync-maxlen", NO_LETTER, Group::SyncMaxLength).takes_number("sync-maxlen", 1, MAX_SYNC_LENGTH).unavailable(),
    Switch::mark("tun-info", NO_LETTER, Group::TunnelInfo).unavailable(),
    Switch::option("tun-type", NO_LETTER, OptionName::TunnelType, Group::TunnelType).takes(Argument::Text).unavailable(),
    Switch::mark("tun-port", NO_LETTER, Group::TunnelPort).takes_number("tunnel port", 1, 65535).unavailable(),
    Switch::mark("tun-nocsum", NO_LETTER, Group::TunnelNoChecksum).unavailable(),
    Switch::mark("tun-csum", NO_LETTER, Group::TunnelChecksum).unavailable(),
    Switch::mark("tun-remcsum", NO_LETTER, Group::TunnelRemoteChecksum).unavailable(),
];
