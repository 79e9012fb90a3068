//! `wharf repo counts` and `wharf repo top`: how often what was pulled or pushed.

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::{SignedDuration, Timestamp as Moment};
use wharf_client::management::{Count, CountFilter, TopManifest, TopRepository};
use wharf_core::permissions::AccountName;
use wharf_oci::{Digest, RepositoryName};

use crate::command::manage::at::Session;

/// What is counted, and when.
#[derive(Debug, Args)]
struct When {
    /// What is counted
    #[arg(long, default_value = "pull", value_parser = PossibleValuesParser::new(["pull", "push", "index-pull"]))]
    kind: String,
    /// In the last so many days
    #[arg(long, default_value_t = 7, conflicts_with_all = ["since", "until"])]
    days: u16,
    /// From this moment on, such as 2026-01-31T00:00:00Z
    #[arg(long)]
    since: Option<Moment>,
    /// Before this moment
    #[arg(long)]
    until: Option<Moment>,
}

impl When {
    fn filter(&self) -> anyhow::Result<CountFilter> {
        let from = match (self.since, self.until) {
            (None, None) => {
                let span = SignedDuration::from_hours(i64::from(self.days) * 24);
                Some(Moment::now().checked_sub(span)?)
            }
            (since, _) => since,
        };
        Ok(CountFilter {
            kind: Some(self.kind.clone()),
            from: from.map(|moment| moment.to_string()),
            to: self.until.map(|moment| moment.to_string()),
        })
    }
}

/// The arguments of `wharf repo counts`.
#[derive(Debug, Args)]
pub struct Counts {
    repository: RepositoryName,
    /// In steps of this length; days are those of UTC
    #[arg(long, default_value = "day", value_parser = PossibleValuesParser::new(["hour", "day"]))]
    by: String,
    /// Of this manifest alone
    #[arg(long, value_name = "DIGEST")]
    manifest: Option<Digest>,
    /// The manifests that were pulled most instead, so many of them
    #[arg(long, value_name = "N", conflicts_with_all = ["by", "manifest"])]
    top: Option<u16>,
    #[command(flatten)]
    when: When,
}

impl Counts {
    /// Prints them.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let (api, filter) = (&session.api, self.when.filter()?);
        if let Some(places) = self.top {
            let row = |TopManifest { digest, count }| [digest, count.to_string()];
            let pages = api.top_manifests(&self.repository, filter, places.max(1).into());
            return session.out.list(pages, ["digest", "count"], row).await;
        }
        let manifest = self.manifest.map(|digest| digest.to_string());
        let pages = api.counts(&self.repository, filter, manifest, &self.by);
        let row = |Count { at, count }| [at, count.to_string()];
        session.out.list(pages, [self.by.as_str(), "count"], row).await
    }
}

/// The arguments of `wharf repo top`.
#[derive(Debug, Args)]
pub struct Top {
    /// All of this user or organization, for who administers it; else the public ones everywhere
    namespace: Option<AccountName>,
    /// How many
    #[arg(long, default_value_t = 10)]
    limit: u16,
    #[command(flatten)]
    when: When,
}

impl Top {
    /// Prints them.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let namespace = self.namespace.as_ref().map(AccountName::as_str);
        let filter = self.when.filter()?;
        let pages = session.api.top_repositories(namespace, filter, self.limit.max(1).into());
        let row = |TopRepository { repository, count }| [repository, count.to_string()];
        session.out.list(pages, ["repository", "count"], row).await
    }
}
