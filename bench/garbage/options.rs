//! The command line.

use clap::Parser;

/// Measures what garbage collection takes, and what it costs others.
#[derive(Clone, Parser)]
#[command(version)]
pub struct Options {
    /// How many objects are deleted in a round
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub objects: usize,
    /// How many rounds of deletes count
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub rounds: usize,
    /// Leaves the deletes out
    #[arg(long)]
    pub no_deletes: bool,
    /// How many blobs are marked
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub blobs: u64,
    /// How many manifests refer to each of these
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub references: u64,
    /// How many push meanwhile
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub pushers: usize,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown
    #[arg(long)]
    pub markdown: bool,
}
