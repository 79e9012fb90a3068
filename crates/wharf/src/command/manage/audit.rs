//! `wharf audit`: who did what.

use clap::Args;
use jiff::Timestamp as Moment;
use wharf_client::management::{AuditEntry, AuditFilter};

use super::at::At;
use super::output::cell;

/// The arguments of `wharf audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Only of this user or organization; all of the registry is for its administrators
    #[arg(long)]
    namespace: Option<String>,
    /// Only by this principal, such as user:ada
    #[arg(long, value_name = "PRINCIPAL")]
    by: Option<String>,
    /// Only this, such as grant.put
    #[arg(long)]
    action: Option<String>,
    /// Only with this, such as robot:team+ci
    #[arg(long)]
    target: Option<String>,
    /// Only from this moment on, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "MOMENT")]
    since: Option<Moment>,
    /// Only before this moment
    #[arg(long, value_name = "MOMENT")]
    until: Option<Moment>,
    /// How many of the newest, the newest first
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: usize,
    /// All of them instead, the oldest first
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    #[command(flatten)]
    at: At,
}

/// Prints it.
pub fn execute(command: &Audit) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let moment = |moment: Option<Moment>| moment.map(|it| it.to_string());
        let filter = AuditFilter {
            namespace: command.namespace.clone(),
            by: command.by.clone(),
            action: command.action.clone(),
            target: command.target.clone(),
            from: moment(command.since),
            before: moment(command.until),
            oldest_first: command.all,
        };
        let limit = if command.all { usize::MAX } else { command.limit };
        let columns = ["at", "by", "action", "target", "outcome", "from", "detail"];
        let row = |entry: AuditEntry| {
            let AuditEntry { at, by, action, target, outcome, address, detail, .. } = entry;
            [at, cell(by), action, cell(target), cell(outcome), cell(address), detail]
        };
        session.out.list_some(session.api.audit(filter), limit, columns, row).await
    })
}
