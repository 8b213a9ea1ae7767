//! Network namespaces for tests. Needs root and `ip`.

use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace with its `lo` up, which goes when it is dropped, and with it its interfaces.
pub(crate) struct Namespace {
    /// As `ip netns list` shows it.
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            nix::unistd::geteuid().is_root(),
            "these tests make network namespaces: run them as root, for example with `sudo -E cargo test`"
        );
        let name = format!("lvs-userspace-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        succeed(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]).args(arguments);
        command
    }

    /// Runs a command that has to succeed and returns what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        succeed(&mut self.command(program, arguments))
    }

    /// Runs `ip` with these words.
    pub(crate) fn ip(&self, words: &str) -> String {
        succeed(Command::new("ip").args(["-n", &self.name]).args(words.split_whitespace()))
    }

    pub(crate) fn sysctl(&self, name: &str, value: &str) {
        self.run("sysctl", &["-qw", &format!("{name}={value}")]);
    }

    /// A link to a peer, down; the interface is called `eth0` on both sides.
    pub(crate) fn link_to(&self, peer: &Self) {
        self.ip(&format!("link add eth0 type veth peer name eth0 netns {}", peer.name));
    }

    pub(crate) fn bring_up(&self, address: &str) {
        self.ip(&format!("address add {address} dev eth0"));
        self.ip("link set eth0 up");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
