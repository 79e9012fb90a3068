//! `wharf du`: how much is held, and what sharing saves.

use clap::Args;
use wharf_client::management::{Answer, Holder, Quota, Usage};
use wharf_core::metadata::Bytes;
use wharf_core::permissions::AccountName;
use wharf_oci::RepositoryName;

use super::at::{At, Session};
use super::output::{moment, yes};

/// The arguments of `wharf du`.
#[derive(Debug, Args)]
pub struct Du {
    #[command(flatten)]
    at: At,
    /// That of an organization, or of a user
    #[arg(long, value_name = "NAME", visible_alias = "namespace")]
    org: Option<AccountName>,
    /// With each of its repositories in a line
    #[arg(long, requires = "org")]
    each: bool,
    /// That of a repository
    #[arg(long, value_name = "NAME", conflicts_with = "org")]
    repository: Option<RepositoryName>,
}

/// Tells it: of all of the registry where nothing is said, for its administrators.
pub fn execute(command: &Du) -> anyhow::Result<()> {
    command.at.run(async |session| {
        let Session { api, out } = &session;
        if let Some(repository) = &command.repository {
            return show(&session, &api.usage(Holder::Repository(repository)).await?);
        }
        let Some(org) = &command.org else { return all(&session).await };
        if !command.each {
            return show(&session, &api.usage(Holder::Namespace(org.as_str())).await?);
        }
        let columns =
            ["repository", "referenced", "bytes", "saved", "reserved", "manifests", "tags"];
        let row = |usage: Usage| {
            [
                usage.name,
                Bytes(usage.referenced_bytes).in_a_unit(),
                Bytes(usage.bytes).in_a_unit(),
                Bytes(usage.saved_bytes).in_a_unit(),
                Bytes(usage.reserved_bytes).in_a_unit(),
                usage.manifests.to_string(),
                usage.tags.to_string(),
            ]
        };
        out.list(api.usage_of_repositories(org.as_str()), columns, row).await
    })
}

async fn all(session: &Session) -> anyhow::Result<()> {
    let answer = session.api.all_usage().await?;
    let all = &answer.value;
    session.out.one(
        &answer,
        &[
            ("referenced", Bytes(all.referenced_bytes).to_string()),
            ("in namespaces", Bytes(all.namespace_bytes).to_string()),
            ("stored", Bytes(all.stored_bytes).to_string()),
            ("saved", saved(all.saved_bytes, all.referenced_bytes)),
            ("blobs", all.blobs.to_string()),
            ("manifests", all.manifests.to_string()),
            ("tags", all.tags.to_string()),
            ("counted", moment(all.counted_at.clone())),
        ],
    )
}

fn show(session: &Session, answer: &Answer<Usage>) -> anyhow::Result<()> {
    let usage = &answer.value;
    let Quota { bytes, manifests, tags } = usage.quota;
    let of = |used: String, limit: Option<String>| match limit {
        Some(limit) => format!("{used} of {limit}"),
        None => used,
    };
    let number = |limit: Option<u64>| limit.map(|limit| limit.to_string());
    session.out.one(
        answer,
        &[
            ("referenced", Bytes(usage.referenced_bytes).to_string()),
            (
                "bytes",
                of(Bytes(usage.bytes).to_string(), bytes.map(|limit| Bytes(limit).to_string())),
            ),
            ("saved", saved(usage.saved_bytes, usage.referenced_bytes)),
            ("reserved", Bytes(usage.reserved_bytes).to_string()),
            ("manifests", of(usage.manifests.to_string(), number(manifests))),
            ("tags", of(usage.tags.to_string(), number(tags))),
            ("complete", yes(usage.complete)),
        ],
    )
}

/// What is saved, with its share in percent.
fn saved(bytes: u64, of: u64) -> String {
    match u128::from(bytes).checked_mul(100).and_then(|all| all.checked_div(u128::from(of))) {
        Some(percent) => format!("{}, {percent} %", Bytes(bytes)),
        None => Bytes(bytes).to_string(),
    }
}
