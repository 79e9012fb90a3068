//! Uploads: progress, and the two steps (reserve, finish) between which the object is put in place.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blob_life::{self, Mark, Placement, Stage};
use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    FinishOutcome, FinishUpload, HoldUpload, Progress, Quota, ReserveBlob, ReserveOutcome,
    StartUpload, Upload,
};
use wharf_core::{StoreError, UploadId};
use wharf_oci::{HashState, RepositoryName};

use crate::engine::{Result, Row, Statements, Transaction, arguments};
use crate::transactions::garbage::marks;
use crate::transactions::integrity::repair::{Mending, replaced};
use crate::transactions::usage::{Change, Charge, Limits, charge, has_room};
use crate::transactions::writes::{self, Work};
use crate::transactions::{memberships, repositories};

#[async_trait]
impl Transaction for StartUpload {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let found = writes::enter(on, &self.repository, Work::PushBy(&self.principal)).await?;
        let repository = repositories::or_create(on, found, &self.repository, now).await?;
        let id = self.id.to_bytes();
        let rows = on.query(
            "INSERT INTO uploads
                 (id, repository_id, principal, staged_bytes, digest_state, parts, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             RETURNING CASE WHEN EXISTS (SELECT 1 FROM usage_scopes s
                                         WHERE s.namespace = $9 AND s.repository_id IN (0, $2)
                                           AND s.max_bytes IS NOT NULL) THEN 1 ELSE 0 END",
            arguments![
                id.as_slice(),
                repository,
                self.principal.as_str(),
                self.staged.offset,
                self.hash.as_bytes(),
                self.staged.parts.as_slice(),
                now,
                now.after(self.lifetime),
                self.repository.namespace(),
            ],
        )
        .await?;
        let is_limited = match rows.first() {
            Some(row) => row.int(0)? != 0,
            None => false,
        };
        let upload = LockedUpload { id: self.id, repository, held: 0 };
        match self.announced {
            Some(bytes) if is_limited => upload.hold(on, bytes).await?,
            None if is_limited && !has_room(on, repository).await? => {
                // There may be room that others have taken and do not use.
                upload.hold(on, 1).await?;
            }
            _ => {}
        }
        Ok(is_limited)
    }
}

/// `Uploads::find_upload`
pub(crate) struct Find {
    pub(crate) repository: RepositoryName,
    pub(crate) id: UploadId,
}

/// `Uploads::resume_upload`
pub(crate) struct Resume(pub(crate) Find);

#[async_trait]
impl Transaction for Resume {
    type Output = Option<Upload>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let found = self.0.run(on).await?;
        if found.is_some() {
            writes::enter(on, &self.0.repository, Work::Bytes).await?;
        }
        Ok(found)
    }
}

#[async_trait]
impl Transaction for Find {
    type Output = Option<Upload>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let rows = on
            .query(
                "SELECT u.id, u.principal, u.staged_bytes, u.parts, u.digest_state,
                        CASE WHEN EXISTS (SELECT 1 FROM usage_scopes s
                                          WHERE s.namespace = $1 AND s.repository_id IN (0, r.id)
                                            AND s.max_bytes IS NOT NULL) THEN 1 ELSE 0 END
                 FROM uploads u JOIN repositories r ON r.id = u.repository_id
                 WHERE u.id = $2 AND r.name = $3 AND u.expires_at > $4",
                arguments![
                    self.repository.namespace(),
                    self.id.to_bytes().as_slice(),
                    self.repository.as_str(),
                    now
                ],
            )
            .await?;
        rows.first().map(upload).transpose()
    }
}

fn upload(row: &Row) -> Result<Upload> {
    let id = row
        .bytes(0)?
        .try_into()
        .map_err(|_| StoreError::Corrupt("an upload's name has the wrong length".into()))?;
    Ok(Upload {
        id: UploadId::from_bytes(id),
        principal: row.text(1)?.to_owned(),
        staged: Staged { offset: row.size(2)?, parts: row.bytes(3)?.to_vec() },
        hash: HashState::from_bytes(row.bytes(4)?.to_vec()),
        is_limited: row.int(5)? != 0,
    })
}

#[async_trait]
impl Transaction for Progress {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let changed = on
            .execute(
                "UPDATE uploads SET staged_bytes = $1, parts = $2, digest_state = $3, expires_at = $4
                 WHERE id = $5 AND staged_bytes = $6 AND expires_at > $7",
                arguments![
                    self.staged.offset,
                    self.staged.parts.as_slice(),
                    self.hash.as_bytes(),
                    now.after(self.lifetime),
                    self.id.to_bytes().as_slice(),
                    self.from_offset,
                    now,
                ],
            )
            .await?;
        Ok(changed > 0)
    }
}

#[async_trait]
impl Transaction for HoldUpload {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let Some(upload) = open_upload(on, self.id, now.0).await? else { return Ok(false) };
        upload.hold(on, self.bytes).await?;
        Ok(true)
    }
}

