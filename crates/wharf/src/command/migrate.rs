//! `wharf migrate`: brings the database's schema up to date, and says which versions that took.

use std::io::{Write, stdout};

use clap::Args;

use super::settings::{SettingFlags, warn};
use super::wiring;

/// The flags of `wharf migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    settings: SettingFlags,
}

/// Migrates. Any number may run at once, beside nodes of this version and the one before.
pub fn execute(command: &Migrate) -> anyhow::Result<()> {
    let loaded = command.settings.load()?;
    warn(&loaded);
    let _folder = wiring::data_folder(&loaded.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let applied = runtime.block_on(wiring::metadata::migrate(&loaded.config))?;
    for version in &applied {
        writeln!(stdout(), "applied version {version}")?;
    }
    writeln!(stdout(), "the schema is up to date")?;
    Ok(())
}
