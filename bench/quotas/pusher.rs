//! Pushers: all at once, to one repository.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use wharf_bench::transactions::push;
use wharf_core::metadata::{
    Accounts, Change, ChangeRequest, Metadata, NewUser, Quota, SetNamespaceQuota,
    SetRepositoryQuota,
};
use wharf_oci::RepositoryName;

use crate::options::Options;

/// Far from the limit, as quotas are most of the time.
const QUOTA: Quota = Quota {
    bytes: Some(1_000_000_000_000_000),
    manifests: Some(1_000_000_000),
    tags: Some(1_000_000_000),
};

/// What is pushed to.
pub trait Store: Metadata + Accounts {}

impl<T: Metadata + Accounts> Store for T {}

/// All pushers at once, by turns to one of the nodes, to one repository of a new namespace. Returns how many images a second they pushed.
pub async fn round(
    nodes: &[Arc<impl Store>],
    namespace: &str,
    limited: bool,
    options: &Options,
) -> Result<f64> {
    let store = nodes.first().context("there is no node")?;
    let name = namespace.parse()?;
    let user = NewUser { name, email: None, password_hash: None, site_admin: false };
    change(&**store, user).await?;
    let repository: RepositoryName = format!("{namespace}/app").parse()?;
    push(&**store, &repository, "the first").await?;
    if limited {
        let (namespace, expected) = (namespace.parse()?, None);
        change(&**store, SetNamespaceQuota { namespace, quota: QUOTA, expected }).await?;
        let (namespace, repository) = (repository.namespace().parse()?, repository.clone());
        change(&**store, SetRepositoryQuota { repository, namespace, quota: QUOTA, expected })
            .await?;
    }
    let begin = Instant::now();
    let pushers = (0..options.pushers).zip(nodes.iter().cycle()).map(|(pusher, store)| {
        let (store, repository, images) = (Arc::clone(store), repository.clone(), options.images);
        tokio::spawn(async move {
            for image in 0..images {
                push(&*store, &repository, &format!("{repository} {pusher} {image}")).await?;
            }
            anyhow::Ok(())
        })
    });
    for pusher in try_join_all(pushers).await? {
        pusher?;
    }
    Ok((options.pushers * options.images) as f64 / begin.elapsed().as_secs_f64())
}

async fn change(
    accounts: &impl Accounts,
    change: impl Into<wharf_core::metadata::AccountChange>,
) -> Result<()> {
    let request = ChangeRequest { change: change.into(), by: "system".into(), once: None };
    ensure!(accounts.change(request).await? == Change::Done, "a change was refused");
    Ok(())
}
