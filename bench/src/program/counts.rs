//! Whether a director did with a case's packets what the case says: a figure for anything else is a lie.

use anyhow::{Context as _, Result, ensure};
use lvs_common::abi::Orders;
use lvs_common::verdict::Reason;
use lvs_userspace::dataplane::Dataplane;

use super::bed::server_of;
use super::case::{Case, Flows};
use super::frame::TTL;
use super::generator::Run;

/// Actions of include/uapi/linux/bpf.h.
const XDP_PASS: u32 = 2;
pub(crate) const XDP_TX: u32 = 3;

/// One packet of so many may meet something else: a connection that found no place in the table.
const EXCEPTIONS: u64 = 200;
const TTL_OFFSET: usize = 22;

/// What a director has counted.
pub(crate) struct Counts {
    /// Packets, in the order of [`Reason::ALL`].
    reasons: Vec<u64>,
    /// Connections and packets of each real server.
    servers: Vec<(u64, u64)>,
}

impl Counts {
    pub(crate) fn of(dataplane: &Dataplane, case: &Case) -> Result<Self> {
        let traffic = |server| {
            let traffic = dataplane.traffic(server)?;
            Ok((traffic.connections, traffic.packets))
        };
        Ok(Self {
            reasons: dataplane.reasons()?.iter().map(|count| count.packets).collect(),
            servers: (0..case.all_servers()).map(traffic).collect::<Result<_>>()?,
        })
    }

    fn since(&self, earlier: &Self) -> Self {
        let pairs = self.servers.iter().zip(&earlier.servers);
        Self {
            reasons: self.reasons.iter().zip(&earlier.reasons).map(|(now, then)| now - then).collect(),
            servers: pairs.map(|(now, then)| (now.0 - then.0, now.1 - then.1)).collect(),
        }
    }

    fn count(&self, reason: Reason) -> u64 {
        self.reasons.get(reason.index() as usize).copied().unwrap_or(0)
    }
}

/// Checks what happened to `packets` packets between two counts.
pub(crate) fn check(case: &Case, packets: u64, before: &Counts, after: &Counts) -> Result<()> {
    let counts = after.since(before);
    let all: u64 = counts.reasons.iter().sum();
    ensure!(all == packets, "{packets} packets were sent and {all} counted");
    let expected = counts.count(case.expected);
    let listed = || Reason::ALL.iter().map(|reason| (reason.name(), counts.count(*reason)));
    let others = || listed().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
    let name = case.expected.name();
    ensure!(
        packets - expected <= packets / EXCEPTIONS,
        "not all of {packets} packets were {name}: {:?}",
        others()
    );
    check_servers(case, &counts)
}

fn check_servers(case: &Case, counts: &Counts) -> Result<()> {
    let sent: u64 = counts.servers.iter().map(|(_, packets)| packets).sum();
    let forwarded: u64 = [Reason::KnownConnection, Reason::NewConnection, Reason::NoRoom]
        .iter()
        .map(|reason| counts.count(*reason))
        .sum();
    ensure!(sent == forwarded, "{forwarded} packets were forwarded and the real servers got {sent}");
    // The flows of one service go to the first.
    let opened = counts.servers.iter().take(case.servers as usize).map(|(connections, _)| *connections);
    let (least, most) = (opened.clone().min().unwrap_or(0), opened.max().unwrap_or(0));
    let takes_turns = case.used_services == 1 && !matches!(case.flows, Flows::Known(_) | Flows::Unrelated(_));
    let tolerated = 1 + most / EXCEPTIONS;
    ensure!(
        !takes_turns || most - least <= tolerated,
        "real servers that take turns got from {least} to {most} connections"
    );
    Ok(())
}

/// Checks the last packet: its action, and where it goes.
pub(crate) fn check_frame(case: &Case, run: &Run) -> Result<()> {
    let steered = matches!(case.expected, Reason::KnownConnection | Reason::NewConnection);
    let action = if steered { XDP_TX } else { XDP_PASS };
    ensure!(run.action == action, "the XDP action was {} and not {action}", run.action);
    let ttl = run.frame.get(TTL_OFFSET).copied();
    let expected = if steered { TTL - 1 } else { TTL };
    ensure!(ttl == Some(expected), "the time to live was {ttl:?} and not {expected}");
    let server = destination(&run.frame).and_then(server_of);
    ensure!(
        server.is_some_and(|server| server < case.all_servers()) == steered,
        "the frame went to {server:?} of {} real servers",
        case.all_servers()
    );
    Ok(())
}

fn destination(frame: &[u8; Orders::FRAME_LENGTH]) -> Option<[u8; 6]> {
    frame.first_chunk().copied()
}

/// Names the case in an error.
pub(crate) fn in_case<T>(result: Result<T>, case: &Case, program: &str) -> Result<T> {
    result.with_context(|| format!("{} ({program}) did not measure what it says", case.name))
}
