//! `up` and `down`: record first, change then, and undo what was recorded.

use super::host::{Host, HostError};
use super::plan::{self, Left, Step, Undo, plan_down, plan_up};
use super::record::Record;
use super::status::{Finding, findings};
use super::vip::Vip;
use crate::journal::{Discarded, Journal, JournalError, Loaded};

/// Prepares a host as a real server and puts back what it changed.
#[derive(Debug)]
pub struct Companion<H> {
    host: H,
    journal: Journal<Record>,
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

/// `up` or `down` failed.
#[derive(Debug, thiserror::Error)]
pub enum CompanionError {
    /// The host refused. What `up` had done by then was undone; what `down` had left is still recorded.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The record could not be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
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
    /// A companion of a host that keeps its record in a journal.
    pub const fn new(host: H, journal: Journal<Record>) -> Self {
        Self { host, journal }
    }

    /// Makes the host a silent holder of these VIPs, beside those of an earlier `up`. Nothing is changed
    /// before it is recorded; when a step fails, those before it are undone.
    ///
    /// # Errors
    /// When the record can't be kept or the host refuses.
    pub fn up(&mut self, vips: &[Vip]) -> Result<Up, CompanionError> {
        let _lock = self.journal.lock()?;
        let (before, discarded) = self.journal.recover()?;
        let before = before.unwrap_or_default();
        let steps = plan_up(&self.host.look()?, vips);
        let record = before.with(vips, &steps);
        if record != before {
            self.journal.store(&record)?;
        }
        self.execute(&steps, &before)?;
        Ok(Up { steps, discarded })
    }

    /// Undoes what every `up` since the last `down` changed, and nothing else.
    ///
    /// # Errors
    /// When the host refuses; what is left to undo stays recorded.
    pub fn down(&mut self) -> Result<Down, CompanionError> {
        let _lock = self.journal.lock()?;
        let (record, discarded) = self.journal.recover()?;
        let was_up = record.is_some();
        let record = record.unwrap_or_default();
        let found = self.host.look()?;
        let undos = plan_down(&record.steps, &found);
        for undo in &undos {
            self.host.undo(undo)?;
        }
        self.journal.remove()?;
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
    pub fn recorded(&self) -> Result<Loaded<Record>, CompanionError> {
        Ok(self.journal.load()?)
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
            self.journal.remove()?;
        } else {
            self.journal.store(before)?;
        }
        Ok(())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
