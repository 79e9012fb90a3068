//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Measures Wharf against nginx, docker-registry and dd, side by side on this machine.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A minute's run: one round, 128 MiB, short times. It shows that all works, and measures little
    #[arg(long)]
    quick: bool,
    /// Measures Wharf on PostgreSQL, S3 and Redis beside the embedded one instead, on what `wharf-engines` started
    #[arg(long)]
    pub shared: bool,
    /// Only the measures whose group is so named: pull, push, manifests, steady; without --shared also slow, start,
    /// idle, with it redirects
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// The size of the blob in MiB
    #[arg(long, value_name = "MiB", default_value_t = 1024)]
    size: u64,
    /// The folder to work in, on the disk to be measured; by default target/bench
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// The wharf program to measure, instead of building this one
    #[arg(long, value_name = "PATH")]
    pub wharf: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown, as docs/performance.md has it
    #[arg(long)]
    pub markdown: bool,
}

impl Options {
    /// How often each measure is taken.
    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    /// The size of the blob in bytes.
    pub fn size(&self) -> u64 {
        (if self.quick { self.size.min(128) } else { self.size }).max(1) << 20
    }

    /// How long wrk runs.
    pub fn wrk(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 8 })
    }

    /// How long the constant rate and the slow pulls are held.
    pub fn hold(&self) -> Duration {
        Duration::from_secs(if self.quick { 3 } else { 10 })
    }

    /// How often a server is started to time it.
    pub fn starts(&self) -> usize {
        if self.quick { 3 } else { 10 }
    }

    /// Whether a group of measures is wanted.
    pub fn wants(&self, group: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == group)
    }
}
