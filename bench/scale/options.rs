//! The command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use crate::shape;

/// A database engine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// A file in the data folder.
    Sqlite,
    /// A server.
    Postgres,
}

/// Measures how Wharf's requests slow down as its database grows.
#[derive(Clone, Parser)]
#[command(version)]
pub struct Options {
    /// How many manifests and tags to measure at, smallest first
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub sizes: Vec<u64>,
    /// The database engine
    #[arg(long, value_enum, default_value = "sqlite")]
    pub engine: Engine,
    /// The PostgreSQL server, as a user who may create databases, without TLS
    #[arg(long, value_name = "URL", env = "WHARF_TEST_POSTGRES", hide_env_values = true)]
    pub database: Option<String>,
    /// How often each request is measured
    #[arg(long, value_name = "N", default_value_t = 3000)]
    pub samples: usize,
    /// Write the query plans into files of this folder
    #[arg(long, value_name = "FOLDER")]
    pub plans: Option<PathBuf>,
    /// The folder to work in; by default target/scale
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
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

impl Engine {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Options {
    /// Tells what is wrong before anything is built or loaded.
    pub fn check(&self) -> Result<()> {
        let least = shape::LEAST;
        ensure!(self.sizes.iter().all(|size| *size >= least), "--sizes: {least} is the least");
        ensure!(self.sizes.is_sorted(), "--sizes: the smallest comes first");
        ensure!(self.samples > 0, "--samples: 1 is the least");
        ensure!(
            self.engine == Engine::Sqlite || self.database.is_some(),
            "--engine postgres needs --database, or a run under wharf-engines"
        );
        Ok(())
    }
}
