//! `wharf scrub`: how far scrubs are, what they found, having one now, and letting go of what is in quarantine.

use std::io::{Write, stdout};
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use wharf_core::actor::Actor;
use wharf_core::metadata::{FindingFilter, Pass, PassState, ReleaseOutcome, ScrubFinding};
use wharf_jobs::scrub_kind;
use wharf_oci::Digest;

use super::jobs::hasten_all;
use super::settings::{SettingFlags, warn};
use super::wiring;
use super::wiring::metadata::Stores;

/// How many findings are asked for at once.
const PAGE: usize = 500;

/// What to do about scrubs. Works beside nodes that run.
#[derive(Debug, Subcommand)]
pub enum Scrub {
    /// Tell how far each pass is, and how many findings are open.
    Status(Flags),
    /// List the findings that are open: what is wrong, with what, since when.
    Findings(Findings),
    /// Have all passes run now. What is under way goes on.
    Run(Flags),
    /// Let go of what was kept as evidence of a damaged blob or manifest, once that was pushed again or repaired, or nothing holds it. It is deleted.
    Release(Release),
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

/// The flags of `wharf scrub findings`.
#[derive(Debug, Args)]
pub struct Findings {
    #[command(flatten)]
    flags: Flags,
    /// Those as well whose fault is gone, for a year
    #[arg(long)]
    all: bool,
}

/// The arguments of `wharf scrub release`.
#[derive(Debug, Args)]
pub struct Release {
    #[command(flatten)]
    flags: Flags,
    /// The blob or manifest, as `wharf scrub findings` shows it
    digest: Digest,
}

impl Flags {
    async fn stores(&self) -> anyhow::Result<Stores> {
        let loaded = self.settings.load()?;
        warn(&loaded);
        wiring::metadata::beside_others(&loaded.config).await
    }

    fn grace(&self) -> anyhow::Result<Duration> {
        Ok(self.settings.load()?.config.garbage.grace.get())
    }
}

/// Does it.
pub fn execute(command: &Scrub) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Scrub::Status(flags) => status(flags).await,
            Scrub::Findings(command) => findings(command).await,
            Scrub::Run(flags) => run(flags).await,
            Scrub::Release(command) => release(command).await,
        }
    })
}

async fn status(flags: &Flags) -> anyhow::Result<()> {
    let integrity = flags.stores().await?.integrity;
    let (passes, open) = (integrity.passes().await?, integrity.count_findings().await?);
    if flags.json {
        let passes = passes.iter().map(|(pass, state)| (pass.name().to_owned(), to_json(state)));
        let open = open.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count)));
        let all = json!({
            "passes": passes.collect::<serde_json::Map<_, _>>(),
            "open": open.collect::<serde_json::Map<_, _>>(),
        });
        return Ok(writeln!(stdout(), "{all}")?);
    }
    for (pass, PassState { begun_at, ended_at, looked_at, bytes, found, .. }) in passes {
        let ended = ended_at.map_or("under way".to_owned(), |at| format!("ended {at}"));
        writeln!(
            stdout(),
            "{:<12} begun {begun_at}, {ended}: looked at {looked_at}, hashed {bytes} bytes, found {found}",
            pass.name()
        )?;
    }
    let total: u64 = open.iter().map(|(_, count)| count).sum();
    writeln!(stdout(), "{total:>10}  findings are open")?;
    for (kind, count) in open {
        writeln!(stdout(), "{count:>10}  {kind}")?;
    }
    Ok(())
}

fn to_json(state: &PassState) -> serde_json::Value {
    json!({
        "begun_micros": state.begun_at.0, "ended_micros": state.ended_at.map(|at| at.0),
        "looked_at": state.looked_at, "bytes": state.bytes, "found": state.found,
    })
}

async fn findings(command: &Findings) -> anyhow::Result<()> {
    let integrity = command.flags.stores().await?.integrity;
    let filter = if command.all { FindingFilter::ALL } else { FindingFilter::default() };
    let mut after = None;
    loop {
        let page = integrity.list_scrub_findings(filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for finding in &page {
            print(finding, command.flags.json)?;
        }
    }
}

fn print(finding: &ScrubFinding, as_json: bool) -> anyhow::Result<()> {
    let ScrubFinding { kind, digest, incarnation, needed_by, detail, .. } = finding;
    if as_json {
        let (repository, manifest) = match needed_by {
            Some((repository, manifest)) => (Some(repository.as_str()), Some(manifest.to_string())),
            None => (None, None),
        };
        let line = json!({
            "id": finding.id, "kind": kind.name(), "digest": digest.to_string(),
            "incarnation": incarnation, "repository": repository, "manifest": manifest,
            "detail": detail, "quarantined": finding.is_quarantined,
            "found_micros": finding.found_at.0, "seen_micros": finding.seen_at.0,
            "resolved_micros": finding.resolved_at.map(|at| at.0),
            "repaired_from": finding.repaired_from,
        });
        return Ok(writeln!(stdout(), "{line}")?);
    }
    let place = needed_by.as_ref().map(|(repository, _)| format!(" in {repository}"));
    let quarantined = if finding.is_quarantined { ", quarantined" } else { "" };
    let repaired = finding.repaired_from.as_ref();
    let repaired = repaired.map_or(String::new(), |from| format!(" by a copy from {from}"));
    let resolved = finding.resolved_at.map(|at| format!(", resolved {at}{repaired}"));
    writeln!(
        stdout(),
        "{}  {digest}{}: {kind}, {detail} (found {}{quarantined}{})",
        finding.id,
        place.unwrap_or_default(),
        finding.found_at,
        resolved.unwrap_or_default()
    )?;
    Ok(())
}

async fn run(flags: &Flags) -> anyhow::Result<()> {
    let queue = flags.stores().await?.jobs;
    let shown = "`wharf scrub status` shows how far it is";
    hasten_all(&*queue, Pass::ALL.map(scrub_kind), flags.json, shown).await
}

async fn release(command: &Release) -> anyhow::Result<()> {
    let Release { flags, digest } = command;
    let integrity = flags.stores().await?.integrity;
    let released = match integrity.release(*digest, Actor::system(), flags.grace()?).await? {
        ReleaseOutcome::Released(count) => count,
        ReleaseOutcome::NotQuarantined => bail!("{digest} is not in quarantine"),
        ReleaseOutcome::StillNeeded => bail!(
            "{digest} stays in quarantine: repositories hold it, and it was not pushed again; push it, or delete what needs it"
        ),
        ReleaseOutcome::TooYoung => bail!(
            "{digest} stays in quarantine: an upload may still write there; release it when it has been in quarantine for garbage.grace"
        ),
    };
    if flags.json {
        writeln!(stdout(), "{}", json!({ "digest": digest.to_string(), "released": released }))?;
    } else {
        writeln!(stdout(), "{digest} is released: what was kept of it as evidence is deleted")?;
    }
    Ok(())
}
