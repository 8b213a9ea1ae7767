//! The command line.

use std::process::ExitCode;

use clap::Parser;

pub mod ipvsadm;
mod real_server;

/// A Layer 4 director for LVS-DR on XDP.
#[derive(Debug, Parser)]
#[command(name = "lvs-xdp", version)]
struct Cli {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Prepare this host as a real server, undo that, or check it.
    RealServer(real_server::RealServer),
}

/// Runs the command that the process was started with. What it can't understand ends with status 2, what it can't
/// do with status 1, each with one sentence.
#[must_use]
pub fn main() -> ExitCode {
    dispatch(&Cli::parse()).unwrap_or_else(|error| {
        eprintln!("lvs-xdp: {error:#}");
        ExitCode::FAILURE
    })
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Subcommand::RealServer(command) => command.run(),
    }
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
