//! The product at work on the lab's hosts: the built binary `lvs-xdp`, run as a user would.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::lab::{Host, Lab, Process, wait_until};

/// Loading takes 0.2 s, and several times that on a busy machine.
const READY: Duration = Duration::from_secs(20);
/// The kernel asks a silent neighbour three times, a second apart.
const RESOLVED: Duration = Duration::from_secs(10);

/// The binary `lvs-xdp` that cargo has built beside the running program.
///
/// # Errors
/// When it has not been built.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("can't find the running program")?;
    let folders = own.ancestors().skip(1).take(2);
    let mut candidates = folders.map(|folder| folder.join("lvs-xdp"));
    candidates
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("lvs-xdp is not beside {}: run `cargo build` first", own.display()))
}

/// `lvs-xdp` on a host, with its records in the lab's folder: give it arguments and run it.
///
/// # Errors
/// When the binary is missing.
pub fn lvs_xdp(lab: &Lab, host: &Host) -> Result<Command> {
    let mut command = host.command(binary()?)?;
    command.env("LVS_XDP_RUN_DIR", run_dir(lab)).env_remove("LVS_XDP_INSTANCE").env_remove("RUST_LOG");
    Ok(command)
}

/// Where the lab's directors and companions keep their sockets and records.
#[must_use]
pub fn run_dir(lab: &Lab) -> PathBuf {
    lab.folder().join("run")
}

/// Runs `lvs-xdp` with these words to its end, whatever its exit status.
///
/// # Errors
/// When it can't be started.
pub fn output(lab: &Lab, host: &Host, words: &[&str]) -> Result<Output> {
    let mut command = lvs_xdp(lab, host)?;
    command.args(words).output().with_context(|| format!("can't run lvs-xdp {}", words.join(" ")))
}

/// Runs `lvs-xdp` with these words and gives what it prints.
///
/// # Errors
/// When it ends with another exit status than 0.
pub fn run(lab: &Lab, host: &Host, words: &[&str]) -> Result<String> {
    let output = output(lab, host, words)?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "lvs-xdp {} on {}: {}: {stderr}",
        words.join(" "),
        host.host_name(),
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `lvs-xdp real-server up` on a host.
///
/// # Errors
/// When it fails.
pub fn prepare_real_server(lab: &Lab, host: &Host, vip: &str) -> Result<String> {
    run(lab, host, &["real-server", "up", "--vip", vip])
}

/// A running director. Ended by SIGTERM when dropped.
pub struct Director<'a> {
    lab: &'a Lab,
    host: &'a Host,
    instance: String,
    process: Process,
}

impl<'a> Director<'a> {
    /// Starts a director on a host's eth0 and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up; the error carries its log.
    pub fn start(lab: &'a Lab, host: &'a Host, words: &[&str]) -> Result<Self> {
        let process = Self::spawn(lab, host, words)?;
        let mut director = Self { lab, host, instance: host.host_name().to_owned(), process };
        director.process.wait_for_output("is ready", READY)?;
        Ok(director)
    }

    /// Starts a director without waiting for it.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(lab: &Lab, host: &Host, words: &[&str]) -> Result<Process> {
        let mut command = lvs_xdp(lab, host)?;
        command.args(["director", "--interface", "eth0", "--connections", "4096"]);
        command.args(["--instance", host.host_name()]).args(words);
        Process::spawn(command)
    }

    /// Runs `ipvsadm` with these words on the director's host.
    ///
    /// # Errors
    /// When it ends with another exit status than 0.
    pub fn ipvsadm(&self, words: &str) -> Result<String> {
        let words: Vec<&str> = std::iter::once("ipvsadm").chain(words.split_whitespace()).collect();
        run(self.lab, self.host, &words)
    }

    /// Waits until every real server's MAC address is known.
    ///
    /// # Errors
    /// When one stays silent.
    pub fn wait_for_neighbours(&self) -> Result<()> {
        wait_until("every real server's MAC address", RESOLVED, || {
            let output =
                output(self.lab, self.host, &["ipvsadm", "-Ln"]).map_err(|error| error.to_string())?;
            match String::from_utf8_lossy(&output.stderr).trim() {
                "" => Ok(()),
                silent => Err(silent.to_owned()),
            }
        })
    }

    /// The value of a verdict reason's counter.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn counter(&self, reason: &str) -> Result<u64> {
        let counters = run(self.lab, self.host, &["counters", "--all"])?;
        for line in counters.lines() {
            if let [name, packets, ..] = line.split_whitespace().collect::<Vec<_>>().as_slice()
                && *name == reason
            {
                return packets.parse().with_context(|| line.to_owned());
            }
        }
        bail!("no counter is called {reason}:\n{counters}")
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The process alone, to end it and see how it ends.
    #[must_use]
    pub fn into_process(self) -> Process {
        self.process
    }

    /// The instance's name.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Leaves it running after the end of this process.
    pub fn leave_running(self) {
        self.process.leave_running();
    }
}

impl Deref for Director<'_> {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
