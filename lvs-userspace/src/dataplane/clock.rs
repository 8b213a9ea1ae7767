//! The data path's time, as user space knows it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use lvs_common::abi::{TICK_SHIFT, tick};

use super::DataplaneError;

/// Between two readings: 30 jiffies at 250 Hz, 36 at 300 Hz, so a jiffy more or less does not confuse them.
const CALIBRATION: Duration = Duration::from_millis(120);
/// The rates that a kernel can be built with (kernel/Kconfig.hz).
const RATES: [f64; 4] = [100.0, 250.0, 300.0, 1000.0];

/// Knows how fast the kernel counts jiffies, which user space can't ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
    jiffies: u64,
    hertz: f64,
}

impl Clock {
    /// Measures with the program that writes the kernel's jiffies into its packet.
    pub(super) fn calibrate(program: &Xdp) -> Result<Self, DataplaneError> {
        let (start, before) = (Instant::now(), jiffies(program)?);
        sleep(CALIBRATION);
        let (origin, jiffies) = (Instant::now(), jiffies(program)?);
        let hertz = rate(jiffies.wrapping_sub(before), origin - start);
        Ok(Self { origin, jiffies, hertz })
    }

    /// The present tick, as the data path reads it.
    pub(super) fn now(&self) -> u32 {
        let elapsed = self.origin.elapsed().as_secs_f64() * self.hertz;
        tick(self.jiffies.wrapping_add(elapsed as u64))
    }

    /// How fast ticks pass.
    pub(super) fn ticks_per_second(&self) -> f64 {
        self.hertz / f64::from(1 << TICK_SHIFT)
    }
}

pub(super) fn jiffies(program: &Xdp) -> Result<u64, DataplaneError> {
    let mut out = [0; 64];
    let mut options = TestRunOptions::new();
    options.data_in = Some(&[0; 64]);
    options.data_out = Some(&mut out);
    program.test_run(options).map_err(|error| DataplaneError::TestRun(Box::new(error)))?;
    let [a, b, c, d, e, f, g, h, ..] = out;
    Ok(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
}

/// The rate nearest to the measured one; what is near none is believed as it is.
fn rate(jiffies: u64, elapsed: Duration) -> f64 {
    let measured = jiffies as f64 / elapsed.as_secs_f64();
    let near = |rate: &f64| (measured - rate).abs() / rate < 0.1;
    RATES.into_iter().find(near).unwrap_or(measured)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::rate;

    #[test]
    fn a_jiffy_more_or_less_does_not_matter() {
        let elapsed = Duration::from_millis(120);
        for (jiffies, hertz) in
            [(11, 100.0), (12, 100.0), (29, 250.0), (31, 250.0), (35, 300.0), (37, 300.0), (121, 1000.0)]
        {
            assert_eq!(rate(jiffies, elapsed), hertz, "{jiffies} jiffies");
        }
        assert_eq!(rate(60, elapsed), 500.0);
    }
}
