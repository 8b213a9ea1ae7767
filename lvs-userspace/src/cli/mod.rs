//! The command line.

mod client;
mod counters;
mod director;
pub mod ipvsadm;
mod real_server;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

/// The exit status for what can't be understood.
const NOT_UNDERSTOOD: u8 = 2;

/// A Layer 4 director for LVS-DR on XDP.
#[derive(Debug, Parser)]
#[command(name = "lvs-xdp", version)]
struct Cli {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Run a director in the foreground, until SIGTERM or Ctrl-C.
    Director(director::Director),
    /// Speak to the running director as ipvsadm does to the kernel: `lvs-xdp ipvsadm -Ln`.
    #[command(disable_help_flag = true)]
    Ipvsadm {
        /// ipvsadm's own command line
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
        words: Vec<String>,
    },
    /// Show how many packets left the running director with which verdict, and why.
    Counters(counters::Counters),
    /// Prepare this host as a real server, undo that, or check it.
    RealServer(real_server::RealServer),
}

/// Runs the command that the process was started with. What it can't understand ends with status 2, what it can't
/// do with status 1, each with one sentence. Through a link named `ipvsadm` the words are ipvsadm's.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.first().is_some_and(|program| Path::new(program).file_name() == Some("ipvsadm".as_ref())) {
        return ipvsadm::run(
            &words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        );
    }
    dispatch(&Cli::parse_from(words)).unwrap_or_else(|error| {
        eprintln!("lvs-xdp: {error:#}");
        ExitCode::FAILURE
    })
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Subcommand::Director(command) => {
            log();
            command.run()
        }
        Subcommand::Ipvsadm { words } => Ok(ipvsadm::run(words)),
        Subcommand::Counters(command) => command.run(),
        Subcommand::RealServer(command) => command.run(),
    }
}

/// Says what can't be understood.
fn not_understood(reason: &impl Display) -> ExitCode {
    eprintln!("lvs-xdp: {reason}");
    ExitCode::from(NOT_UNDERSTOOD)
}

/// Log lines go to standard error; `RUST_LOG` chooses which.
fn log() {
    // netlink-proto warns of every answer that comes after its request was given up.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,netlink_proto=error"));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    format.with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
}

/// One thread does all the waiting.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }
}
