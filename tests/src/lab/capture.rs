//! A record of the frames that pass an interface.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::background::Background;
use super::frame::Frame;
use super::namespace::Namespace;
use super::packet_socket::PacketSocket;

/// How many of the last frames a failure shows.
const SHOWN: usize = 20;

/// The frames of one interface since the start of the capture; dropping it ends it.
#[derive(Debug)]
pub struct Capture {
    what: String,
    seen: Arc<Seen>,
    _thread: Background,
}

#[derive(Debug, Default)]
struct Seen {
    frames: Mutex<Vec<Frame>>,
    more: Condvar,
}

impl Capture {
    /// Records every frame. From the moment that this returns, none is missed.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self> {
        Self::start_filtered(namespace, interface, |_| true)
    }

    /// Records the frames that `wanted` says yes to.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn start_filtered(
        namespace: &Namespace,
        interface: &str,
        wanted: impl Fn(&Frame) -> bool + Send + 'static,
    ) -> Result<Self> {
        let socket = PacketSocket::open(namespace, interface)?;
        let seen = Arc::new(Seen::default());
        let record = Arc::clone(&seen);
        let thread = Background::serve("capture", socket, move |socket| {
            if let Some(frame) = socket.receive().filter(&wanted) {
                record.add(frame);
            }
        })?;
        Ok(Self { what: format!("{interface} in namespace {}", namespace.name()), seen, _thread: thread })
    }

    /// The frames so far. To know that a frame did *not* come, wait for a later one that must have come after it.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        self.seen.frames().clone()
    }

    /// The first recorded frame that `is_it` says yes to, as soon as there is one.
    ///
    /// # Errors
    /// When there is none after `deadline`; the error lists the last frames that there were.
    pub fn wait_for(
        &self,
        awaited: &str,
        deadline: Duration,
        is_it: impl Fn(&Frame) -> bool,
    ) -> Result<Frame> {
        let until = Instant::now() + deadline;
        let mut looked_at = 0;
        let mut frames = self.seen.frames();
        loop {
            if let Some(frame) = frames.iter().skip(looked_at).find(|frame| is_it(frame)) {
                return Ok(frame.clone());
            }
            looked_at = frames.len();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("waited {deadline:?} for {awaited} on {}; last seen:\n{}", self.what, listing(&frames));
            }
            let waited = self.seen.more.wait_timeout(frames, left);
            frames = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Seen {
    fn add(&self, frame: Frame) {
        self.frames().push(frame);
        self.more.notify_all();
    }

    /// A panic elsewhere leaves the list as good as it was.
    fn frames(&self) -> MutexGuard<'_, Vec<Frame>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listing(frames: &[Frame]) -> String {
    if frames.is_empty() {
        return "no frame at all".to_owned();
    }
    let last = frames.iter().skip(frames.len().saturating_sub(SHOWN));
    last.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
