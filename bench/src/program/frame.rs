//! The frames of a case.

use anyhow::{Context as _, Result};
use etherparse::PacketBuilder;
use lvs_common::abi::Orders;
use lvs_common::packet::{TCP, UDP};

/// The MAC address for which the director takes frames.
pub(crate) const DIRECTOR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
const OTHER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// The first virtual IP address: 172.16.0.1.
pub(crate) const FIRST_VIP: u32 = 0xac10_0001;
/// 192.0.2.1, an address of no service.
const NO_VIP: u32 = 0xc000_0201;
/// The port of every service.
pub(crate) const SERVICE_PORT: u16 = 80;

/// As the client sends it.
pub(crate) const TTL: u8 = 64;
const ETHERNET: usize = 14;
const IPV4: usize = 20;

/// What the frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// TCP with SYN, to a service.
    Syn,
    /// TCP with ACK, to a service.
    Ack,
    /// UDP, to a service.
    Udp,
    /// TCP with ACK, to an address that is not virtual.
    OtherAddress,
    /// TCP with ACK, to a service's address and another host's MAC address.
    OtherHost,
}

impl Kind {
    pub(crate) const fn protocol(self) -> u8 {
        match self {
            Self::Udp => UDP,
            Self::Syn | Self::Ack | Self::OtherAddress | Self::OtherHost => TCP,
        }
    }

    pub(crate) const fn first_destination(self) -> u32 {
        match self {
            Self::OtherAddress => NO_VIP,
            Self::Syn | Self::Ack | Self::Udp | Self::OtherHost => FIRST_VIP,
        }
    }

    /// The frame, but for what its flow changes.
    pub(crate) fn template(self) -> Result<[u64; Orders::FRAME_WORDS]> {
        let mut bytes = Vec::with_capacity(Orders::FRAME_LENGTH);
        self.write(&mut bytes).context("build the frame")?;
        let (words, rest) = bytes.as_chunks();
        let words: Vec<_> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        words.try_into().ok().filter(|_| rest.is_empty()).context("the frame has another length than ordered")
    }

    fn write(self, to: &mut Vec<u8>) -> Result<()> {
        let destination = if self == Self::OtherHost { OTHER_MAC } else { DIRECTOR_MAC };
        let packet = PacketBuilder::ethernet2(CLIENT_MAC, destination).ipv4(
            [10, 0, 0, 1],
            FIRST_VIP.to_be_bytes(),
            TTL,
        );
        let room = |header: usize| vec![0; Orders::FRAME_LENGTH - ETHERNET - IPV4 - header];
        match self {
            Self::Udp => packet.udp(1024, SERVICE_PORT).write(to, &room(8))?,
            Self::Syn => packet.tcp(1024, SERVICE_PORT, 1, 65_535).syn().write(to, &room(20))?,
            Self::Ack | Self::OtherAddress | Self::OtherHost => {
                packet.tcp(1024, SERVICE_PORT, 1, 65_535).ack(1).write(to, &room(20))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn every_frame_fills_its_length() {
        for kind in [Kind::Syn, Kind::Ack, Kind::Udp, Kind::OtherAddress, Kind::OtherHost] {
            assert!(kind.template().is_ok(), "{kind:?}");
        }
    }
}
