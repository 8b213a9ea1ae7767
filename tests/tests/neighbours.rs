//! Real servers that move, fall silent, come back, or never were there.

use std::time::Duration;

use anyhow::Result;
use lvs_tests::lab::{Host, wait_until};
use lvs_tests::product::{Director, output};
use lvs_tests::tutorial::{Tutorial, count};

const DEADLINE: Duration = Duration::from_secs(10);

/// By itself the kernel takes up to 40 seconds to find out that a neighbour has moved or gone: an entry in use is doubted
/// after 15 to 45, and asked for again at the managed entries' interval of 5, which no namespace can change. With
/// these settings and a packet to send, it takes a fraction of one.
const QUICK: [(&str, &str); 3] = [
    ("net/ipv4/neigh/eth0/base_reachable_time_ms", "100"),
    ("net/ipv4/neigh/eth0/retrans_time_ms", "100"),
    ("net/ipv4/neigh/eth0/delay_first_probe_time", "0"),
];

/// Lets the director's kernel send something, so that it sees whether what it knows of a neighbour still holds.
fn use_entry(tutorial: &Tutorial, server: &str) -> Result<()> {
    // No answer is as good as one.
    let _ = tutorial.host("director")?.run(&["ping", "-n", "-c", "1", "-W", "0.1", server]);
    Ok(())
}

/// What a listing says on standard error.
fn complaint(tutorial: &Tutorial) -> Result<String> {
    let listing = output(tutorial, tutorial.host("director")?, &["ipvsadm", "-Ln"])?;
    assert!(listing.status.success(), "the listing is complete nevertheless");
    Ok(String::from_utf8_lossy(&listing.stderr).into_owned())
}

fn wait_for_complaint(tutorial: &Tutorial, server: &str, expected: &str) -> Result<()> {
    let awaited = format!("a listing that complains {expected:?}");
    wait_until(&awaited, DEADLINE, || match use_entry(tutorial, server).and_then(|()| complaint(tutorial)) {
        Ok(complaint) if complaint == expected => Ok(()),
        Ok(complaint) => Err(format!("it complains {complaint:?}")),
        Err(error) => Err(error.to_string()),
    })
}

fn set_mac(host: &Host, mac: &str) -> Result<()> {
    host.run(&["ip", "link", "set", "eth0", "address", mac]).map(drop)
}

fn wait_for_log(
    director: &Director<'_>,
    expected: &str,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<()> {
    wait_until(&format!("{expected:?} in the director's log"), DEADLINE, || {
        match meanwhile().and_then(|()| director.output()) {
            Ok(log) if log.contains(expected) => Ok(()),
            Ok(log) => Err(log),
            Err(error) => Err(error.to_string()),
        }
    })
}

#[test]
fn a_mac_address_that_changes_silently_is_followed_when_the_kernel_finds_it() -> Result<()> {
    let tutorial = Tutorial::new()?;
    tutorial.host("director")?.set_sysctls(QUICK)?;
    let director = tutorial.director()?;
    let mut kept = [tutorial.connect()?, tutorial.connect()?];
    set_mac(tutorial.host("rs1")?, "02:00:00:00:00:ee")?;
    let told = "real server 172.30.100.126 is 02:00:00:00:00:EE behind eth0";
    wait_for_log(&director, told, || use_entry(&tutorial, "172.30.100.126"))?;
    director.wait_for_neighbours()?;

    let answers = tutorial.requests(6)?;
    assert_eq!((count(&answers, "rs1"), count(&answers, "rs2")), (4, 2));
    let [on_rs2, on_rs1] = &mut kept;
    assert_eq!([on_rs2.get()?, on_rs1.get()?], ["rs2", "rs1"], "open connections follow");
    Ok(())
}

#[test]
fn a_mac_address_that_is_announced_is_followed_at_once() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    // The kernel heeds no announcement within its locktime after the entry's last change.
    tutorial.host("director")?.set_sysctl("net/ipv4/neigh/eth0/locktime", "0")?;
    let rs1 = tutorial.host("rs1")?;
    set_mac(rs1, "02:00:00:00:00:ef")?;
    rs1.run(&["arping", "-q", "-U", "-c", "1", "-I", "eth0", "172.30.100.126"])?;
    wait_for_log(&director, "real server 172.30.100.126 is 02:00:00:00:00:EF behind eth0", || Ok(()))?;
    assert_eq!(count(&tutorial.requests(6)?, "rs1"), 4);
    Ok(())
}

