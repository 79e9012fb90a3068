//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Measures access control.
#[derive(Clone, Parser)]
#[command(version)]
pub struct Options {
    /// The PostgreSQL server for the decision, as a user who may create databases, without TLS; else it is left out
    #[arg(long, value_name = "URL", env = "WHARF_TEST_POSTGRES", hide_env_values = true)]
    pub database: Option<String>,
    /// How many users there are in PostgreSQL; a tenth as many teams, and as many grants
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub users: u64,
    /// How often each thing is measured
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub samples: usize,
    /// The wharf program to measure, instead of building this one
    #[arg(long, value_name = "PATH")]
    pub wharf: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown
    #[arg(long)]
    pub markdown: bool,
}
