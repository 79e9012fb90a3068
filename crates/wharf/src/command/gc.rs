//! `wharf gc`: how much garbage there is, what goes when and why not, and collecting it now.

use std::io::{Write, stdout};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use wharf_core::blob_life::Stage;
use wharf_core::blobs::Blobs;
use wharf_core::clock::{Clock, SystemClock};
use wharf_core::metadata::{GarbageCounts, MarkedBlob, NewJob};

use super::settings::{SettingFlags, warn};
use super::wiring;

/// How many blobs are asked for at once.
const PAGE: usize = 500;

/// The jobs that collect garbage, in the order in which they are made due.
const KINDS: [&str; 2] = ["garbage.manifests", "garbage.collect"];

/// What to do about garbage. Works beside nodes that run.
#[derive(Debug, Subcommand)]
pub enum Gc {
    /// Tell how much garbage there is, at each step of its way out.
    Status(Flags),
    /// List the blobs that are on their way out: when each goes, how large it is, and what keeps it from going.
    Plan(Flags),
    /// Have garbage collected now. What is younger than the grace stays.
    Run(Flags),
}

/// The flags of each of them.
#[derive(Debug, Args)]
pub struct Flags {
    #[command(flatten)]
    settings: SettingFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Does it.
pub fn execute(command: &Gc) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Gc::Status(flags) => status(flags).await,
            Gc::Plan(flags) => plan(flags).await,
            Gc::Run(flags) => run(flags).await,
        }
    })
}

async fn status(flags: &Flags) -> anyhow::Result<()> {
    let loaded = flags.settings.load()?;
    warn(&loaded);
    let garbage = wiring::metadata::beside_others(&loaded.config).await?.garbage;
    let counts = garbage.count_garbage().await?;
    let GarbageCounts {
        deleted_repositories,
        deleted_manifests,
        unneeded_memberships,
        marked,
        condemned,
        deleted,
    } = counts;
    let rows = [
        (
            "deleted_repositories",
            deleted_repositories,
            "deleted repositories that hold something still",
        ),
        ("deleted_manifests", deleted_manifests, "deleted manifests that can be brought back"),
        (
            "unneeded_memberships",
            unneeded_memberships,
            "blobs in repositories whose manifests do not need them",
        ),
        ("marked_blobs", marked, "blobs that were let go of, and wait for the grace to end"),
        ("condemned_blobs", condemned, "blobs that are about to be deleted"),
        ("deleted_keys", deleted, "deleted blobs whose keys are not used again yet"),
    ];
    if flags.json {
        let all = rows.iter().map(|(name, count, _)| ((*name).to_owned(), json!(count))).collect();
        writeln!(stdout(), "{}", serde_json::Value::Object(all))?;
    } else {
        for (_, count, text) in rows {
            writeln!(stdout(), "{count:>10}  {text}")?;
        }
    }
    Ok(())
}

/// Lists blobs a page at a time, each with the size that the store tells.
async fn plan(flags: &Flags) -> anyhow::Result<()> {
    let loaded = flags.settings.load()?;
    warn(&loaded);
    let grace = loaded.config.garbage.grace.get();
    let garbage = wiring::metadata::beside_others(&loaded.config).await?.garbage;
    let blobs = wiring::blobs::open(&loaded.config).await?.blobs;
    let (mut after, mut going, mut bytes) = (None, 0_u64, 0_u64);
    loop {
        let page = garbage.list_marked(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        for blob in &page {
            let size = print(blob, &*blobs, grace, flags.json).await?;
            if blob.held_by.is_none() && !blob.reserved {
                going += 1;
                bytes += size;
            }
        }
    }
    if !flags.json {
        writeln!(stdout(), "{going} blobs are on their way out, {bytes} bytes")?;
    }
    Ok(())
}

/// Prints a blob and returns its size in bytes.
async fn print(
    blob: &MarkedBlob,
    blobs: &dyn Blobs,
    grace: Duration,
    as_json: bool,
) -> anyhow::Result<u64> {
    let MarkedBlob { key, mark, held_by, reserved } = blob;
    let size = blobs.head(key).await?;
    let due = mark.since.after(if mark.stage == Stage::Marked { grace } else { Duration::ZERO });
    let kept = match (held_by, reserved) {
        (Some(repository), _) => Some(format!("{repository} holds it")),
        (None, true) => Some("an upload is about to put it in place".to_owned()),
        (None, false) => None,
    };
    if as_json {
        let line = json!({
            "digest": key.digest.to_string(), "incarnation": key.incarnation, "size": size,
            "due_micros": due.0, "kept_because": kept,
        });
        writeln!(stdout(), "{line}")?;
        return Ok(size.unwrap_or_default());
    }
    let left =
        Duration::from_micros(u64::try_from(due.0 - SystemClock.now().0).unwrap_or_default());
    let when = match (&kept, left.as_secs()) {
        (Some(kept), _) => format!("stays: {kept}"),
        (None, 0) => "goes with the next run".to_owned(),
        (None, seconds) => format!("goes in {}h{:02}m", seconds / 3600, seconds / 60 % 60),
    };
    let size_text = size.map_or("not there".to_owned(), |size| size.to_string());
    writeln!(stdout(), "{}  {size_text:>12}  {when}", key.digest)?;
    Ok(size.unwrap_or_default())
}

/// Makes the jobs due; some node of the role `jobs` runs them within moments.
async fn run(flags: &Flags) -> anyhow::Result<()> {
    let loaded = flags.settings.load()?;
    warn(&loaded);
    let queue = wiring::metadata::beside_others(&loaded.config).await?.jobs;
    for kind in KINDS {
        let (key, payload) = (String::new(), "{}".to_owned());
        let job = NewJob { kind: kind.to_owned(), key, payload, delay: Duration::ZERO };
        let hastened = queue.hasten_job(job).await?;
        if flags.json {
            let state = if hastened { "waiting" } else { "running" };
            writeln!(stdout(), "{}", json!({ "kind": kind, "state": state }))?;
        } else {
            let state = if hastened { "is due now" } else { "runs already" };
            writeln!(stdout(), "the job {kind} {state}; `wharf jobs list` shows how it went")?;
        }
    }
    Ok(())
}
