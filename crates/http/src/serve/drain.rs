//! Stopping: who is still connected, and how all of them learn that the server stops.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::counters::Counters;

/// What the server wants of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Serve.
    Running,
    /// Finish what runs, take nothing new.
    Draining,
    /// Close at once.
    Cut,
}

/// Shared by the server and its connections.
pub(super) struct Drain {
    phase: AtomicU8,
    changed: Notify,
    open: AtomicUsize,
    closed: Notify,
    counters: Counters,
}

impl Drain {
    pub(super) fn new(counters: Counters) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Running as u8),
            changed: Notify::new(),
            open: AtomicUsize::new(0),
            closed: Notify::new(),
            counters,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }

    /// Signals each change of phase to those who wait.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Counts one more connection, unless `limit` are open.
    pub(super) fn admit(self: &Arc<Self>, limit: usize) -> Option<Admission> {
        let taken = self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| {
            (open < limit).then_some(open + 1)
        });
        taken.ok()?;
        self.counters.open.inc();
        Some(Admission(Arc::clone(self)))
    }

    /// Returns once no connection is open.
    pub(super) async fn emptied(&self) {
        loop {
            let mut closed = pin!(self.closed.notified());
            closed.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }
}

/// An open connection; dropped when it is closed.
pub(super) struct Admission(Arc<Drain>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.counters.open.dec();
        if self.0.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.closed.notify_waiters();
        }
    }
}
