//! The lab itself: what tests build on it can only be as dependable as this.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::panic::{self, AssertUnwindSafe};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use etherparse::{LaxNetSlice, PacketBuilder, VlanId};
use lvs_tests::lab::xdp::{self, XdpAction};
use lvs_tests::lab::{
    Capture, Direction, Frame, HostPlan, LAN, Lab, Namespace, NetworkPlan, Nginx, Process, Topology,
    UdpServer, arp_answers, connect, http_get, remove_stale, send_frame,
};
use macaddr::MacAddr6;
use nix::sys::signal::Signal;

const DEADLINE: Duration = Duration::from_secs(5);
const VIP: Ipv4Addr = Ipv4Addr::new(172, 30, 100, 1);
const RS1: &str = "172.30.100.126";
const RS1_MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 0xa1);
const RS2_MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 0xa2);
const CLIENT_MAC: MacAddr6 = MacAddr6::new(2, 0, 0, 0, 0, 0xc1);

fn ping(lab: &Lab, from: &str, to: &str) -> Result<String> {
    lab.host(from)?.run(&["ping", "-n", "-c", "1", "-W", "5", to])
}

/// The names of this lab's namespaces.
fn namespaces(lab: &Lab) -> BTreeSet<String> {
    lab.hosts().iter().map(|host| host.name().to_owned()).collect()
}

fn existing_namespaces() -> Result<BTreeSet<String>> {
    let output = Command::new("ip").args(["netns", "list"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn sleep() -> Command {
    let mut command = Command::new("sleep");
    command.arg("600");
    command
}

#[test]
fn two_labs_side_by_side_do_not_meet() -> Result<()> {
    let labs = thread::scope(|scope| {
        [scope.spawn(Lab::tutorial), scope.spawn(Lab::tutorial)].map(|building| building.join().unwrap())
    });
    let [first, second] = labs;
    let (first, second) = (first?, second?);

    ping(&first, "client", RS1)?;
    ping(&second, "client", RS1)?;

    let elsewhere = Capture::start(second.host("rs1")?, "eth0")?;
    ping(&first, "client", RS1)?;
    ping(&second, "director", RS1)?;
    let seen = elsewhere.wait_for("the ping of its own director", DEADLINE, Frame::is_icmp)?;
    assert_eq!(seen.source_ip(), Some(second.host("director")?.ip()?));
    let foreign = |frame: &Frame| frame.source_mac() == Some(CLIENT_MAC);
    assert!(!elsewhere.frames().iter().any(foreign), "the first lab's client is heard in the second");
    Ok(())
}

#[test]
fn drop_leaves_nothing() -> Result<()> {
    let lab = Lab::tutorial()?;
    let (names, folder) = (namespaces(&lab), lab.folder().to_owned());
    assert!(names.is_subset(&existing_namespaces()?) && folder.exists());
    drop(lab);
    assert!(names.is_disjoint(&existing_namespaces()?));
    assert!(!folder.exists());
    Ok(())
}

#[test]
fn a_panic_leaves_nothing() -> Result<()> {
    let mut names = BTreeSet::new();
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::tutorial().unwrap();
        names = namespaces(&lab);
        lab.host("client").unwrap().enter(|| panic!("on purpose, inside")).unwrap();
    }));
    let message = panicked.unwrap_err();
    assert_eq!(message.downcast_ref::<&str>(), Some(&"on purpose, inside"));
    assert_eq!(names.len(), 4);
    assert!(names.is_disjoint(&existing_namespaces()?));
    Ok(())
}

#[test]
fn a_dead_process_s_lab_is_removed_with_what_runs_in_it() -> Result<()> {
    let owner = Process::spawn(sleep())?;
    let name = format!("lvs-{}-0-client", owner.id());
    let folder = format!("/run/lvs-lab/lvs-{}-0", owner.id());
    fs::create_dir_all(&folder)?;
    let namespace = Namespace::create(&name)?;
    let mut orphan = Process::spawn({
        let mut command = namespace.command("sh")?;
        command.args(["-c", "echo inside; exec sleep 600"]);
        command
    })?;
    orphan.wait_for_output("inside", DEADLINE)?;
    // As if it had never had an owner here.
    std::mem::forget(namespace);

    remove_stale()?;
    assert!(existing_namespaces()?.contains(&name), "its owner is alive");
    assert!(orphan.is_running()?);

    owner.stop()?;
    remove_stale()?;
    assert!(!existing_namespaces()?.contains(&name));
    assert!(!fs::exists(&folder)?);
    orphan.wait_exit(DEADLINE)?;
    Ok(())
}

