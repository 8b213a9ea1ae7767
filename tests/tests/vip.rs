//! The VIP on the director: there while a service needs it, and never touched when it is not the director's own.

use std::time::Duration;

use anyhow::Result;
use etherparse::ArpOperation;
use lvs_tests::lab::{Capture, Frame, Host, Lab};
use lvs_tests::product::Director;
use lvs_tests::tutorial::VIP;

const DEADLINE: Duration = Duration::from_secs(5);

fn has_vip(host: &Host) -> Result<bool> {
    Ok(host.run(&["ip", "-4", "address", "show", "dev", "eth0"])?.contains(&format!("inet {VIP}/32")))
}

fn announces_vip(frame: &Frame, operation: ArpOperation) -> bool {
    frame.arp().is_some_and(|arp| {
        let about_vip = arp.sender_ipv4_addr() == VIP && arp.target_ipv4_addr() == VIP;
        arp.operation == operation && about_vip && arp.sender_mac == [2, 0, 0, 0, 0, 0xd1]
    })
}

#[test]
fn it_comes_with_the_first_service_and_goes_with_the_last() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    let heard = Capture::start(lab.host("client")?, "eth0")?;
    let director = Director::start(&lab, host, &["--manage-vips"])?;
    assert!(!has_vip(host)?);

    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    assert!(has_vip(host)?);
    for operation in [ArpOperation::REQUEST, ArpOperation::REPLY] {
        let is_it = |frame: &Frame| announces_vip(frame, operation);
        heard.wait_for(&format!("gratuitous ARP ({operation:?}) for the VIP"), DEADLINE, is_it)?;
    }

    director.ipvsadm("-A -u 172.30.100.1:53 -s rr")?;
    director.ipvsadm("-D -t 172.30.100.1:80")?;
    assert!(has_vip(host)?, "the second service needs it");
    director.ipvsadm("-D -u 172.30.100.1:53")?;
    assert!(!has_vip(host)?);

    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    director.ipvsadm("-C")?;
    assert!(!has_vip(host)?, "-C deletes every service");
    Ok(())
}

#[test]
fn it_goes_when_the_director_ends() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    let director = Director::start(&lab, host, &["--manage-vips"])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    assert!(has_vip(host)?);
    assert_eq!(director.into_process().stop()?.code(), Some(0));
    assert!(!has_vip(host)?);
    Ok(())
}

#[test]
fn an_address_that_was_there_before_stays() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    host.run(&["ip", "address", "add", &format!("{VIP}/32"), "dev", "eth0"])?;
    let director = Director::start(&lab, host, &["--manage-vips"])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    director.ipvsadm("-D -t 172.30.100.1:80")?;
    assert!(has_vip(host)?, "after the last service");
    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    assert_eq!(director.into_process().stop()?.code(), Some(0));
    assert!(has_vip(host)?, "after the director");
    Ok(())
}

#[test]
fn without_manage_vips_a_warning_says_what_follows() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    let mut director = Director::start(&lab, host, &[])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    director.process().wait_for_output("no one answers ARP for it", DEADLINE)?;
    let log = director.output()?;
    assert!(log.contains("WARN VIP 172.30.100.1 is not an address of this host"), "{log}");
    assert!(log.contains("ip address add 172.30.100.1/32 dev eth0"), "{log}");
    assert!(!has_vip(host)?);

    host.run(&["ip", "address", "add", "172.30.100.2/32", "dev", "eth0"])?;
    director.ipvsadm("-A -t 172.30.100.2:80 -s wrr")?;
    let log = director.output()?;
    assert!(!log.contains("VIP 172.30.100.2"), "an address of this host needs no warning: {log}");
    Ok(())
}
