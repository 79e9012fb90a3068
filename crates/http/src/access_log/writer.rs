//! Lines on their way to the writer: a bounded buffer, and the thread that empties it.
//!
//! A channel would wake the thread for each line, which costs the request more than the line
//! itself. Here lines are gathered in one buffer, the thread is woken when the first one comes,
//! and it takes all of them a little later.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

/// How much may wait, in bytes.
const CAPACITY: usize = 1024 * 1024;

/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(20);

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    woken: Condvar,
    dropped: Counter,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    stopped: bool,
}

impl Queue {
    /// Adds a line, or drops and counts it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.stopped || waiting.lines.len() + line.len() > CAPACITY {
            drop(waiting);
            self.dropped.inc();
            return;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if first {
            self.woken.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Swaps the gathered lines into `lines`, which is empty. False when there will be no more.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let nothing = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.stopped;
        let waiting = self.woken.wait_while(self.lock(), nothing);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let gathering = self.woken.wait_timeout_while(waiting, GATHER, |waiting| !waiting.stopped);
        let (mut waiting, _) = gathering.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.lines, lines);
        !waiting.stopped
    }
}

/// The thread that writes the log. Dropping it stops it too.
pub struct LogThread {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl LogThread {
    /// Returns when all lines so far are written; later ones are dropped. Blocks as long as the
    /// writer does.
    pub fn stop(self) {}
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.queue.lock().stopped = true;
        self.queue.woken.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) fn start(
    mut writer: impl Write + Send + 'static,
    dropped: Counter,
) -> io::Result<(Arc<Queue>, LogThread)> {
    let queue = Arc::new(Queue { waiting: Mutex::default(), woken: Condvar::new(), dropped });
    let taken = Arc::clone(&queue);
    let thread = thread::Builder::new().name("access-log".to_owned()).spawn(move || {
        let mut lines = Vec::new();
        let mut failed = false;
        loop {
            let more = taken.take(&mut lines);
            let written = writer.write_all(&lines).and_then(|()| writer.flush());
            if let Err(error) = &written {
                taken.dropped.inc_by(lines.iter().filter(|byte| **byte == b'\n').count() as u64);
                if !failed {
                    tracing::error!(%error, "the access log cannot be written");
                }
            }
            failed = written.is_err();
            lines.clear();
            if !more {
                return;
            }
        }
    })?;
    Ok((Arc::clone(&queue), LogThread { queue, thread: Some(thread) }))
}
