//! What `lvs-xdp`'s data path costs, measured.

mod machine;
mod noise;
mod program;
mod report;
mod spread;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

/// Measures what the data path costs.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Nanoseconds for one packet through the XDP program, by BPF_PROG_TEST_RUN
    Program(program::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().part) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(part: Part) -> Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "a benchmark loads BPF programs, so it needs root");
    match part {
        Part::Program(options) => program::run(&options),
    }
}
