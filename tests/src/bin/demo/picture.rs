//! A frame's way as a small picture in text.

use std::fmt;

use lvs_tests::lab::Frame;

/// The same packet at the client, behind the director and at the real server, and the answer at the client.
pub(crate) struct Picture<'a> {
    pub(crate) sent: &'a Frame,
    pub(crate) steered: &'a Frame,
    pub(crate) arrived: &'a Frame,
    pub(crate) reply: &'a Frame,
}

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<10} {:<17}    {:<17}  {:>3}  packet",
            "where", "source MAC", "destination MAC", "TTL"
        )?;
        row(f, "client", self.sent)?;
        writeln!(f, "     |  the director answers ARP for the VIP, so the client sends to its MAC address")?;
        writeln!(f, "     v")?;
        row(f, "director", self.steered)?;
        writeln!(f, "     |  other MAC addresses, TTL less one; every other byte as it was")?;
        writeln!(f, "     v")?;
        row(f, "rs1", self.arrived)?;
        writeln!(f, "     |  the VIP is on its lo: it answers the client directly")?;
        writeln!(f, "     v")?;
        row(f, "client", self.reply)
    }
}

fn row(f: &mut fmt::Formatter<'_>, place: &str, frame: &Frame) -> fmt::Result {
    let mac =
        |mac: Option<macaddr::MacAddr6>| mac.map_or_else(String::new, |mac| mac.to_string().to_lowercase());
    let ip = |ip: Option<std::net::IpAddr>| ip.map_or_else(String::new, |ip| ip.to_string());
    let (source, destination) = frame.ports().unwrap_or_default();
    let ttl = frame.ttl().map_or_else(String::new, |ttl| ttl.to_string());
    let (source_mac, destination_mac) = (mac(frame.source_mac()), mac(frame.destination_mac()));
    let (source_ip, destination_ip) = (ip(frame.source_ip()), ip(frame.destination_ip()));
    writeln!(
        f,
        "  {place:<10} {source_mac:<17} -> {destination_mac:<17}  {ttl:>3}  {source_ip}:{source} > {destination_ip}:{destination}"
    )
}
