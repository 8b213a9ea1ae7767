//! Directors that can't start: one sentence each, and nothing half done.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use lvs_tests::lab::xdp::{self, XdpAction};
use lvs_tests::lab::{Capture, Frame, Host, Lab, Process};
use lvs_tests::product::{Director, binary, lvs_xdp, run_dir};
use lvs_tests::tutorial::VIP;

const DEADLINE: Duration = Duration::from_secs(20);

/// The exit status and the text of a command that has to end by itself.
fn end_of(command: Command) -> Result<(Option<i32>, String)> {
    let mut process = Process::spawn(command)?;
    let status = process.wait_exit(DEADLINE)?;
    Ok((status.code(), process.output()?))
}

/// Runs `lvs-xdp director` with these words.
fn director(lab: &Lab, words: &[&str]) -> Result<(Option<i32>, String)> {
    let mut command = lvs_xdp(lab, lab.host("director")?)?;
    command.arg("director").args(words);
    end_of(command)
}

/// The one sentence with which a director refuses to start, leaving nothing behind.
fn refusal(lab: &Lab, words: &[&str], expected: i32) -> Result<String> {
    let (status, text) = director(lab, words)?;
    assert_eq!((status, text.lines().count()), (Some(expected), 1), "{words:?}: {text}");
    let folder = run_dir(lab).join("default");
    assert!(!folder.exists(), "{words:?} leaves {}", folder.display());
    Ok(text.trim_end().to_owned())
}

fn has_vip(host: &Host) -> Result<bool> {
    Ok(host.run(&["ip", "address", "show", "dev", "eth0"])?.contains("172.30.100.1/32"))
}

/// The one sentence with which a director that manages VIPs refuses to start with these rules.
fn refusal_of(lab: &Lab, rules: &str, status: i32) -> Result<String> {
    let path = lab.folder().join("rules");
    fs::write(&path, rules)?;
    let path = path.display().to_string();
    let text = refusal(lab, &["--interface", "eth0", "--manage-vips", "--rules", &path], status)?;
    assert!(!has_vip(lab.host("director")?)?, "{text}");
    Ok(text.replace(&path, "RULES"))
}

#[test]
fn a_rules_file_that_can_t_be_understood_is_refused_by_file_line_and_reason() -> Result<()> {
    let lab = Lab::tutorial()?;
    let refusals = [
        ("-a -t 172.30.100.1:80 -r 172.30.100.999 -g", "illegal real server address[:port] specified"),
        ("-Ln", "a rule changes the table"),
        ("-a -t 172.30.100.1:80 -r 172.30.100.126 -m", "-m (--masquerading) is not available"),
        ("-A -t 172.30.100.2:80 -s sooner", "Scheduler or persistence engine not found"),
    ];
    for (rule, reason) in refusals {
        let text = refusal_of(&lab, &format!("-A -t 172.30.100.1:80 -s wrr\n{rule}\n"), 2)?;
        assert!(text.starts_with(&format!("lvs-xdp: RULES: line 2: {rule:?}: {reason}")), "{text}");
    }
    Ok(())
}

#[test]
fn rules_that_can_t_be_done_are_refused_by_file_line_and_reason() -> Result<()> {
    let lab = Lab::tutorial()?;
    let twice = "# two of a kind\n\n-A -t 172.30.100.1:80 -s wrr\n-A -t 172.30.100.1:80 -s rr\n";
    assert_eq!(
        refusal_of(&lab, twice, 1)?,
        "lvs-xdp: RULES: line 4: \"-A -t 172.30.100.1:80 -s rr\": Service already exists"
    );
    let undefined = "-A -t 172.30.100.1:80 -s wrr\n-a -t 172.30.100.2:80 -r 172.30.100.126 -g\n";
    assert_eq!(
        refusal_of(&lab, undefined, 1)?,
        "lvs-xdp: RULES: line 2: \"-a -t 172.30.100.2:80 -r 172.30.100.126 -g\": Service not defined"
    );
    Ok(())
}

#[test]
fn a_rules_file_that_can_t_be_read_is_named() -> Result<()> {
    let lab = Lab::tutorial()?;
    let text = refusal(&lab, &["--interface", "eth0", "--rules", "/nowhere/rules"], 1)?;
    assert_eq!(text, "lvs-xdp: /nowhere/rules: No such file or directory (os error 2)");
    Ok(())
}

#[test]
fn an_interface_that_can_t_be_used_is_refused_with_its_reason() -> Result<()> {
    let lab = Lab::tutorial()?;
    assert_eq!(
        refusal(&lab, &["--interface", "eth9"], 1)?,
        "lvs-xdp: there is no interface \"eth9\": this network namespace has lo, eth0"
    );
    assert_eq!(
        refusal(&lab, &["--interface", "lo"], 1)?,
        "lvs-xdp: interface lo is not Ethernet: the director needs an interface that carries Ethernet frames"
    );
    let host = lab.host("director")?;
    host.run(&["ip", "link", "set", "eth0", "down"])?;
    assert_eq!(
        refusal(&lab, &["--interface", "eth0"], 1)?,
        "lvs-xdp: interface eth0 is down: switch it on with `ip link set eth0 up`"
    );
    host.run(&["ip", "link", "set", "eth0", "up"])?;
    lab.network("lan")?.namespace().run(&["ip", "link", "set", "director", "down"])?;
    assert_eq!(
        refusal(&lab, &["--interface", "eth0"], 1)?,
        "lvs-xdp: interface eth0 has no carrier: check the cable, the switch port or the interface's peer"
    );
    Ok(())
}

