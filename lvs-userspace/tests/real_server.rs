//! `lvs-xdp real-server` in network namespaces of its own. Needs root.

mod namespace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use namespace::Namespace;
use tempfile::TempDir;

const VIP: &str = "172.30.100.1";
const OTHER_VIP: &str = "172.30.100.2";
const VIP6: &str = "2001:db8::1";
const REAL_SERVER: &str = "172.30.100.126";
const CLIENT: &str = "172.30.100.200";
const SETTINGS: [&str; 4] = ["all.arp_ignore", "all.arp_announce", "lo.arp_ignore", "lo.arp_announce"];

impl Namespace {
    fn set(&self, setting: &str, value: &str) {
        self.sysctl(&format!("net.ipv4.conf.{setting}"), value);
    }

    /// The settings and addresses that the companion may change.
    fn state(&self) -> String {
        let settings = SETTINGS.map(|setting| self.run("sysctl", &[&format!("net.ipv4.conf.{setting}")]));
        settings.concat() + &self.ip("-brief address show dev lo")
    }

    /// Whether anyone on `eth0` answers an ARP request for the address within a second.
    fn arp_is_answered(&self, address: &str) -> bool {
        let request = ["-c", "1", "-w", "1", "-I", "eth0", address];
        let output = self.command("arping", &request).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("response(s)"), "arping (iputils-arping) {address}: {output:?}");
        output.status.success()
    }

    fn ping(&self, address: &str) -> bool {
        let output = self.command("ping", &["-c", "1", "-W", "2", address]).output().unwrap();
        output.status.success()
    }

    fn wait_for_arp(&self, address: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.arp_is_answered(address) {
            assert!(Instant::now() < deadline, "waited for an ARP reply from {address}");
        }
    }
}

/// A namespace in which the companion works, with the folder for its record.
struct RealServer {
    namespace: Namespace,
    run_dir: TempDir,
}

struct Outcome {
    status: Option<i32>,
    printed: String,
    complained: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            printed: String::from_utf8(output.stdout).unwrap(),
            complained: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl RealServer {
    fn new() -> Self {
        Self { namespace: Namespace::new(), run_dir: tempfile::tempdir().unwrap() }
    }

    fn with_client() -> (Self, Namespace) {
        let (server, client) = (Self::new(), Namespace::new());
        server.namespace.link_to(&client);
        for (side, address) in [(&server.namespace, REAL_SERVER), (&client, CLIENT)] {
            side.bring_up(&format!("{address}/24"));
        }
        client.wait_for_arp(REAL_SERVER);
        (server, client)
    }

    fn companion(&self, arguments: &[&str]) -> Outcome {
        self.companion_with_records_in(self.run_dir.path(), arguments)
    }

    fn companion_with_records_in(&self, run_dir: &Path, arguments: &[&str]) -> Outcome {
        let run_dir = run_dir.to_str().unwrap();
        let mut command =
            self.namespace.command(env!("CARGO_BIN_EXE_lvs-xdp"), &["real-server", "--run-dir", run_dir]);
        command.args(arguments).output().unwrap().into()
    }

    /// Runs the companion, which has to succeed without a complaint.
    fn quietly(&self, arguments: &[&str]) -> String {
        let Outcome { status, printed, complained } = self.companion(arguments);
        assert_eq!((status, complained.as_str()), (Some(0), ""), "{arguments:?} printed {printed}");
        printed
    }

    fn up(&self, vips: &[&str]) -> String {
        let options = vips.iter().flat_map(|vip| ["--vip", vip]);
        self.quietly(&std::iter::once("up").chain(options).collect::<Vec<_>>())
    }

    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.run_dir.path()).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn record(&self) -> Option<PathBuf> {
        let name = self.files().into_iter().find(|name| name.ends_with(".json"))?;
        Some(self.run_dir.path().join(name))
    }

