//! Nanoseconds for one packet through the XDP program, by `BPF_PROG_TEST_RUN`.

mod bed;
mod case;
mod cases;
mod counts;
mod frame;
mod generator;
mod rounds;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

pub(crate) use self::case::{Case, Program};
use self::generator::Generator;
use self::rounds::Rounds;
use crate::machine::Machine;
use crate::report::Report;

/// What to measure, and where to put it.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer rounds, and no case that takes long
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains TEXT
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the figures to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Compare with the figures in FILE, written by --json
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Rounds: each measures every case once [default: 15, with --quick 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Orders the cases of each round
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Delay each program before it begins: a benchmark that does not show it is broken
    #[arg(long)]
    slow: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let earlier = options.against.as_deref().map(Report::read).transpose()?;
    let machine = Machine::this()?;
    let cases = chosen(options, machine.cpus);
    ensure!(!cases.is_empty(), "no case has {:?} in its name", options.filter.as_deref().unwrap_or_default());
    let plan = Rounds {
        rounds: options.rounds.unwrap_or(if options.quick { 5 } else { 15 }).max(1),
        seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
        slow: options.slow,
        attempts: if options.quick { 1 } else { 3 },
    };
    eprintln!("{machine}\n{} cases, {} rounds, seed {}", cases.len(), plan.rounds, plan.seed);
    let figures = plan.measure(&cases, &mut Generator::load()?)?;
    let report = Report { machine, rounds: plan.rounds, seed: plan.seed, slow: plan.slow, figures };
    print!("{report}");
    print!("{}", report.judgement(&cases));
    if let Some(earlier) = earlier {
        print!("{}", report.against(&earlier));
    }
    options.json.as_deref().map_or(Ok(()), |path| report.write(path))
}

fn chosen(options: &Options, cpus: usize) -> Vec<Case> {
    let named = |case: &Case| options.filter.as_deref().is_none_or(|text| case.name.contains(text));
    let fits = |case: &Case| case.cpus <= cpus && !(options.quick && case.takes_long);
    cases::all().into_iter().filter(|case| named(case) && fits(case)).collect()
}
