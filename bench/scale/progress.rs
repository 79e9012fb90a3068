//! What is told on the standard error while rows are loaded.

use std::time::Instant;

/// How often it is told.
const TIMES: u64 = 10;

/// How far loading has come.
pub struct Progress {
    begin: Instant,
    done: u64,
    all: u64,
}

impl Progress {
    /// None of `all` is done.
    pub fn new(all: u64) -> Self {
        Self { begin: Instant::now(), done: 0, all }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(self.all.div_ceil(TIMES)) || self.done == self.all {
            let seconds = self.begin.elapsed().as_secs_f64();
            Self::tell(&format!("{} of {} manifests, {seconds:.0} s", self.done, self.all));
        }
    }

    /// What is done now.
    pub fn tell(what: &str) {
        eprintln!("  {what}");
    }
}
