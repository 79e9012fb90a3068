//! What processes cost, as the kernel counts it: processor time and memory, children included.

use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

/// How often memory is looked at while a measure runs.
const LOOK: Duration = Duration::from_millis(50);

/// The memory of a process and its children, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// All that is resident.
    pub resident: u64,
    /// The most that ever was, since it was last forgotten.
    pub peak: u64,
    /// The part that no file backs.
    pub anonymous: u64,
    /// The part that is mapped files.
    pub file: u64,
}

impl Memory {
    /// What `pid` and its children hold now. Pages that they share count for each.
    pub fn of(pid: i32) -> Self {
        let mut sum = Self::default();
        for pid in family(pid) {
            let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            sum.resident += kibibytes(&status, "VmRSS:");
            sum.peak += kibibytes(&status, "VmHWM:");
            sum.anonymous += kibibytes(&status, "RssAnon:");
            sum.file += kibibytes(&status, "RssFile:");
        }
        sum
    }
}

/// The proportional set size in bytes: each page once, shared by the processes that map it.
pub fn proportional(pid: i32) -> u64 {
    let one = |pid| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        kibibytes(&rollup, "Pss:")
    };
    family(pid).into_iter().map(one).sum()
}

fn kibibytes(text: &str, field: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// A process and all that descends from it.
fn family(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
        next += 1;
    }
    all
}

/// The processor time in seconds that `pid` and its children took so far.
pub fn processor(pid: i32) -> Result<f64> {
    // utime, stime, cutime, cstime
    family(pid).into_iter().map(|pid| times(&pid.to_string(), 0..4)).sum()
}

/// The processor time in seconds of all that this process started and waited for.
pub fn processor_of_ended() -> Result<f64> {
    times("self", 2..4)
}

/// Some of the four times of a process, in seconds.
fn times(pid: &str, which: Range<usize>) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of a program, in parentheses, may hold anything; numbers are behind it.
    let fields = stat.rsplit_once(") ").context("an odd /proc/PID/stat")?.1;
    let mut ticks = 0;
    for field in fields.split_whitespace().skip(11 + which.start).take(which.len()) {
        ticks += field.parse::<u64>()?;
    }
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// What a server cost during a measure.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Processor time in seconds.
    pub processor: f64,
    /// The most resident memory in bytes.
    pub peak: u64,
    /// The most anonymous memory in bytes, as looked at now and then.
    pub anonymous: u64,
}

/// Follows a server through a measure.
pub struct Meter {
    pid: i32,
    before: f64,
    stop: Arc<AtomicBool>,
    looking: JoinHandle<u64>,
}

impl Meter {
    /// Begins to follow `pid` and its children.
    pub fn start(pid: i32) -> Result<Self> {
        for pid in family(pid) {
            // 5 makes the kernel forget the peak. Where that is not allowed, the peak is of the whole life.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let looking = thread::spawn(move || {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(Memory::of(pid).anonymous);
                thread::sleep(LOOK);
            }
            most
        });
        Ok(Self { pid, before: processor(pid)?, stop, looking })
    }

    /// What it cost since the start.
    pub fn finish(self) -> Result<Cost> {
        let processor = processor(self.pid)? - self.before;
        self.stop.store(true, Ordering::Relaxed);
        let now = Memory::of(self.pid);
        let most = self.looking.join().unwrap_or(0);
        Ok(Cost { processor, peak: now.peak, anonymous: most.max(now.anonymous) })
    }
}
