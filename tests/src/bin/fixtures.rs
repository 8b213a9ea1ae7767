//! Lists the packet fixtures, or runs them.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use lvs_tests::fixture::{self, Report};

/// Run every packet fixture against the director's program (as root)
#[derive(Parser)]
#[command(name = "cargo xtask fixtures", bin_name = "cargo xtask fixtures")]
struct Arguments {
    /// Only list the fixtures: file and sentence
    #[arg(long)]
    list: bool,
}

fn main() -> Result<ExitCode> {
    let fixtures = fixture::all()?;
    if Arguments::parse().list {
        for (file, fixture) in fixtures {
            println!("{file}: {}", fixture.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Report { ran, failures } = fixture::run_all(&fixtures)?;
    failures.iter().for_each(|failure| println!("{failure}\n"));
    println!("{ran} fixtures ran, {} failed", failures.len());
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