#[test]
fn a_server_whose_link_is_down_gets_no_new_connections_until_it_is_back() -> Result<()> {
    let tutorial = Tutorial::new()?;
    tutorial.host("director")?.set_sysctls(QUICK)?;
    let director = tutorial.director()?;
    let rs2 = tutorial.host("rs2")?;
    assert_eq!(tutorial.requests(3)?, ["rs2", "rs1", "rs1"]);

    rs2.run(&["ip", "link", "set", "eth0", "down"])?;
    let gone =
        "172.30.100.127:80 gets no new connections: 172.30.100.127 does not answer ARP on interface eth0\n";
    wait_for_complaint(&tutorial, "172.30.100.127", gone)?;
    assert_eq!(tutorial.requests(6)?, ["rs1"; 6]);
    let told = "WARN real server 172.30.100.127 gets no new connections: 172.30.100.127 does not answer ARP";
    wait_for_log(&director, told, || Ok(()))?;

    rs2.run(&["ip", "link", "set", "eth0", "up"])?;
    wait_for_complaint(&tutorial, "172.30.100.127", "")?;
    let answers = tutorial.requests(6)?;
    assert_eq!((count(&answers, "rs1"), count(&answers, "rs2")), (4, 2));
    Ok(())
}

#[test]
fn a_server_that_no_one_is_gets_no_new_connections() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 172.30.100.99 -g -w 5")?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 10.9.9.9 -g -w 5")?;
    let complaint = complaint(&tutorial)?;
    let [no_route, silent] = complaint.lines().collect::<Vec<_>>()[..] else {
        panic!("two complaints are due: {complaint}")
    };
    assert!(no_route.starts_with("10.9.9.9:80 gets no new connections: "), "{complaint}");
    assert_eq!(
        silent,
        "172.30.100.99:80 gets no new connections: 172.30.100.99 does not answer ARP on interface eth0"
    );
    let answers = tutorial.requests(9)?;
    assert_eq!((count(&answers, "rs1"), count(&answers, "rs2")), (6, 3));
    Ok(())
}

#[test]
fn a_server_that_comes_later_is_found() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let rs2 = tutorial.host("rs2")?;
    rs2.run(&["ip", "link", "set", "eth0", "down"])?;
    let host = tutorial.host("director")?;
    host.set_sysctls(QUICK)?;
    let director = tutorial.idle_director(&["--manage-vips"])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s rr")?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 172.30.100.127 -g")?;
    wait_for_complaint(
        &tutorial,
        "172.30.100.127",
        "172.30.100.127:80 gets no new connections: 172.30.100.127 does not answer ARP on interface eth0\n",
    )?;
    rs2.run(&["ip", "link", "set", "eth0", "up"])?;
    wait_for_complaint(&tutorial, "172.30.100.127", "")?;
    assert_eq!(tutorial.requests(2)?, ["rs2"; 2]);
    Ok(())
}

#[test]
fn the_director_s_own_address_is_no_real_server() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    director.ipvsadm("-a -t 172.30.100.1:80 -r 172.30.100.111 -g -w 5")?;
    wait_for_complaint(
        &tutorial,
        "172.30.100.111",
        "172.30.100.111:80 gets no new connections: it is an address of the director itself, which serves no requests\n",
    )?;
    assert_eq!(count(&tutorial.requests(6)?, "rs1"), 4);
    Ok(())
}
