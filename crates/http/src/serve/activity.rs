//! What one connection is doing, written by its socket and its requests, read by its watchdog.
//!
//! All accesses are relaxed: the numbers guard nothing but time limits, and an HTTP/1 connection
//! writes and reads them in one task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use tokio::time::{Duration, Instant};

/// Milliseconds since the connection was accepted, plus one: 0 stands for "not now".
pub(super) type Moment = u64;

pub(super) struct Activity {
    start: Instant,
    /// Requests whose reply is not yet sent.
    in_flight: AtomicU32,
    /// When the last request ended.
    idle_since: AtomicU64,
    /// When the first byte of a head came that is not complete.
    head_since: AtomicU64,
    /// Since when the socket takes no bytes.
    blocked_since: AtomicU64,
    /// HTTP/2: replies that wait for the client to open its window.
    waiting: AtomicU32,
    /// HTTP/2: when a reply last went on.
    reply_moved: AtomicU64,
    /// Bytes written to the socket.
    written: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            in_flight: AtomicU32::new(0),
            idle_since: AtomicU64::new(1),
            head_since: AtomicU64::new(1),
            blocked_since: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            reply_moved: AtomicU64::new(1),
            written: AtomicU64::new(0),
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.start.elapsed().as_millis() as u64 + 1
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_millis(moment.saturating_sub(1))
    }

    pub(super) fn in_flight(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    pub(super) fn idle_since(&self) -> Moment {
        self.idle_since.load(Relaxed)
    }

    pub(super) fn head_since(&self) -> Option<Moment> {
        Some(self.head_since.load(Relaxed)).filter(|since| *since > 0)
    }

    pub(super) fn blocked_since(&self) -> Option<Moment> {
        Some(self.blocked_since.load(Relaxed)).filter(|since| *since > 0)
    }

    /// HTTP/2: when a reply last went on, if one waits for the client now.
    pub(super) fn waiting_since(&self) -> Option<Moment> {
        (self.waiting.load(Relaxed) > 0).then(|| self.reply_moved.load(Relaxed))
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// The socket gave bytes.
    pub(super) fn bytes_came(&self) {
        if self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.now(), Relaxed);
        }
    }

    /// The socket took `count` bytes.
    pub(super) fn bytes_went(&self, count: usize) {
        self.written.fetch_add(count as u64, Relaxed);
        if self.blocked_since.load(Relaxed) != 0 {
            self.blocked_since.store(0, Relaxed);
        }
    }

    /// The socket takes no bytes for now.
    pub(super) fn blocked(&self) {
        if self.blocked_since.load(Relaxed) == 0 {
            self.blocked_since.store(self.now(), Relaxed);
        }
    }

    /// HTTP/2: a reply handed over bytes and is not asked for more until the client takes them.
    pub(super) fn reply_waits(&self) {
        self.waiting.fetch_add(1, Relaxed);
        self.reply_moved.store(self.now(), Relaxed);
    }

    /// HTTP/2: a reply that waited is asked for more, or is over.
    pub(super) fn reply_moves(&self) {
        self.waiting.fetch_sub(1, Relaxed);
        self.reply_moved.store(self.now(), Relaxed);
    }
}

/// A request from the end of its head to the end of its reply.
pub(super) struct InFlight(Arc<Activity>);

impl InFlight {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Relaxed);
        activity.head_since.store(0, Relaxed);
        Self(Arc::clone(activity))
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
