//! `lvs-xdp counters`: how many packets left with which verdict, and why.

use std::process::ExitCode;

use clap::Args;
use lvs_common::verdict::Reason;

use super::client::Target;
use super::runtime;

/// `lvs-xdp counters`
#[derive(Debug, Args)]
pub(super) struct Counters {
    #[command(flatten)]
    target: Target,

    /// Also show counters that are 0
    #[arg(long)]
    all: bool,
}

impl Counters {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let snapshot = runtime()?.block_on(self.target.client()?.snapshot())?;
        for count in snapshot.reasons.iter().filter(|count| self.all || count.packets > 0) {
            let meaning =
                Reason::ALL.iter().find(|reason| reason.name() == count.name).map_or("", |r| r.meaning());
            println!("{:<18} {:>12}  {meaning}", count.name, count.packets);
        }
        Ok(ExitCode::SUCCESS)
    }
}
