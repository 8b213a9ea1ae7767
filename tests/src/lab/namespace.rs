//! A network namespace with a name, so that people can enter it: `ip netns exec NAME bash`.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{io, panic, process, thread};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::wait_until;

const NAMESPACES: &str = "/run/netns";
const END_BY_ITSELF: Duration = Duration::from_secs(3);

/// A network namespace; dropping it ends the processes in it and removes it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
    kept: bool,
}

impl Namespace {
    /// Makes the namespace, by `ip netns add`, with its loopback interface up.
    ///
    /// # Errors
    /// When a namespace of that name exists already or the caller may not make one.
    pub fn create(name: &str) -> Result<Self> {
        output_of(Command::new("ip").args(["netns", "add", name]))?;
        let namespace = Self::open(name)?;
        namespace.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Takes over the namespace called `name`, which exists.
    pub(super) fn open(name: &str) -> Result<Self> {
        let path = Path::new(NAMESPACES).join(name);
        let file = File::open(&path).with_context(|| format!("open namespace {}", path.display()))?;
        Ok(Self { name: name.to_owned(), file, kept: false })
    }

    /// Its name, as `ip netns list` shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the namespace is in the file system.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.name)
    }

    /// A command that will run inside. Unlike under `ip netns exec`, its mounts are the caller's: a bpffs mounted
    /// by one command is there for the next. `/sys/class/net` therefore shows the caller's interfaces.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Result<Command> {
        let file = self.file.try_clone().with_context(|| format!("share namespace {}", self.name))?;
        let mut command = Command::new(program);
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; the closure makes one system call
        // on a descriptor that it owns, and allocates nothing.
        unsafe { command.pre_exec(move || enter_network(&file)) };
        Ok(command)
    }

    /// Runs a command inside to its end and returns what it wrote to standard output.
    ///
    /// # Errors
    /// When it can't be started or fails; the error carries what it wrote to standard error.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let (program, rest) = arguments.split_first().context("a command needs a program")?;
        output_of(self.command(program)?.args(rest)).with_context(|| format!("in namespace {}", self.name))
    }

    /// Runs `work` inside, on a thread of its own, and returns its value. Sockets that it opens stay in the
    /// namespace. A panic in `work` goes on in the caller.
    ///
    /// # Errors
    /// When the thread can't be started or can't enter the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = thread::Builder::new()
                .name(format!("in {}", self.name))
                .spawn_scoped(scope, || enter_network(&self.file).map(|()| work()))?
                .join();
            match inside {
                Ok(entered) => entered.with_context(|| format!("enter namespace {}", self.name)),
                Err(panicked) => panic::resume_unwind(panicked),
            }
        })
    }

    /// Leaves the namespace standing when this value is dropped.
    pub(super) fn keep(&mut self) {
        self.kept = true;
    }

    fn end_processes(&self) -> Result<()> {
        if self.signal_processes(Signal::SIGTERM)? == 0 {
            return Ok(());
        }
        let ended = self.wait_for_no_process();
        if ended.is_err() {
            self.signal_processes(Signal::SIGKILL)?;
            return self.wait_for_no_process();
        }
        ended
    }

    fn wait_for_no_process(&self) -> Result<()> {
        let awaited = format!("the end of the processes in namespace {}", self.name);
        wait_until(&awaited, END_BY_ITSELF, || match self.processes() {
            Ok(left) if left.is_empty() => Ok(()),
            Ok(left) => Err(format!("still there: {left:?}")),
            Err(error) => Err(error.to_string()),
        })
    }

    fn signal_processes(&self, signal: Signal) -> Result<usize> {
        let processes = self.processes()?;
        for pid in &processes {
            // One that has just ended by itself is what was wanted.
            let _ = kill(*pid, signal);
        }
        Ok(processes.len())
    }

    /// Every process inside but this one, which may have threads there.
    fn processes(&self) -> Result<Vec<Pid>> {
        let inside = self.file.metadata().with_context(|| format!("look at namespace {}", self.name))?;
        let in_here = |pid: i32| {
            fs::metadata(format!("/proc/{pid}/ns/net"))
                .is_ok_and(|other| other.st_dev() == inside.st_dev() && other.st_ino() == inside.st_ino())
        };
        let own = process::id().cast_signed();
        Ok(fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid != own && in_here(*pid))
            .map(Pid::from_raw)
            .collect())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let ended = self.end_processes();
        let removed = output_of(Command::new("ip").args(["netns", "delete", &self.name]));
        // Two processes may have been at the removal of the same stale lab.
        let removed =
            removed.map(drop).or_else(|error| if self.path().exists() { Err(error) } else { Ok(()) });
        for error in [ended, removed].into_iter().filter_map(Result::err) {
            eprintln!("lab: {error:#}");
        }
    }
}

/// Moves the calling thread into the network namespace `file`.
pub(super) fn enter_network(file: &File) -> io::Result<()> {
    setns(file.as_fd(), CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
}

/// The names of all network namespaces that have one.
pub(super) fn all_names() -> Result<Vec<String>> {
    match fs::read_dir(NAMESPACES) {
        Ok(entries) => Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context(format!("list {NAMESPACES}")),
    }
}

/// Standard output of a command that must succeed.
pub(super) fn output_of(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("start `{shown}`"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{shown}` failed ({}): {}", output.status, complaint.trim_end());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as a person would type it.
pub(super) fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
