//! Manifests: pull and delete, and the list of referrers. Pushing is in `push.rs`.

use bytes::Bytes;
use wharf_oci::{Digest, Hasher, MediaType, Reference, RepositoryName, Tag};

use crate::cache::{Key, Kind, Lookup, Ticket};
use crate::metadata::{
    CountKind, DeleteManifest as DeleteByDigest, DeleteOutcome, DeleteTag,
    ListReferrers as ReferrersQuery, Precondition, Referrer, StoredManifest,
};
use crate::operation::{DeleteManifest, ListReferrers, PullManifest};
use crate::permissions::Permitted;
use crate::registry::record::{decode_manifest, encode_manifest};
use crate::registry::{ABSENCE_LIFE, Listing, Registry};
use crate::{Error, Missing, StoreError};

/// A manifest that was found.
pub type PulledManifest = StoredManifest;

/// What a read of the metadata gives: shared by all who wait for it.
pub(super) type ManifestRead = Result<Option<StoredManifest>, StoreError>;

/// How many bytes of annotations go into one page of referrers: clients stop reading at 4 MiB.
const REFERRERS_PAGE_BYTES: usize = 2 << 20;

/// A manifest to store.
#[derive(Clone, Debug)]
pub struct PushManifest {
    /// Its bytes.
    pub payload: Bytes,
    /// The request's `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// Where the tags must stand.
    pub precondition: Precondition,
}

/// A manifest that was stored.
#[derive(Clone, Debug)]
pub struct PushedManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: MediaType,
    /// The tags that are at it now.
    pub tags: Vec<Tag>,
    /// What it is about.
    pub subject: Option<Digest>,
    /// What its pusher should know, though it was stored.
    pub warnings: Vec<&'static str>,
}

impl Registry {
    /// Reads a manifest: from the cache, else from the metadata; while these are away, what was known last.
    ///
    /// # Errors
    /// [`Missing::Manifest`] when the repository does not hold it.
    pub async fn pull_manifest(
        &self,
        operation: &Permitted<PullManifest>,
    ) -> Result<PulledManifest, Error> {
        self.manifest(operation).await
    }

    /// The same, for who passed the authorization point with another operation.
    pub(super) async fn manifest(&self, asked: &PullManifest) -> Result<PulledManifest, Error> {
        let PullManifest { repository, reference } = asked;
        let key = Key::Manifest(repository.clone(), reference.clone());
        let ticket = match self.parts.cache.get(key).await {
            Lookup::Hit(record) => {
                if let Some(manifest) = decode_manifest(record) {
                    return Ok(manifest);
                }
                None
            }
            Lookup::Absent => return Err(missing_manifest(repository, reference)),
            Lookup::Miss(ticket) => Some(ticket),
        };
        let found = match ticket {
            // Whoever has the same versions came after every write that the others could have missed.
            Some(ticket) => {
                let flight = (ticket.key.clone(), ticket.version, ticket.shared);
                self.manifest_reads.join(flight, self.read_manifest(asked, ticket)).await
            }
            None => self.find_manifest(asked).await,
        };
        let found = match found {
            Err(StoreError::Unavailable(reason)) => {
                let key = Key::Manifest(repository.clone(), reference.clone());
                if let Some(known) =
                    self.parts.cache.last_known(key).await.and_then(decode_manifest)
                {
                    return Ok(known);
                }
                let away = Err(StoreError::Unavailable(reason));
                let ask = self.or_last_known(away, |copy| {
                    copy.last_manifest(repository.clone(), reference.clone())
                });
                return Ok(sound(ask.await?)?);
            }
            found => found?,
        };
        let manifest = found.ok_or_else(|| missing_manifest(repository, reference))?;
        Ok(manifest)
    }

    /// Counts a pull, wherever the manifest came from. Called once it is certain that its bytes are sent: not where
    /// the client only asks about it, or has it already.
    pub fn count_pull(&self, operation: &Permitted<PullManifest>, manifest: &PulledManifest) {
        let kind = CountKind::of_pull(manifest.media_type);
        self.count(&operation.repository, manifest.digest, kind);
    }

    /// Counts, where counting is on.
    pub(super) fn count(&self, repository: &RepositoryName, digest: Digest, kind: CountKind) {
        if let Some(tally) = &self.tally {
            tally.count(repository, digest, kind);
        }
    }

    /// Reads a manifest from the metadata, and puts what it finds, or that there is nothing, into the cache.
    async fn read_manifest(&self, operation: &PullManifest, ticket: Ticket) -> ManifestRead {
        let found = self.find_manifest(operation).await?;
        let (cache, life) = (&self.parts.cache, self.rules.cache_life);
        match &found {
            Some(manifest) => cache.put(ticket, encode_manifest(manifest), life).await,
            None => cache.put_absence(ticket, life.min(ABSENCE_LIFE)).await,
        }
        Ok(found)
    }

