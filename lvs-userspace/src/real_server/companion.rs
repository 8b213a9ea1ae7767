//! `up` and `down`: record first, change then, and undo what was recorded.

use std::fmt;
use std::path::PathBuf;

use super::host::{Host, HostError};
use super::plan::{self, Left, Step, Undo, plan_down, plan_up};
use super::record::{Record, RecordError, RecordFile, Stored};
use super::status::{Finding, findings};
use super::vip::Vip;

/// Prepares a host as a real server and puts back what it changed.
#[derive(Debug)]
pub struct Companion<H> {
    host: H,
    file: RecordFile,
}

/// What `up` did.
#[derive(Debug)]
pub struct Up {
    /// The changes, in order; none when everything was right.
    pub steps: Vec<Step>,
    /// What happened to a record that could not be used.
    pub discarded: Option<Discarded>,
}

/// What `down` did.
#[derive(Debug)]
pub struct Down {
    /// The changes, in order.
    pub undos: Vec<Undo>,
    /// What was not touched.
    pub left: Vec<Left>,
    /// Whether there was a record of an `up` at all.
    pub was_up: bool,
    /// What happened to a record that could not be used.
    pub discarded: Option<Discarded>,
}

/// A record that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discarded {
    /// Of an earlier boot: removed.
    OtherBoot {
        /// Where it was.
        path: PathBuf,
    },
    /// Torn or foreign: kept under another name.
    SetAside {
        /// Where it was.
        path: PathBuf,
        /// What was wrong with it.
        why: String,
        /// Where it is now.
        aside: PathBuf,
    },
}

/// `up` or `down` failed.
#[derive(Debug, thiserror::Error)]
pub enum CompanionError {
    /// The host refused. What `up` had done by then was undone; what `down` had left is still recorded.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The record could not be kept.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The host refused a step of `up` and then its undoing.
    #[error(
        "{}, and what was done before could not be undone ({}): `real-server down` will try again",
        chain(failure),
        chain(undoing.as_ref())
    )]
    HalfDone {
        /// Why `up` stopped.
        failure: HostError,
        /// Why its undoing stopped.
        undoing: Box<Self>,
    },
}

impl<H: Host> Companion<H> {
    /// A companion of a host that keeps its record in a file.
    pub const fn new(host: H, file: RecordFile) -> Self {
        Self { host, file }
    }

    /// Makes the host a silent holder of these VIPs, beside those of an earlier `up`. Nothing is changed
    /// before it is recorded; when a step fails, those before it are undone.
    ///
    /// # Errors
    /// When the record can't be kept or the host refuses.
    pub fn up(&mut self, vips: &[Vip]) -> Result<Up, CompanionError> {
        let _lock = self.file.lock()?;
        let (before, discarded) = self.usable_record()?;
        let before = before.unwrap_or_else(|| self.file.empty());
        let steps = plan_up(&self.host.look()?, vips);
        let record = before.with(vips, &steps);
        if record != before {
            self.file.save(&record)?;
        }
        self.execute(&steps, &before)?;
        Ok(Up { steps, discarded })
    }

    /// Undoes what every `up` since the last `down` changed, and nothing else.
    ///
    /// # Errors
    /// When the host refuses; what is left to undo stays recorded.
    pub fn down(&mut self) -> Result<Down, CompanionError> {
        let _lock = self.file.lock()?;
        let (record, discarded) = self.usable_record()?;
        let was_up = record.is_some();
        let record = record.unwrap_or_else(|| self.file.empty());
        let found = self.host.look()?;
        let undos = plan_down(&record.steps, &found);
        for undo in &undos {
            self.host.undo(undo)?;
        }
        self.file.remove()?;
        Ok(Down { undos, left: plan::left_alone(&record, &found), was_up, discarded })
    }

    /// Everything that decides whether the host is a good real server for these VIPs.
    ///
    /// # Errors
    /// When the host can't be looked at.
    pub fn status(&self, vips: &[Vip]) -> Result<Vec<Finding>, CompanionError> {
        Ok(findings(&self.host.look()?, vips))
    }

    /// What lies where the record is kept; changes nothing.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn stored(&self) -> Result<Stored, CompanionError> {
        Ok(self.file.load()?)
    }

    fn usable_record(&self) -> Result<(Option<Record>, Option<Discarded>), RecordError> {
        let path = self.file.path();
        match self.file.load()? {
            Stored::Nothing => Ok((None, None)),
            Stored::Record(record) => Ok((Some(record), None)),
            Stored::OtherBoot => {
                self.file.remove()?;
                Ok((None, Some(Discarded::OtherBoot { path })))
            }
            Stored::Unusable { why } => {
                let aside = self.file.set_aside()?;
                Ok((None, Some(Discarded::SetAside { path, why, aside })))
            }
        }
    }

    fn execute(&mut self, steps: &[Step], before: &Record) -> Result<(), CompanionError> {
        for (done, step) in steps.iter().enumerate() {
            if let Err(failure) = self.host.execute(step) {
                let ours = steps.iter().take(done).filter(|step| !before.covers(step)).copied();
                return Err(self.roll_back(&ours.collect::<Vec<_>>(), before, failure));
            }
        }
        Ok(())
    }

    fn roll_back(&mut self, done: &[Step], before: &Record, failure: HostError) -> CompanionError {
        match self.restore(done, before) {
            Ok(()) => CompanionError::Host(failure),
            Err(undoing) => CompanionError::HalfDone { failure, undoing: Box::new(undoing) },
        }
    }

    fn restore(&mut self, done: &[Step], before: &Record) -> Result<(), CompanionError> {
        for undo in plan_down(done, &self.host.look()?) {
            self.host.undo(&undo)?;
        }
        if before.is_empty() {
            self.file.remove()?;
        } else {
            self.file.save(before)?;
        }
        Ok(())
    }
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherBoot { path } => write!(
                f,
                "the record {} is of an earlier boot, and what it tells of went with that: removed",
                path.display()
            ),
            Self::SetAside { path, why, aside } => write!(
                f,
                "the record {} can't be used ({why}): set aside as {}, nothing in it was undone",
                path.display(),
                aside.display()
            ),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
