//! The one timer of a connection: idle, slow head, stuck reply, and the server's stop.
//!
//! The timer is not set anew at each request. It is only ever moved to an earlier time; when it
//! fires too early it is moved on. A busy connection touches it about once per idle timeout.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::futures::Notified;
use tokio::time::{Duration, Instant, Sleep, sleep_until};

use super::activity::{Activity, Moment};
use super::drain::{Drain, Phase};
use super::settings::Settings;

/// The fewest bytes that must have gone out over HTTP/2 for an idle connection to count as one that still
/// takes the end of a reply; pings are less.
const PROGRESS_BYTES: u64 = 1024;

/// What is to be done with the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Finish what runs, then close.
    Finish,
    /// Close: the server stops.
    Cut,
    /// Close: the client is too slow.
    TooSlow,
    /// Close: nothing was asked for, and the client did not go when told.
    Idle,
}

enum Cause {
    Head,
    Reply,
    Idle,
}

#[derive(Clone, Copy)]
pub(super) struct Limits {
    head: u64,
    idle: u64,
    reply: u64,
    /// What a client takes at least while the idle limit passes, if it takes anything.
    idle_bytes: u64,
}

impl Limits {
    pub(super) fn of(settings: &Settings) -> Self {
        let milliseconds = |limit: Duration| limit.as_millis() as u64;
        Self {
            head: milliseconds(settings.header_read_timeout),
            idle: milliseconds(settings.idle_timeout),
            reply: milliseconds(settings.reply_stall_timeout),
            idle_bytes: (settings.min_reply_rate.saturating_mul(settings.idle_timeout.as_secs()))
                .max(PROGRESS_BYTES),
        }
    }
}

pub(super) struct Watchdog<'a> {
    activity: Arc<Activity>,
    drain: &'a Drain,
    limits: Limits,
    http2: bool,
    phase: Phase,
    told_idle: bool,
    /// When the limits were last seen to be kept after all, and (HTTP/2) the bytes written by then.
    moved_at: Moment,
    moved_bytes: u64,
    timer: Pin<Box<Sleep>>,
    armed: bool,
    stopping: Pin<Box<Notified<'a>>>,
    listening: bool,
}

impl<'a> Watchdog<'a> {
    pub(super) fn new(
        activity: Arc<Activity>,
        drain: &'a Drain,
        limits: Limits,
        http2: bool,
    ) -> Self {
        Self {
            activity,
            drain,
            limits,
            http2,
            phase: Phase::Running,
            told_idle: false,
            moved_at: 1,
            moved_bytes: 0,
            timer: Box::pin(sleep_until(Instant::now())),
            armed: false,
            stopping: Box::pin(drain.changed().notified()),
            listening: false,
        }
    }

    /// Asks after each poll of the connection, in the same task: that is what lets it skip
    /// polling timer and signal once these know the task.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Verdict> {
        if let Some(verdict) = self.poll_phase(context) {
            return Poll::Ready(verdict);
        }
        loop {
            let Some((due, cause)) = self.due() else { return Poll::Pending };
            let due_at = self.activity.instant(due);
            if self.armed && !self.timer.is_elapsed() && self.timer.deadline() <= due_at {
                return Poll::Pending;
            }
            if due <= self.activity.now() {
                match self.expired(cause) {
                    Some(verdict) => return Poll::Ready(verdict),
                    None => continue,
                }
            }
            self.timer.as_mut().reset(due_at);
            self.armed = self.timer.as_mut().poll(context).is_pending();
        }
    }

    fn poll_phase(&mut self, context: &mut Context<'_>) -> Option<Verdict> {
        if !self.listening {
            self.listening = self.stopping.as_mut().poll(context).is_pending();
        }
        let phase = self.drain.phase();
        if phase == self.phase {
            return None;
        }
        self.phase = phase;
        if phase == Phase::Cut {
            return Some(Verdict::Cut);
        }
        self.stopping.set(self.drain.changed().notified());
        self.listening = self.stopping.as_mut().poll(context).is_pending();
        match self.drain.phase() {
            Phase::Cut => Some(Verdict::Cut),
            _ => Some(Verdict::Finish),
        }
    }

    /// When the connection is to be closed if nothing happens.
    fn due(&self) -> Option<(Moment, Cause)> {
        let activity = &self.activity;
        if let Some(due) = activity.too_slow_at(self.limits.reply) {
            return Some((due, Cause::Reply));
        }
        if activity.in_flight() {
            return None;
        }
        if self.http2 {
            let since = activity.idle_since().max(self.moved_at);
            // Once told to go, all that keeps it is a reply whose end the client has still to take.
            let limit = if self.told_idle { self.limits.reply } else { self.limits.idle };
            return Some((since + limit, Cause::Idle));
        }
        Some(match activity.head_since() {
            Some(since) => (since + self.limits.head, Cause::Head),
            None => (activity.idle_since().max(self.moved_at) + self.limits.idle, Cause::Idle),
        })
    }

    /// The verdict on a limit that is over, or none if bytes went out after all.
    fn expired(&mut self, cause: Cause) -> Option<Verdict> {
        let written = self.activity.written();
        let takes = written >= self.moved_bytes + self.limits.idle_bytes;
        if self.http2 && takes && matches!(cause, Cause::Idle) {
            self.moved_bytes = written;
            self.moved_at = self.activity.now();
            return None;
        }
        Some(match cause {
            Cause::Head | Cause::Reply => Verdict::TooSlow,
            Cause::Idle if self.told_idle => Verdict::Idle,
            Cause::Idle => {
                self.told_idle = true;
                self.moved_at = self.activity.now();
                Verdict::Finish
            }
        })
    }
}
