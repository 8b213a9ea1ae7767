//! What happens to a packet, and why.

use crate::abi::{Link, ServerIndex};

/// What the data path does with a frame. Each verdict carries one reason, and each reason is a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Left to the kernel, unchanged (`XDP_PASS`).
    Pass(Reason),
    /// Thrown away (`XDP_DROP`).
    Drop(Reason),
    /// Sent to a real server.
    Forward {
        /// The real server.
        server: ServerIndex,
        /// Its MAC address and the interface behind which it is.
        link: Link,
        /// Whether the packet opened a connection: it counts as one of the real server's.
        opened: bool,
        /// Why it went there.
        reason: Reason,
    },
}

impl Verdict {
    /// Why.
    #[inline(always)]
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Pass(reason) | Self::Drop(reason) | Self::Forward { reason, .. } => *reason,
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a packet got its verdict: the index of a per-CPU counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of the counters.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name under which a person reads the counter.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What the reason means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// Forwarded: the packet belongs to a known connection.
    KnownConnection = "known_connection",
    /// Forwarded: the packet opened a connection, and the scheduler chose its real server.
    NewConnection = "new_connection",
    /// Forwarded: the connection table has no room, so the real server was chosen by hash and not remembered.
    NoRoom = "no_room",
    /// Dropped: the connection's real server was deleted; the connection lives again when the server is added again.
    ServerDeleted = "server_deleted",
    /// Dropped: the MAC address of the connection's real server is not known.
    ServerUnresolved = "server_unresolved",
    /// Passed: the destination MAC address is another host's.
    ForeignMac = "foreign_mac",
    /// Passed: the destination MAC address is broadcast or multicast.
    GroupMac = "group_mac",
    /// Passed: ARP.
    Arp = "arp",
    /// Passed: neither IPv4 nor ARP.
    OtherEtherType = "other_ethertype",
    /// Passed: the frame ends inside a header.
    Truncated = "truncated",
    /// Passed: an IPv4 header whose version, header length or total length can't be right.
    Malformed = "malformed",
    /// Passed: a fragment of an IPv4 packet.
    Fragment = "fragment",
    /// Passed: neither TCP nor UDP.
    OtherProtocol = "other_protocol",
    /// Passed: the destination is no virtual IP address of a service.
    NotVip = "not_vip",
    /// Passed: a virtual IP address, but no service has this protocol and port.
    NoService = "no_service",
    /// Passed: the source address can't be a client's: 0/8, 127/8, multicast or broadcast.
    MartianSource = "martian_source",
    /// Passed: the source address is a virtual IP address of this director.
    SourceIsVip = "source_is_vip",
    /// Passed: TCP without SYN, and no connection is known.
    NoConnection = "no_connection",
    /// Passed: the service has no real server that takes new connections.
    NoServer = "no_server",
    /// Passed: the time to live ends here.
    TtlExpired = "ttl_expired",
}

impl Reason {
    /// How many counters there are.
    pub const COUNT: u32 = Self::ALL.len() as u32;

    /// The counter's index.
    #[inline(always)]
    #[must_use]
    pub const fn index(self) -> u32 {
        self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn indices_follow_the_list_and_names_are_unique() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index() as usize, index);
            assert!(reason.meaning().ends_with('.'));
            let same_name = Reason::ALL.iter().filter(|other| other.name() == reason.name());
            assert_eq!(same_name.count(), 1, "{}", reason.name());
        }
    }
}
