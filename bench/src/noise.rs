//! Whether something else worked on this machine while a benchmark ran.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// The unit of /proc/stat, on every architecture (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;
/// Columns of a line of /proc/stat: idle and waiting for input or output; the rest of the first eight is work or stolen time.
const IDLE: [usize; 2] = [3, 4];
const COLUMNS: usize = 8;

/// The share of the elapsed time that others may work, over all CPUs.
const QUIET: f64 = 0.1;
/// Accounting in ticks is this coarse.
const COARSE: Duration = Duration::from_millis(20);

/// Watches from its making on.
pub(crate) struct Watch {
    start: Instant,
    busy: Duration,
    own: Duration,
}

impl Watch {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { start: Instant::now(), busy: busy()?, own: own()? })
    }

    /// Whether hardly anybody else worked.
    pub(crate) fn was_quiet(&self) -> Result<bool> {
        let others = (busy()?.saturating_sub(self.busy)).saturating_sub(own()?.saturating_sub(self.own));
        Ok(others <= self.start.elapsed().mul_f64(QUIET) + COARSE)
    }
}

/// What all CPUs have worked, and what the hypervisor took from them.
fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    Ok(Duration::from_millis(
        busy_ticks(&text).context("/proc/stat has no line `cpu`")? * 1000 / TICKS_PER_SECOND,
    ))
}

fn busy_ticks(text: &str) -> Option<u64> {
    let all = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let columns = all.split_whitespace().take(COLUMNS).enumerate();
    columns.filter(|(column, _)| !IDLE.contains(column)).map(|(_, ticks)| ticks.parse::<u64>().ok()).sum()
}

/// What this process has worked.
fn own() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("getrusage")?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::busy_ticks;

    #[test]
    fn idle_and_waiting_are_not_work_and_guests_are_not_counted_twice() {
        let stat = "cpu  1 2 4 1000 2000 8 16 32 500 600\ncpu0 9 9 9 9 9 9 9 9 9 9\n";
        assert_eq!(busy_ticks(stat), Some(63));
        assert_eq!(busy_ticks("intr 1\n"), None);
    }
}
