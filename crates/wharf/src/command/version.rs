//! `wharf version`: which Wharf this is.

use std::io::{Write, stdout};

use clap::Args;
use serde_json::json;

/// The flags of `wharf version`.
#[derive(Debug, Args)]
pub struct Version {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the version.
pub fn execute(command: &Version) -> anyhow::Result<()> {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if command.json {
        writeln!(stdout(), "{}", json!({ "name": name, "version": version }))?;
    } else {
        writeln!(stdout(), "{name} {version}")?;
    }
    Ok(())
}
