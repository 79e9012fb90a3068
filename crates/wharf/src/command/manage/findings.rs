//! `wharf findings`: what scrubs found to be wrong, and what became of it.

use clap::Args;
use wharf_client::management::{Finding, FindingQuery};

use super::at::At;
use super::output::{cell, moment};

/// The arguments of `wharf findings`.
#[derive(Debug, Args)]
pub struct Findings {
    /// Only of this kind, such as missing or broken_reference
    #[arg(long)]
    kind: Option<String>,
    /// Only in this state: open, quarantined, repaired or gone; those whose fault is there still unless it is given
    #[arg(long)]
    state: Option<String>,
    /// All that are known, for a year after their fault is gone
    #[arg(long, conflicts_with = "state")]
    all: bool,
    #[command(flatten)]
    at: At,
}

/// Prints them.
pub fn execute(command: &Findings) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let state = command.all.then(|| "all".to_owned()).or_else(|| command.state.clone());
        let query = FindingQuery { kind: command.kind.clone(), state };
        let columns =
            ["id", "kind", "state", "digest", "found", "repository", "detail", "repaired from"];
        let row = |finding: Finding| {
            let Finding { id, kind, state, digest, repository, detail, .. } = finding;
            let (found, from) = (moment(finding.found_at), cell(finding.repaired_from));
            [id, kind, state, digest, found, cell(repository), detail, from]
        };
        session.out.list(session.api.findings(query), columns, row).await
    })
}
