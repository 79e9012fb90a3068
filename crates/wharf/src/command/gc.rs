//! `wharf gc`: how much garbage there is, what goes when and why not, and collecting it now.

mod explain;
mod plan;

use std::io::{Write, stdout};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;
use wharf_core::clock::{Clock, SystemClock, Timestamp};
use wharf_core::metadata::{GarbageCounts, ManifestRules};

use super::jobs::hasten_all;
use super::settings::{SettingFlags, warn};
use super::wiring;
use crate::config::Config;

/// The jobs that collect garbage, in the order in which they are made due.
const KINDS: [&str; 2] = ["garbage.manifests", "garbage.collect"];

/// How much of each kind is counted: more is garbage that collections do not keep up with, and how much more takes too long to find out.
const MOST_COUNTED: usize = 1_000_000;

/// What to do about garbage. Works beside nodes that run.
#[derive(Debug, Subcommand)]
pub enum Gc {
    /// Tell how much garbage there is, at each step of its way out.
    Status(Flags),
    /// List what is on its way out (deleted repositories, manifests, blobs, uploads): when each goes, how much that frees, and what keeps it from
    /// going.
    Plan(Flags),
    /// Tell what becomes of a manifest: what keeps it, or when it goes.
    Explain(explain::Explain),
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
            Gc::Plan(flags) => plan::execute(flags).await,
            Gc::Explain(flags) => explain::execute(flags).await,
            Gc::Run(flags) => run(flags).await,
        }
    })
}

async fn status(flags: &Flags) -> anyhow::Result<()> {
    let loaded = flags.settings.load()?;
    warn(&loaded);
    let garbage = wiring::metadata::beside_others(&loaded.config).await?.garbage;
    let counts = garbage.count_garbage(MOST_COUNTED).await?;
    let GarbageCounts {
        uploads,
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
        ("uploads", uploads, "uploads that are open, or have expired"),
    ];
    let is_more = |count: u64| count >= MOST_COUNTED as u64;
    if flags.json {
        let mut all: serde_json::Map<_, _> =
            rows.iter().map(|(name, count, _)| ((*name).to_owned(), json!(count))).collect();
        let least = rows.iter().filter(|(_, count, _)| is_more(*count)).map(|(name, ..)| name);
        all.insert("at_least".to_owned(), json!(least.collect::<Vec<_>>()));
        writeln!(stdout(), "{}", serde_json::Value::Object(all))?;
    } else {
        for (_, count, text) in rows {
            let more = if is_more(count) { '+' } else { ' ' };
            writeln!(stdout(), "{count:>10}{more} {text}")?;
        }
    }
    Ok(())
}

async fn run(flags: &Flags) -> anyhow::Result<()> {
    let loaded = flags.settings.load()?;
    warn(&loaded);
    let queue = wiring::metadata::beside_others(&loaded.config).await?.jobs;
    hasten_all(&*queue, KINDS, flags.json, "`wharf jobs list` shows how it went").await
}

/// By which rules manifests are collected.
fn rules(config: &Config) -> ManifestRules {
    let garbage = &config.garbage;
    ManifestRules {
        grace: garbage.grace.get(),
        untagged_after: garbage.untagged_after.as_ref().map(|age| age.get()),
    }
}

/// When something goes that is due at a moment.
fn due(at: Timestamp) -> String {
    let left = Duration::from_micros(u64::try_from(at.0 - SystemClock.now().0).unwrap_or_default());
    match left.as_secs() {
        0 => "goes with the next run".to_owned(),
        seconds => format!("goes in {}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
