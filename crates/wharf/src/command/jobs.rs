//! `wharf jobs`: looks at the queue of background work, and has jobs run now, or again that were set aside.

use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use wharf_core::metadata::{JobState, JobStatus, Jobs as Queue, NewJob};

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
    /// Have a recurring job run now, before its time.
    Run(Run),
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

/// The flags of `wharf jobs run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    settings: SettingFlags,
    /// The job's kind, as `wharf jobs list` shows it
    kind: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
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
            Jobs::Run(run) => run_now(run).await,
        }
    })
}

/// Makes the job due; some node of the role `jobs` runs it within moments.
async fn run_now(run: &Run) -> anyhow::Result<()> {
    let Run { settings, kind, json } = run;
    let loaded = settings.load()?;
    let known = wharf_jobs::kinds(&wiring::jobs(&loaded.config)?);
    if !known.contains(&kind.as_str()) {
        bail!(
            "with these settings no node runs jobs of the kind {kind:?}; there are {}",
            known.join(", ")
        );
    }
    warn(&loaded);
    let queue = wiring::metadata::beside_others(&loaded.config).await?.jobs;
    let state = hasten(&*queue, kind).await?;
    if *json {
        writeln!(stdout(), "{}", json!({ "kind": kind, "state": name(state) }))?;
    } else if state == JobState::Running {
        writeln!(stdout(), "the job of the kind {kind} runs already")?;
    } else {
        writeln!(stdout(), "the job of the kind {kind} is due now")?;
    }
    Ok(())
}

/// Makes a recurring job due, unless it runs. Returns in which of the two states it is.
async fn hasten(queue: &dyn Queue, kind: &str) -> anyhow::Result<JobState> {
    let (key, payload) = (String::new(), "{}".to_owned());
    let job = NewJob { kind: kind.to_owned(), key, payload, delay: Duration::ZERO };
    let hastened = queue.hasten_job(job).await?;
    Ok(if hastened { JobState::Waiting } else { JobState::Running })
}

/// Makes several due and says so of each, and what more of them is shown where: some node of the role `jobs` runs them within moments.
pub(super) async fn hasten_all(
    queue: &dyn Queue,
    kinds: impl IntoIterator<Item = &str>,
    json: bool,
    shown: &str,
) -> anyhow::Result<()> {
    for kind in kinds {
        let state = hasten(queue, kind).await?;
        if json {
            writeln!(stdout(), "{}", json!({ "kind": kind, "state": name(state) }))?;
        } else {
            let is = if state == JobState::Running { "runs already" } else { "is due now" };
            writeln!(stdout(), "the job {kind} {is}; {shown}")?;
        }
    }
    Ok(())
}

async fn open(settings: &SettingFlags) -> anyhow::Result<Arc<dyn Queue>> {
    let loaded = settings.load()?;
    warn(&loaded);
    Ok(wiring::metadata::beside_others(&loaded.config).await?.jobs)
}

const fn name(state: JobState) -> &'static str {
    match state {
        JobState::Waiting => "waiting",
        JobState::Running => "running",
        JobState::Dead => "dead",
    }
}

fn print(job: &JobStatus, as_json: bool) -> std::io::Result<()> {
    let JobStatus { id, kind, key, attempts, .. } = job;
    let state = name(job.state);
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