    fn status_complains(&self, line: &str, sentence: &str) {
        let Outcome { status, printed, .. } = self.companion(&["status", "--vip", VIP]);
        assert_eq!(status, Some(1), "{printed}");
        let found = printed.lines().any(|text| text.starts_with(line) && text.contains(sentence));
        assert!(found, "{line} with {sentence:?} in\n{printed}");
    }
}

#[test]
fn up_sets_everything_in_order_and_down_restores_in_the_reverse_order() {
    let server = RealServer::new();
    let before = server.namespace.state();
    assert_eq!(
        server.up(&[VIP]),
        "net.ipv4.conf.all.arp_ignore: 0 -> 1\n\
         net.ipv4.conf.all.arp_announce: 0 -> 2\n\
         net.ipv4.conf.lo.arp_ignore: 0 -> 1\n\
         net.ipv4.conf.lo.arp_announce: 0 -> 2\n\
         lo: 172.30.100.1/32 added\n"
    );
    assert!(server.namespace.state().contains("172.30.100.1/32"));
    assert_eq!(
        server.quietly(&["down"]),
        "lo: 172.30.100.1/32 removed\n\
         net.ipv4.conf.lo.arp_announce: 2 -> 0\n\
         net.ipv4.conf.lo.arp_ignore: 1 -> 0\n\
         net.ipv4.conf.all.arp_announce: 2 -> 0\n\
         net.ipv4.conf.all.arp_ignore: 1 -> 0\n"
    );
    assert_eq!(server.namespace.state(), before);
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn up_and_down_are_idempotent_and_remember_the_first_values() {
    let server = RealServer::new();
    server.namespace.set("all.arp_announce", "1");
    let before = server.namespace.state();
    server.up(&[VIP]);
    let after = server.namespace.state();
    assert!(server.up(&[VIP]).starts_with("nothing to change"));
    assert_eq!(server.namespace.state(), after);
    assert_eq!(server.up(&[OTHER_VIP, VIP6]), "lo: 172.30.100.2/32 added\nlo: 2001:db8::1/128 added\n");
    server.quietly(&["down"]);
    assert_eq!(server.namespace.state(), before);
    assert!(server.quietly(&["down"]).starts_with("nothing to undo"));
    assert_eq!(server.namespace.state(), before);
}

#[test]
fn the_address_looks_as_the_ip_command_would_have_added_it() {
    let (ours, theirs) = (RealServer::new(), RealServer::new());
    ours.up(&[VIP, VIP6]);
    for vip in [format!("{VIP}/32"), format!("{VIP6}/128")] {
        theirs.namespace.ip(&format!("address add {vip} dev lo"));
    }
    let shown = |server: &RealServer| server.namespace.ip("address show dev lo");
    assert_eq!(shown(&ours), shown(&theirs));
}

#[test]
fn status_is_right_after_up_and_needs_no_vip_then() {
    let (server, _client) = RealServer::with_client();
    server.up(&[VIP, VIP6]);
    let printed = server.quietly(&["status"]);
    assert!(printed.lines().skip(1).all(|line| line.ends_with("  ok")), "{printed}");
    for subject in ["net.ipv4.conf.eth0.arp_ignore", "172.30.100.1 on lo", "2001:db8::1 on lo"] {
        assert!(printed.lines().any(|line| line.starts_with(subject)), "{subject} in\n{printed}");
    }
}

#[test]
fn status_says_what_goes_wrong() {
    let (server, _client) = RealServer::with_client();
    let leak = "WRONG: this real server answers ARP for the VIP: clients bypass the director";
    server.status_complains("172.30.100.1 on lo", "clients time out");
    server.up(&[VIP]);
    server.namespace.set("all.arp_ignore", "0");
    server.status_complains("net.ipv4.conf.all.arp_ignore", leak);
    server.namespace.set("all.arp_ignore", "1");
    server.namespace.set("eth0.arp_ignore", "3");
    server.status_complains("net.ipv4.conf.eth0.arp_ignore", leak);
    server.namespace.set("eth0.arp_ignore", "0");
    server.namespace.set("all.arp_announce", "1");
    server.status_complains("net.ipv4.conf.all.arp_announce", "clients' caches flip to it");
    server.namespace.set("all.arp_announce", "2");
    for (setting, value) in [("lo.arp_ignore", "1"), ("lo.arp_announce", "2")] {
        server.namespace.set(setting, "0");
        server.status_complains(
            &format!("net.ipv4.conf.{setting}"),
            "WRONG: the LVS-DR recipe sets all and lo",
        );
        server.namespace.set(setting, value);
        server.quietly(&["status"]);
    }
    server.namespace.ip("address add 172.30.100.1/24 dev eth0");
    server.status_complains("172.30.100.1 on eth0", "clients bypass the director");
    server.namespace.ip("address del 172.30.100.1/24 dev eth0");
    server.namespace.ip("address add 172.30.100.1/24 dev lo");
    server.status_complains("172.30.100.1 on lo", "the whole subnet is local");
}

#[test]
fn an_interface_that_speaks_no_arp_may_hold_the_vip() {
    let (server, _client) = RealServer::with_client();
    server.up(&[VIP]);
    server.namespace.ip("address del 172.30.100.1/32 dev lo");
    server.namespace.ip("address add 172.30.100.1/32 dev eth0");
    server.status_complains("172.30.100.1 on eth0", "clients bypass the director");
    server.namespace.ip("link set eth0 arp off");
    let printed = server.quietly(&["status"]);
    assert!(printed.contains("note: eth0 does not speak ARP now"), "{printed}");
}

#[test]
fn up_warns_of_what_it_does_not_change() {
    let (server, _client) = RealServer::with_client();
    server.namespace.set("eth0.arp_ignore", "3");
    let Outcome { status, complained, .. } = server.companion(&["up", "--vip", VIP]);
    assert_eq!(status, Some(0));
    assert!(complained.contains("net.ipv4.conf.eth0.arp_ignore is 3 (effective 3)"), "{complained}");
}

#[test]
fn a_vip_that_was_on_lo_stays() {
    let server = RealServer::new();
    server.namespace.ip("address add 172.30.100.1/32 dev lo");
    let before = server.namespace.state();
    server.up(&[VIP]);
    let down = server.companion(&["down"]);
    assert_eq!(down.status, Some(0));
    assert!(down.complained.contains("172.30.100.1 was on lo before `up`: it stays"), "{}", down.complained);
    assert_eq!(server.namespace.state(), before);
}

#[test]
fn a_setting_that_someone_else_changed_stays() {
    let server = RealServer::new();
    server.up(&[VIP]);
    server.namespace.set("all.arp_ignore", "8");
    let down = server.companion(&["down"]);
    assert_eq!(down.status, Some(0));
    assert!(down.complained.contains("net.ipv4.conf.all.arp_ignore is 8"), "{}", down.complained);
    assert!(server.namespace.state().contains("net.ipv4.conf.all.arp_ignore = 8"));
    assert!(server.namespace.state().contains("net.ipv4.conf.all.arp_announce = 0"));
}

/// The host as a crash of `up` leaves it: the record is written, this many settings are made, the VIP is not on lo.
fn crash_after(done: usize) -> (RealServer, String) {
    let server = RealServer::new();
    let before = server.namespace.state();
    server.up(&[VIP]);
    server.namespace.ip("address del 172.30.100.1/32 dev lo");
    SETTINGS.iter().skip(done).for_each(|setting| server.namespace.set(setting, "0"));
    (server, before)
}

#[test]
fn a_crash_of_up_is_undone_by_down() {
    for done in 0..=SETTINGS.len() {
        let (server, before) = crash_after(done);
        server.quietly(&["down"]);
        assert_eq!(server.namespace.state(), before, "after {done} settings");
    }
}

#[test]
fn a_crash_of_up_is_made_good_by_up_which_still_can_be_undone() {
    for done in 0..=SETTINGS.len() {
        let (server, before) = crash_after(done);
        server.up(&[VIP]);
        server.quietly(&["status"]);
        server.quietly(&["down"]);
        assert_eq!(server.namespace.state(), before, "after {done} settings");
    }
}

#[test]
fn a_torn_record_is_set_aside_and_said() {
    let server = RealServer::new();
    server.up(&[VIP]);
    let after = server.namespace.state();
    let record = server.record().unwrap();
    let torn = fs::read_to_string(&record).unwrap().split_off(20);
    fs::write(&record, &torn).unwrap();

    assert_eq!(server.companion(&["status"]).status, Some(2), "it knows no VIP");
    assert_eq!(server.record(), Some(record), "status changes nothing");
    let down = server.companion(&["down"]);
    assert_eq!(down.status, Some(1));
    assert!(down.complained.contains("set aside as"), "{}", down.complained);
    assert_eq!(server.namespace.state(), after, "nothing of it is used");
    let aside = server.files().into_iter().find(|name| name.contains("set-aside")).unwrap();
    assert_eq!(fs::read_to_string(server.run_dir.path().join(aside)).unwrap(), torn);
}

#[test]
fn a_record_of_another_boot_is_dropped_and_said() {
    let server = RealServer::new();
    server.up(&[VIP]);
    let record = server.record().unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains(boot.trim()), "{text}");
    fs::write(&record, text.replace(boot.trim(), "00000000-0000-0000-0000-000000000000")).unwrap();
    let up = server.companion(&["up", "--vip", VIP]);
    assert_eq!(up.status, Some(0));
    assert!(up.complained.contains("of an earlier boot"), "{}", up.complained);
}

