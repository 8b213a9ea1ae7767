//! `cargo xtask demo`: the classic LVS-DR tutorial with an XDP program in place of ip_vs.

mod picture;
mod tutorial;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use clap::Parser;
use lvs_tests::lab::Lab;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use tutorial::Tutorial;

/// The name of the lab that `--keep` leaves standing.
const KEPT: &str = "demo";

/// Plays the LVS-DR tutorial in four network namespaces, and removes them.
#[derive(Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
struct Arguments {
    /// Leave everything standing, and say how to enter each namespace
    #[arg(long, conflicts_with = "down")]
    keep: bool,

    /// Remove what --keep has left standing
    #[arg(long)]
    down: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if arguments.down {
        ensure!(
            Lab::remove_named(KEPT)?,
            "there is no demo to remove: `cargo xtask demo --keep` leaves one standing"
        );
        println!("The demo's namespaces and what ran in them are gone.");
        return Ok(());
    }
    let interrupted = Interrupted::catch()?;
    let lab = Tutorial::build(arguments.keep.then_some(KEPT))?;
    // Dropped in reverse on every way out, also after Ctrl-C: processes first, then the namespaces.
    let tutorial = Tutorial::play(&lab, &interrupted)?;
    if arguments.keep {
        tutorial.leave_running();
        tutorial::explain_kept(&lab);
        lab.keep();
    }
    Ok(())
}

/// Whether Ctrl-C or SIGTERM has asked for the end.
pub(crate) struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn catch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// Ends the tutorial between two of its steps.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(!self.0.load(Ordering::Relaxed), "interrupted; everything is removed");
        Ok(())
    }
}