/// `Uploads::touch_upload`
pub(crate) struct Touch {
    pub(crate) id: UploadId,
    pub(crate) lifetime: Duration,
}

#[async_trait]
impl Transaction for Touch {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let changed = on
            .execute(
                "UPDATE uploads SET expires_at = $1 WHERE id = $2 AND expires_at > $3",
                arguments![now.after(self.lifetime), self.id.to_bytes().as_slice(), now],
            )
            .await?;
        Ok(changed > 0)
    }
}

#[async_trait]
impl Transaction for ReserveBlob {
    type Output = ReserveOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<ReserveOutcome> {
        let now = on.now().await?;
        if open_upload(on, self.id, now.0).await?.is_none() {
            return Ok(ReserveOutcome::NoUpload);
        }
        let current = marks::current(on, &self.digest).await?;
        let Placement { key, is_new, write } = blob_life::place(&current);
        marks::write(on, write, now).await?;
        if is_new {
            make_current(on, &key).await?;
        }
        on.execute(
            "INSERT INTO blob_reservations (digest, upload_id, incarnation, deadline) VALUES ($1, $2, $3, $4)
             ON CONFLICT (digest, upload_id) DO UPDATE SET
                 incarnation = excluded.incarnation, deadline = excluded.deadline",
            arguments![
                self.digest,
                self.id.to_bytes().as_slice(),
                i64::from(key.incarnation),
                now.after(self.time_limit),
            ],
        )
        .await?;
        Ok(ReserveOutcome::Reserved(key))
    }
}

/// Records the key of a blob that memberships are of. Of two that record one of the same blob the later one begins again.
pub(super) async fn make_current(on: &mut dyn Statements, key: &ObjectKey) -> Result<()> {
    on.execute(
        "INSERT INTO blob_incarnations (digest, incarnation) VALUES ($1, $2)
         ON CONFLICT (digest) DO UPDATE SET incarnation = excluded.incarnation",
        arguments![key.digest, i64::from(key.incarnation)],
    )
    .await
    .map(drop)
}

/// Takes away what an upload had reserved, and tells whether it had that still.
pub(super) async fn take_reservation(
    on: &mut dyn Statements,
    id: UploadId,
    key: &ObjectKey,
    now: Timestamp,
) -> Result<bool> {
    let taken = on
        .execute(
            "DELETE FROM blob_reservations
             WHERE digest = $1 AND upload_id = $2 AND incarnation = $3 AND deadline > $4",
            arguments![key.digest, id.to_bytes().as_slice(), i64::from(key.incarnation), now],
        )
        .await?;
    Ok(taken > 0)
}

#[async_trait]
impl Transaction for FinishUpload {
    type Output = FinishOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<FinishOutcome> {
        let now = on.now().await?;
        let Some(upload) = open_upload(on, self.id, now.0).await? else {
            return Ok(FinishOutcome::Lost);
        };
        writes::finishes(on, upload.repository, &self.id.to_bytes(), now).await?;
        let digest = &self.key.digest;
        let reserved = take_reservation(on, self.id, &self.key, now).await?;
        let current = marks::current(on, digest).await?;
        let placed = marks::placed(on, &current, self.key, reserved).await?;
        let Some(finish) = blob_life::finish(&current, &placed) else {
            // The upload is still there, and is charged until it ends; what it had reserved is not, and nobody else would let go of it.
            if reserved {
                marks::write(on, blob_life::let_go(&current), now).await?;
            }
            return Ok(FinishOutcome::Lost);
        };
        marks::write(on, finish.before, now).await?;
        marks::write(on, finish.write, now).await?;
        if finish.is_new {
            make_current(on, &self.key).await?;
        }
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        let blob = memberships::add(on, upload.repository, digest, Some(size), now).await?;
        let is = |mark: Mark| mark.stage == Stage::Quarantined;
        if finish.is_new && current.mark.is_some_and(is) {
            let by = principal(on, self.id).await?;
            let how = Mending { source: Mending::PUSH, by: &by, at: Some(upload.repository) };
            replaced(on, &current.key, &self.key, &how, now).await?;
        }
        let (repository, let_go) = upload.end(on, now).await?;
        // In one sum: what the upload held is room for the blob.
        charge(on, repository, blob + let_go, Limits::All).await?;
        Ok(FinishOutcome::Finished)
    }
}

/// Who began an upload.
async fn principal(on: &mut dyn Statements, id: UploadId) -> Result<Actor> {
    let sql = "SELECT principal FROM uploads WHERE id = $1";
    let rows = on.query(sql, arguments![id.to_bytes().as_slice()]).await?;
    rows.first().map_or_else(|| Ok(Actor::system()), |row| Ok(Actor::from(row.text(0)?)))
}

/// An upload, in a transaction that has locked its row.
pub(super) struct LockedUpload {
    id: UploadId,
    repository: i64,
    /// With how many it is charged.
    held: i64,
}

impl LockedUpload {
    /// It holds so many bytes more.
    const fn holds(more: i64) -> Charge {
        Charge::of(Change { referenced: 0, bytes: 0, reserved: more, manifests: 0, tags: 0 })
    }