#[test]
fn namespaces_that_share_a_folder_do_not_mix() {
    let (one, other) = (RealServer::new(), RealServer::new());
    one.up(&[VIP]);
    let after = one.namespace.state();
    let down = other.companion_with_records_in(one.run_dir.path(), &["down"]);
    assert!(down.printed.starts_with("nothing to undo"), "{}", down.printed);
    assert_eq!(one.namespace.state(), after);
    one.quietly(&["status"]);
}

#[test]
fn an_up_that_the_kernel_refuses_changes_nothing() {
    let server = RealServer::new();
    server.namespace.sysctl("net.ipv6.conf.lo.disable_ipv6", "1");
    let before = server.namespace.state();
    let up = server.companion(&["up", "--vip", VIP, "--vip", VIP6]);
    assert_eq!(up.status, Some(1));
    let refusal = "lvs-xdp: cannot add 2001:db8::1/128 to lo: Permission denied (os error 13)\n";
    assert_eq!(up.complained, refusal);
    assert_eq!(server.namespace.state(), before);
    assert_eq!(server.record(), None);
}

#[test]
fn what_cannot_be_understood_is_refused_with_status_2_before_anything_is_touched() {
    let server = RealServer::new();
    let before = server.namespace.state();
    for (arguments, sentence) in [
        (["up", "--vip", "172.30.100.1/24"].as_slice(), "makes the whole subnet local"),
        (&["up", "--vip", VIP, "--vip", "224.0.0.1"], "224.0.0.1 is a multicast address"),
        (&["up", "--vip", VIP, "--vip", VIP], "172.30.100.1 is given twice"),
        (&["status", "--vip", VIP, "--vip", VIP], "172.30.100.1 is given twice"),
        (&["up", "--vip", "web"], "\"web\" is not an IP address"),
        (&["up"], "--vip <ADDRESS>"),
        (&["status"], "no VIP to check"),
    ] {
        let outcome = server.companion(arguments);
        assert_eq!(outcome.status, Some(2), "{arguments:?}: {}", outcome.complained);
        assert!(outcome.complained.contains(sentence), "{arguments:?}: {}", outcome.complained);
    }
    assert_eq!(server.namespace.state(), before);
    assert_eq!(server.files(), Vec::<String>::new());
}

