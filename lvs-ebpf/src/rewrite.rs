//! What changes in a frame that is sent on: MAC addresses and time to live.

use aya_ebpf::bindings::xdp_action::XDP_TX;
use lvs_common::abi::Link;
use lvs_common::packet::Packet;

use crate::maps;
use crate::packet::Frame;

/// Readies the frame for its real server and gives the XDP action that sends it; nothing if a header has vanished.
#[inline(always)]
pub fn forward(frame: &Frame<'_>, packet: &Packet, link: Link) -> Option<u32> {
    let egress = link.egress();
    frame.set_addresses(link.mac(), maps::mac_of(egress))?;
    frame.decrement_ttl(packet.network)?;
    if egress == maps::own_egress() {
        return Some(XDP_TX);
    }
    // A port that has just been removed gives XDP_ABORTED: the frame is lost, as on an interface that is gone.
    Some(maps::PORTS.redirect(u32::from(egress), 0).unwrap_or_else(|action| action))
}
