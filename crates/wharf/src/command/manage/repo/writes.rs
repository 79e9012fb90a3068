//! `wharf repo read-only|drain|writable|writes`: whether a repository may be written to.

use clap::Args;
use wharf_client::management::Writes;
use wharf_core::writes::{WriteMode, WriteReason};
use wharf_oci::RepositoryName;

use crate::command::manage::at::Session;
use crate::command::manage::output::{cell, moment};

/// What closes a repository.
#[derive(Debug, Args)]
pub struct Closing {
    repository: RepositoryName,
    /// Why: everybody who is refused reads it
    #[arg(long)]
    reason: Option<WriteReason>,
}

impl Closing {
    /// Makes it read-only, or has it drained.
    pub async fn run(&self, session: &Session, mode: WriteMode) -> anyhow::Result<()> {
        set(session, &self.repository, mode, self.reason.as_ref()).await
    }
}

/// Sets what may be written.
pub async fn set(
    Session { api, out }: &Session,
    repository: &RepositoryName,
    mode: WriteMode,
    reason: Option<&WriteReason>,
) -> anyhow::Result<()> {
    let reason = reason.map(WriteReason::as_str);
    let answer = api.set_writes(repository, mode.name(), reason).await?;
    let left = match answer.value.pushes {
        0 => String::new(),
        pushes => format!("; pushes under way: {pushes}"),
    };
    out.done(&answer, &format!("{repository} is {mode}{left}"))
}

/// Shows what may be written, and what is under way.
pub async fn show(
    Session { api, out }: &Session,
    repository: &RepositoryName,
) -> anyhow::Result<()> {
    let answer = api.writes(repository).await?;
    let Writes { mode, reason, since, uploads, pushes } = answer.value.clone();
    let fields = [
        ("mode", mode),
        ("reason", cell(reason)),
        ("since", moment(since)),
        ("uploads", uploads.to_string()),
        ("pushes", pushes.to_string()),
    ];
    out.one(&answer, &fields)
}
