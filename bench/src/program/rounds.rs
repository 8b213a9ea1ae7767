//! Rounds: each measures every program once, in an order of its own, and subtracts the floor that the same round has measured.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use lvs_userspace::dataplane::Dataplane;

use super::bed;
use super::case::{Case, Flows, Program};
use super::counts::{Counts, XDP_TX, check, check_frame, in_case};
use super::generator::{Generator, Run};
use crate::noise::Watch;
use crate::report::Figure;
use crate::spread::Spread;

/// With fewer quiet rounds than these the loud ones count, too.
const ENOUGH: usize = 3;
/// The share of a measurement's packets that are sent before it.
const WARM_UP: u32 = 10;

/// How to measure.
pub(crate) struct Rounds {
    pub(crate) rounds: u32,
    pub(crate) seed: u64,
    pub(crate) slow: bool,
    /// How often to try to measure while nobody else works.
    pub(crate) attempts: u32,
}

/// A program under test in one case.
struct Subject<'a> {
    case: &'a Case,
    program: Program,
    /// Nothing for the floor, and before the first measurement.
    director: Option<Dataplane>,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    nanoseconds: f64,
    quiet: bool,
}

impl Rounds {
    pub(crate) fn measure(&self, cases: &[Case], generator: &mut Generator) -> Result<Vec<Figure>> {
        let mut subjects = subjects(cases);
        let mut random = fastrand::Rng::with_seed(self.seed);
        for round in 1..=self.rounds {
            let mut order: Vec<_> = subjects.iter_mut().collect();
            random.shuffle(&mut order);
            for subject in order {
                let sample = self.sample(subject, generator);
                let sample = in_case(sample, subject.case, subject.program.name())?;
                subject.samples.push(sample);
            }
            eprintln!("round {round} of {}", self.rounds);
        }
        Ok(figures(&subjects))
    }

    fn sample(&self, subject: &mut Subject<'_>, generator: &mut Generator) -> Result<Sample> {
        let mut sample = self.attempt(subject, generator)?;
        for _ in 1..self.attempts {
            if sample.quiet {
                break;
            }
            sample = self.attempt(subject, generator)?;
        }
        Ok(sample)
    }

    fn attempt(&self, subject: &mut Subject<'_>, generator: &mut Generator) -> Result<Sample> {
        let cpus = cpus(subject.case)?;
        self.prepare(subject, generator, &cpus)?;
        let (case, packets) = (subject.case, subject.case.packets);
        generator.measure(case, &cpus, packets / WARM_UP)?;
        let before = subject.counts()?;
        let watch = Watch::start()?;
        let runs = generator.measure(case, &cpus, packets)?;
        let quiet = watch.was_quiet()?;
        subject.check(&runs, before, u64::from(packets) * cpus.len() as u64)?;
        let nanoseconds = runs.iter().map(|run| run.nanoseconds).sum::<f64>() / runs.len() as f64;
        Ok(Sample { nanoseconds, quiet })
    }

    /// Brings the director into the state that the case is about, and aims at it.
    fn prepare(&self, subject: &mut Subject<'_>, generator: &mut Generator, cpus: &[usize]) -> Result<()> {
        if subject.program == Program::Floor {
            return generator.aim_at_floor();
        }
        let case = subject.case;
        let renew = matches!(case.flows, Flows::NewWithRoom) || subject.director.is_none();
        if renew {
            subject.director = None;
            subject.director = Some(bed::make(case, subject.program)?);
        }
        let cpu = cpus.first().copied().unwrap_or(0);
        if let Some(director) = &mut subject.director {
            generator.aim(director.program()?.fd()?, false)?;
            fill(case, generator, cpu, renew)?;
            generator.aim(director.program()?.fd()?, self.slow)?;
        }
        Ok(())
    }
}

/// Gives a director its connections: all of them at first, and then so many that none expires.
fn fill(case: &Case, generator: &mut Generator, cpu: usize, first: bool) -> Result<()> {
    match case.flows {
        Flows::Known(flows) => {
            if first {
                generator.open(case, flows, cpu)?;
            }
            generator.feed(case, flows, cpu)
        }
        Flows::NewAfter(flows) => generator.feed_new(case, if first { flows } else { case.places() }, cpu),
        Flows::NewWithRoom | Flows::Unrelated(_) => Ok(()),
    }
}

/// The last CPUs: the first is where interrupts tend to go.
fn cpus(case: &Case) -> Result<Vec<usize>> {
    let all = std::thread::available_parallelism()?.get();
    ensure!(all >= case.cpus, "{} needs {} CPUs and there are {all}", case.name, case.cpus);
    Ok((all - case.cpus..all).collect())
}

/// Every program of every case, and one floor for cases that share it.
fn subjects(cases: &[Case]) -> Vec<Subject<'_>> {
    let mut floors = HashMap::new();
    for case in cases {
        floors.entry(case.floor()).or_insert(case);
    }
    let subject = |case, program| Subject { case, program, director: None, samples: Vec::new() };
    let programs = cases.iter().flat_map(|case| case.programs.iter().map(move |program| (case, *program)));
    let floors = floors.into_values().map(|case| subject(case, Program::Floor));
    programs.map(|(case, program)| subject(case, program)).chain(floors).collect()
}

impl Subject<'_> {
    fn counts(&self) -> Result<Option<Counts>> {
        self.director.as_ref().map(|director| Counts::of(director, self.case)).transpose()
    }

    fn check(&self, runs: &[Run], before: Option<Counts>, packets: u64) -> Result<()> {
        let Some((before, after)) = before.zip(self.counts()?) else {
            ensure!(runs.iter().all(|run| run.action == XDP_TX), "the frame was not sent back");
            return Ok(());
        };
        check(self.case, packets, &before, &after)?;
        runs.iter().try_for_each(|run| check_frame(self.case, run))
    }

    fn is_floor_of(&self, case: &Case) -> bool {
        self.program == Program::Floor && self.case.floor() == case.floor()
    }
}

fn figures(subjects: &[Subject<'_>]) -> Vec<Figure> {
    subjects.iter().filter_map(|subject| figure(subject, subjects)).collect()
}

fn figure(subject: &Subject<'_>, subjects: &[Subject<'_>]) -> Option<Figure> {
    let floor = subjects.iter().find(|other| other.is_floor_of(subject.case))?;
    let pairs: Vec<_> = subject.samples.iter().zip(&floor.samples).collect();
    let quiet = pairs.iter().filter(|(sample, floor)| sample.quiet && floor.quiet).count();
    let taken = pairs.iter().filter(|(sample, floor)| quiet < ENOUGH || sample.quiet && floor.quiet);
    let above_floor = |sample: &Sample, floor: &Sample| match subject.program {
        Program::Floor => sample.nanoseconds,
        Program::Director | Program::LruHash => sample.nanoseconds - floor.nanoseconds,
    };
    Some(Figure {
        case: subject.name(),
        program: subject.program,
        nanoseconds: Spread::of(taken.map(|(sample, floor)| above_floor(sample, floor)).collect())?,
        quiet_rounds: quiet,
    })
}

impl Subject<'_> {
    fn name(&self) -> String {
        match (self.program, self.case.floor()) {
            (Program::Director | Program::LruHash, _) => self.case.name.clone(),
            (Program::Floor, (at_random, cpus)) => {
                let flows = if at_random { "flows at random" } else { "new flows" };
                format!("{flows}, {cpus} CPU{}", if cpus == 1 { "" } else { "s" })
            }
        }
    }
}