    /// Charges it with so many bytes, instead of what it is charged with. What is more than any quota is as good as all of that, and can be added up.
    async fn hold(&self, on: &mut dyn Statements, bytes: u64) -> Result<()> {
        let bytes = bytes.min(Quota::LARGEST + 1);
        let more = i64::try_from(bytes).unwrap_or(i64::MAX) - self.held;
        if more == 0 {
            return Ok(());
        }
        let held = arguments![self.held + more, self.id.to_bytes().as_slice()].to_vec();
        on.execute("UPDATE uploads SET held = $1 WHERE id = $2", &held).await?;
        let limits = if more > 0 { Limits::All } else { Limits::None };
        let charged = charge(on, self.repository, Self::holds(more), limits).await;
        charged.map_err(|fault| self.in_all(fault))
    }

    /// What it would need in all, where it was told how much more it needs than it holds.
    fn in_all(&self, fault: StoreError) -> StoreError {
        match fault {
            StoreError::OverQuota(mut over) => {
                let held = u64::try_from(self.held).unwrap_or_default();
                over.used = over.used.saturating_sub(held);
                over.needed = over.needed.saturating_add(held);
                StoreError::OverQuota(over)
            }
            other => other,
        }
    }

    /// Removes it with its reservations, whose objects may be in place without anybody who holds them. Returns what its repository is to be
    /// charged with, since it holds nothing any more: there is no other way to remove one, and so none goes without that.
    pub(super) async fn end(
        self,
        on: &mut dyn Statements,
        now: Timestamp,
    ) -> Result<(i64, Charge)> {
        let id = self.id.to_bytes();
        let sql = "SELECT digest FROM blob_reservations WHERE upload_id = $1 ORDER BY digest";
        for row in &on.query(sql, arguments![id.as_slice()]).await? {
            memberships::let_go(on, &row.digest(0)?, now).await?;
        }
        for sql in [
            "DELETE FROM blob_reservations WHERE upload_id = $1",
            "DELETE FROM uploads WHERE id = $1",
        ] {
            on.execute(sql, arguments![id.as_slice()]).await?;
        }
        Ok((self.repository, Self::holds(-self.held)))
    }
}

/// An upload that has not expired. The row is locked, which stops a reservation for an upload that is finished or cancelled meanwhile: nobody would ever take that
/// reservation away.
pub(super) async fn open_upload(
    on: &mut dyn Statements,
    id: UploadId,
    now: i64,
) -> Result<Option<LockedUpload>> {
    let rows = on
        .query_locked(
            "SELECT repository_id, held FROM uploads WHERE id = $1 AND expires_at > $2
               AND (SELECT r.name FROM repositories r WHERE r.id = uploads.repository_id) < '~'",
            arguments![id.to_bytes().as_slice(), now],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(LockedUpload { id, repository: row.int(0)?, held: row.int(1)? }))
}

/// `Uploads::cancel_upload`
pub(crate) struct Cancel(pub(crate) UploadId);

#[async_trait]
impl Transaction for Cancel {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let sql = "SELECT repository_id, held FROM uploads WHERE id = $1";
        let rows = on.query_locked(sql, arguments![self.0.to_bytes().as_slice()]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let upload = LockedUpload { id: self.0, repository: row.int(0)?, held: row.int(1)? };
        let (repository, let_go) = upload.end(on, now).await?;
        charge(on, repository, let_go, Limits::None).await?;
        Ok(true)
    }
}

/// `Uploads::expired_uploads`
pub(crate) struct Expired {
    pub(crate) limit: usize,
}

#[async_trait]
impl Transaction for Expired {
    type Output = Vec<Upload>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let now = on.now().await?;
        let rows = on
            .query(
                "SELECT id, principal, staged_bytes, parts, digest_state, 0 FROM uploads
                 WHERE expires_at <= $1 AND NOT EXISTS
                     (SELECT 1 FROM blob_reservations
                      WHERE upload_id = uploads.id AND deadline > $2)
                 ORDER BY expires_at LIMIT $3",
                arguments![now, now, self.limit],
            )
            .await?;
        rows.iter().map(upload).collect()
    }
}

/// `Uploads::count_uploads`
pub(crate) struct Count;

#[async_trait]
impl Transaction for Count {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let rows = on.query("SELECT count(*) FROM uploads", &[]).await?;
        rows.first().map_or(Ok(0), |row| row.size(0))
    }
}

/// `Uploads::known_uploads`
pub(crate) struct Known {
    pub(crate) ids: Vec<UploadId>,
}

#[async_trait]
impl Transaction for Known {
    type Output = Vec<UploadId>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<UploadId>> {
        let mut known = Vec::new();
        for id in &self.ids {
            let sql = "SELECT 1 FROM uploads WHERE id = $1";
            let found = on.query(sql, arguments![id.to_bytes().as_slice()]).await?;
            if !found.is_empty() {
                known.push(*id);
            }
        }
        Ok(known)
    }
}