#[test]
fn a_kept_lab_stands_until_it_is_removed_by_name() -> Result<()> {
    // Letters that stand for the process's id: two runs of this test must not meet.
    let digits = std::process::id().to_string().into_bytes();
    let name = &String::from_utf8(digits.iter().map(|digit| digit - b'0' + b'a').collect())?;
    let lab = Lab::build_named(name, &Topology::tutorial())?;
    let (names, folder) = (namespaces(&lab), lab.folder().to_owned());
    Nginx::start(lab.host("rs1")?, lab.folder(), "rs1")?.leave_running();
    let second = Lab::build_named(name, &Topology::tutorial()).map(drop);
    assert!(second.is_err_and(|error| error.to_string().contains("seems to stand already")));
    lab.keep();

    assert!(names.contains(&format!("lvs-{name}-client")) && names.is_subset(&existing_namespaces()?));
    assert!(Lab::remove_named(name)?, "there was a lab to remove");
    assert!(names.is_disjoint(&existing_namespaces()?));
    assert!(!folder.exists());
    assert!(!Lab::remove_named(name)?, "nothing is left to remove");
    Ok(())
}

#[test]
fn nginx_answers_with_its_name() -> Result<()> {
    let lab = Lab::tutorial()?;
    let _first = Nginx::start(lab.host("rs1")?, lab.folder(), "rs1")?;
    let _second = Nginx::start(lab.host("rs2")?, lab.folder(), "rs2")?;
    let client = lab.host("client")?;
    assert_eq!(http_get(client, "http://172.30.100.126/")?, "rs1\n");
    assert_eq!(http_get(client, "http://172.30.100.127/")?, "rs2\n");
    Ok(())
}

#[test]
fn a_connection_stays_open_outside_its_namespace() -> Result<()> {
    let lab = Lab::tutorial()?;
    let _nginx = Nginx::start(lab.host("rs1")?, lab.folder(), "rs1")?;
    let mut stream = connect(lab.host("client")?, format!("{RS1}:80").parse()?)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut answer = [0; 15];
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: rs1\r\n\r\n")?;
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = vec![0; 4096];
        let length = stream.read(&mut rest)?;
        assert!(rest[..length].ends_with(b"rs1\n"), "{}", String::from_utf8_lossy(&rest[..length]));
    }
    Ok(())
}

#[test]
fn an_error_of_curl_says_what_happened_where() -> Result<()> {
    let lab = Lab::tutorial()?;
    let client = lab.host("client")?;
    let error = format!("{:#}", http_get(client, &format!("http://{RS1}/")).unwrap_err());
    assert!(
        error.contains(client.name()) && error.contains("curl") && error.contains("Failed to connect"),
        "{error}"
    );
    Ok(())
}

#[test]
fn udp_is_answered_from_the_address_that_was_asked() -> Result<()> {
    let lab = Lab::tutorial()?;
    let (client, rs1) = (lab.host("client")?, lab.host("rs1")?);
    rs1.run(&["ip", "address", "add", "172.30.100.1/32", "dev", "lo"])?;
    let _server = UdpServer::start(rs1, 5300, "rs1")?;
    let socket = client.enter(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.set_read_timeout(Some(DEADLINE))?;
    for asked in [IpAddr::from(VIP), rs1.ip()?] {
        socket.send_to(b"who are you", (asked, 5300))?;
        let mut answer = [0; 16];
        let (length, from) =
            socket.recv_from(&mut answer).with_context(|| format!("no answer from {asked}"))?;
        assert_eq!((&answer[..length], from.ip()), (b"rs1".as_slice(), asked));
    }
    Ok(())
}

#[test]
fn a_capture_sees_both_ways_of_a_ping() -> Result<()> {
    let lab = Lab::tutorial()?;
    let capture = Capture::start_filtered(lab.host("rs1")?, "eth0", Frame::is_icmp)?;
    ping(&lab, "client", RS1)?;
    let request = capture.wait_for("the echo request", DEADLINE, |frame| frame.direction == Direction::In)?;
    let reply = capture.wait_for("the echo reply", DEADLINE, |frame| frame.direction == Direction::Out)?;
    assert_eq!((request.source_mac(), request.destination_mac()), (Some(CLIENT_MAC), Some(RS1_MAC)));
    assert_eq!((reply.source_mac(), reply.destination_mac()), (Some(RS1_MAC), Some(CLIENT_MAC)));
    assert_eq!((request.destination_ip(), request.ttl()), (Some(RS1.parse()?), Some(64)));
    assert!(request.time <= reply.time);
    Ok(())
}

#[test]
fn a_capture_that_waits_in_vain_shows_what_it_saw() -> Result<()> {
    let lab = Lab::tutorial()?;
    let capture = Capture::start(lab.host("rs1")?, "eth0")?;
    ping(&lab, "client", RS1)?;
    let error = capture.wait_for("a SYN", Duration::from_millis(50), |frame| frame.tcp().is_some());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("a SYN") && error.contains("172.30.100.200 > 172.30.100.126"), "{error}");
    Ok(())
}

