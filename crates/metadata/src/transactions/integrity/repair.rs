//! Repairs of blobs: an upload of the system, by which the current object of a blob becomes another one and nobody comes to hold it.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blob_life::{self, Stage};
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{FinishRepair, MOST_COPIES, StartRepair};
use wharf_oci::{Digest, Hasher};

use super::findings::{self, some_holders};
use super::quarantine::record;
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::garbage::{EVERYWHERE, marks};
use crate::transactions::memberships::number;
use crate::transactions::uploads::{make_current, open_upload, take_reservation};
use crate::transactions::usage::{Limits, charge};
use crate::transactions::writes::{self, Work};

/// Who puts right what is damaged, and by what.
pub(crate) struct Mending<'a> {
    /// Where the bytes come from, in words.
    pub(crate) source: &'a str,
    /// Who, as the audit log says.
    pub(crate) by: &'a Actor,
    /// The repository in which they do so.
    pub(crate) at: Option<i64>,
}

impl Mending<'_> {
    /// A push is this to all who hold the same.
    pub(crate) const PUSH: &'static str = "a push";

    /// Who it was, as the events of a repository say: who pushes what to another one is not told there.
    pub(super) fn seen_from(&self, repository: i64) -> &str {
        if self.at == Some(repository) { &self.by.by } else { "system" }
    }
}

/// Tells that a sound object has taken the place of a quarantined one.
pub(crate) async fn replaced(
    on: &mut dyn Statements,
    damaged: &ObjectKey,
    key: &ObjectKey,
    how: &Mending<'_>,
    now: Timestamp,
) -> Result<()> {
    findings::repaired(on, damaged, how.source, now).await?;
    for repository in some_holders(on, &key.digest).await? {
        let event = Event::BlobRepaired { digest: &key.digest, from: how.source };
        events::record(on, repository, event, how.seen_from(repository), now).await?;
    }
    record(on, how.by.clone(), "blob.repair", key, &format!("from {}", how.source)).await
}

/// `Integrity::objects_of`
pub(crate) struct Objects(pub(crate) Digest);

#[async_trait]
impl Transaction for Objects {
    type Output = Vec<ObjectKey>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Vec<ObjectKey>> {
        let digest = self.0;
        let rows = on
            .query(
                "SELECT incarnation FROM
                     (SELECT incarnation FROM blob_marks WHERE digest = $1
                      UNION SELECT incarnation FROM blob_incarnations WHERE digest = $1
                      UNION SELECT incarnation FROM blob_reservations WHERE digest = $1) k
                 WHERE incarnation > 0 ORDER BY incarnation DESC LIMIT $2",
                arguments![digest, MOST_COPIES - 1],
            )
            .await?;
        let later = rows.iter().map(|row| number(row.int(0)?));
        let all = later.chain([Ok(ObjectKey::canonical(digest).incarnation)]);
        all.map(|incarnation| Ok(ObjectKey { digest, incarnation: incarnation? })).collect()
    }
}

#[async_trait]
impl Transaction for StartRepair {
    type Output = bool;

    /// A repository that is read-only by itself keeps what it holds, and so is repaired.
    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Change).await?;
        let digest = &self.damaged.digest;
        let current = marks::current(on, digest).await?;
        let is_quarantined = current.mark.is_some_and(|mark| mark.stage == Stage::Quarantined);
        if current.key != self.damaged || !is_quarantined {
            return Ok(false);
        }
        let begun = on
            .execute(
                "INSERT INTO uploads
                     (id, repository_id, principal, staged_bytes, digest_state, parts, created_at, expires_at)
                 SELECT $1, r.id, $2, $3, $4, $5, $6, $7
                 FROM repository_blobs b JOIN repositories r ON r.id = b.repository_id
                 WHERE b.blob_digest = $8 AND r.name < '~' ORDER BY r.id LIMIT 1",
                arguments![
                    self.id.to_bytes().as_slice(),
                    Actor::system().by,
                    self.staged.offset,
                    Hasher::new(digest.algorithm()).state().as_bytes(),
                    self.staged.parts.as_slice(),
                    now,
                    now.after(self.lifetime),
                    digest,
                ],
            )
            .await?;
        Ok(begun > 0)
    }
}

#[async_trait]
impl Transaction for FinishRepair {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let Self { id, damaged, key, source } = self;
        let now = on.now().await?;
        writes::require(on, EVERYWHERE, Work::Bytes).await?;
        let Some(upload) = open_upload(on, *id, now.0).await? else { return Ok(false) };
        let reserved = take_reservation(on, *id, key, now).await?;
        let current = marks::current(on, &key.digest).await?;
        let placed = marks::placed(on, &current, *key, reserved).await?;
        let finish = blob_life::repair(&current, &placed);
        let Some(finish) = finish.filter(|_| current.key == *damaged) else {
            // As where an upload has lost: nobody else would let go of what it had reserved.
            if reserved {
                marks::write(on, blob_life::let_go(&current), now).await?;
            }
            return Ok(false);
        };
        marks::write(on, finish.before, now).await?;
        marks::write(on, finish.write, now).await?;
        make_current(on, key).await?;
        let (repository, let_go) = upload.end(on, now).await?;
        charge(on, repository, let_go, Limits::None).await?;
        let how = Mending { source, by: &Actor::system(), at: None };
        replaced(on, damaged, key, &how, now).await?;
        Ok(true)
    }
}
