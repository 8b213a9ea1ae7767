//! The packet generator, and the clock.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use aya::maps::{Array, MapData, PerCpuArray, PerCpuValues, ProgramArray};
use aya::programs::{Program, ProgramFd, TestRun as _, TestRunOptions, Xdp};
use aya::{Ebpf, Pod};
use lvs_common::abi::Orders;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use super::bed::bench_object;
use super::case::Case;
use super::frame::Kind;

/// [`Orders`] as aya writes them.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Sheet(Orders);

// SAFETY: 80 bytes of integers without padding.
unsafe impl Pod for Sheet {}

/// The CPUs' sequences of flows begin so far apart that they never meet.
const CPU_STRIDE: u64 = 1 << 36;
/// The kernel gives whole nanoseconds for each packet, rounded down: several calls bring the mean nearer to the truth.
const CALLS: u32 = 4;
const HALF_NANOSECOND: f64 = 0.5;

/// Makes frames and hands them to a program.
pub(crate) struct Generator {
    ebpf: Ebpf,
    orders: Array<MapData, Sheet>,
    cursor: PerCpuArray<MapData, u64>,
    targets: ProgramArray<MapData>,
    /// Numbers of flows below this one have been used on each CPU.
    fresh: u64,
}

/// One CPU's measurement.
pub(crate) struct Run {
    /// Mean nanoseconds for one packet, harness included.
    pub(crate) nanoseconds: f64,
    /// The last packet's XDP action.
    pub(crate) action: u32,
    /// The last packet's frame as the program left it.
    pub(crate) frame: [u8; Orders::FRAME_LENGTH],
}

impl Generator {
    pub(crate) fn load() -> Result<Self> {
        let mut ebpf = Ebpf::load(bench_object()?).context("load the packet generator")?;
        for name in ["generator", "reflect", "slow"] {
            program_mut(&mut ebpf, name)?.load().with_context(|| format!("load the program {name}"))?;
        }
        let mut map = |name| ebpf.take_map(name).with_context(|| format!("the BPF object has no map {name}"));
        Ok(Self {
            orders: map("ORDERS")?.try_into()?,
            cursor: map("CURSOR")?.try_into()?,
            targets: map("TARGETS")?.try_into()?,
            // Flows with smaller numbers are for cases with so many known flows.
            fresh: 1 << 33,
            ebpf,
        })
    }

    /// Hands the frames to this program, after a delay if it is to be slow.
    pub(crate) fn aim(&mut self, target: &ProgramFd, slow: bool) -> Result<()> {
        if slow {
            let delay = program(&self.ebpf, "slow")?.fd()?.try_clone()?;
            self.targets.set(1, target, 0)?;
            self.targets.set(0, &delay, 0)?;
        } else {
            self.targets.set(0, target, 0)?;
        }
        Ok(())
    }

    /// Hands the frames to the program that sends them back.
    pub(crate) fn aim_at_floor(&mut self) -> Result<()> {
        let reflect = program(&self.ebpf, "reflect")?.fd()?.try_clone()?;
        self.aim(&reflect, false)
    }

    /// Opens the first `flows` flows.
    pub(crate) fn open(&mut self, case: &Case, flows: u32, cpu: usize) -> Result<()> {
        match case.kind {
            Kind::Udp => self.feed(case, flows, cpu),
            Kind::Syn | Kind::Ack | Kind::OtherAddress | Kind::OtherHost => {
                self.order(case, Kind::Syn, Orders::HANDSHAKES, |_| 0)?;
                self.run(&[cpu], flows * 2, 1).map(drop)
            }
        }
    }

    /// Sends one frame of each of the first `flows` flows.
    pub(crate) fn feed(&mut self, case: &Case, flows: u32, cpu: usize) -> Result<()> {
        self.order(case, case.kind, Orders::IN_SEQUENCE, |_| 0)?;
        self.run(&[cpu], flows, 1).map(drop)
    }

    /// Sends one frame of each of `flows` flows that never were.
    pub(crate) fn feed_new(&mut self, case: &Case, flows: u32, cpu: usize) -> Result<()> {
        self.order_fresh(case, flows)?;
        self.run(&[cpu], flows, 1).map(drop)
    }

    /// Sends the case's traffic on each of the CPUs at the same time.
    pub(crate) fn measure(&mut self, case: &Case, cpus: &[usize], packets: u32) -> Result<Vec<Run>> {
        match case.flows.at_random() {
            Some(flows) => self.order(case, case.kind, flows.into(), |cpu| cpu)?,
            None => self.order_fresh(case, packets)?,
        }
        // Calls on several CPUs would drift apart.
        let calls = if cpus.len() > 1 { 1 } else { CALLS };
        self.run(cpus, packets, calls)
    }

    fn order_fresh(&mut self, case: &Case, flows: u32) -> Result<()> {
        let first = self.fresh;
        self.order(case, case.kind, Orders::IN_SEQUENCE, |cpu| first + cpu * CPU_STRIDE)?;
        self.fresh += u64::from(flows);
        Ok(())
    }

    fn order(&mut self, case: &Case, kind: Kind, flows: u64, cursor: impl Fn(u64) -> u64) -> Result<()> {
        let orders = Orders {
            template: kind.template()?,
            flows,
            destinations: case.used_services,
            first_destination: kind.first_destination(),
        };
        self.orders.set(0, Sheet(orders), 0)?;
        let cpus = aya::util::nr_cpus().map_err(|(file, error)| anyhow!("read {file}: {error}"))?;
        let cursors: Vec<_> = (0..cpus as u64).map(cursor).collect();
        Ok(self.cursor.set(0, PerCpuValues::try_from(cursors)?, 0)?)
    }

    fn run(&self, cpus: &[usize], packets: u32, calls: u32) -> Result<Vec<Run>> {
        let generator = program(&self.ebpf, "generator")?;
        let together = &Barrier::new(cpus.len());
        thread::scope(|scope| {
            let start = |cpu: &usize| {
                let cpu = *cpu;
                scope.spawn(move || {
                    pinned(cpu).and_then(|()| {
                        together.wait();
                        run_here(generator, packets, calls)
                    })
                })
            };
            let threads: Vec<_> = cpus.iter().map(start).collect();
            let results = threads.into_iter().map(thread::ScopedJoinHandle::join);
            results.map(|run| run.unwrap_or_else(|_| Err(anyhow!("the measuring thread panicked")))).collect()
        })
    }
}

fn pinned(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).with_context(|| format!("run on CPU {cpu}"))
}

fn run_here(generator: &Xdp, packets: u32, calls: u32) -> Result<Run> {
    let mut run = Run { nanoseconds: HALF_NANOSECOND, action: 0, frame: [0; Orders::FRAME_LENGTH] };
    for _ in 0..calls {
        let mut options = TestRunOptions::new();
        options.data_in = Some(&[0; Orders::FRAME_LENGTH]);
        options.data_out = Some(&mut run.frame);
        options.repeat = packets / calls;
        let result = generator.test_run(options).context("BPF_PROG_TEST_RUN")?;
        run.nanoseconds += result.duration.as_nanos() as f64 / f64::from(calls);
        run.action = result.return_value;
    }
    Ok(run)
}

fn program<'a>(ebpf: &'a Ebpf, name: &str) -> Result<&'a Xdp> {
    match ebpf.program(name) {
        Some(Program::Xdp(program)) => Ok(program),
        _ => Err(anyhow!("the BPF object has no program {name}")),
    }
}

fn program_mut<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    match ebpf.program_mut(name) {
        Some(Program::Xdp(program)) => Ok(program),
        _ => Err(anyhow!("the BPF object has no program {name}")),
    }
}