#[test]
fn without_root_it_says_so_in_one_sentence() {
    let server = RealServer::new();
    for arguments in [["up", "--vip=172.30.100.1"].as_slice(), &["down"]] {
        let program = ["--user", env!("CARGO_BIN_EXE_lvs-xdp"), "real-server"];
        let mut command = server.namespace.command("unshare", &program);
        command.args(arguments).env("LVS_XDP_RUN_DIR", server.run_dir.path());
        let outcome = Outcome::from(command.output().unwrap());
        assert_eq!(outcome.status, Some(1), "{}", outcome.complained);
        assert!(outcome.complained.ends_with("run it as root\n"), "{}", outcome.complained);
        assert_eq!(outcome.complained.lines().count(), 1, "{}", outcome.complained);
    }
    assert_eq!(server.files(), Vec::<String>::new());
}

/// The test of the test below: a VIP on lo without the settings does leak.
#[test]
fn without_the_settings_the_real_server_answers_for_the_vip() {
    let (server, client) = RealServer::with_client();
    server.namespace.ip("address add 172.30.100.1/32 dev lo");
    assert!(client.arp_is_answered(VIP));
}

#[test]
fn after_up_the_real_server_is_silent_about_the_vip_and_answers_for_itself() {
    let (server, client) = RealServer::with_client();
    server.up(&[VIP]);
    assert!(!client.arp_is_answered(VIP));
    assert!(client.arp_is_answered(REAL_SERVER));
}