#[test]
fn frames_carry_their_checksums() -> Result<()> {
    let lab = Lab::tutorial()?;
    let _nginx = Nginx::start(lab.host("rs1")?, lab.folder(), "rs1")?;
    let capture = Capture::start(lab.host("rs1")?, "eth0")?;
    http_get(lab.host("client")?, &format!("http://{RS1}/"))?;
    let is_syn = |frame: &Frame| frame.tcp().is_some_and(|tcp| tcp.syn() && !tcp.ack());
    let syn = capture.wait_for("the SYN", DEADLINE, is_syn)?;
    let packet = syn.parsed().context("an Ethernet frame")?;
    let Some(LaxNetSlice::Ipv4(ip)) = packet.net else { panic!("{syn} is not IPv4") };
    let tcp = syn.tcp().context("a TCP segment")?.to_header();
    assert_eq!(tcp.checksum, tcp.calc_checksum_ipv4(&ip.header().to_header(), &[])?);
    Ok(())
}

#[test]
fn a_vlan_tag_stays_in_the_frame() -> Result<()> {
    let lab = Lab::tutorial()?;
    let packet = PacketBuilder::ethernet2(CLIENT_MAC.into_array(), RS1_MAC.into_array())
        .single_vlan(VlanId::try_new(100)?)
        .ipv4([172, 30, 100, 200], [172, 30, 100, 126], 64)
        .udp(40_000, 9);
    let mut tagged = Vec::new();
    packet.write(&mut tagged, b"tagged")?;
    let capture = Capture::start(lab.host("rs1")?, "eth0")?;
    send_frame(lab.host("client")?, "eth0", &tagged)?;
    let seen = capture.wait_for("the UDP packet", DEADLINE, |frame| frame.ports() == Some((40_000, 9)))?;
    assert_eq!(seen.bytes, tagged);
    Ok(())
}

#[test]
fn offloads_are_off_on_both_ends() -> Result<()> {
    let lab = Lab::tutorial()?;
    let ends = [(lab.host("rs1")?.namespace(), "eth0"), (lab.network("lan")?.namespace(), "rs1")];
    for (namespace, interface) in ends {
        let features = namespace.run(&["ethtool", "-k", interface])?;
        let features_off = [
            "tx-checksumming",
            "tcp-segmentation-offload",
            "generic-receive-offload",
            "rx-vlan-offload",
            "tx-vlan-offload",
            "rx-vlan-stag-hw-parse",
            "tx-vlan-stag-hw-insert",
        ];
        for feature in features_off {
            assert!(features.contains(&format!("{feature}: off")), "{feature} of {interface} in\n{features}");
        }
    }
    Ok(())
}

#[test]
fn every_real_server_that_holds_an_address_answers_arp_for_it() -> Result<()> {
    let lab = Lab::tutorial()?;
    let client = lab.host("client")?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, []);
    for name in ["rs1", "rs2"] {
        lab.host(name)?.run(&["ip", "address", "add", "172.30.100.1/32", "dev", "lo"])?;
    }
    assert_eq!(arp_answers(client, "eth0", VIP)?, [RS1_MAC, RS2_MAC]);
    lab.host("rs1")?.set_sysctl("net/ipv4/conf/all/arp_ignore", "1")?;
    assert_eq!(arp_answers(client, "eth0", VIP)?, [RS2_MAC]);
    Ok(())
}