    /// Reads a manifest from the metadata. One that was damaged there, or on its way here, is none.
    async fn find_manifest(&self, operation: &PullManifest) -> ManifestRead {
        let PullManifest { repository, reference } = operation.clone();
        let found = self.parts.metadata.find_manifest(repository, reference).await?;
        found.map(sound).transpose()
    }

    /// The bytes of a manifest that the cache has, and that are what its digest says.
    pub(crate) async fn cached_payload(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Option<Bytes> {
        let key = Key::Manifest(repository.clone(), Reference::Digest(digest));
        let Lookup::Hit(record) = self.parts.cache.get(key).await else { return None };
        let manifest = decode_manifest(record).filter(|manifest| manifest.digest == digest)?;
        sound(manifest).ok().map(|manifest| manifest.payload)
    }

    /// Deletes a tag, or a manifest with all tags on it.
    ///
    /// # Errors
    /// When it is not there, when the precondition does not hold, when a policy keeps a tag or a pin the manifest, or when deleting is
    /// switched off.
    pub async fn delete_manifest(
        &self,
        operation: &Permitted<DeleteManifest>,
        precondition: Precondition,
    ) -> Result<(), Error> {
        self.allow_delete()?;
        let DeleteManifest { repository, reference } = &**operation;
        let by = operation.actor();
        let outcome = match reference.clone() {
            Reference::Tag(tag) => {
                let deletion = DeleteTag {
                    repository: repository.clone(),
                    tag,
                    precondition,
                    by,
                    dropped_by: None,
                };
                self.parts.metadata.delete_tag(deletion).await
            }
            Reference::Digest(digest) => {
                let deletion =
                    DeleteByDigest { repository: repository.clone(), digest, precondition, by };
                self.parts.metadata.delete_manifest(deletion).await
            }
        };
        let outcome = self.invalidated(repository, Kind::Manifest, outcome).await?;
        match outcome {
            DeleteOutcome::Deleted => Ok(()),
            DeleteOutcome::Pinned(kept) => Err(Error::Pinned(Box::new(kept))),
            DeleteOutcome::NotFound => Err(missing_manifest(repository, reference)),
            DeleteOutcome::NoRepository => Err(Missing::Repository(repository.clone()).into()),
            DeleteOutcome::Frozen(frozen) => Err(Error::Immutable(frozen)),
            DeleteOutcome::Precondition(current) => {
                let tag = match reference {
                    Reference::Tag(tag) => Some(tag.clone()),
                    Reference::Digest(_) => None,
                };
                Err(Error::Precondition { tag, current })
            }
        }
    }

    /// Lists the manifests about a manifest, a page at a time. A subject that nobody pushed has a list too.
    ///
    /// # Errors
    /// A store's fault only.
    pub async fn list_referrers(
        &self,
        operation: &Permitted<ListReferrers>,
        artifact_type: Option<String>,
        after: Option<Digest>,
        limit: Option<usize>,
    ) -> Result<Listing<Referrer>, Error> {
        let limit = self.page(limit).max(1);
        let query = ReferrersQuery {
            repository: operation.repository.clone(),
            subject: operation.subject,
            artifact_type,
            after,
            limit: limit + 1,
            max_bytes: REFERRERS_PAGE_BYTES,
        };
        let said = self.parts.metadata.list_referrers(query.clone()).await;
        let mut items = self.or_last_known(said, |copy| copy.last_referrers(query)).await?;
        let found = items.len();
        let mut bytes = 0;
        let fitting = items.iter().take_while(|referrer| {
            bytes += referrer.annotations.len();
            bytes <= REFERRERS_PAGE_BYTES
        });
        let kept = fitting.count().clamp(1, limit).min(found);
        items.truncate(kept);
        Ok(Listing { more: found > items.len(), items })
    }
}

/// The manifest, where its bytes are what its digest says.
fn sound(manifest: StoredManifest) -> Result<StoredManifest, StoreError> {
    let digest = manifest.digest;
    let is = Hasher::digest(digest.algorithm(), &manifest.payload);
    if is != digest {
        let text = format!("the manifest {digest} was read as one of digest {is}");
        return Err(StoreError::Corrupt(text));
    }
    Ok(manifest)
}

fn missing_manifest(repository: &RepositoryName, reference: &Reference) -> Error {
    Missing::Manifest(repository.clone(), reference.clone()).into()
}
