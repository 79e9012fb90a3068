//! The command line.

use clap::Parser;

/// Measures what quotas cost a push.
#[derive(Clone, Parser)]
#[command(version)]
pub struct Options {
    /// A PostgreSQL server to measure too, as a user who may create databases, without TLS
    #[arg(long, value_name = "URL", env = "WHARF_TEST_POSTGRES", hide_env_values = true)]
    pub database: Option<String>,
    /// How many nodes the pushers of PostgreSQL are spread over
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub nodes: usize,
    /// How many connections each of these has
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub connections: usize,
    /// How many push at once
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub pushers: usize,
    /// How many images each pushes in a round
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub images: usize,
    /// How many rounds count
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown
    #[arg(long)]
    pub markdown: bool,
}
