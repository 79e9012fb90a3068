//! `wharf admin audit`: who did what, for eyes and as JSON lines for other programs.

use std::io::{Write, stdout};

use clap::Args;
use jiff::Timestamp as Moment;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{AuditEntry, AuditFilter, AuditOrder, AuditRecord};
use wharf_jobs::audit_document;

use crate::command::wiring::metadata::Stores;

/// How many records are asked for at once.
const PAGE: usize = 1000;

/// The flags of `wharf admin audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Only of this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Only by this principal, such as user:ada
    #[arg(long)]
    by: Option<String>,
    /// Only this, such as grant.put
    #[arg(long)]
    action: Option<String>,
    /// Only with this, such as robot:team+ci
    #[arg(long)]
    target: Option<String>,
    /// Only from this moment on, such as 2026-01-31T00:00:00Z
    #[arg(long)]
    since: Option<Moment>,
    /// Only before this moment
    #[arg(long)]
    until: Option<Moment>,
    /// How many of the newest, the newest first
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// All of them instead, the oldest first
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Print JSON, a line each
    #[arg(long)]
    json: bool,
}

impl Audit {
    /// Prints them, a page at a time.
    pub async fn run(&self, stores: &Stores) -> anyhow::Result<()> {
        let (order, mut left) = if self.all {
            (AuditOrder::OldestFirst, usize::MAX)
        } else {
            (AuditOrder::NewestFirst, self.limit)
        };
        let mut after = None;
        while left > 0 {
            let limit = left.min(PAGE);
            let page = stores.audit.list_audit(self.filter(), order, after, limit).await?;
            for record in &page {
                self.print(record)?;
            }
            if page.len() < limit {
                break;
            }
            left -= page.len();
            after = page.last().map(|record| record.id);
        }
        Ok(())
    }

    fn filter(&self) -> AuditFilter {
        let moment = |moment: Option<Moment>| moment.map(|it| Timestamp(it.as_microsecond()));
        AuditFilter {
            namespace: self.namespace.clone(),
            by: self.by.clone(),
            action: self.action.clone(),
            target: self.target.clone(),
            from: moment(self.since),
            before: moment(self.until),
        }
    }

    fn print(&self, record: &AuditRecord) -> anyhow::Result<()> {
        if self.json {
            return Ok(writeln!(stdout(), "{}", audit_document(record))?);
        }
        let AuditEntry { by, action, target, outcome, detail, .. } = &record.entry;
        let at = Moment::from_microsecond(record.at.0)?;
        let address = by.address.map(|address| address.to_string());
        let address = address.as_deref().unwrap_or("-");
        let words = [&by.by, action, target, outcome.name(), address, detail];
        Ok(writeln!(stdout(), "{at}\t{}", words.join("\t"))?)
    }
}
