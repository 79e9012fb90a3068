//! `wharf repo retention`: which tags of a repository are kept.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use wharf_client::management::{PlannedTag, Retention as Record, Running, UntaggedPlan};
use wharf_core::retention::{Age, LONGEST_DOCUMENT, Policy};
use wharf_oci::{Digest, RepositoryName};

use crate::command::manage::at::Session;
use crate::command::manage::output::{cell, moment, tell};
use crate::command::manage::terminal;

/// The arguments of `wharf repo retention`.
#[derive(Debug, Args)]
pub struct Retention {
    #[command(subcommand)]
    command: RetentionCommand,
}

#[derive(Debug, Subcommand)]
enum RetentionCommand {
    /// Show the policy of a repository, how far it is, and what its last run did
    Show { repository: RepositoryName },
    /// Set the policy of a repository, as a draft: it drops nothing before `plan` and `enable`
    Set {
        repository: RepositoryName,
        /// The policy as JSON; - reads it from stdin
        file: PathBuf,
    },
    /// Tell of each tag whether the policy keeps or drops it, and which rule says so
    Plan {
        repository: RepositoryName,
        /// Only the tags that would go
        #[arg(long)]
        dropped: bool,
    },
    /// Have a version of the policy that was looked at by `plan` drop tags from now on
    #[command(disable_version_flag = true)]
    Enable {
        repository: RepositoryName,
        /// The version that `plan` told of
        #[arg(long)]
        version: i64,
    },
    /// Take the policy of a repository away; nothing more is dropped
    Remove {
        repository: RepositoryName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Report that a manifest runs somewhere, so that rules with `running` keep it
    Running {
        repository: RepositoryName,
        digest: Digest,
        /// Where it runs
        #[arg(long)]
        by: String,
        /// For how long, up to 30d, unless it is reported again
        #[arg(long = "for", default_value = "1d")]
        lasts: Age,
    },
}

impl Retention {
    /// Does it.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Session { api, out } = session;
        match &self.command {
            RetentionCommand::Show { repository } => {
                let answer = api.retention(repository).await?;
                out.one(&answer, &fields(answer.value.clone()))
            }
            RetentionCommand::Set { repository, file } => {
                let policy = serde_json::to_value(read(file)?)?;
                let answer = api.set_retention(repository, &policy).await?;
                let version = answer.value.version;
                out.done(
                    &answer,
                    &format!(
                        "version {version} of the policy of {repository} is a draft: see what it would drop by \
                         `wharf repo retention plan {repository}`"
                    ),
                )
            }
            RetentionCommand::Plan { repository, dropped } => {
                let preview = api.preview_retention(repository).await?.value;
                let columns = ["tag", "verdict", "rule", "reason", "kept by", "pushed", "digest"];
                let row = |planned: PlannedTag| {
                    let verdict = if planned.dropped { "drop" } else { "keep" };
                    let PlannedTag { tag, digest, rule, reason, kept_by, pushed_at, .. } = planned;
                    let (verdict, pushed) = (verdict.to_owned(), moment(pushed_at));
                    [tag, verdict, cell(rule), reason, cell(kept_by), pushed, digest]
                };
                out.list(api.retention_plan(repository, *dropped), columns, row).await?;
                let (tags, going, manifests) =
                    (preview.tags, preview.dropped, preview.manifests_untagged);
                tell(&format!(
                    "{going} of {tags} tags would go, and {manifests} manifests lose their last tag"
                ));
                if let Some(untagged) = preview.untagged {
                    tell_untagged(&untagged);
                }
                if let Some(version) = preview.version {
                    tell(&format!(
                        "enable it by `wharf repo retention enable {repository} --version {version}`"
                    ));
                }
                Ok(())
            }
            RetentionCommand::Enable { repository, version } => {
                let answer = api.enable_retention(repository, *version).await?;
                out.done(
                    &answer,
                    &format!("version {version} of the policy of {repository} is enabled"),
                )
            }
            RetentionCommand::Remove { repository, yes } => {
                let what = format!("the retention policy of {repository}");
                terminal::confirm(&format!("take {what} away"), *yes).await?;
                api.remove_retention(repository).await?;
                tell(&format!("{what} is gone"));
                Ok(())
            }
            RetentionCommand::Running { repository, digest, by, lasts } => {
                let lasts = lasts.to_string();
                api.report_running(repository, Running { digest, by, lasts: &lasts }).await?;
                tell(&format!("{repository}@{digest} is kept as running for {lasts}"));
                Ok(())
            }
        }
    }
}

/// How many manifests without a tag are named.
const NAMED: usize = 10;

fn tell_untagged(untagged: &UntaggedPlan) {
    let UntaggedPlan { after, manifests, first } = untagged;
    tell(&format!("{manifests} manifests have had no tag for {after} and would go"));
    for digest in first.iter().take(NAMED) {
        tell(&format!("  {digest}"));
    }
    if *manifests > NAMED as u64 {
        tell("  …");
    }
}

fn fields(record: Record) -> Vec<(&'static str, String)> {
    let policy = record.policy.map(|policy| policy.to_string());
    let mut fields = vec![
        ("version", record.version.to_string()),
        ("state", record.state),
        ("policy", cell(policy)),
        ("by", cell(record.updated_by)),
        ("at", moment(record.updated_at)),
    ];
    if let Some(problem) = record.problem {
        fields.push(("problem", problem));
    }
    if let Some(skipped) = record.skipped {
        fields.push(("skipped", skipped));
    }
    if let Some(run) = record.last_run {
        fields.push(("last run", moment(run.ended_at)));
        fields.push(("by version", run.version.to_string()));
        fields.push(("kept", run.kept.to_string()));
        fields.push(("dropped", run.dropped.to_string()));
        if let Some(problem) = run.problem {
            fields.push(("failed", problem));
        }
    }
    fields
}

/// Reads a policy, so that what is wrong with it is told before anything is sent.
fn read(file: &PathBuf) -> anyhow::Result<Policy> {
    let name = file.display();
    let mut text = String::new();
    let limit = LONGEST_DOCUMENT as u64 + 1;
    let read = match file.to_str() {
        Some("-") => stdin().take(limit).read_to_string(&mut text),
        _ => File::open(file)
            .with_context(|| format!("{name} cannot be opened"))?
            .take(limit)
            .read_to_string(&mut text),
    };
    read.with_context(|| format!("{name} cannot be read"))?;
    match Policy::parse(&text) {
        Ok(policy) => Ok(policy),
        Err(error) => bail!("{name} is no policy of retention: {error}"),
    }
}
