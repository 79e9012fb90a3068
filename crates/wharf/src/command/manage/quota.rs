//! `wharf org quota` and `wharf repo quota`: how much may be held.

use clap::Args;
use wharf_client::management::{Answer, Holder, Quota};
use wharf_core::metadata;

use super::at::Session;
use super::output::tell;
use crate::config::Bytes;

/// A size that a quota may have.
type Size = Bytes<0, { metadata::Quota::LARGEST }>;

fn size(text: &str) -> Result<u64, String> {
    let size = text.parse::<Size>().map(Size::get);
    size.map_err(|_| "a size is a number of bytes, or one with a unit, such as 10GB".to_owned())
}

/// What becomes of a quota; it is shown where nothing is said.
#[derive(Debug, Args)]
pub struct QuotaChange {
    /// Bytes that it may hold, each blob once, such as 10GB or 512MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    bytes: Option<u64>,
    /// Manifests that it may hold
    #[arg(long, value_name = "NUMBER")]
    manifests: Option<u64>,
    /// Tags that it may hold
    #[arg(long, value_name = "NUMBER")]
    tags: Option<u64>,
    /// Let it hold as much as it likes
    #[arg(long, conflicts_with_all = ["bytes", "manifests", "tags"])]
    remove: bool,
}

impl QuotaChange {
    /// Does it. Limits that are not said are lifted: what is said is the quota.
    pub async fn run(&self, session: &Session, of: Holder<'_>, name: &str) -> anyhow::Result<()> {
        let Session { api, out } = session;
        if self.remove {
            api.remove_quota(of).await?;
            tell(&format!("{name} has no quota"));
            return Ok(());
        }
        let quota = Quota { bytes: self.bytes, manifests: self.manifests, tags: self.tags };
        if quota == Quota::default() {
            return show(session, &api.quota(of).await?);
        }
        let answer = api.set_quota(of, &quota).await?;
        out.done(&answer, &format!("the quota of {name} is set"))
    }
}

fn show(session: &Session, answer: &Answer<Quota>) -> anyhow::Result<()> {
    let Quota { bytes, manifests, tags } = answer.value;
    let number = |limit: Option<u64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    session.out.one(
        answer,
        &[
            ("bytes", bytes.map(|limit| metadata::Bytes(limit).to_string()).unwrap_or_default()),
            ("manifests", number(manifests)),
            ("tags", number(tags)),
        ],
    )
}
