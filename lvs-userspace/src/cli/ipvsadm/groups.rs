//! Groups of options: what ipvsadm counts, and what a command requires, allows or forbids.

/// Options that exclude one another share a group; a command allows groups (`commands_v_options` in
/// ipvsadm.c). The order is the one in which ipvsadm checks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::enum_variant_names, reason = "a multicast group is called so in its own field")]
pub(super) enum Group {
    Numeric,
    Connection,
    ServiceAddress,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    ForwardingMethod,
    Weight,
    UpperThreshold,
    LowerThreshold,
    MulticastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConnections,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    PersistenceEngine,
    SchedulerFlags,
    MulticastGroup,
    MulticastPort,
    MulticastTtl,
    SyncMaxLength,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
}

/// Each group with ipvsadm's name for it, in the order of the checks.
pub(super) const GROUPS: [(Group, &str); 34] = [
    (Group::Numeric, "numeric"),
    (Group::Connection, "connection"),
    (Group::ServiceAddress, "service-address"),
    (Group::Scheduler, "scheduler"),
    (Group::Persistent, "persistent"),
    (Group::Netmask, "netmask"),
    (Group::RealServer, "real-server"),
    (Group::ForwardingMethod, "forwarding-method"),
    (Group::Weight, "weight"),
    (Group::UpperThreshold, "u-threshold"),
    (Group::LowerThreshold, "l-threshold"),
    (Group::MulticastInterface, "mcast-interface"),
    (Group::Timeout, "timeout"),
    (Group::Daemon, "daemon"),
    (Group::Stats, "stats"),
    (Group::Rate, "rate"),
    (Group::Thresholds, "thresholds"),
    (Group::PersistentConnections, "persistent-conn"),
    (Group::NoSort, "nosort"),
    (Group::SyncId, "syncid"),
    (Group::Exact, "exact"),
    (Group::OnePacket, "ops"),
    (Group::PersistenceEngine, "pe"),
    (Group::SchedulerFlags, "sched-flags"),
    (Group::MulticastGroup, "mcast-group"),
    (Group::MulticastPort, "mcast-port"),
    (Group::MulticastTtl, "mcast-ttl"),
    (Group::SyncMaxLength, "sync-maxlen"),
    (Group::TunnelInfo, "tun-info"),
    (Group::TunnelType, "tun-type"),
    (Group::TunnelPort, "tun-port"),
    (Group::TunnelNoChecksum, "tun-nocsum"),
    (Group::TunnelChecksum, "tun-csum"),
    (Group::TunnelRemoteChecksum, "tun-remcsum"),
];

impl Group {
    /// ipvsadm's name for it, for its messages.
    pub(super) fn name(self) -> &'static str {
        GROUPS.iter().find(|(group, _)| *group == self).map_or("", |(_, name)| name)
    }
}
