//! What was deleted is listed and brought back: by a push of what it was, which asks all that a push asks.

mod lost;

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, DeletedManifest, ListDeleted, MOST_TAGS, MOST_TAGS_LISTED,
    Precondition, Reason, Restore, RestoreOutcome, TooMuch,
};
use wharf_oci::{Digest, Hasher, Manifest, Reference, Tag};

use self::lost::lost;
use crate::engine::{Dialect, Result, Statements, Transaction, arguments};
use crate::transactions::holding::digests;
use crate::transactions::manifests::{Commit, is_held};
use crate::transactions::tag_history::last_change;
use crate::transactions::{audit, repositories, tags};

#[async_trait]
impl Transaction for ListDeleted {
    type Output = Option<Vec<DeletedManifest>>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(None);
        };
        let before = on.now().await?.before(self.grace);
        let after = self.after.map(|digest| digest.to_binary()).unwrap_or_default();
        let rows = on
            .query(
                "SELECT d.digest, d.deleted_by, d.deleted_at FROM deleted_manifests d
                 WHERE d.repository_id = $1 AND d.digest > $2 AND d.deleted_at > $3
                   AND NOT EXISTS (SELECT 1 FROM repository_manifests h
                                   WHERE h.repository_id = d.repository_id AND h.digest = d.digest)
                 ORDER BY d.digest LIMIT $4",
                arguments![repository, after.as_slice(), before, self.limit],
            )
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let (digest, deleted_at) = (row.digest(0)?, Timestamp(row.int(2)?));
            let tags = tags_of(on, repository, &digest, deleted_at, MOST_TAGS_LISTED).await?;
            found.push(DeletedManifest {
                digest,
                deleted_by: row.text(1)?.to_owned(),
                deleted_at,
                tags,
            });
        }
        Ok(Some(found))
    }
}

/// The tags that went with a manifest at that moment, and of which nothing was heard since; `limit` of them at most. Whether that was the last
/// change is asked row by row, by the key: as a join, PostgreSQL compares each change with each other one where it has no statistics yet.
async fn tags_of(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    deleted_at: Timestamp,
    limit: usize,
) -> Result<Vec<Tag>> {
    let rows = on
        .query(
            "SELECT h.name FROM tag_history h
             WHERE h.repository_id = $1 AND h.changed_at = $2 AND h.action = 'delete' AND h.from_digest = $3
               AND h.version = (SELECT max(l.version) FROM tag_history l
                                WHERE l.repository_id = h.repository_id AND l.name = h.name)
             ORDER BY h.name LIMIT $4",
            arguments![repository, deleted_at, digest, limit],
        )
        .await?;
    rows.iter().map(|row| row.parsed(0)).collect()
}

/// When a manifest was deleted that can be brought back.
async fn deleted_at(
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    before: Timestamp,
) -> Result<Option<Timestamp>> {
    let rows = on
        .query(
            "SELECT deleted_at FROM deleted_manifests
             WHERE repository_id = $1 AND digest = $2 AND deleted_at > $3",
            arguments![repository, digest, before],
        )
        .await?;
    rows.first().map(|row| row.int(0).map(Timestamp)).transpose()
}

#[async_trait]
impl Transaction for Restore {
    type Output = RestoreOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<RestoreOutcome> {
        let Some(repository) = repositories::find(on, &self.repository).await? else {
            return Ok(RestoreOutcome::NotDeleted);
        };
        let before = on.now().await?.before(self.grace);
        let (digest, tags) = match &self.what {
            Reference::Digest(digest) => {
                if is_held(on, repository, digest).await? {
                    return Ok(RestoreOutcome::NotDeleted);
                }
                let Some(at) = deleted_at(on, repository, digest, before).await? else {
                    return Ok(RestoreOutcome::NotDeleted);
                };
                let tags = tags_of(on, repository, digest, at, MOST_TAGS + 1).await?;
                if tags.len() > MOST_TAGS {
                    return Err(TooMuch::TagsBack(*digest).into());
                }
                (*digest, tags)
            }
            Reference::Tag(tag) => {
                if let Some(standing) = tags::standing(on, repository, tag).await? {
                    return Ok(RestoreOutcome::Stands(standing.digest));
                }
                // Where it stood, if its last change is that it was deleted, and not longer ago.
                let last = last_change(on, repository, tag).await?;
                let deleted = last.filter(|last| last.to.is_none() && last.at > before);
                match deleted.and_then(|last| last.from) {
                    Some(digest) => (digest, vec![tag.clone()]),
                    None => return Ok(RestoreOutcome::NotDeleted),
                }
            }
        };
        let lost = match lost(on, repository, digest, before).await? {
            Ok(lost) => lost,
            Err(outcome) => return Ok(outcome),
        };
        // What is needed comes before what needs it. All are asked about first, so that nothing comes back of what would not be whole.
        let manifests = lost.len();
        let tags_on = |it: &Digest| if *it == digest { tags.clone() } else { Vec::new() };
        let needed = lost.iter().filter(|needed| **needed != digest).chain([&digest]);
        for it in needed.clone() {
            let Some(commit) = stored(self, on, it, tags_on(it)).await? else {
                return Ok(RestoreOutcome::Lost(*it));
            };
            if let Some(refused) = refusal(&commit, on, repository, &lost).await? {
                return Ok(RestoreOutcome::Refused(refused));
            }
        }
        for it in needed {
            push(self, on, repository, it, tags_on(it)).await?;
        }
        let target = format!("repository:{}@{digest}", self.repository);
        let told = audit::tags_of(tags.iter().map(Tag::as_str));
        let detail = format!("manifests={manifests} tags={told}");
        let namespace = self.repository.namespace();
        audit::record(on, &self.by, "manifest.restore", target, namespace, detail).await?;
        Ok(RestoreOutcome::Restored { digest, tags, manifests })
    }
}

