//! A run's figures: as a table, as a file, and compared with what they should be and with another run's.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::program::{Case, Program};
use crate::spread::Spread;

/// Width of a case's name.
const NAME: usize = 54;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
    /// Programs were delayed on purpose.
    pub(crate) slow: bool,
    pub(crate) figures: Vec<Figure>,
}

/// What one program costs in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) case: String,
    pub(crate) program: Program,
    /// Above the floor, for one packet.
    pub(crate) nanoseconds: Spread,
    /// Rounds in which nobody else worked.
    pub(crate) quiet_rounds: usize,
}

impl Report {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} was not written by --json", path.display()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("write JSON")? + "\n";
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    fn median(&self, case: &str, program: Program) -> Option<f64> {
        let same = |figure: &&Figure| figure.case == case && figure.program == program;
        self.figures.iter().find(same).map(|figure| figure.nanoseconds.median)
    }

    /// What each bar says of these figures.
    pub(crate) fn judgement(&self, cases: &[Case]) -> String {
        let lines = cases.iter().flat_map(|case| [self.against_hash(case), self.flatness(case)]);
        let lines: String = lines.flatten().collect();
        if lines.is_empty() { lines } else { format!("\nWhat the figures should be:\n{lines}") }
    }

    fn against_hash(&self, case: &Case) -> Option<String> {
        let director = self.median(&case.name, Program::Director)?;
        let ratio = self.median(&case.name, Program::LruHash)? / director;
        let bar = case.bar?;
        let met = met(ratio >= bar);
        Some(format!(
            "{:NAME$} {ratio:5.2} times as fast as the LRU hash, at least {bar:.1}: {met}\n",
            case.name
        ))
    }

    fn flatness(&self, case: &Case) -> Option<String> {
        let (base, limit) = case.flat?;
        let more = self.median(&case.name, Program::Director)? / self.median(base, Program::Director)? - 1.0;
        let (name, met) = (&case.name, met(more < limit));
        Some(format!(
            "{name:NAME$} {:+4.0} % over `{base}`, less than {:.0} %: {met}\n",
            more * 100.0,
            limit * 100.0
        ))
    }

    /// The ratios to an earlier run.
    pub(crate) fn against(&self, earlier: &Self) -> String {
        let mut text = format!(
            "\n{:NAME$} {:9} {:>8} {:>8} {:>6}\n",
            "compared with the earlier run", "", "earlier", "now", "ratio"
        );
        for Figure { case, program, nanoseconds, .. } in &self.figures {
            let Some(before) = earlier.median(case, *program) else { continue };
            let now = nanoseconds.median;
            let (program, ratio) = (program.name(), now / before);
            // Writing to a string can't fail.
            let _ = writeln!(text, "{case:NAME$} {program:9} {before:8.1} {now:8.1} {ratio:6.2}");
        }
        if earlier.machine != self.machine {
            let _ = writeln!(text, "The earlier run was on another machine: {}", earlier.machine);
        }
        text
    }
}

const fn met(met: bool) -> &'static str {
    if met { "met" } else { "NOT MET" }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{} rounds, seed {}", self.machine, self.rounds, self.seed)?;
        if self.slow {
            writeln!(f, "Every program was delayed on purpose.")?;
        }
        writeln!(
            f,
            "\n{:NAME$} {:9} {:>8} {:>8} {:>8}  quiet",
            "nanoseconds above the floor", "", "median", "min", "max"
        )?;
        for Figure { case, program, nanoseconds, quiet_rounds } in &self.figures {
            let rounds = self.rounds;
            writeln!(f, "{case:NAME$} {:9} {nanoseconds}  {quiet_rounds}/{rounds}", program.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(median: f64) -> Report {
        let nanoseconds = Spread { median, min: median, max: median };
        let machine =
            Machine { cpu: "a".into(), cpus: 2, virtual_machine: true, kernel: "Linux 6.18".into() };
        let figure = Figure { case: "x".into(), program: Program::Director, nanoseconds, quiet_rounds: 3 };
        Report { machine, rounds: 3, seed: 7, slow: false, figures: vec![figure] }
    }

    #[test]
    fn a_written_report_is_read_back() {
        let text = serde_json::to_string(&report(12.5)).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report(12.5));
    }

    #[test]
    fn a_comparison_gives_the_ratio_of_the_medians() {
        let text = report(30.0).against(&report(20.0));
        assert!(text.contains("    20.0     30.0   1.50\n"), "{text}");
    }
}
