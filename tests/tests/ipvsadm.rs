//! The tutorial's commands on a running director.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use lvs_tests::lab::Lab;
use lvs_tests::product::{Director, binary, lvs_xdp, output, run_dir};
use lvs_tests::tutorial::{COMMANDS, SERVICE, Tutorial, row};

const RS1: &str = "172.30.100.126:80";
const SAVED: &str = "\
-A -t 172.30.100.1:80 -s wrr
-a -t 172.30.100.1:80 -r 172.30.100.126:80 -g -w 2
-a -t 172.30.100.1:80 -r 172.30.100.127:80 -g -w 1
";

/// A director with the tutorial's rules, and no one who serves.
fn director(lab: &Lab) -> Result<Director<'_>> {
    let director = Director::start(lab, lab.host("director")?, &["--manage-vips"])?;
    COMMANDS.iter().try_for_each(|command| director.ipvsadm(command).map(drop))?;
    Ok(director)
}

fn restore(lab: &Lab, rules: &str) -> Result<Output> {
    let mut command = lvs_xdp(lab, lab.host("director")?)?;
    command.args(["ipvsadm", "-R"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().context("standard input")?.write_all(rules.as_bytes())?;
    Ok(child.wait_with_output()?)
}

#[test]
fn a_link_named_ipvsadm_is_ipvsadm() -> Result<()> {
    let lab = Lab::tutorial()?;
    let director = director(&lab)?;
    let link = lab.folder().join("ipvsadm");
    symlink(binary()?, &link)?;
    let as_ipvsadm = |words: &[&str]| -> Result<Output> {
        let mut command = lab.host("director")?.command(&link)?;
        Ok(command.env("LVS_XDP_RUN_DIR", run_dir(&lab)).args(words).output()?)
    };
    let listing = as_ipvsadm(&["-L", "-n"])?;
    assert_eq!(String::from_utf8(listing.stdout)?, director.ipvsadm("-Ln")?);
    let again = as_ipvsadm(&["-A", "-t", SERVICE, "-s", "rr"])?;
    assert_eq!(
        (again.status.code(), again.stderr.as_slice()),
        (Some(255), b"Service already exists\n".as_slice())
    );
    Ok(())
}

#[test]
fn what_is_saved_can_be_restored() -> Result<()> {
    let lab = Lab::tutorial()?;
    let director = director(&lab)?;
    let saved = director.ipvsadm("-S -n")?;
    assert_eq!(saved, SAVED);

    director.ipvsadm("-C")?;
    assert_eq!(director.ipvsadm("-Sn")?, "");
    assert_eq!(director.ipvsadm("-Ln")?.lines().count(), 3, "the title alone");

    let restored = restore(&lab, &saved)?;
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(director.ipvsadm("-Sn")?, SAVED);
    Ok(())
}

#[test]
fn a_restore_with_one_bad_rule_changes_nothing() -> Result<()> {
    let lab = Lab::tutorial()?;
    let director = Director::start(&lab, lab.host("director")?, &["--manage-vips"])?;
    let twice = format!("{SAVED}-A -t 172.30.100.1:80 -s rr\n");
    let refused = restore(&lab, &twice)?;
    let complaint = String::from_utf8(refused.stderr)?;
    assert_eq!(refused.status.code(), Some(255), "{complaint}");
    assert_eq!(complaint, "line 4: \"-A -t 172.30.100.1:80 -s rr\": Service already exists\n");
    assert_eq!(director.ipvsadm("-Sn")?, "");
    let addresses = lab.host("director")?.run(&["ip", "address", "show", "dev", "eth0"])?;
    assert!(!addresses.contains("172.30.100.1/32"), "{addresses}");
    Ok(())
}

#[test]
fn counters_start_again_at_zero() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    tutorial.requests(3)?;
    assert_eq!(row(&director.ipvsadm("-Ln --stats")?, SERVICE)?[0], 3);
    director.ipvsadm("-Z")?;
    let zeroed = director.ipvsadm("-Ln --stats")?;
    for endpoint in [SERVICE, RS1, "172.30.100.127:80"] {
        assert_eq!(row(&zeroed, endpoint)?, [0; 5], "{endpoint} in\n{zeroed}");
    }
    tutorial.requests(3)?;
    assert_eq!(row(&director.ipvsadm("-Ln --stats")?, RS1)?[0], 2);
    Ok(())
}

#[test]
fn another_scheduler_takes_over_at_once() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    assert_eq!(tutorial.requests(3)?, ["rs2", "rs1", "rs1"]);
    director.ipvsadm("-E -t 172.30.100.1:80 -s rr")?;
    assert!(director.ipvsadm("-Ln")?.contains("TCP  172.30.100.1:80 rr\n"));
    let answers = tutorial.requests(4)?;
    assert!(
        answers == ["rs1", "rs2", "rs1", "rs2"] || answers == ["rs2", "rs1", "rs2", "rs1"],
        "{answers:?}"
    );
    Ok(())
}

#[test]
fn a_deleted_service_is_no_one_s() -> Result<()> {
    let tutorial = Tutorial::new()?;
    let director = tutorial.director()?;
    director.ipvsadm("-A -t 172.30.100.1:8080 -s rr")?;
    assert_eq!(tutorial.requests(1)?.len(), 1);
    director.ipvsadm("-D -t 172.30.100.1:80")?;
    assert_eq!(director.ipvsadm("-Sn")?, "-A -t 172.30.100.1:8080 -s rr\n");
    assert!(tutorial.requests(1).is_err(), "the director's kernel has no server on port 80");
    assert!(director.counter("no_service")? >= 1);
    Ok(())
}

#[test]
fn what_is_not_available_is_refused_and_changes_nothing() -> Result<()> {
    let lab = Lab::tutorial()?;
    let director = director(&lab)?;
    let host = lab.host("director")?;
    let refusals = [
        ("-a -t 172.30.100.1:80 -r 172.30.100.128 -m", "-m (--masquerading) is not available"),
        ("-a -t 172.30.100.1:80 -r 172.30.100.128 -i", "-i (--ipip) is not available"),
        ("-A -t 172.30.100.1:81 -s rr -p 60", "-p (--persistent) is not available"),
        ("-A -f 1 -s rr", "-f (--fwmark-service) is not available"),
        ("-A -t 172.30.100.1:81", "scheduler wlc, the default without -s, is not available"),
        ("-A -t 172.30.100.1:81 -s lc", "scheduler lc is not available"),
        ("-Lnc", "-c (--connection) is not available"),
        ("--set 1 2 3", "--set is not available"),
    ];
    for (words, sentence) in refusals {
        let all: Vec<&str> = std::iter::once("ipvsadm").chain(words.split(' ')).collect();
        let refused = output(&lab, host, &all)?;
        let complaint = String::from_utf8(refused.stderr)?;
        assert_eq!(refused.status.code(), Some(2), "{words}: {complaint}");
        assert!(complaint.starts_with(sentence) && complaint.lines().count() == 1, "{words}: {complaint}");
        assert!(refused.stdout.is_empty(), "{words}: {}", String::from_utf8_lossy(&refused.stdout));
    }
    assert_eq!(director.ipvsadm("-Sn")?, SAVED);
    Ok(())
}
