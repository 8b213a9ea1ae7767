//! Waiting for a condition, never for a time.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const FIRST_INTERVAL: Duration = Duration::from_millis(1);
const LONGEST_INTERVAL: Duration = Duration::from_millis(50);

/// Calls `probe` until it answers `Ok`, and returns that. `Err` is the state that was seen instead.
///
/// # Errors
/// When `deadline` has passed: names what was awaited and the last state seen.
pub fn wait_until<T, S: Display>(
    awaited: &str,
    deadline: Duration,
    mut probe: impl FnMut() -> Result<T, S>,
) -> Result<T> {
    let started = Instant::now();
    let mut interval = FIRST_INTERVAL;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(state) if started.elapsed() >= deadline => {
                bail!("waited {deadline:?} for {awaited}; last seen: {state:#}")
            }
            Err(_) => thread::sleep(interval),
        }
        interval = LONGEST_INTERVAL.min(interval * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_value_once_it_is_there() {
        let mut calls = 0;
        let value = wait_until("the third call", Duration::from_secs(5), || {
            calls += 1;
            if calls == 3 { Ok(calls) } else { Err("too early") }
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn a_timeout_names_what_was_awaited_and_the_last_state() {
        let mut calls = 0;
        let error = wait_until("a miracle", Duration::from_millis(5), || {
            calls += 1;
            Err::<(), _>(format!("call {calls}"))
        });
        let last = format!("call {calls}");
        assert_eq!(error.unwrap_err().to_string(), format!("waited 5ms for a miracle; last seen: {last}"));
    }
}
