//! What the rules stand on: pushes in one line, a clock driven by hand, and a look at the rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use wharf_core::UploadId;
use wharf_core::blobs::{ObjectKey, Staged};
use wharf_core::cache::Epochs;
use wharf_core::clock::{Clock, SystemRandom, Timestamp};
use wharf_core::metadata::{
    AccountChange, Accounts, Adoptions, AuditReaders, Change, ChangeRequest, CommitManifest,
    CommitOutcome, Counts, DeleteManifest, DeleteOutcome, DeleteTag, DeviceLogins, Directory,
    EventLog, FinishOutcome, FinishUpload, Garbage, Identities, ImmutabilityPolicies, Integrity,
    Jobs, Metadata, Precondition, ReserveBlob, ReserveOutcome, Retention, Sessions, StartUpload,
    Trash, TrustRules, UpdateUser, UsageMetadata, WriteModes,
};
use wharf_oci::{Algorithm, Digest, Hasher, Reference};

use super::samples::{blob, commit, image, name};

/// How long uploads live on the stand.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
/// How long moves may take on the stand.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(600);
/// The least step of the clock.
pub(crate) const TICK: Duration = Duration::from_micros(1);

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    /// A clock that stands in November 2023.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_700_000_000_000_000)))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Looks at rows, and changes those that only a collector would: what no trait of the core does.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Runs a statement of plain SQL that both engines know, outside of the metadata under test. `$1`, `$2`, … are
    /// digests in their binary form. Columns come as text: numbers in decimal, digests as digests, NULL as `-`.
    async fn rows(&self, sql: &str, digests: &[Digest]) -> Vec<Vec<String>>;

    /// Whether the database refuses a statement.
    async fn refuses(&self, sql: &str) -> bool;
}

/// An upload that a principal begins.
pub(crate) fn start_by(repository: &str, principal: &str) -> StartUpload {
    StartUpload {
        id: UploadId::random(&SystemRandom),
        repository: name(repository),
        principal: principal.into(),
        staged: Staged::default(),
        hash: Hasher::new(Algorithm::Sha256).state(),
        lifetime: LIFETIME,
        announced: Some(0),
    }
}

/// Metadata under test.
pub struct Stand {
    pub(crate) metadata: Arc<dyn Metadata>,
    pub(crate) jobs: Arc<dyn Jobs>,
    pub(crate) events: Arc<dyn EventLog>,
    pub(crate) epochs: Arc<dyn Epochs>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) audit: Arc<dyn AuditReaders>,
    pub(crate) trust: Arc<dyn TrustRules>,
    pub(crate) identities: Arc<dyn Identities>,
    pub(crate) immutability: Arc<dyn ImmutabilityPolicies>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) devices: Arc<dyn DeviceLogins>,
    pub(crate) counts: Arc<dyn Counts>,
    pub(crate) garbage: Arc<dyn Garbage>,
    pub(crate) trash: Arc<dyn Trash>,
    pub(crate) retention: Arc<dyn Retention>,
    pub(crate) writes: Arc<dyn WriteModes>,
    pub(crate) adoptions: Arc<dyn Adoptions>,
    pub(crate) integrity: Arc<dyn Integrity>,
    pub(crate) usage: Arc<dyn UsageMetadata>,
    pub(crate) clock: Arc<HandClock>,
    inspect: Box<dyn Inspect>,
}

impl Stand {
    /// A stand for new, empty metadata.
    pub fn new(
        metadata: impl Metadata
        + Jobs
        + EventLog
        + Epochs
        + Accounts
        + Directory
        + AuditReaders
        + TrustRules
        + Identities
        + ImmutabilityPolicies
        + Sessions
        + DeviceLogins
        + Counts
        + Garbage
        + Retention
        + WriteModes
        + Adoptions
        + Integrity
        + UsageMetadata,
        clock: Arc<HandClock>,
        inspect: impl Inspect + 'static,
    ) -> Self {
        let all = Arc::new(metadata);
        let (metadata, jobs, events) = (all.clone(), all.clone(), all.clone());
        let (epochs, accounts, inspect) = (all.clone(), all.clone(), Box::new(inspect));
        let (directory, audit, trust) = (all.clone(), all.clone(), all.clone());
        let (identities, sessions, devices) = (all.clone(), all.clone(), all.clone());
        let (counts, garbage, trash) = (all.clone(), all.clone(), all.clone());
        let (immutability, retention, writes) = (all.clone(), all.clone(), all.clone());
        let (adoptions, integrity, usage) = (all.clone(), all.clone(), all);
        Self {
            metadata,
            jobs,
            events,
            epochs,
            accounts,
            directory,
            audit,
            trust,
            identities,
            immutability,
            sessions,
            devices,
            counts,
            garbage,
            trash,
            retention,
            writes,
            adoptions,
            integrity,
            usage,
            clock,
            inspect,
        }
    }