/// The test of the test below: without `arp_announce` the client learns the real server's MAC for the VIP.
#[test]
fn without_arp_announce_the_clients_cache_flips() {
    let (server, client) = RealServer::with_client();
    server.namespace.ip("address add 172.30.100.1/32 dev lo");
    server.namespace.set("all.arp_ignore", "1");
    talk_to_client_from_vip(&server);
    assert!(neighbour_entry(&client).contains("lladdr"), "{}", neighbour_entry(&client));
}

#[test]
fn after_up_the_clients_cache_learns_nothing_about_the_vip() {
    let (server, client) = RealServer::with_client();
    server.up(&[VIP]);
    talk_to_client_from_vip(&server);
    assert!(!neighbour_entry(&client).contains("lladdr"), "{}", neighbour_entry(&client));
}

#[test]
fn after_up_the_real_server_accepts_what_a_director_sends_it() {
    let (server, client) = RealServer::with_client();
    for (side, address) in [(&server.namespace, "2001:db8::126/64"), (&client, "2001:db8::200/64")] {
        side.ip(&format!("address add {address} dev eth0 nodad"));
    }
    server.up(&[VIP, VIP6]);
    let mac = server.namespace.run("cat", &["/sys/class/net/eth0/address"]);
    for vip in [VIP, VIP6] {
        assert!(!client.ping(vip), "the client can't find {vip} by itself");
        assert!(!client.ip(&format!("neighbour show {vip}")).contains("lladdr"), "{vip}");
        client.ip(&format!("neighbour replace {vip} lladdr {} dev eth0", mac.trim()));
        assert!(client.ping(vip), "a frame to the real server's MAC reaches {vip}");
    }
}

/// The client's reply may not come back: what counts is what it learns from the ARP request.
fn talk_to_client_from_vip(server: &RealServer) {
    server.namespace.ip("neighbour flush dev eth0");
    let ping = ["-c", "1", "-W", "1", "-I", VIP, CLIENT];
    server.namespace.command("ping", &ping).output().unwrap();
    let entries = server.namespace.ip(&format!("neighbour show {CLIENT}"));
    assert!(entries.contains("lladdr"), "the real server resolved the client: {entries:?}");
}

fn neighbour_entry(client: &Namespace) -> String {
    client.ip(&format!("neighbour show {VIP}"))
}
