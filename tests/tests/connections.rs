//! An established connection stays where it is, whatever happens to the service.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result};
use lvs_tests::lab::{
    Capture, Direction, Frame, Host, HostPlan, LAN, Lab, NetworkPlan, Topology, UdpServer, wait_until,
};
use lvs_tests::product::{Director, prepare_real_server};
use lvs_tests::tutorial::{Tutorial, VIP, count};

const DEADLINE: Duration = Duration::from_secs(5);
const UDP_PORT: u16 = 5300;

#[test]
fn a_kept_open_connection_stays_while_weights_change_and_servers_come() -> Result<()> {
    let tutorial = Tutorial::build(&Topology::with_real_servers(3))?;
    let director = tutorial.director()?;
    let (mut on_rs2, mut on_rs1) = (tutorial.connect()?, tutorial.connect()?);
    let mut both = || Ok::<_, anyhow::Error>([on_rs2.get()?, on_rs1.get()?]);
    assert_eq!(both()?, ["rs2", "rs1"]);

    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.126 -g -w 1")?;
    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.127 -g -w 3")?;
    let answers = tutorial.requests(8)?;
    assert_eq!((count(&answers, "rs1"), count(&answers, "rs2")), (2, 6), "weights 1 and 3");
    assert_eq!(both()?, ["rs2", "rs1"]);

    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.127 -g -w 0")?;
    assert_eq!(tutorial.requests(4)?, ["rs1"; 4], "weight 0 gets nothing new");
    assert_eq!(both()?, ["rs2", "rs1"], "weight 0 keeps what it has");

    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.126 -g -w 0")?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 172.30.100.128 -g -w 1")?;
    director.wait_for_neighbours()?;
    assert_eq!(tutorial.requests(3)?, ["rs3"; 3]);
    assert_eq!(both()?, ["rs2", "rs1"]);

    director.ipvsadm("-E -t 172.30.100.1:80 -s rr")?;
    assert_eq!(both()?, ["rs2", "rs1"], "another scheduler is for new connections");
    assert_eq!(director.counter("new_connection")?, 2 + 8 + 4 + 3);
    Ok(())
}

#[test]
fn without_a_server_of_some_weight_a_request_is_refused() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.126 -g -w 0")?;
    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.127 -g -w 0")?;
    let error = format!("{:#}", tutorial.requests(1).unwrap_err());
    // The director's kernel has the VIP and no server on port 80: it answers with a reset.
    assert!(error.contains("Failed to connect"), "{error}");
    assert_eq!(director.counter("no_server")?, 1);
    director.ipvsadm("-e -t 172.30.100.1:80 -r 172.30.100.127 -g -w 1")?;
    assert_eq!(tutorial.requests(1)?, ["rs2"]);
    Ok(())
}

#[test]
fn a_deleted_server_s_connection_gets_nothing_and_lives_again_with_the_server() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    let mut on_rs2 = tutorial.connect()?;
    assert_eq!(on_rs2.get()?, "rs2");

    director.ipvsadm("-d -t 172.30.100.1:80 -r 172.30.100.127")?;
    let to_rs2 = Capture::start_filtered(tutorial.host("rs2")?, "eth0", |frame| {
        frame.direction == Direction::In && frame.ports().is_some_and(|(_, port)| port == 80)
    })?;
    on_rs2.ask()?;
    wait_until("the request and its repetition to be dropped", DEADLINE, || {
        match director.counter("server_deleted") {
            Ok(2..) => Ok(()),
            Ok(dropped) => Err(format!("{dropped} dropped")),
            Err(error) => Err(error.to_string()),
        }
    })?;
    assert_eq!(tutorial.requests(3)?, ["rs1"; 3]);
    assert_eq!(to_rs2.frames().first().map(ToString::to_string), None, "rs2 gets something");

    director.ipvsadm("-a -t 172.30.100.1:80 -r 172.30.100.127 -g -w 1")?;
    assert_eq!(on_rs2.answer()?, "rs2", "the client's next repetition is answered");
    Ok(())
}

