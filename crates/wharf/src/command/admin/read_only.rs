//! `wharf admin read-only`: whether a repository, or anything, may be written to.

use std::io::{Write, stdout};

use anyhow::Context;
use clap::{Args, ValueEnum};
use wharf_core::metadata::{SetWrites, WriteState};
use wharf_core::writes::{WriteMode, WriteReason, WriteScope};
use wharf_oci::RepositoryName;

use super::change;
use crate::command::wiring::metadata::Stores;

/// What is asked for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Wish {
    /// Refuse all that writes, from now on
    On,
    /// Let everything be written
    Off,
    /// Let pushes under way finish, refuse others, then become read-only
    Drain,
    /// Tell how it stands
    Status,
}

/// The arguments of `wharf admin read-only`.
#[derive(Debug, Args)]
pub struct ReadOnly {
    #[arg(value_enum)]
    wish: Wish,
    /// One repository, instead of all
    #[arg(long)]
    repository: Option<RepositoryName>,
    /// Why: everybody who is refused reads it
    #[arg(long)]
    reason: Option<WriteReason>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ReadOnly {
    /// Does it. When this returns, nothing that was ruled out is committed any more.
    pub async fn run(&self, stores: &Stores) -> anyhow::Result<()> {
        let scope = self.repository.clone().map_or(WriteScope::All, WriteScope::Repository);
        let mode = match self.wish {
            Wish::On => Some(WriteMode::ReadOnly),
            Wish::Off => Some(WriteMode::Writable),
            Wish::Drain => Some(WriteMode::Draining),
            Wish::Status => None,
        };
        if let Some(mode) = mode {
            let set = SetWrites { scope: scope.clone(), mode, reason: self.reason.clone() };
            change(&stores.accounts, set, &scope.to_string()).await?;
        }
        let state = stores.writes.write_state(scope.clone()).await?;
        self.print(&scope, &state.with_context(|| format!("{scope} is not there"))?)
    }

    fn print(&self, scope: &WriteScope, state: &WriteState) -> anyhow::Result<()> {
        let WriteState { mode, reason, since, uploads, pushes } = state;
        let reason = reason.as_ref().map(WriteReason::as_str);
        if self.json {
            let state = serde_json::json!({
                "mode": mode.name(), "reason": reason, "since_micros": since.0,
                "uploads": uploads, "pushes": pushes,
            });
            return Ok(writeln!(stdout(), "{state}")?);
        }
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let left = format!("uploads open: {uploads}, pushes under way: {pushes}");
        Ok(writeln!(stdout(), "{scope} is {mode}{reason}; {left}")?)
    }
}
