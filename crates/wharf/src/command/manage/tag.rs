//! `wharf tag`: tags in their order, where they stood, back to there, and pins.

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use jiff::Timestamp as Moment;
use wharf_client::management::{
    HistoryFilter, NewPin, Pin, RollBackTo, TagChange, TagFilter, TagRecord,
};
use wharf_core::metadata::PinName;
use wharf_oci::{Digest, RepositoryName};

use super::at::{At, Session};
use super::named::Named;
use super::output::{cell, moment, tell};

/// The arguments of `wharf tag`.
#[derive(Debug, Args)]
pub struct Tag {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: TagCommand,
}

#[derive(Debug, Subcommand)]
enum TagCommand {
    /// List the tags of a repository
    #[command(visible_alias = "ls")]
    List {
        repository: RepositoryName,
        /// By name; by version, the newest first; by their last move, the latest first
        #[arg(long, default_value = "name", value_parser = PossibleValuesParser::new(["name", "version", "updated"]))]
        sort: String,
        /// By version: those before a release alone, none of them, or all
        #[arg(long, value_parser = PossibleValuesParser::new(["only", "none", "all"]))]
        pre_releases: Option<String>,
        /// Those that there were at this time, such as 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        as_of: Option<Moment>,
    },
    /// Show where a tag stands
    Show {
        #[arg(value_name = "REPO:TAG")]
        tag: Named,
        /// Where it stood at this time
        #[arg(long, value_name = "TIME")]
        as_of: Option<Moment>,
        /// Print REPO@DIGEST alone, for commands that pull
        #[arg(long)]
        digest: bool,
    },
    /// List the changes of a tag, or of all tags, the newest first
    History {
        #[arg(value_name = "REPO[:TAG]")]
        tag: Named,
        /// From this time on
        #[arg(long, value_name = "TIME")]
        since: Option<Moment>,
        /// Before this time
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
        /// No more than so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Have a tag stand again where it stood before
    Rollback {
        #[arg(value_name = "REPO:TAG")]
        tag: Named,
        /// Where it stood at this version of it, at this time, or at this digest
        #[arg(long, value_name = "VERSION|TIME|DIGEST", value_parser = place)]
        to: Option<RollBackTo>,
        /// Only if its last change gave it this version
        #[arg(long, value_name = "VERSION")]
        expect: Option<i64>,
    },
    /// Keep a manifest whatever tags do
    Pin {
        #[arg(value_name = "REPO@DIGEST|REPO:TAG")]
        what: Named,
        /// What the tag stood at at this time
        #[arg(long, value_name = "TIME")]
        as_of: Option<Moment>,
        /// Until this time; for ever without it
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
        /// What to call the pin; else after the tag, or the beginning of the digest
        #[arg(long)]
        name: Option<PinName>,
    },
    /// Keep it no more
    Unpin { repository: RepositoryName, name: PinName },
    /// List the pins of a repository
    Pins { repository: RepositoryName },
}

/// Does it.
pub fn execute(command: &Tag) -> anyhow::Result<()> {
    command.at.run(async |session| run(&session, &command.command).await)
}

fn written(moment: Option<Moment>) -> Option<String> {
    moment.map(|moment| moment.to_string())
}

async fn run(session: &Session, command: &TagCommand) -> anyhow::Result<()> {
    let Session { api, out } = session;
    match command {
        TagCommand::List { repository, sort, pre_releases, as_of } => {
            let filter = TagFilter {
                sort: Some(sort.clone()),
                pre_releases: pre_releases.clone(),
                as_of: written(*as_of),
            };
            let columns = ["tag", "digest", "version", "by", "at", "state"];
            let row = |TagRecord { name, digest, version, updated_by, updated_at, state }| {
                let version = version.map(|version| version.to_string());
                let (by, at) = (cell(updated_by), moment(updated_at));
                [name, cell(digest), cell(version), by, at, cell(state)]
            };
            out.list(api.tags(repository, filter), columns, row).await
        }
        TagCommand::Show { tag, as_of, digest } => show(session, tag, *as_of, *digest).await,
        TagCommand::History { tag, since, until, limit } => {
            let filter = HistoryFilter { from: written(*since), to: written(*until) };
            let pages = api.history(&tag.repository, tag.tag_or_all()?, filter);
            let columns = ["at", "tag", "version", "from", "to", "by", "reason"];
            let row = |change: TagChange| {
                let TagChange { tag, version, from, to, by, at, reason, detail, .. } = change;
                let reason = match (reason, detail) {
                    (Some(reason), Some(detail)) => format!("{reason} {detail}"),
                    (reason, _) => cell(reason),
                };
                [moment(at), tag, version.to_string(), cell(from), cell(to), by, reason]
            };
            out.list_some(pages, limit.unwrap_or(usize::MAX), columns, row).await
        }
        TagCommand::Rollback { tag: named, to, expect } => {
            let tag = named.tag()?;
            let answer = api.roll_back(&named.repository, tag, to.as_ref(), *expect).await?;
            let digest = cell(answer.value.digest.clone());
            out.done(&answer, &format!("{}:{tag} stands at {digest}", named.repository))
        }
        TagCommand::Pin { what, as_of, until, name } => {
            let default = match (&what.tag, &what.digest) {
                (Some(tag), None) => tag.to_string(),
                (_, Some(digest)) => {
                    digest.to_string().replace(':', "-").chars().take(19).collect()
                }
                (None, None) => bail!("{what} names nothing to pin; write REPO:TAG or REPO@DIGEST"),
            };
            let tag = what.tag.as_ref().filter(|_| what.digest.is_none());
            if as_of.is_some() && tag.is_none() {
                bail!("--as-of is for a tag; a digest is the same at all times");
            }
            let new = NewPin {
                digest: what.digest.map(|digest| digest.to_string()),
                tag: tag.map(ToString::to_string),
                as_of: written(*as_of),
                expires_at: written(*until),
            };
            let name = name.as_ref().map_or(default, ToString::to_string);
            let answer = api.pin(&what.repository, &name, &new).await?;
            let Pin { digest, .. } = &answer.value;
            out.done(&answer, &format!("{}@{digest} is kept by the pin {name}", what.repository))
        }
        TagCommand::Unpin { repository, name } => {
            api.unpin(repository, name.as_str()).await?;
            tell(&format!("the pin {name} of {repository} is taken away"));
            Ok(())
        }
        TagCommand::Pins { repository } => {
            let row = |Pin { name, digest, created_by, created_at, expires_at }| {
                [name, digest, created_by, moment(created_at), moment(expires_at)]
            };
            let columns = ["pin", "digest", "by", "since", "until"];
            out.list(api.pins(repository), columns, row).await
        }
    }
}

async fn show(
    session: &Session,
    named: &Named,
    as_of: Option<Moment>,
    is_digest: bool,
) -> anyhow::Result<()> {
    let Session { api, out } = session;
    let answer = api.tag(&named.repository, named.tag()?, written(as_of)).await?;
    let TagRecord { name, digest, version, updated_by, updated_at, state } = answer.value.clone();
    if is_digest && !out.is_json() {
        if state.as_deref() == Some("gone") {
            bail!("{named} stood at {}, which is not held any more", cell(digest));
        }
        return out.line(&format!("{}@{}", named.repository, cell(digest)));
    }
    let fields = [
        ("name", name),
        ("digest", cell(digest)),
        ("version", cell(version.map(|version| version.to_string()))),
        ("by", cell(updated_by)),
        ("at", moment(updated_at)),
        ("state", cell(state)),
    ];
    out.one(&answer, &fields)
}

/// A version, a digest or a time.
fn place(text: &str) -> Result<RollBackTo, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return text.parse().map(RollBackTo::Version).map_err(|_| format!("{text} is no version"));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        return Ok(RollBackTo::Digest(digest.to_string()));
    }
    let moment: Moment = text.parse().map_err(|_| {
        format!(
            "{text:?} is no version such as 3, no time such as 2026-01-31T12:00:00Z, and no digest"
        )
    })?;
    Ok(RollBackTo::Time(moment.to_string()))
}
