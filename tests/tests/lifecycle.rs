//! How a director starts and ends, and what it leaves behind.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use lvs_tests::lab::{Host, Lab, Process, wait_until};
use lvs_tests::product::{Director, lvs_xdp, output, run_dir};
use lvs_tests::tutorial::{COMMANDS, SERVICE, Tutorial, row};
use nix::sys::signal::Signal;

const DEADLINE: Duration = Duration::from_secs(20);
const TO_END: Duration = Duration::from_secs(5);

/// All that a director may change on its host.
fn state(host: &Host) -> Result<String> {
    let link = host.run(&["ip", "-d", "link", "show"])?;
    let addresses = host.run(&["ip", "address", "show"])?;
    let neighbours = host.run(&["ip", "neighbour", "show"])?;
    Ok(format!("{link}\n{addresses}\n{neighbours}"))
}

fn instance_folder(lab: &Lab) -> std::path::PathBuf {
    run_dir(lab).join("director")
}

fn rules_file(lab: &Lab) -> Result<String> {
    let path = lab.folder().join("rules");
    fs::write(&path, COMMANDS.join("\n"))?;
    Ok(path.display().to_string())
}

fn ends_by(signal: Signal) -> Result<()> {
    let tutorial = Tutorial::new()?;
    let host = tutorial.host("director")?;
    let before = state(host)?;
    let director = tutorial.director()?;
    let meanwhile = state(host)?;
    for trace in ["prog/xdp", "172.30.100.1/32", "172.30.100.126 dev eth0", "managed"] {
        assert!(meanwhile.contains(trace), "no {trace} in\n{meanwhile}");
    }
    assert!(instance_folder(&tutorial).exists());

    let mut process = director.into_process();
    process.signal(signal)?;
    assert_eq!(process.wait_exit(TO_END)?.code(), Some(0));
    assert_eq!(state(host)?, before);
    assert!(!instance_folder(&tutorial).exists());
    let log = process.output()?;
    assert!(log.trim_end().ends_with("INFO director detached from eth0"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    Ok(())
}

#[test]
fn sigterm_leaves_the_host_as_it_was() -> Result<()> {
    ends_by(Signal::SIGTERM)
}

#[test]
fn sigint_leaves_the_host_as_it_was() -> Result<()> {
    ends_by(Signal::SIGINT)
}

#[test]
fn a_signal_during_the_start_leaves_the_host_as_it_was() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    let before = state(host)?;
    let mut process = Director::spawn(&lab, host, &["--manage-vips", "--rules", &rules_file(&lab)?])?;
    process.wait_for_output("director attached", DEADLINE)?;
    process.signal(Signal::SIGTERM)?;
    assert_eq!(process.wait_exit(TO_END)?.code(), Some(0));
    assert_eq!(state(host)?, before);
    assert!(!instance_folder(&lab).exists());
    Ok(())
}

#[test]
fn clients_that_say_nothing_or_half_do_not_hold_up_the_end() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    let director = Director::start(&lab, host, &["--manage-vips"])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    let socket = instance_folder(&lab).join("socket");
    let _silent = UnixStream::connect(&socket)?;
    let mut half = UnixStream::connect(&socket)?;
    half.write_all(b"POST /v1/changes HTTP/1.1\r\nHost: director\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[")?;
    // Answered after both have been accepted.
    director.ipvsadm("-Ln")?;
    let mut process = director.into_process();
    process.signal(Signal::SIGTERM)?;
    assert_eq!(process.wait_exit(TO_END)?.code(), Some(0));
    Ok(())
}

