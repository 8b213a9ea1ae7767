//! Running the loaded program on frames without an interface (`BPF_PROG_TEST_RUN`).

use aya::programs::{ProgramError, TestRun as _, TestRunOptions, Xdp};
use aya_obj::programs::XdpAttachType;

use super::{Dataplane, DataplaneError, load};

/// What the program did with a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRunOutcome {
    /// The XDP action.
    pub action: u32,
    /// The frame after it.
    pub frame: Vec<u8>,
}

/// The director's program in another pair of hands: several threads can run it while the data path is changed.
pub struct TestRunner(Xdp);

impl TestRunner {
    /// Runs the program once.
    ///
    /// # Errors
    /// When the kernel refuses the frame: fewer than 14 bytes, or more than a page holds.
    pub fn run(&self, frame: &[u8]) -> Result<TestRunOutcome, DataplaneError> {
        let (action, frame, _) = run(&self.0, frame, 1)?;
        Ok(TestRunOutcome { action, frame })
    }
}

impl Dataplane {
    /// A runner of this data path's program, on this data path's maps.
    ///
    /// # Errors
    /// When the kernel has no file descriptor left.
    pub fn test_runner(&mut self) -> Result<TestRunner, DataplaneError> {
        let failed = |error: ProgramError| DataplaneError::TestRun(Box::new(error));
        let director = load::xdp(&mut self.ebpf, "director")?;
        let info = director.info().map_err(failed)?;
        let runner =
            Xdp::from_program_info(info, "director".into(), XdpAttachType::Interface).map_err(failed)?;
        Ok(TestRunner(runner))
    }

    /// The kernel's jiffies, as the data path reads them.
    ///
    /// # Errors
    /// When the kernel can't run the program that tells them.
    pub fn jiffies(&mut self) -> Result<u64, DataplaneError> {
        super::clock::jiffies(load::xdp(&mut self.ebpf, "clock")?)
    }

    /// Runs the director's program on a frame `repeat` times, each on what the one before left: the XDP action, the frame
    /// after it, and the mean duration in nanoseconds.
    ///
    /// # Errors
    /// When the kernel refuses the frame: fewer than 14 bytes, or more than a page holds.
    pub fn test_run(&mut self, frame: &[u8], repeat: u32) -> Result<(u32, Vec<u8>, u64), DataplaneError> {
        run(load::xdp(&mut self.ebpf, "director")?, frame, repeat)
    }
}

fn run(director: &Xdp, frame: &[u8], repeat: u32) -> Result<(u32, Vec<u8>, u64), DataplaneError> {
    let mut out = vec![0; frame.len() + 256];
    let mut options = TestRunOptions::new();
    options.data_in = Some(frame);
    options.data_out = Some(&mut out);
    options.repeat = repeat;
    let result = director.test_run(options).map_err(|error| DataplaneError::TestRun(Box::new(error)))?;
    out.truncate(result.data_size_out as usize);
    Ok((result.return_value, out, result.duration.as_nanos() as u64))
}
