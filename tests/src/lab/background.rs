//! A thread inside a namespace that serves one socket until it is dropped.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// The thread; dropping it ends the thread and waits for that.
#[derive(Debug)]
pub(super) struct Background {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Calls `serve` for every time that `socket` can be read.
    pub(super) fn serve<S>(name: &str, socket: S, mut serve: impl FnMut(&S) + Send + 'static) -> Result<Self>
    where
        S: AsFd + Send + 'static,
    {
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC).context("make an eventfd")?);
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            while readable(&socket, &stopped) {
                serve(&socket);
            }
        });
        let thread = thread.with_context(|| format!("start the thread {name}"))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let stopped = self.stop.write(1);
        if let (Ok(_), Some(thread)) = (stopped, self.thread.take())
            && thread.join().is_err()
        {
            eprintln!("lab: a background thread panicked");
        }
    }
}

/// Waits for either; false for the end.
fn readable(socket: &impl AsFd, stop: &EventFd) -> bool {
    let mut awaited =
        [PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    // A signal wakes poll with EINTR and nothing to read: `serve` does not block, so that is a round for nothing.
    let _ = poll(&mut awaited, PollTimeout::NONE);
    let [stop, _] = awaited;
    !stop.any().unwrap_or(false)
}