    /// Makes a change in the name of `user:ada`.
    pub(crate) async fn change(&self, change: impl Into<AccountChange>) -> Change {
        let request = ChangeRequest { change: change.into(), by: "user:ada".into(), once: None };
        self.accounts.change(request).await.unwrap()
    }

    /// Disables a user, or enables them again.
    pub(crate) async fn set_disabled(&self, name: &str, disabled: bool) -> Change {
        let (name, disabled) = (name.parse().unwrap(), Some(disabled));
        let update = UpdateUser { name, email: None, disabled, site_admin: None, expected: None };
        self.change(update).await
    }

    /// What the clock says.
    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock on to the next full hour, and tells which that is.
    pub(crate) fn on_the_hour(&self) -> Timestamp {
        const HOUR: i64 = 3_600_000_000;
        self.clock.advance(Duration::from_micros((HOUR - self.clock.now().0 % HOUR) as u64));
        self.clock.now()
    }

    /// Rows, each as its columns joined by spaces.
    pub(crate) async fn rows(&self, sql: &str, digests: &[Digest]) -> Vec<String> {
        let rows = self.inspect.rows(sql, digests).await;
        rows.into_iter().map(|row| row.join(" ")).collect()
    }

    /// Whether the database refuses a statement.
    pub(crate) async fn is_refused(&self, sql: &str) -> bool {
        self.inspect.refuses(sql).await
    }

    pub(crate) async fn start(&self, repository: &str) -> UploadId {
        let start = start_by(repository, "alice");
        let id = start.id;
        self.metadata.start_upload(start).await.unwrap();
        id
    }

    pub(crate) async fn reserve(&self, id: UploadId, digest: Digest) -> Option<ObjectKey> {
        let reservation = ReserveBlob { id, digest, time_limit: TIME_LIMIT };
        match self.metadata.reserve_blob(reservation).await.unwrap() {
            ReserveOutcome::Reserved(key) => Some(key),
            ReserveOutcome::NoUpload => None,
        }
    }

    /// Whether the finish made a membership.
    pub(crate) async fn finish(&self, id: UploadId, key: ObjectKey) -> bool {
        self.metadata.finish_upload(FinishUpload { id, key, size: 0 }).await.unwrap()
            == FinishOutcome::Finished
    }

    /// Makes the repository hold a blob, as a client does.
    pub(crate) async fn hold(&self, repository: &str, blob: Digest) -> ObjectKey {
        let id = self.start(repository).await;
        let key = self.reserve(id, blob).await.unwrap();
        assert!(self.finish(id, key).await);
        key
    }

    pub(crate) async fn held(&self, repository: &str, blob: Digest) -> Option<ObjectKey> {
        let found = self.metadata.find_blob(name(repository), blob).await.unwrap();
        found.map(|found| found.key)
    }

    /// Marks an incarnation as a collector would: `marked` or `condemned`.
    pub(crate) async fn mark(&self, digest: Digest, incarnation: u32, state: &str) {
        let sql = format!(
            "INSERT INTO blob_marks (digest, incarnation, state, marked_at) VALUES ($1, {incarnation}, '{state}', 1)"
        );
        self.inspect.rows(&sql, &[digest]).await;
    }

    pub(crate) async fn marks(&self, digest: Digest) -> Vec<String> {
        let sql =
            "SELECT incarnation, state FROM blob_marks WHERE digest = $1 ORDER BY incarnation";
        self.rows(sql, &[digest]).await
    }