/// A killed director: its VIP stays, its program does not.
fn kill(tutorial: &Tutorial) -> Result<()> {
    let host = tutorial.host("director")?;
    let mut process = tutorial.director()?.into_process();
    process.signal(Signal::SIGKILL)?;
    process.wait_exit(TO_END)?;
    wait_until("the kernel to take the killed director's program away", TO_END, || {
        match host.run(&["ip", "link"]) {
            Ok(links) if !links.contains("xdp") => Ok(()),
            Ok(links) => Err(links),
            Err(error) => Err(error.to_string()),
        }
    })?;
    let left = state(host)?;
    assert!(left.contains("172.30.100.1/32") && left.contains("managed"), "{left}");
    assert!(instance_folder(tutorial).exists());
    let listing = output(tutorial, host, &["ipvsadm", "-Ln"])?;
    let complaint = String::from_utf8_lossy(&listing.stderr).into_owned();
    assert_eq!(listing.status.code(), Some(2), "{complaint}");
    assert!(complaint.starts_with("no director is running in this network namespace"), "{complaint}");
    Ok(())
}

#[test]
fn a_clean_start_follows_a_kill_and_a_clean_end_removes_what_was_left() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let host = tutorial.host("director")?;
    let before = host.run(&["ip", "address", "show"])?;
    kill(&tutorial)?;

    let director = tutorial.director()?;
    assert_eq!(tutorial.requests(3)?, ["rs2", "rs1", "rs1"]);
    assert_eq!(director.into_process().stop()?.code(), Some(0));
    assert_eq!(host.run(&["ip", "address", "show"])?, before);
    let neighbours = host.run(&["ip", "neighbour", "show"])?;
    assert!(!neighbours.contains("managed"), "{neighbours}");
    assert!(!host.run(&["ip", "link"])?.contains("xdp"));
    assert!(!instance_folder(&tutorial).exists());
    Ok(())
}

#[test]
fn a_start_without_services_removes_a_killed_director_s_vip() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let host = tutorial.host("director")?;
    let before = host.run(&["ip", "address", "show"])?;
    kill(&tutorial)?;
    let _director = tutorial.idle_director(&["--manage-vips"])?;
    let addresses = |text: String| text.lines().filter(|line| line.contains("inet")).count();
    assert_eq!(addresses(host.run(&["ip", "address", "show"])?), addresses(before));
    Ok(())
}

#[test]
fn a_rules_file_is_in_force_when_the_director_is_ready() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.idle_director(&["--manage-vips", "--rules", &rules_file(&tutorial)?])?;
    let saved = director.ipvsadm("-Sn")?;
    assert_eq!(
        saved,
        "-A -t 172.30.100.1:80 -s wrr\n\
         -a -t 172.30.100.1:80 -r 172.30.100.126:80 -g -w 2\n\
         -a -t 172.30.100.1:80 -r 172.30.100.127:80 -g -w 1\n"
    );
    director.wait_for_neighbours()?;
    assert_eq!(tutorial.requests(3)?, ["rs2", "rs1", "rs1"]);
    Ok(())
}

fn serves_in(mode: &str, shown: &str) -> Result<()> {
    let tutorial = Tutorial::new()?;
    let host = tutorial.host("director")?;
    let director = tutorial.idle_director(&["--manage-vips", "--xdp-mode", mode])?;
    let link = host.run(&["ip", "link", "show", "eth0"])?;
    assert!(link.contains(shown), "no {shown} in {link}");
    tutorial.set_up(&director)?;
    assert_eq!(tutorial.requests(6)?, ["rs2", "rs1", "rs1", "rs2", "rs1", "rs1"]);
    assert_eq!(director.counter("new_connection")?, 6);
    Ok(())
}

#[test]
fn driver_mode_serves() -> Result<()> {
    serves_in("driver", " xdp ")
}

#[test]
fn generic_mode_serves() -> Result<()> {
    serves_in("generic", " xdpgeneric ")
}

/// A director named `name` whose records are in a folder that it shares with others.
/// A bridge's driver runs no XDP program by itself.
fn on_a_bridge(lab: &Lab, words: &[&str]) -> Result<Process> {
    let host = lab.host("director")?;
    host.run(&["ip", "link", "add", "br9", "type", "bridge"])?;
    host.run(&["ip", "link", "set", "br9", "up"])?;
    let mut command = lvs_xdp(lab, host)?;
    command.args(["director", "--interface", "br9", "--connections", "1024"]).args(words);
    Process::spawn(command)
}

