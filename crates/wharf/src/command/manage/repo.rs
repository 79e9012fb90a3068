//! `wharf repo`: repositories, their tags and manifests, and how often they were pulled.

mod counts;
mod retention;
mod writes;

use clap::{Args, Subcommand};
use wharf_client::management::{
    DeletedManifest, DeletedRepository, Holder, Manifest, Repository, RepositoryFilter, TagFilter,
    TagRecord,
};
use wharf_core::access::Visibility;
use wharf_core::permissions::AccountName;
use wharf_core::writes::WriteMode;
use wharf_oci::{Digest, RepositoryName, Tag};

use super::at::{At, Session};
use super::output::{cell, moment, tell};
use super::policy::RepoPolicy;
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
    /// Refuse all that writes to a repository
    ReadOnly(writes::Closing),
    /// Let pushes to a repository finish that are under way, refuse others, then make it read-only
    Drain(writes::Closing),
    /// Let a repository be written to again
    Writable { repository: RepositoryName },
    /// Tell whether a repository may be written to, and which pushes are under way
    Writes { repository: RepositoryName },
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
    /// List the manifests, or the repositories, that were deleted and can be brought back by `wharf restore`
    #[command(group(clap::ArgGroup::new("of").required(true)))]
    Deleted {
        /// The manifests of this repository
        #[arg(group = "of")]
        repository: Option<RepositoryName>,
        /// The repositories of this user or organization
        #[arg(long, group = "of")]
        namespace: Option<AccountName>,
    },
    /// Say which tags freeze, and look which are frozen
    #[command(subcommand)]
    Policy(RepoPolicy),
    /// Tell how often a repository was pulled
    Counts(counts::Counts),
    /// List the repositories that were pulled most
    Top(counts::Top),
    /// Say which tags of a repository are kept, and see which would go
    Retention(retention::Retention),
    /// Delete a repository with all that it holds; for a while `wharf restore --repository` brings it back
    Delete {
        repository: RepositoryName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
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
        RepoCommand::ReadOnly(closing) => closing.run(session, WriteMode::ReadOnly).await,
        RepoCommand::Drain(closing) => closing.run(session, WriteMode::Draining).await,
        RepoCommand::Writable { repository } => {
            writes::set(session, repository, WriteMode::Writable, None).await
        }
        RepoCommand::Writes { repository } => writes::show(session, repository).await,
        RepoCommand::Quota { repository, change } => {
            change.run(session, Holder::Repository(repository), repository.as_str()).await
        }
        RepoCommand::Tags { repository } => {
            let row = |TagRecord { name, digest, updated_by, updated_at, .. }| {
                [name, cell(digest), cell(updated_by), moment(updated_at)]
            };
            let pages = api.tags(repository, TagFilter::default());
            out.list(pages, ["tag", "digest", "by", "at"], row).await
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
        RepoCommand::Deleted { namespace: Some(namespace), .. } => {
            let columns = ["repository", "number", "by", "at", "until"];
            let row = |deleted: DeletedRepository| {
                let DeletedRepository { number, name, deleted_by, deleted_at, restorable_until } =
                    deleted;
                [name, number.to_string(), deleted_by, moment(deleted_at), moment(restorable_until)]
            };
            out.list(api.deleted_repositories(namespace.as_str()), columns, row).await
        }
        RepoCommand::Deleted { repository: None, namespace: None } => {
            anyhow::bail!("name a repository, or a user or organization by --namespace")
        }
        RepoCommand::Deleted { repository: Some(repository), namespace: None } => {
            let columns = ["digest", "by", "at", "until", "tags"];
            let row =
                |DeletedManifest { digest, deleted_by, deleted_at, restorable_until, tags }| {
                    let tags = Some(tags.join(",")).filter(|tags| !tags.is_empty());
                    [digest, deleted_by, moment(deleted_at), moment(restorable_until), cell(tags)]
                };
            out.list(api.deleted(repository), columns, row).await
        }
        RepoCommand::Policy(policy) => policy.run(session).await,
        RepoCommand::Counts(counts) => counts.run(session).await,
        RepoCommand::Top(top) => top.run(session).await,
        RepoCommand::Retention(retention) => retention.run(session).await,
        RepoCommand::Delete { repository, yes } => {
            let what = format!("delete {repository} with all its manifests and tags");
            terminal::confirm(&what, *yes).await?;
            api.delete_repository(repository).await?;
            tell(&format!(
                "{repository} is deleted; `wharf restore {repository} --repository` brings it back"
            ));
            Ok(())
        }
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
