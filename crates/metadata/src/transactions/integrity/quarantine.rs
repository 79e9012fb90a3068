//! Objects taken out of use, back into it, and let go.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blob_life::{self, Holders, Stage};
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{AuditEntry, AuditOutcome, Damage, FaultKind, ReleaseOutcome};
use wharf_oci::Digest;

use super::findings::{self, Fault, some_holders};
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::audit;
use crate::transactions::events::{self, Event, Of};
use crate::transactions::garbage::marks;
use crate::transactions::memberships::number;

/// Tells the audit log what became of an object.
pub(super) async fn record(
    on: &mut dyn Statements,
    by: Actor,
    action: &str,
    key: &ObjectKey,
    detail: &str,
) -> Result<()> {
    let ObjectKey { digest, incarnation } = key;
    let detail = format!("incarnation={incarnation}; {detail}");
    tell(on, by, action, format!("blob:{digest}"), detail).await
}

/// Tells the audit log what a scrub, or an operator after one, has done.
pub(super) async fn tell(
    on: &mut dyn Statements,
    by: Actor,
    action: &str,
    target: String,
    detail: String,
) -> Result<()> {
    let entry = AuditEntry {
        by,
        action: action.to_owned(),
        target,
        namespace: None,
        outcome: AuditOutcome::Done,
        detail,
    };
    audit::write(on, &entry).await
}

/// `Integrity::quarantine`
pub(crate) struct Quarantine {
    pub(crate) key: ObjectKey,
    pub(crate) damage: Damage,
}

#[async_trait]
impl Transaction for Quarantine {
    type Output = bool;

    /// Also where nothing may be written: what is corrupt is not served for that.
    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let Self { key, damage } = self;
        let current = marks::current(on, &key.digest).await?;
        // It was deleted, or pushed again, since it was looked at.
        if current.key != *key || !marks::is_member(on, &key.digest).await? {
            return Ok(false);
        }
        let now = on.now().await?;
        let writes = blob_life::quarantine(key, current.mark);
        let is_known = current.mark.is_some_and(|mark| mark.stage == Stage::Quarantined);
        if writes.is_none() && !is_known {
            return Ok(false);
        }
        let detail = damage.to_string();
        let fault = Fault { kind: damage.kind(), key: *key, needed_by: None, detail: &detail };
        let is_new = fault.note(on, now).await?;
        for write in writes.into_iter().flatten() {
            marks::write(on, Some(write), now).await?;
        }
        if is_new {
            fault.tell(on, now).await?;
        }
        if writes.is_some() {
            record(on, Actor::system(), "blob.quarantine", key, &detail).await?;
        }
        Ok(writes.is_some())
    }
}

/// `Integrity::note_unreadable`
pub(crate) struct Unreadable {
    pub(crate) key: ObjectKey,
    pub(crate) reason: String,
}

#[async_trait]
impl Transaction for Unreadable {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let now = on.now().await?;
        let (kind, detail) = (FaultKind::Unreadable, self.reason.as_str());
        let fault = Fault { kind, key: self.key, needed_by: None, detail };
        let is_new = fault.note(on, now).await?;
        if is_new {
            fault.tell(on, now).await?;
        }
        Ok(is_new)
    }
}

/// `Integrity::note_sound`
pub(crate) struct Sound(pub(crate) ObjectKey);

#[async_trait]
impl Transaction for Sound {
    type Output = bool;

    async fn run(&self, on: &mut dyn Statements) -> Result<bool> {
        let key = &self.0;
        let now = on.now().await?;
        findings::resolve(on, key, now).await?;
        let current = marks::current(on, &key.digest).await?;
        if current.key != *key {
            return Ok(false);
        }
        let write = blob_life::lift(key, current.mark);
        marks::write(on, write, now).await?;
        if write.is_some() {
            for repository in some_holders(on, &key.digest).await? {
                let event = Event::BlobSound(&key.digest);
                events::record(on, repository, event, "system", now).await?;
            }
            record(on, Actor::system(), "blob.restore", key, "its bytes are sound").await?;
        }
        Ok(write.is_some())
    }
}

/// `Integrity::release`
pub(crate) struct Release {
    pub(crate) digest: Digest,
    pub(crate) by: Actor,
    pub(crate) grace: Duration,
}

/// What became of the damaged bytes of a manifest.
struct OfManifest {
    released: u64,
    kept: u64,
}

impl Release {
    /// Forgets the damaged bytes of a manifest that was repaired longer than the grace ago.
    async fn of_manifest(&self, on: &mut dyn Statements, now: Timestamp) -> Result<OfManifest> {
        let before = now.before(self.grace);
        let released = on
            .execute(
                "DELETE FROM damaged_manifests WHERE digest = $1 AND replaced_at <= $2",
                arguments![self.digest, before],
            )
            .await?;
        if released > 0 {
            let target = format!("manifest:{}", self.digest);
            tell(on, self.by.clone(), "manifest.release", target, String::new()).await?;
            let event = Event::ManifestReleased(&self.digest);
            events::record_of(on, Of::Registry, event, &self.by.by, now).await?;
        }
        let sql = "SELECT count(*) FROM damaged_manifests WHERE digest = $1";
        let rows = on.query(sql, arguments![self.digest]).await?;
        let kept = rows.first().map_or(Ok(0), |row| row.size(0))?;
        Ok(OfManifest { released, kept })
    }
}

#[async_trait]
impl Transaction for Release {
    type Output = ReleaseOutcome;

    async fn run(&self, on: &mut dyn Statements) -> Result<ReleaseOutcome> {
        let now = on.now().await?;
        let current = marks::current(on, &self.digest).await?;
        let sql = "SELECT incarnation FROM blob_marks WHERE digest = $1 AND state = 'quarantined'";
        let rows = on.query(sql, arguments![self.digest]).await?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in &rows {
            keys.push(ObjectKey { digest: self.digest, incarnation: number(row.int(0)?)? });
        }
        let marks = marks::marks(on, &keys).await?;
        let member = marks::is_member(on, &self.digest).await?;
        let sql = "SELECT incarnation FROM blob_reservations WHERE digest = $1";
        let mut reserved = BTreeSet::new();
        for row in on.query(sql, arguments![self.digest]).await? {
            reserved.insert(number(row.int(0)?)?);
        }
        let mut released = 0;
        for key in &keys {
            let is_current = *key == current.key;
            let placed = reserved.contains(&key.incarnation);
            let reserved = !reserved.is_empty();
            let holders = Holders { is_current, member, reserved, placed };
            let mark = marks.get(&(key.digest, key.incarnation)).copied();
            let write = blob_life::release(key, mark, &holders, now, self.grace);
            marks::write(on, write, now).await?;
            if write.is_some() {
                record(on, self.by.clone(), "blob.release", key, "").await?;
                let event = Event::BlobReleased(key);
                events::record_of(on, Of::Registry, event, &self.by.by, now).await?;
                released += 1;
            }
        }
        let of_manifest = self.of_manifest(on, now).await?;
        released += of_manifest.released;
        Ok(match released {
            0 if keys.is_empty() && of_manifest.kept == 0 => ReleaseOutcome::NotQuarantined,
            0 if member && keys.contains(&current.key) => ReleaseOutcome::StillNeeded,
            0 => ReleaseOutcome::TooYoung,
            released => ReleaseOutcome::Released(released),
        })
    }
}
