//! `wharf adopt`: has the nodes take over another registry's store where it lies, and tells how far they are.

mod following;
mod report;

use std::path;

use anyhow::{Context, bail, ensure};
use clap::Args;
use wharf_core::actor::Actor;
use wharf_core::adoption::rehearse;
use wharf_core::metadata::{
    Adoption, AdoptionState, Adoptions, Finding, StartAdoption, StartedAdoption,
};
use wharf_oci::NamePattern;

use super::settings::{SettingFlags, warn};
use super::wiring;
use crate::config::{AdoptedUrl, Config};
use report::Report;

/// The flags of `wharf adopt`.
#[derive(Debug, Args)]
pub struct Adopt {
    #[command(flatten)]
    settings: SettingFlags,
    /// The other registry's folder, or its bucket such as s3://bucket/prefix [default: blobs.adopted]
    #[arg(long, value_name = "PATH|URL")]
    from: Option<String>,
    /// Only these repositories; `*` stands for any text
    #[arg(long, value_name = "PATTERN")]
    repository: Option<NamePattern>,
    /// Change nothing: tell what there is, and what would be left out
    #[arg(long)]
    dry_run: bool,
    /// Begin, and leave it to the nodes
    #[arg(long, conflicts_with = "dry_run")]
    detach: bool,
    /// Begin nothing: tell how far the adoption is, or how the last one ended
    #[arg(long, conflicts_with_all = ["dry_run", "detach", "from", "repository"])]
    status: bool,
    /// Stop the adoption that runs; what was adopted by then stays
    #[arg(long, conflicts_with_all = ["dry_run", "detach", "from", "repository", "status"])]
    stop: bool,
    /// Print JSON: an object for each thing that was left out, and the sum at last
    #[arg(long)]
    json: bool,
}

/// Does it.
pub fn execute(command: &Adopt) -> anyhow::Result<()> {
    let loaded = command.settings.load()?;
    warn(&loaded);
    let config = loaded.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        if command.dry_run {
            return command.rehearse(&config).await;
        }
        let stores = wiring::metadata::beside_others(&config).await?;
        let adoptions = &*stores.adoptions;
        if command.stop {
            ensure!(
                adoptions.stop_adoption(Actor::system()).await?,
                "no adoption runs; `wharf adopt --status` shows the last one"
            );
            return command.show(adoptions, &last(adoptions).await?).await;
        }
        if command.status {
            return command.show(adoptions, &last(adoptions).await?).await;
        }
        let source = command.source(&config)?;
        let begun = command.begin(adoptions, source).await?;
        following::wake(&*stores.jobs, adoptions, begun.id).await?;
        if command.detach {
            return command.show(adoptions, &begun).await;
        }
        let ended = following::to_its_end(adoptions, begun.id).await?;
        command.show(adoptions, &ended).await?;
        ensure!(ended.state == AdoptionState::Finished, "the adoption was stopped");
        Ok(())
    })
}

async fn last(adoptions: &dyn Adoptions) -> anyhow::Result<Adoption> {
    let last = adoptions.last_adoption().await?;
    last.context("nothing was ever adopted here; `wharf adopt` begins")
}

impl Adopt {
    /// Begins an adoption, or finds that the same one runs already.
    async fn begin(&self, adoptions: &dyn Adoptions, source: String) -> anyhow::Result<Adoption> {
        let (repositories, by) = (self.repository.clone(), Actor::system());
        let start = StartAdoption { source: source.clone(), repositories, by };
        match adoptions.start_adoption(start).await? {
            StartedAdoption::Started(adoption) => Ok(adoption),
            StartedAdoption::Running(running) => {
                if running.source != source || running.repositories != self.repository {
                    let only = running.repositories.map(|only| format!(" ({only})"));
                    let only = only.unwrap_or_default();
                    bail!(
                        "an adoption of {}{only} runs; wait for its end, or end it by `wharf adopt --stop`",
                        running.source
                    );
                }
                eprintln!("it runs already, and goes on");
                Ok(running)
            }
        }
    }

    /// The store that is adopted: the one that the nodes know.
    fn source(&self, config: &Config) -> anyhow::Result<String> {
        let named = self.from.as_deref().map(url_of).transpose()?.map(|url| url.to_string());
        match (&config.blobs.adopted.0, named) {
            (Some(set), None) => Ok(set.to_string()),
            (Some(set), Some(named)) if set.to_string() == named => Ok(named),
            (Some(set), Some(named)) => bail!(
                "--from names {named}, and blobs.adopted is {set}: nodes serve what lies there; make them the same"
            ),
            (None, named) => bail!(
                "blobs.adopted is not set, and blobs are adopted where they lie: set it to {} for all nodes, \
                 start them again, and adopt then (docs/adopt.md)",
                named.as_deref().unwrap_or("the other registry's folder or bucket")
            ),
        }
    }

    async fn rehearse(&self, config: &Config) -> anyhow::Result<()> {
        let named = self.from.as_deref().map(url_of).transpose()?;
        let url = named.as_ref().or(config.blobs.adopted.0.as_ref());
        let url = url
            .context("nothing to look at: name the other registry's folder or bucket by --from")?;
        let old = wiring::adoption::open(url, config.blobs.timeout.get()).await?;
        let mut report = Report::new(self.json);
        let largest = config.registry.max_manifest_size.get();
        let found = |finding: Finding| report.left_out(&finding);
        let sum = rehearse(&*old.store, self.repository.as_ref(), largest, found).await?;
        report.rehearsed(&url.to_string(), &sum)
    }

    /// Prints how an adoption stands, and what it has left out.
    async fn show(&self, adoptions: &dyn Adoptions, adoption: &Adoption) -> anyhow::Result<()> {
        let mut report = Report::new(self.json);
        let mut after = None;
        loop {
            let page = adoptions.list_findings(adoption.id, after, report::PAGE).await?;
            page.iter().for_each(|finding| report.left_out(finding));
            let Some(last) = page.into_iter().next_back() else { break };
            after = Some((last.repository, last.subject));
        }
        report.adopted(adoption)
    }
}

/// The store that a path or URL names.
fn url_of(text: &str) -> anyhow::Result<AdoptedUrl> {
    let url = if text.contains("://") {
        text.to_owned()
    } else {
        let folder = path::absolute(text).with_context(|| format!("{text:?} is no path"))?;
        let folder = folder.to_str().with_context(|| format!("{text:?} is no plain path"))?;
        format!("file:///{}", folder.trim_matches('/'))
    };
    let url = url.parse::<AdoptedUrl>();
    url.map_err(|_| {
        anyhow::anyhow!("{text:?} names no folder and no bucket such as s3://bucket/prefix")
    })
}