#[test]
fn what_xdp_sends_back_arrives() -> Result<()> {
    let lab = Lab::tutorial()?;
    let (client, director) = (lab.host("client")?, lab.host("director")?);
    xdp::attach(director, "eth0", XdpAction::Send)?;
    let capture = Capture::start(client, "eth0")?;
    // A broadcast, since the bridge does not send a frame back to where its destination is.
    arp_answers(client, "eth0", VIP)?;
    let about_vip = |frame: &Frame| frame.arp().is_some_and(|arp| arp.target_ipv4_addr() == VIP);
    capture.wait_for("its own ARP request", DEADLINE, |frame| {
        frame.direction == Direction::In && frame.source_mac() == Some(CLIENT_MAC) && about_vip(frame)
    })?;

    xdp::detach(director, "eth0")?;
    ping(&lab, "client", "172.30.100.111")?;
    Ok(())
}

#[test]
fn netfilter_keeps_out_of_the_bridge() -> Result<()> {
    let lab = Lab::tutorial()?;
    let bridge = lab.network("lan")?.namespace();
    for family in ["iptables", "ip6tables", "arptables"] {
        assert_eq!(bridge.sysctl(&format!("net/bridge/bridge-nf-call-{family}"))?, "0");
    }
    Ok(())
}

#[test]
fn a_host_and_a_network_can_be_added_later() -> Result<()> {
    let back = |host: HostPlan, last: u8| {
        host.interface("back", MacAddr6::new(2, 0, 0, 0, 1, last), [10, 1, 0, last], 24)
    };
    let plan = Topology::default()
        .network(NetworkPlan::new(LAN))
        .network(NetworkPlan::new("back").mtu(9000))
        .host(HostPlan::real_server(1))
        .host(back(HostPlan::director(), 1));
    let mut lab = Lab::build(&plan)?;
    let added = lab.add_host(&back(HostPlan::new("far"), 2))?;
    assert!(added.run(&["ip", "link", "show", "eth0"])?.contains("mtu 9000"));
    ping(&lab, "director", "10.1.0.2")?;
    ping(&lab, "director", RS1)?;
    let unknown = lab.add_host(&HostPlan::new("lost").interface("nowhere", RS1_MAC, VIP, 24)).map(drop);
    assert_eq!(unknown.unwrap_err().to_string(), "the lab has no network \"nowhere\"");
    Ok(())
}

#[test]
fn a_process_is_heard_and_ended() -> Result<()> {
    let lab = Lab::tutorial()?;
    let mut command = lab.host("rs1")?.command("sh")?;
    command.args(["-c", "ip -o -4 address show eth0; echo complaint >&2; trap 'echo bye; exit 7' TERM; while :; do sleep 0.02; done"]);
    let mut process = Process::spawn(command)?;
    process.wait_for_output("complaint", DEADLINE)?;
    assert!(process.output()?.contains("172.30.100.126/24"), "{}", process.output()?);
    assert!(process.is_running()?);
    process.signal(Signal::SIGTERM)?;
    process.wait_for_output("bye", DEADLINE)?;
    assert_eq!(process.wait_exit(DEADLINE)?.code(), Some(7));
    assert!(process.signal(Signal::SIGTERM).is_err_and(|error| error.to_string().contains("it has ended")));
    Ok(())
}

#[test]
fn a_process_that_ends_without_the_awaited_output_is_not_waited_for() -> Result<()> {
    let mut process = Process::spawn({
        let mut command = Command::new("sh");
        command.args(["-c", "echo something else; exit 3"]);
        command
    })?;
    let error = process.wait_for_output("ready", Duration::from_secs(60)).unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("something else"), "{error}");
    Ok(())
}

#[test]
fn a_lab_ends_the_processes_in_it() -> Result<()> {
    let lab = Lab::tutorial()?;
    let mut command = lab.host("rs1")?.command("sleep")?;
    command.arg("600");
    let mut process = Process::spawn(command)?;
    assert!(process.is_running()?);
    drop(lab);
    let status = process.wait_exit(DEADLINE)?;
    assert!(!status.success());
    Ok(())
}
