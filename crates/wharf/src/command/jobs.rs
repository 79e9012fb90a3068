//! `wharf jobs`: looks at the queue of background work, and has jobs run again that were set aside.

use std::io::{Write, stdout};
use std::sync::Arc;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use wharf_core::metadata::{JobState, JobStatus, Jobs as Queue};

use super::settings::{SettingFlags, warn};
use super::wiring;

/// How many jobs are asked for at once.
const PAGE: usize = 500;

/// What to do with the queue. Works beside nodes that run.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List all jobs: where each stands, how often it was tried, why it last failed.
    List(List),
    /// Have a job that was set aside run again, now.
    Retry(Retry),
}

/// The flags of `wharf jobs list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    settings: SettingFlags,
    /// Only those that were set aside
    #[arg(long)]
    dead: bool,
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

/// The flags of `wharf jobs retry`.
#[derive(Debug, Args)]
pub struct Retry {
    #[command(flatten)]
    settings: SettingFlags,
    /// The job's number, as `wharf jobs list` shows it
    id: i64,
}

/// Does it.
pub fn execute(command: &Jobs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Jobs::List(list) => {
                let queue = open(&list.settings).await?;
                let mut after = 0;
                loop {
                    let page = queue.list_jobs(after, PAGE).await?;
                    let Some(last) = page.last() else { return Ok(()) };
                    after = last.id;
                    let wanted = |job: &&JobStatus| !list.dead || job.state == JobState::Dead;
                    for job in page.iter().filter(wanted) {
                        print(job, list.json)?;
                    }
                }
            }
            Jobs::Retry(retry) => {
                if !open(&retry.settings).await?.revive_job(retry.id).await? {
                    bail!(
                        "no job {} was set aside; `wharf jobs list --dead` shows those that were",
                        retry.id
                    );
                }
                writeln!(stdout(), "job {} is due now", retry.id)?;
                Ok(())
            }
        }
    })
}

async fn open(settings: &SettingFlags) -> anyhow::Result<Arc<dyn Queue>> {
    let loaded = settings.load()?;
    warn(&loaded);
    Ok(wiring::metadata::beside_others(&loaded.config).await?.jobs)
}

fn print(job: &JobStatus, as_json: bool) -> std::io::Result<()> {
    let JobStatus { id, kind, key, attempts, .. } = job;
    let state = match job.state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Dead => "dead",
    };
    let error = job.last_error.as_deref();
    if as_json {
        let due = job.due.map(|due| due.0);
        let line = json!({
            "id": id, "kind": kind, "key": key, "state": state, "attempts": attempts,
            "due_micros": due, "last_error": error,
        });
        writeln!(stdout(), "{line}")
    } else {
        let error = error.map(|error| format!("  {error}")).unwrap_or_default();
        writeln!(stdout(), "{id:>6}  {state:<8}{attempts:>3}  {kind} {key}{error}")
    }
}