#[test]
fn where_the_driver_can_t_it_falls_back_to_generic_mode_and_says_so() -> Result<()> {
    let lab = Lab::tutorial()?;
    let mut process = on_a_bridge(&lab, &[])?;
    process.wait_for_output("is ready", DEADLINE)?;
    let log = process.output()?;
    assert!(log.contains("falling back to generic mode, which is several times slower"), "{log}");
    assert!(log.contains("attached to br9 in generic mode"), "{log}");
    Ok(())
}

#[test]
fn where_the_driver_must_and_can_t_it_does_not_start() -> Result<()> {
    let lab = Lab::tutorial()?;
    let mut process = on_a_bridge(&lab, &["--xdp-mode", "driver"])?;
    assert_eq!(process.wait_exit(DEADLINE)?.code(), Some(1));
    let text = process.output()?;
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("can't attach the XDP program to br9 in driver mode"), "{text}");
    Ok(())
}

fn start_in(run_dir: &Path, lab: &Lab, name: &str) -> Result<Process> {
    let mut command = lvs_xdp(lab, lab.host("director")?)?;
    command.env("LVS_XDP_RUN_DIR", run_dir);
    command.args(["director", "--interface", "eth0", "--connections", "4096", "--instance", name]);
    let mut process = Process::spawn(command)?;
    process.wait_for_output("is ready", DEADLINE)?;
    Ok(process)
}

fn ipvsadm_in(run_dir: &Path, lab: &Lab, words: &str) -> Result<String> {
    let mut command = lvs_xdp(lab, lab.host("director")?)?;
    let output =
        command.env("LVS_XDP_RUN_DIR", run_dir).arg("ipvsadm").args(words.split_whitespace()).output()?;
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn instances_run_side_by_side_and_commands_go_to_their_own_namespace_s() -> Result<()> {
    let (first, second) = (Lab::tutorial()?, Lab::tutorial()?);
    let run_dir = first.folder().join("shared");
    let (blue, _green) = (start_in(&run_dir, &first, "blue")?, start_in(&run_dir, &second, "green")?);

    ipvsadm_in(&run_dir, &first, "-A -t 172.30.100.1:80 -s rr")?;
    ipvsadm_in(&run_dir, &second, "-A -t 172.30.100.2:80 -s wrr")?;
    assert_eq!(ipvsadm_in(&run_dir, &first, "-Sn")?, "-A -t 172.30.100.1:80 -s rr\n");
    assert_eq!(ipvsadm_in(&run_dir, &second, "-Sn")?, "-A -t 172.30.100.2:80 -s wrr\n");

    // From anywhere else, by name.
    let mut command = lvs_xdp(&first, first.host("client")?)?;
    command.env("LVS_XDP_RUN_DIR", &run_dir).env("LVS_XDP_INSTANCE", "green").args(["ipvsadm", "-Sn"]);
    assert_eq!(String::from_utf8(command.output()?.stdout)?, "-A -t 172.30.100.2:80 -s wrr\n");

    assert_eq!(blue.stop()?.code(), Some(0));
    assert_eq!(ipvsadm_in(&run_dir, &second, "-Sn")?, "-A -t 172.30.100.2:80 -s wrr\n");
    Ok(())
}

#[test]
fn a_director_whose_interface_is_deleted_ends_and_says_so() -> Result<()> {
    let lab = Lab::tutorial()?;
    let host = lab.host("director")?;
    let mut director = Director::start(&lab, host, &["--manage-vips"])?;
    director.ipvsadm("-A -t 172.30.100.1:80 -s wrr")?;
    assert_eq!(row(&director.ipvsadm("-Ln")?, SERVICE)?, [0; 0]);
    host.run(&["ip", "link", "delete", "eth0"])?;
    assert_eq!(director.process().wait_exit(TO_END)?.code(), Some(1));
    let log = director.output()?;
    assert!(log.trim_end().ends_with("lvs-xdp: interface eth0 is gone"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    assert!(!instance_folder(&lab).exists());
    Ok(())
}