    pub(crate) async fn commit(&self, commit: CommitManifest) -> CommitOutcome {
        self.metadata.commit_manifest(commit).await.unwrap()
    }

    /// Pushes an image that says `text`, with all that it needs, and moves `tags` to it.
    pub(crate) async fn push(&self, repository: &str, text: &str, tags: &[&str]) -> Digest {
        let blob = blob(text);
        self.hold(repository, blob).await;
        let commit = commit(repository, &image(&[blob]), tags);
        let digest = commit.digest;
        assert_eq!(self.commit(commit).await, CommitOutcome::Committed);
        digest
    }

    /// Where a tag stands.
    pub(crate) async fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        let reference = Reference::Tag(tag.parse().unwrap());
        let found = self.metadata.find_manifest(name(repository), reference).await.unwrap();
        found.map(|manifest| manifest.digest)
    }

    pub(crate) async fn has(&self, repository: &str, digest: Digest) -> bool {
        let reference = Reference::Digest(digest);
        self.metadata.find_manifest(name(repository), reference).await.unwrap().is_some()
    }

    pub(crate) async fn delete_tag(
        &self,
        repository: &str,
        tag: &str,
        precondition: Precondition,
    ) -> DeleteOutcome {
        let deletion = DeleteTag {
            repository: name(repository),
            tag: tag.parse().unwrap(),
            precondition,
            by: "bob".into(),
            dropped_by: None,
        };
        self.metadata.delete_tag(deletion).await.unwrap()
    }

    pub(crate) async fn delete(
        &self,
        repository: &str,
        digest: Digest,
        precondition: Precondition,
    ) -> DeleteOutcome {
        let deletion =
            DeleteManifest { repository: name(repository), digest, precondition, by: "bob".into() };
        self.metadata.delete_manifest(deletion).await.unwrap()
    }

    /// The history of a tag of the repository: `version action from to`.
    pub(crate) async fn history(&self, repository: &str, tag: &str) -> Vec<String> {
        let sql = format!(
            "SELECT h.version, h.action, h.from_digest, h.to_digest FROM tag_history h
             JOIN repositories r ON r.id = h.repository_id
             WHERE r.name = '{repository}' AND h.name = '{tag}' ORDER BY h.version"
        );
        self.rows(&sql, &[]).await
    }

    /// All events in their order, each as its kind and what it is about.
    pub(crate) async fn events(&self) -> Vec<String> {
        let rows = self.inspect.rows("SELECT kind, payload FROM events ORDER BY id", &[]).await;
        let event = |row: Vec<String>| {
            let payload: Value = serde_json::from_str(&row[1]).unwrap();
            let about = payload.get("tag").or(payload.get("digest"));
            format!("{} {}", row[0], about.and_then(Value::as_str).unwrap_or("-"))
        };
        rows.into_iter().map(event).collect()
    }

    /// All that a refused change must leave as it was.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for sql in [
            "SELECT name FROM repositories ORDER BY name",
            "SELECT digest FROM manifests ORDER BY digest",
            "SELECT repository_id, digest, pushed_by, pushed_at FROM repository_manifests ORDER BY repository_id, digest",
            "SELECT repository_id, name, manifest_digest, version, updated_by, updated_at FROM tags ORDER BY repository_id, name",
            "SELECT repository_id, name, version, action FROM tag_history ORDER BY repository_id, name, version",
            "SELECT manifest_digest, blob_digest FROM blob_references ORDER BY manifest_digest, blob_digest",
            "SELECT parent, child FROM manifest_references ORDER BY parent, child",
            "SELECT repository_id, blob_digest, needed, size, charge FROM repository_blobs ORDER BY repository_id, blob_digest",
            "SELECT scope, digest, used, held FROM namespace_blobs ORDER BY scope, digest",
            "SELECT scope, CAST(sum(referenced) AS bigint), CAST(sum(bytes) AS bigint), CAST(sum(total) AS bigint), CAST(sum(manifests) AS bigint), CAST(sum(tags) AS bigint) FROM usage_shards GROUP BY scope ORDER BY scope",
            "SELECT id, kind, payload FROM events ORDER BY id",
        ] {
            all.push(sql.to_owned());
            all.extend(self.rows(sql, &[]).await);
        }
        all
    }
}
