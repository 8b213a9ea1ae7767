//! A child process, whose output is kept for failures and which does not outlive the test.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::namespace::shown;
use super::wait::wait_until;

const TIME_TO_END: Duration = Duration::from_secs(5);

/// A running command. Dropping it sends SIGTERM, and SIGKILL to one that does not end within five seconds; while the
/// thread panics, it also prints what the command wrote.
#[derive(Debug)]
pub struct Process {
    command: String,
    child: Child,
    output: File,
    left_running: bool,
}

impl Process {
    /// Starts `command`, made by [`Namespace::command`](super::Namespace::command) to run it in a namespace. It gets
    /// a process group of its own, no input, and one file for both of its outputs.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let shown = shown(&command);
        let output = tempfile::tempfile().context("make a file for a process's output")?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?).process_group(0);
        let child = command.spawn().with_context(|| format!("start `{shown}`"))?;
        Ok(Self { command: shown, child, output, left_running: false })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, to standard output and standard error.
    ///
    /// # Errors
    /// When the file that holds it can't be read.
    pub fn output(&self) -> Result<String> {
        let length = usize::try_from(self.output.metadata()?.size())?;
        let mut bytes = vec![0; length];
        // Not `read`: the child writes where this file's position is.
        self.output
            .read_exact_at(&mut bytes, 0)
            .with_context(|| format!("read the output of `{}`", self.command))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// When the kernel can't say.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return Err(self.failure(&format!("can't get {signal}: it has ended ({status})")));
        }
        let pid = Pid::from_raw(self.id().cast_signed());
        kill(pid, signal).with_context(|| format!("send {signal} to `{}`", self.command))
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it still runs after `deadline`; the error carries its output.
    pub fn wait_exit(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let awaited = format!("the end of `{}`", self.command);
        wait_until(&awaited, deadline, || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err(format!("running; it wrote:\n{}", self.output().unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Waits until its output contains `text`.
    ///
    /// # Errors
    /// When it has not after `deadline`, or has ended without; the error carries its output.
    pub fn wait_for_output(&mut self, text: &str, deadline: Duration) -> Result<()> {
        let awaited = format!("{text:?} from `{}`", self.command);
        wait_until(&awaited, deadline, || {
            // In this order: what it wrote before its end is then in the output.
            let ended = self.child.try_wait().ok().flatten();
            let output = self.output().unwrap_or_default();
            match ended {
                _ if output.contains(text) => Ok(Ok(())),
                Some(status) => Ok(Err(self.failure(&format!("ended ({status}) without {text:?}")))),
                None => Err(format!("it wrote:\n{output}")),
            }
        })?
    }

    /// Ends it as a drop would, and returns its exit status.
    ///
    /// # Errors
    /// When even SIGKILL does not end it.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.end()
    }

    /// Leaves it running after the end of this process.
    pub fn leave_running(mut self) {
        self.left_running = true;
    }

    /// An error about this process, with its output.
    pub(super) fn failure(&self, what: &str) -> anyhow::Error {
        anyhow!("`{}` {what}; it wrote:\n{}", self.command, self.output().unwrap_or_default())
    }

    fn end(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::SIGTERM)?;
        if let Ok(status) = self.wait_exit(TIME_TO_END) {
            return Ok(status);
        }
        self.child.kill().with_context(|| format!("kill `{}`", self.command))?;
        self.wait_exit(TIME_TO_END)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.left_running {
            return;
        }
        if let Err(error) = self.end() {
            eprintln!("lab: {error:#}");
        }
        if thread::panicking() {
            eprintln!("lab: {}", self.failure("was stopped by a failure"));
        }
    }
}