#[test]
fn without_privileges_it_says_which_it_needs() -> Result<()> {
    let lab = Lab::tutorial()?;
    // Where it has been built, others than root may have no access.
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir()?;
    let copy = folder.path().join("lvs-xdp");
    fs::copy(binary()?, &copy)?;
    let mut command = lab.host("director")?.command("setpriv")?;
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy);
    command.args(["director", "--interface", "eth0", "--run-dir"]).arg(folder.path());
    assert_eq!(
        end_of(command)?,
        (
            Some(1),
            "lvs-xdp: no permission to load an XDP program: run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW\n"
                .to_owned()
        )
    );
    Ok(())
}

#[test]
fn a_second_start_of_an_instance_names_the_process_that_has_it() -> Result<()> {
    let lab = Lab::tutorial()?;
    let first = Director::start(&lab, lab.host("director")?, &[])?;
    let (status, text) = director(&lab, &["--interface", "eth0", "--instance", first.instance()])?;
    let expected = format!(
        "lvs-xdp: a director with the instance name \"director\" is running already (process {}): stop it, or choose another name with --instance\n",
        first.id()
    );
    assert_eq!((status, text), (Some(1), expected));
    assert_eq!(first.ipvsadm("-Sn")?, "", "the first one is not disturbed");
    Ok(())
}

#[test]
fn a_second_director_on_an_interface_is_told_that_it_is_busy() -> Result<()> {
    let lab = Lab::tutorial()?;
    let first = Director::start(&lab, lab.host("director")?, &["--manage-vips"])?;
    first.ipvsadm("-A -t 172.30.100.1:80 -s rr")?;
    let (status, text) = director(&lab, &["--interface", "eth0", "--manage-vips", "--instance", "other"])?;
    assert_eq!((status, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.starts_with("lvs-xdp: eth0 has an XDP program already: stop what attached it"), "{text}");
    assert!(!run_dir(&lab).join("other").exists());
    assert_eq!(first.ipvsadm("-Sn")?, "-A -t 172.30.100.1:80 -s rr\n");
    assert!(has_vip(lab.host("director")?)?, "the first one's VIP stays");
    Ok(())
}

#[test]
fn beside_a_program_of_someone_else_nothing_is_announced() -> Result<()> {
    let lab = Lab::tutorial()?;
    let (host, client) = (lab.host("director")?, lab.host("client")?);
    xdp::attach(host, "eth0", XdpAction::Pass)?;
    let heard = Capture::start(client, "eth0")?;
    // Two, so that there is time to announce the first.
    let text = refusal_of(&lab, "-A -t 172.30.100.1:80 -s wrr\n-A -t 172.30.100.2:80 -s wrr\n", 1)?;
    assert!(text.starts_with("lvs-xdp: eth0 has an XDP program already"), "{text}");
    assert!(host.run(&["ip", "link", "show", "eth0"])?.contains("xdp"), "it stays");

    host.run(&["ping", "-n", "-c", "1", "-W", "5", "172.30.100.200"])?;
    heard.wait_for("a ping after the refusal", DEADLINE, Frame::is_icmp)?;
    let about_vip = |frame: &Frame| frame.arp().is_some_and(|arp| arp.sender_ipv4_addr() == VIP);
    let announcement = heard.frames().into_iter().find(about_vip).map(|frame| frame.to_string());
    assert_eq!(announcement, None);
    Ok(())
}

#[test]
fn what_the_command_line_does_not_know_is_not_understood() -> Result<()> {
    let lab = Lab::tutorial()?;
    let misunderstandings: [(&[&str], &str); 4] = [
        (&["--interface", "eth0", "--xdp-mode", "fast"], "invalid value 'fast' for '--xdp-mode"),
        (&["--interface", "eth0", "--instance", "a/b"], "\"a/b\" is no instance name"),
        (&["--interface", "eth0", "--connections", "0"], "invalid value '0' for '--connections"),
        (&[], "--interface <NAME>"),
    ];
    for (words, reason) in misunderstandings {
        let (status, text) = director(&lab, words)?;
        assert_eq!(status, Some(2), "{words:?}: {text}");
        assert!(text.contains(reason), "{words:?}: {text}");
    }
    Ok(())
}

#[test]
fn commands_without_a_director_say_how_to_start_one() -> Result<()> {
    let lab = Lab::tutorial()?;
    let none = "no director is running in this network namespace: start one with `lvs-xdp director --interface NAME`\n";
    let commands: [(&[&str], i32, &str); 3] = [
        (&["ipvsadm", "-Ln"], 2, ""),
        (&["ipvsadm", "-A", "-t", "172.30.100.1:80", "-s", "rr"], 2, ""),
        (&["counters"], 1, "lvs-xdp: "),
    ];
    for (words, status, start) in commands {
        let mut command = lvs_xdp(&lab, lab.host("director")?)?;
        command.args(words);
        assert_eq!(end_of(command)?, (Some(status), format!("{start}{none}")), "{words:?}");
    }
    Ok(())
}
