//! `wharf repo`: repositories, their tags and manifests, and how often they were pulled.

mod counts;

use clap::{Args, Subcommand};
use wharf_client::management::{Holder, Manifest, Repository, RepositoryFilter, Tag as TagRecord};
use wharf_core::access::Visibility;
use wharf_core::permissions::AccountName;
use wharf_oci::{Digest, RepositoryName, Tag};

use super::at::{At, Session};
use super::output::{cell, moment, tell};
use super::quota::QuotaChange;
use super::terminal;
use crate::command::admin::visibilities;

/// The arguments of `wharf repo`.
#[derive(Debug, Args)]
pub struct Repo {
    #[command(flatten)]
    at: At,
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// List the repositories that one may pull from
    #[command(visible_alias = "ls")]
    List {
        /// Only those of this user or organization
        namespace: Option<AccountName>,
        /// Only those of this visibility
        #[arg(long, value_parser = visibilities())]
        visibility: Option<Visibility>,
    },
    /// Show a repository
    Show { repository: RepositoryName },
    /// Say who may pull from a repository without a grant
    Visibility {
        repository: RepositoryName,
        #[arg(value_parser = visibilities())]
        visibility: Visibility,
    },
    /// Give a repository another name, which may be in another namespace
    Rename { repository: RepositoryName, to: RepositoryName },
    /// Show or set how much a repository may hold, within what its namespace may
    Quota {
        repository: RepositoryName,
        #[command(flatten)]
        change: QuotaChange,
    },
    /// List the tags of a repository
    Tags { repository: RepositoryName },
    /// List the manifests of a repository
    Manifests { repository: RepositoryName },
    /// Tell how often a repository was pulled
    Counts(counts::Counts),
    /// List the repositories that were pulled most
    Top(counts::Top),
    /// Delete a tag; its manifest stays
    DeleteTag {
        repository: RepositoryName,
        tag: Tag,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Delete a manifest, with all tags on it
    DeleteManifest {
        repository: RepositoryName,
        digest: Digest,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Does it.
pub fn execute(command: &Repo) -> anyhow::Result<()> {
    command.at.run(async |session| run(&session, &command.command).await)
}

async fn run(session: &Session, command: &RepoCommand) -> anyhow::Result<()> {
    let Session { api, out } = session;
    match command {
        RepoCommand::List { namespace, visibility } => {
            let filter = RepositoryFilter {
                namespace: namespace.as_ref().map(AccountName::as_str),
                visibility: visibility.map(Visibility::name),
            };
            let row = |Repository { name, visibility, created_at }| {
                [name, visibility, moment(created_at)]
            };
            out.list(api.repositories(filter), ["name", "visibility", "since"], row).await
        }
        RepoCommand::Show { repository } => {
            let answer = api.repository(repository).await?;
            let Repository { name, visibility, created_at } = answer.value.clone();
            let fields =
                [("name", name), ("visibility", visibility), ("since", moment(created_at))];
            out.one(&answer, &fields)
        }
        RepoCommand::Visibility { repository, visibility } => {
            let answer = api.set_visibility(repository, visibility.name()).await?;
            out.done(&answer, &format!("{repository} is {}", visibility.name()))
        }
        RepoCommand::Rename { repository, to } => {
            let answer = api.rename_repository(repository, to).await?;
            out.done(&answer, &format!("{repository} is {to} now"))
        }
        RepoCommand::Quota { repository, change } => {
            change.run(session, Holder::Repository(repository), repository.as_str()).await
        }
        RepoCommand::Tags { repository } => {
            let row = |TagRecord { name, digest, updated_by, updated_at }| {
                [name, digest, cell(updated_by), moment(updated_at)]
            };
            out.list(api.repository_tags(repository), ["tag", "digest", "by", "at"], row).await
        }
        RepoCommand::Manifests { repository } => {
            let columns = ["digest", "size", "type", "artifact", "by", "at"];
            let row = |manifest: Manifest| {
                let Manifest { digest, media_type, artifact_type, size, pushed_by, pushed_at } =
                    manifest;
                [
                    digest,
                    size.to_string(),
                    media_type,
                    cell(artifact_type),
                    cell(pushed_by),
                    moment(pushed_at),
                ]
            };
            out.list(api.repository_manifests(repository), columns, row).await
        }
        RepoCommand::Counts(counts) => counts.run(session).await,
        RepoCommand::Top(top) => top.run(session).await,
        RepoCommand::DeleteTag { repository, tag, yes } => {
            terminal::confirm(&format!("delete the tag {repository}:{tag}"), *yes).await?;
            api.delete_tag(repository, tag).await?;
            tell(&format!("{repository}:{tag} is deleted"));
            Ok(())
        }
        RepoCommand::DeleteManifest { repository, digest, yes } => {
            let what = format!("{repository}@{digest}");
            terminal::confirm(&format!("delete {what} with all its tags"), *yes).await?;
            api.delete_manifest(repository, digest).await?;
            tell(&format!("{what} is deleted"));
            Ok(())
        }
    }
}
