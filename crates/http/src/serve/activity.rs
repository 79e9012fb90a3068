//! What one connection is doing, written by its socket and its requests, read by its watchdog.
//!
//! All accesses of atomics are relaxed: the numbers guard nothing but time limits, and an HTTP/1 connection
//! writes and reads them in one task.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    reading: Mutex<Reading>,
    /// Bytes written to the socket.
    written: AtomicU64,
}

/// How well the client takes what it asked for.
struct Reading {
    /// The socket takes no bytes.
    blocked: bool,
    /// HTTP/2: replies that wait for the client to open its window.
    waiting: u32,
    /// Up to when waits are in `debt`, while there is one.
    settled: Moment,
    /// How many milliseconds the client was waited for beyond what its bytes have paid for.
    debt: u64,
    /// The bytes that pay for a second; with 0, one byte pays for all waits.
    least_rate: u64,
}

impl Reading {
    fn waits(&self) -> bool {
        self.blocked || self.waiting > 0
    }

    fn settle(&mut self, now: Moment) {
        if self.waits() {
            self.debt += now.saturating_sub(self.settled);
        }
        self.settled = now;
    }

    /// Bytes pay for waits before them, never for waits to come: a fast start buys no slow end.
    fn pay(&mut self, count: u64) {
        let paid = count.saturating_mul(1000).checked_div(self.least_rate).unwrap_or(u64::MAX);
        self.debt = self.debt.saturating_sub(paid);
    }
}

impl Activity {
    /// Of a client that must take `least_rate` bytes a second of what it asked for.
    pub(super) fn new(least_rate: u64) -> Self {
        let reading = Reading { blocked: false, waiting: 0, settled: 1, debt: 0, least_rate };
        Self {
            start: Instant::now(),
            in_flight: AtomicU32::new(0),
            idle_since: AtomicU64::new(1),
            head_since: AtomicU64::new(1),
            reading: Mutex::new(reading),
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

    /// When the client will have been waited for `patience` milliseconds too long, if it is waited for now.
    pub(super) fn too_slow_at(&self, patience: u64) -> Option<Moment> {
        let reading = self.reading();
        reading.waits().then(|| reading.settled + patience.saturating_sub(reading.debt))
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
        let mut reading = self.reading();
        if reading.waits() || reading.debt > 0 {
            reading.settle(self.now());
            reading.blocked = false;
            reading.pay(count as u64);
        }
    }

    /// The socket takes no bytes for now.
    pub(super) fn blocked(&self) {
        self.change(|reading| reading.blocked = true);
    }

    /// HTTP/2: a reply handed over bytes and is not asked for more until the client takes them.
    pub(super) fn reply_waits(&self) {
        self.change(|reading| reading.waiting += 1);
    }

    /// HTTP/2: a reply that waited is asked for more, or is over.
    pub(super) fn reply_moves(&self) {
        self.change(|reading| reading.waiting = reading.waiting.saturating_sub(1));
    }

    fn change(&self, change: impl FnOnce(&mut Reading)) {
        let now = self.now();
        let mut reading = self.reading();
        reading.settle(now);
        change(&mut reading);
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
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