/// The push of a manifest as it was; `None` where its bytes are forgotten.
async fn stored(
    restore: &Restore,
    on: &mut dyn Statements,
    digest: &Digest,
    tags: Vec<Tag>,
) -> Result<Option<CommitManifest>> {
    let rows =
        on.query("SELECT payload FROM manifests WHERE digest = $1", arguments![digest]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let payload = Bytes::copy_from_slice(row.bytes(0)?);
    let is = Hasher::digest(digest.algorithm(), &payload);
    if is != *digest {
        let text = format!("the manifest {digest} is stored damaged, as the bytes of {is}");
        return Err(StoreError::Corrupt(text));
    }
    let manifest = Manifest::parse(&payload, None).map_err(|error| {
        StoreError::Corrupt(format!("the manifest {digest} is stored and cannot be read: {error}"))
    })?;
    Ok(Some(CommitManifest {
        repository: restore.repository.clone(),
        digest: *digest,
        payload,
        manifest,
        tags,
        precondition: Precondition::None,
        by: restore.by.clone(),
    }))
}

/// Why that push would be refused, once those of `lost` that it needs are back.
async fn refusal(
    commit: &CommitManifest,
    on: &mut dyn Statements,
    repository: i64,
    lost: &[Digest],
) -> Result<Option<CommitOutcome>> {
    let now = on.now().await?;
    let standings = match commit.standings(on, Some(repository)).await? {
        Ok(standings) => standings,
        Err(refused) => return Ok(Some(refused)),
    };
    if let Err(frozen) = commit.moves(on, Some(repository), standings, now).await? {
        return Ok(Some(CommitOutcome::Frozen(frozen)));
    }
    let held = commit.held_blobs(on, Some(repository)).await?;
    let below = commit.below(on, Some(repository)).await?;
    let mut missing = commit.missing(&held, &below);
    let kept = hidden(on, repository, &commit.digest).await?;
    missing.retain(|digest| !lost.contains(digest) && !kept.contains(digest));
    Ok((!missing.is_empty()).then_some(CommitOutcome::Missing(missing)))
}

/// The memberships of the repository `$1` of blobs of the manifest `$2` that were deleted by hand.
const fn hidden_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT blob_digest FROM repository_blobs
             WHERE repository_id = $1 AND removed = 1 AND blob_digest IN
                 (SELECT blob_digest FROM blob_references WHERE manifest_digest = $2)"
        }
        Dialect::Postgres => {
            "SELECT h.blob_digest FROM blob_references r, LATERAL
                 (SELECT blob_digest FROM repository_blobs
                  WHERE repository_id = $1 AND removed = 1 AND blob_digest = r.blob_digest OFFSET 0) h
             WHERE r.manifest_digest = $2"
        }
    }
}

/// The blobs of a manifest that were deleted by hand, and are kept until it cannot be brought back any more.
async fn hidden(
    on: &mut dyn Statements,
    repository: i64,
    manifest: &Digest,
) -> Result<BTreeSet<Digest>> {
    digests(&on.query(hidden_of(on.dialect()), arguments![repository, manifest]).await?)
}

/// Pushes a manifest as it was, and has it look as it did.
///
/// # Errors
/// Where it is refused after all, which takes back what else was pushed.
async fn push(
    restore: &Restore,
    on: &mut dyn Statements,
    repository: i64,
    digest: &Digest,
    tags: Vec<Tag>,
) -> Result<()> {
    // What was deleted by hand since comes back with it.
    let hidden = hidden(on, repository, digest).await?;
    let hidden = hidden.into_iter().map(|blob| arguments![repository, blob].to_vec());
    on.execute_each(
        "UPDATE repository_blobs SET removed = 0 WHERE repository_id = $1 AND blob_digest = $2",
        &hidden.collect::<Vec<_>>(),
    )
    .await?;
    let outcome = match stored(restore, on, digest, tags).await? {
        Some(commit) => Some(commit.commit(on, Reason::Restored).await?),
        None => None,
    };
    if outcome != Some(CommitOutcome::Committed) {
        let text = format!("what {digest} needs was deleted while it was brought back");
        return Err(StoreError::Unavailable(text));
    }
    on.execute(
        "UPDATE repository_manifests SET
             pushed_by = coalesce((SELECT d.pushed_by FROM deleted_manifests d
                 WHERE d.repository_id = $1 AND d.digest = $2), pushed_by),
             pushed_at = coalesce((SELECT d.pushed_at FROM deleted_manifests d
                 WHERE d.repository_id = $1 AND d.digest = $2), pushed_at)
         WHERE repository_id = $1 AND digest = $2",
        arguments![repository, digest],
    )
    .await?;
    on.execute(
        "DELETE FROM deleted_manifests WHERE repository_id = $1 AND digest = $2",
        arguments![repository, digest],
    )
    .await?;
    Ok(())
}
