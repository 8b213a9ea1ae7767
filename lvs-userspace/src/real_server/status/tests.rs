use super::*;

const EFFECTIVE: Conf = Conf { arp_ignore: 1, arp_announce: 2, rp_filter: 0, proxy_arp: 0 };
const OFF: Conf = Conf { arp_ignore: 0, arp_announce: 0, rp_filter: 0, proxy_arp: 0 };

fn vip() -> Vip {
    "172.30.100.1".parse().unwrap()
}

fn vip6() -> Vip {
    "2001:db8::1".parse().unwrap()
}

fn held(interface: &str, vip: Vip, prefix: u8) -> HeldAddress {
    HeldAddress { interface: interface.to_owned(), address: vip.address(), prefix }
}

/// A real server as `up` leaves it, with one interface.
fn good() -> Found {
    Found {
        all: EFFECTIVE,
        lo: EFFECTIVE,
        arp_interfaces: vec![ArpInterface { name: "eth0".to_owned(), conf: OFF }],
        addresses: vec![held("lo", vip(), 32)],
    }
}

fn verdict(found: &Found, vip: Vip, subject: &str) -> Verdict {
    let findings = findings(found, &[vip]);
    let finding = findings.iter().find(|finding| finding.subject == subject);
    finding.unwrap_or_else(|| panic!("no {subject} in {findings:#?}")).verdict.clone()
}

fn wrong(text: &str) -> Verdict {
    Verdict::Wrong(text.to_owned())
}

#[test]
fn a_host_after_up_is_right_in_every_line() {
    let findings = findings(&good(), &[vip()]);
    assert_eq!(findings.len(), 7, "four settings, two of eth0, one VIP: {findings:#?}");
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Right), "{findings:#?}");
}

#[test]
fn without_arp_ignore_the_host_leaks_also_with_the_setting_on_lo() {
    let found = Found { all: Conf { arp_ignore: 0, ..EFFECTIVE }, ..good() };
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.all.arp_ignore"), wrong(LEAK));
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.eth0.arp_ignore"), wrong(LEAK));
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.lo.arp_ignore"), Verdict::Right);
}

#[test]
fn without_arp_announce_clients_caches_flip() {
    let found = Found { all: Conf { arp_announce: 1, ..EFFECTIVE }, ..good() };
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.all.arp_announce"), wrong(FLIP));
}

#[test]
fn an_interface_can_spoil_what_all_sets() {
    let mut found = good();
    found.arp_interfaces[0].conf.arp_ignore = 3;
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.eth0.arp_ignore"), wrong(LEAK));
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.all.arp_ignore"), Verdict::Right);
    found.arp_interfaces[0].conf.arp_ignore = 8;
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.eth0.arp_ignore"), Verdict::Right);
}

#[test]
fn an_interface_that_is_right_by_itself_does_not_cover_later_ones() {
    let mut found = Found { all: OFF, ..good() };
    found.arp_interfaces[0].conf = EFFECTIVE;
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.eth0.arp_ignore"), Verdict::Right);
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.all.arp_ignore"), wrong(LATER));
}

#[test]
fn each_setting_of_lo_goes_by_its_own_value() {
    let ignore = Found { lo: Conf { arp_ignore: 0, ..EFFECTIVE }, ..good() };
    assert_eq!(wrong_subjects(&ignore), ["net.ipv4.conf.lo.arp_ignore"]);
    assert_eq!(verdict(&ignore, vip(), "net.ipv4.conf.lo.arp_ignore"), wrong(HALF));
    let announce = Found { lo: Conf { arp_announce: 1, ..EFFECTIVE }, ..good() };
    assert_eq!(wrong_subjects(&announce), ["net.ipv4.conf.lo.arp_announce"]);
    assert_eq!(verdict(&announce, vip(), "net.ipv4.conf.lo.arp_announce"), wrong(HALF));
}

fn wrong_subjects(found: &Found) -> Vec<String> {
    let findings = findings(found, &[vip()]).into_iter();
    findings.filter(Finding::is_wrong).map(|finding| finding.subject).collect()
}

#[test]
fn a_vip_that_is_missing_or_a_subnet_is_wrong() {
    let missing = Found { addresses: Vec::new(), ..good() };
    assert_eq!(verdict(&missing, vip(), "172.30.100.1 on lo"), wrong(MISSING));
    let subnet = Found { addresses: vec![held("lo", vip(), 32), held("lo", vip(), 24)], ..good() };
    assert_eq!(verdict(&subnet, vip(), "172.30.100.1 on lo"), wrong(SUBNET));
}

#[test]
fn a_vip_on_an_interface_that_speaks_arp_is_wrong() {
    let found = Found { addresses: vec![held("eth0", vip(), 32)], ..good() };
    let Verdict::Wrong(text) = verdict(&found, vip(), "172.30.100.1 on eth0") else { panic!("eth0 answers") };
    assert!(text.contains("though arp_ignore is 1"), "{text}");
    let note = Verdict::Note("eth0 holds it in place of lo".to_owned());
    assert_eq!(verdict(&found, vip(), "172.30.100.1 on lo"), note);
}

#[test]
fn a_vip_on_a_silent_interface_serves_as_well() {
    let dummy = Found { addresses: vec![held("dummy0", vip(), 32)], ..good() };
    assert!(!findings(&dummy, &[vip()]).iter().any(Finding::is_wrong));
    let mut strictest = Found { addresses: vec![held("eth0", vip(), 32)], ..good() };
    strictest.all.arp_ignore = 8;
    assert!(!findings(&strictest, &[vip()]).iter().any(Finding::is_wrong));
}

#[test]
fn reverse_path_filter_and_proxy_arp_are_notes() {
    let mut found = good();
    assert!(!findings(&found, &[vip()]).iter().any(|finding| finding.subject.contains("rp_filter")));
    found.arp_interfaces[0].conf.rp_filter = 1;
    found.all.proxy_arp = 1;
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.eth0.rp_filter"), Verdict::Note(STRICT.to_owned()));
    assert_eq!(verdict(&found, vip(), "net.ipv4.conf.eth0.proxy_arp"), Verdict::Note(PROXY.to_owned()));
    assert!(!findings(&found, &[vip()]).iter().any(Finding::is_wrong));
}

#[test]
fn loose_reverse_path_filter_on_all_overrides_strict() {
    let mut found = good();
    found.arp_interfaces[0].conf.rp_filter = 1;
    found.all.rp_filter = 2;
    assert!(!findings(&found, &[vip()]).iter().any(|finding| finding.subject.contains("rp_filter")));
}

#[test]
fn an_ipv6_vip_asks_for_no_arp_setting() {
    let found = Found { all: OFF, lo: OFF, addresses: vec![held("lo", vip6(), 128)], ..good() };
    let findings = findings(&found, &[vip6()]);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].verdict, Verdict::Right);
}

#[test]
fn an_ipv6_vip_on_an_interface_is_wrong() {
    let found = Found { addresses: vec![held("eth0", vip6(), 128)], ..good() };
    let Verdict::Wrong(text) = verdict(&found, vip6(), "2001:db8::1 on eth0") else { panic!("eth0 answers") };
    assert!(text.contains("neighbour solicitations"), "{text}");
}
