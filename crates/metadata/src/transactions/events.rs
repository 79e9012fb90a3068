//! Events: a fact about a change, written in the change's own transaction.

use serde_json::json;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Timestamp;
use wharf_core::immutability::{Policy, PolicyName};
use wharf_core::metadata::{Adoption, FaultKind, PinName, Quota, Reason};
use wharf_core::permissions::AccountName;
use wharf_core::writes::{WriteMode, WriteReason};
use wharf_oci::{Digest, RepositoryName, Tag};

use crate::engine::{Json, Result, Statements, Value, arguments};

/// What an event is about.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    /// All of the registry.
    Registry,
    /// A namespace.
    Namespace(&'a AccountName),
    /// The repository of this number.
    Repository(i64),
}

/// A fact about a change.
pub(crate) enum Event<'a> {
    /// The repository holds a manifest that it did not hold.
    ManifestPushed(&'a Digest),
    /// The repository does not hold a manifest any more.
    ManifestDeleted(&'a Digest),
    /// Somebody has deleted a blob from the repository. What is in the trash may need it still, and brings it back.
    BlobDeleted(&'a Digest),
    /// So many memberships were taken away, which no manifest needed: blobs that were pushed for nothing, or that deleted manifests left behind.
    BlobsSwept(usize),
    /// A pin keeps a manifest, until this moment or for ever.
    Pinned { pin: &'a PinName, digest: &'a Digest, until: Option<Timestamp> },
    /// A pin keeps it no more.
    Unpinned { pin: &'a PinName, digest: &'a Digest },
    /// The repository has another name.
    Renamed { from: &'a RepositoryName, to: &'a RepositoryName },
    /// The repository, which had this name, is deleted.
    RepositoryDeleted(&'a RepositoryName),
    /// The repository is back, under this name.
    RepositoryRestored(&'a RepositoryName),
    /// Nothing is left of the deleted repository, which had this name.
    RepositoryPurged(&'a RepositoryName),
    /// What may be written to the repository has changed.
    WritesSet { mode: WriteMode, reason: Option<&'a WriteReason> },
    /// What may be written anywhere has changed.
    AllWritesSet { mode: WriteMode, reason: Option<&'a WriteReason> },
    /// A tag was made, moved or deleted; `version` is the one that this gave it.
    TagChanged {
        tag: &'a Tag,
        version: i64,
        from: Option<&'a Digest>,
        to: Option<&'a Digest>,
        reason: &'a Reason,
    },
    /// The repository or the namespace has a further immutability policy.
    PolicyMade(&'a Policy),
    /// One of them says something else.
    PolicyChanged(&'a Policy),
    /// One of them is gone.
    PolicyRemoved(&'a PolicyName),
    /// The repository or the namespace has another quota.
    QuotaSet(&'a Quota),
    /// The retention policy of the repository has this version, which is a draft.
    RetentionSet(i64),
    /// This version of it drops tags from now on.
    RetentionEnabled(i64),
    /// It was taken away, which this version stands for.
    RetentionRemoved(i64),
    /// There is an object in the store of which no row says why. It is of no repository.
    ObjectUnexplained(&'a ObjectKey),
    /// The object of a blob that the repository holds is damaged.
    BlobFault { digest: &'a Digest, kind: FaultKind, detail: &'a str },
    /// The object of a blob that was quarantined is sound, and is served again.
    BlobSound(&'a Digest),
    /// A blob whose object was quarantined was repaired from another copy, and is served again.
    BlobRepaired { digest: &'a Digest, from: &'a str },
    /// A manifest needs what the repository does not hold.
    ManifestBroken { digest: &'a Digest, missing: &'a Digest },
    /// A damaged object that was kept in quarantine is garbage from now on. It is of no repository.
    BlobReleased(&'a ObjectKey),
    /// The bytes that are stored of a manifest are not its own.
    ManifestDamaged { digest: &'a Digest, detail: &'a str },
    /// They are its own again.
    ManifestRepaired { digest: &'a Digest, from: &'a str },
    /// What was kept of its damaged bytes is forgotten.
    ManifestReleased(&'a Digest),
    /// The store of another registry is taken over from now on.
    AdoptionStarted(&'a Adoption),
    /// It is not any more, before its end.
    AdoptionStopped(&'a Adoption),
    /// All of it was gone through.
    AdoptionFinished(&'a Adoption),
}

impl Event<'_> {
    const fn kind(&self) -> &'static str {
        match self {
            Self::ManifestPushed(_) => "manifest.pushed",
            Self::ManifestDeleted(_) => "manifest.deleted",
            Self::BlobDeleted(_) => "blob.deleted",
            Self::BlobsSwept(_) => "blobs.swept",
            Self::Pinned { .. } => "manifest.pinned",
            Self::Unpinned { .. } => "manifest.unpinned",
            Self::Renamed { .. } => "repository.renamed",
            Self::RepositoryDeleted(_) => "repository.deleted",
            Self::RepositoryRestored(_) => "repository.restored",
            Self::RepositoryPurged(_) => "repository.purged",
            Self::WritesSet { mode: WriteMode::Writable, .. } => "repository.writable",
            Self::WritesSet { mode: WriteMode::Draining, .. } => "repository.draining",
            Self::WritesSet { mode: WriteMode::ReadOnly, .. } => "repository.read_only",
            Self::AllWritesSet { mode: WriteMode::Writable, .. } => "registry.writable",
            Self::AllWritesSet { mode: WriteMode::Draining, .. } => "registry.draining",
            Self::AllWritesSet { mode: WriteMode::ReadOnly, .. } => "registry.read_only",
            Self::TagChanged { from: None, .. } => "tag.created",
            Self::TagChanged { to: None, .. } => "tag.deleted",
            Self::TagChanged { .. } => "tag.moved",
            Self::PolicyMade(_) => "immutability.created",
            Self::PolicyChanged(_) => "immutability.updated",
            Self::PolicyRemoved(_) => "immutability.deleted",
            Self::QuotaSet(_) => "quota.set",
            Self::RetentionSet(_) => "retention.set",
            Self::RetentionEnabled(_) => "retention.enabled",
            Self::RetentionRemoved(_) => "retention.removed",
            Self::ObjectUnexplained(_) => "object.unexplained",
            Self::BlobFault { .. } => "blob.damaged",
            Self::BlobSound(_) => "blob.sound",
            Self::BlobRepaired { .. } => "blob.repaired",
            Self::BlobReleased(_) => "blob.released",
            Self::ManifestBroken { .. } => "manifest.broken",
            Self::ManifestDamaged { .. } => "manifest.damaged",
            Self::ManifestRepaired { .. } => "manifest.repaired",
            Self::ManifestReleased(_) => "manifest.released",
            Self::AdoptionStarted(_) => "adoption.started",
            Self::AdoptionStopped(_) => "adoption.stopped",
            Self::AdoptionFinished(_) => "adoption.finished",
        }
    }

    fn payload(&self, by: &str) -> String {
        match self {
            Self::ManifestPushed(digest)
            | Self::ManifestDeleted(digest)
            | Self::ManifestReleased(digest) => {
                json!({ "digest": digest.to_string(), "by": by })
            }
            Self::Pinned { pin, digest, until } => json!({
                "digest": digest.to_string(),
                "pin": pin.as_str(),
                "until": until.map(|until| until.to_string()),
                "by": by,
            }),
            Self::Unpinned { pin, digest } => {
                json!({ "digest": digest.to_string(), "pin": pin.as_str(), "by": by })
            }
            Self::Renamed { from, to } => {
                json!({ "from": from.as_str(), "to": to.as_str(), "by": by })
            }
            Self::RepositoryDeleted(name)
            | Self::RepositoryRestored(name)
            | Self::RepositoryPurged(name) => {
                json!({ "name": name.as_str(), "by": by })
            }
            Self::WritesSet { reason, .. } | Self::AllWritesSet { reason, .. } => {
                json!({ "reason": reason.map(|reason| reason.as_str()), "by": by })
            }
            Self::TagChanged { tag, version, from, to, reason } => json!({
                "tag": tag.as_str(),
                "version": version,
                "from": from.map(ToString::to_string),
                "to": to.map(ToString::to_string),
                "by": by,
                "reason": reason.kind(),
                "detail": reason.detail(),
            }),
            Self::PolicyMade(policy) | Self::PolicyChanged(policy) => json!({
                "policy": policy.name.as_str(),
                "tags": policy.tags.to_string(),
                "mutable_seconds": policy.mutable_for.seconds(),
                "by": by,
            }),
            Self::PolicyRemoved(name) => json!({ "policy": name.as_str(), "by": by }),
            Self::RetentionSet(version)
            | Self::RetentionEnabled(version)
            | Self::RetentionRemoved(version) => json!({ "version": version, "by": by }),
            Self::QuotaSet(Quota { bytes, manifests, tags }) => {
                json!({ "bytes": bytes, "manifests": manifests, "tags": tags, "by": by })
            }
            Self::ObjectUnexplained(ObjectKey { digest, incarnation })
            | Self::BlobReleased(ObjectKey { digest, incarnation }) => json!({
                "digest": digest.to_string(), "incarnation": incarnation, "by": by,
            }),
            Self::AdoptionStarted(adoption)
            | Self::AdoptionStopped(adoption)
            | Self::AdoptionFinished(adoption) => json!({
                "source": adoption.source,
                "repositories": adoption.repositories.as_ref().map(ToString::to_string),
                "by": by,
            }),
            Self::BlobFault { digest, kind, detail } => json!({
                "digest": digest.to_string(), "fault": kind.name(), "detail": detail, "by": by,
            }),
            Self::BlobDeleted(digest) | Self::BlobSound(digest) => {
                json!({ "digest": digest.to_string(), "by": by })
            }
            Self::BlobsSwept(count) => json!({ "count": count, "by": by }),
            Self::ManifestDamaged { digest, detail } => {
                json!({ "digest": digest.to_string(), "detail": detail, "by": by })
            }
            Self::BlobRepaired { digest, from } | Self::ManifestRepaired { digest, from } => {
                json!({ "digest": digest.to_string(), "from": from, "by": by })
            }
            Self::ManifestBroken { digest, missing } => json!({
                "digest": digest.to_string(), "missing": missing.to_string(), "by": by,
            }),
        }
        .to_string()
    }
}

/// Writes an event of a repository.
pub(crate) async fn record(
    on: &mut dyn Statements,
    repository: i64,
    event: Event<'_>,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    record_of(on, Of::Repository(repository), event, by, now).await
}

/// Writes events, in their order and in one trip.
pub(crate) async fn record_all<'a>(
    on: &mut dyn Statements,
    events: impl Iterator<Item = (Of<'a>, Event<'a>)> + Send,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    let rows: Vec<_> = events.map(|(of, event)| row(of, &event, by, now)).collect();
    on.execute_each(INSERT, &rows).await.map(drop)
}

/// Writes an event.
pub(crate) async fn record_of(
    on: &mut dyn Statements,
    of: Of<'_>,
    event: Event<'_>,
    by: &str,
    now: Timestamp,
) -> Result<()> {
    on.execute(INSERT, &row(of, &event, by, now)).await.map(drop)
}

const INSERT: &str = "INSERT INTO events (repository_id, namespace, kind, payload, created_at)
     VALUES ($1, $2, $3, $4, $5)";

/// The arguments of [`INSERT`].
fn row(of: Of<'_>, event: &Event<'_>, by: &str, now: Timestamp) -> Vec<Value> {
    let (repository, namespace) = match of {
        Of::Registry => (None, None),
        Of::Namespace(name) => (None, Some(name.as_str())),
        Of::Repository(id) => (Some(id), None),
    };
    arguments![repository, namespace, event.kind(), Json(event.payload(by)), now].to_vec()
}