fn udp_request(socket: &UdpSocket) -> Result<String> {
    let mut answer = [0; 16];
    socket.send_to(b"who are you", (VIP, UDP_PORT))?;
    let (length, from) = socket.recv_from(&mut answer).context("no answer")?;
    assert_eq!(from, (VIP, UDP_PORT).into());
    Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
}

fn udp_client(client: &Host) -> Result<UdpSocket> {
    let socket = client.enter(|| UdpSocket::bind("0.0.0.0:0"))??;
    socket.set_read_timeout(Some(DEADLINE))?;
    Ok(socket)
}

#[test]
fn udp_is_shared_out_by_port_and_a_port_stays() -> Result<()> {
    let lab = Lab::tutorial()?;
    let mut servers = Vec::new();
    for name in ["rs1", "rs2"] {
        let host = lab.host(name)?;
        servers.push(UdpServer::start(host, UDP_PORT, name)?);
        prepare_real_server(&lab, host, &VIP.to_string())?;
    }
    let director = Director::start(&lab, lab.host("director")?, &["--manage-vips"])?;
    director.ipvsadm("-A -u 172.30.100.1:5300 -s wrr")?;
    director.ipvsadm("-a -u 172.30.100.1:5300 -r 172.30.100.126 -g -w 2")?;
    director.ipvsadm("-a -u 172.30.100.1:5300 -r 172.30.100.127 -g -w 1")?;
    director.wait_for_neighbours()?;

    // All open at once, so that no port is used twice.
    let client = lab.host("client")?;
    let sockets = (0..12).map(|_| udp_client(client)).collect::<Result<Vec<_>>>()?;
    for _ in 0..3 {
        let answers = sockets.iter().map(udp_request).collect::<Result<Vec<_>>>()?;
        assert_eq!(answers, ["rs2", "rs1", "rs1"].repeat(4));
    }
    assert_eq!((director.counter("new_connection")?, director.counter("known_connection")?), (12, 24));
    Ok(())
}

/// rs3 is reached through the director's second interface, and answers clients through its own.
fn two_networks() -> Topology {
    let back = "back";
    Topology::default()
        .network(NetworkPlan::new(LAN))
        .network(NetworkPlan::new(back))
        .host(HostPlan::client())
        .host(HostPlan::director().interface(back, [2, 0, 0, 0, 1, 0xd1].into(), [10, 1, 0, 1], 24))
        .host(HostPlan::real_server(1))
        .host(
            HostPlan::new("rs3").interface(back, [2, 0, 0, 0, 1, 0xa3].into(), [10, 1, 0, 3], 24).interface(
                LAN,
                [2, 0, 0, 0, 0, 0xa3].into(),
                [172, 30, 100, 128],
                24,
            ),
        )
}

#[test]
fn a_server_behind_another_interface_is_reached_through_it() -> Result<()> {
    let tutorial = Tutorial::build(&two_networks())?;
    let (host, rs3) = (tutorial.host("director")?, tutorial.host("rs3")?);
    let director = tutorial.idle_director(&["--manage-vips"])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s rr")?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 172.30.100.126 -g")?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 10.1.0.3 -g")?;
    director.wait_for_neighbours()?;
    let received = Capture::start_filtered(rs3, "eth0", |frame| frame.tcp().is_some())?;
    let answers = tutorial.requests(6)?;
    assert_eq!((count(&answers, "rs1"), count(&answers, "rs3")), (3, 3));

    let syn = |frame: &Frame| frame.tcp().is_some_and(|tcp| tcp.syn());
    let syn = received.wait_for("a SYN on the second network", DEADLINE, syn)?;
    assert_eq!((syn.source_mac(), syn.destination_mac()), (Some(host.interfaces()[1].mac), Some(rs3.mac()?)));
    assert_eq!((syn.destination_ip(), syn.ttl()), (Some(VIP.into()), Some(63)));

    assert_eq!(director.into_process().stop()?.code(), Some(0));
    assert!(!host.run(&["ip", "link"])?.contains("xdp"), "a program is left: {}", host.run(&["ip", "link"])?);
    Ok(())
}
