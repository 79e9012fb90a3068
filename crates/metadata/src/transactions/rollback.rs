//! A tag that goes back to where it stood.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    Change as Made, KnownTag, NoPlace, Reason, RollBackOutcome, RollBackTag, RollBackTo, Stood,
    TagChange,
};
use wharf_oci::{Digest, Tag};

use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::accounts::{forget_mark, mark};
use crate::transactions::audit;
use crate::transactions::holding::hold;
use crate::transactions::tag_history::{known_since, last_change, stood};
use crate::transactions::tags::{self, Change, Guard};
use crate::transactions::writes::{self, Work};

#[async_trait]
impl Transaction for RollBackTag {
    type Output = RollBackOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<RollBackOutcome> {
        if let Some(once) = &self.once {
            match mark(on, &self.by, once).await? {
                None => {}
                Some(Made::Again) => return Ok(RollBackOutcome::Again),
                Some(_) => return Ok(RollBackOutcome::KeyReused),
            }
        }
        let outcome = self.roll_back(on).await?;
        if let (Some(once), false) = (&self.once, matches!(outcome, RollBackOutcome::Done(_))) {
            forget_mark(on, &self.by, once).await?;
        }
        Ok(outcome)
    }
}

/// Where the tag stood, the manifest and the version that it had there; or why it cannot go back.
type Place = std::result::Result<(Digest, i64), RollBackOutcome>;

/// Parts of it.
trait RollBack {
    async fn roll_back(&self, on: &mut dyn Statements) -> Result<RollBackOutcome>;

    /// Where the tag is to go.
    async fn place(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        last: &TagChange,
    ) -> Result<Place>;
}

impl RollBack for RollBackTag {
    async fn roll_back(&self, on: &mut dyn Statements) -> Result<RollBackOutcome> {
        let Some(repository) = writes::enter(on, &self.repository, Work::Change).await? else {
            return Ok(RollBackOutcome::NotFound);
        };
        let standing = tags::standing(on, repository, &self.tag).await?;
        let Some(last) = last_change(on, repository, &self.tag).await? else {
            return Ok(RollBackOutcome::NotFound);
        };
        let is_stale = |expected: &KnownTag| {
            expected.version != last.version || expected.at.is_some_and(|at| at != last.at)
        };
        if self.expected.as_ref().is_some_and(is_stale) {
            return Ok(RollBackOutcome::Stale(last.version));
        }
        let (digest, version) = match self.place(on, repository, &last).await? {
            Ok(place) => place,
            Err(outcome) => return Ok(outcome),
        };
        if standing.is_some_and(|standing| standing.digest == digest) {
            return Ok(RollBackOutcome::Unchanged);
        }
        if let Some(missing) = hold(on, repository, &digest).await? {
            return Ok(RollBackOutcome::Gone(missing));
        }
        let (by, now) = (&self.by.by, on.now().await?);
        let mut guard = Guard::new(Some(repository), &self.repository, now);
        let allowed = match guard.allow(on, &self.tag, standing, Some(digest)).await? {
            Ok(Some(allowed)) => allowed,
            Ok(None) => return Ok(RollBackOutcome::Unchanged),
            Err(frozen) => return Ok(RollBackOutcome::Frozen(frozen)),
        };
        let change = Change { repository, by, now, reason: Reason::RolledBack(version) };
        change.make(on, &allowed).await?;
        let target = format!("repository:{}:{}", self.repository, self.tag);
        let detail = match standing {
            Some(standing) => format!("from={} to={digest} version={version}", standing.digest),
            None => format!("to={digest} version={version}"),
        };
        let namespace = self.repository.namespace();
        audit::record(on, &self.by, "tag.rollback", target, namespace, detail).await?;
        let done = last_change(on, repository, &self.tag).await?;
        let lost = || StoreError::Corrupt("a tag moved without a history".into());
        done.map(RollBackOutcome::Done).ok_or_else(lost)
    }

    async fn place(
        &self,
        on: &mut dyn Statements,
        repository: i64,
        last: &TagChange,
    ) -> Result<Place> {
        match &self.to {
            RollBackTo::Previous => previous(on, repository, last).await,
            RollBackTo::Version(version) => at_version(on, repository, last, *version).await,
            RollBackTo::Time(at) => at_time(on, repository, &self.tag, *at).await,
            RollBackTo::Digest(digest) => at_digest(on, repository, &self.tag, digest).await,
        }
    }
}

/// Where a change led from is known even where the one that led there is forgotten.
async fn previous(on: &mut dyn Statements, repository: i64, last: &TagChange) -> Result<Place> {
    let rows = on
        .query(
            "SELECT from_digest, version - 1 FROM tag_history
             WHERE repository_id = $1 AND name = $2 AND from_digest IS NOT NULL
                 AND ($3 IS NULL OR from_digest <> $3)
             ORDER BY version DESC LIMIT 1",
            arguments![repository, last.tag.as_str(), last.to],
        )
        .await?;
    match rows.first() {
        Some(row) => Ok(Ok((row.digest(0)?, row.int(1)?))),
        None => none(on, repository, &last.tag, NoPlace::NothingBefore).await,
    }
}

async fn at_version(
    on: &mut dyn Statements,
    repository: i64,
    last: &TagChange,
    version: i64,
) -> Result<Place> {
    if !(1..=last.version).contains(&version) {
        return Ok(Err(RollBackOutcome::NoPlace(NoPlace::NoVersion(version))));
    }
    let sql = "SELECT to_digest FROM tag_history
               WHERE repository_id = $1 AND name = $2 AND version = $3";
    let rows = on.query(sql, arguments![repository, last.tag.as_str(), version]).await?;
    match rows.first().map(|row| row.optional_digest(0)).transpose()? {
        Some(Some(digest)) => Ok(Ok((digest, version))),
        Some(None) => Ok(Err(RollBackOutcome::NoPlace(NoPlace::Deletion(version)))),
        None => none(on, repository, &last.tag, NoPlace::NoVersion(version)).await,
    }
}

async fn at_time(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
    at: Timestamp,
) -> Result<Place> {
    if at > on.now().await? {
        return Ok(Err(RollBackOutcome::NoPlace(NoPlace::ToCome)));
    }
    Ok(match stood(on, repository, tag, at).await? {
        Stood::At(then) => Ok((then.digest, then.version)),
        Stood::Nowhere => Err(RollBackOutcome::NoPlace(NoPlace::NotThen)),
        Stood::Forgotten(since) => Err(RollBackOutcome::Forgotten(since)),
    })
}

async fn at_digest(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
    digest: &Digest,
) -> Result<Place> {
    let sql = "SELECT version FROM tag_history
               WHERE repository_id = $1 AND name = $2 AND to_digest = $3
               ORDER BY version DESC LIMIT 1";
    let rows = on.query(sql, arguments![repository, tag.as_str(), digest]).await?;
    match rows.first() {
        Some(row) => Ok(Ok((*digest, row.int(0)?))),
        None => Ok(Err(RollBackOutcome::NoPlace(NoPlace::NeverAt(*digest)))),
    }
}

/// Why there is no such place: that part of the history is forgotten, or the reason that is left.
async fn none(
    on: &mut dyn Statements,
    repository: i64,
    tag: &Tag,
    reason: NoPlace,
) -> Result<Place> {
    let forgotten = known_since(on, repository, tag).await?;
    Ok(Err(forgotten.map_or(RollBackOutcome::NoPlace(reason), RollBackOutcome::Forgotten)))
}
