//! Pushing a manifest: what its bytes say is checked here, what the repository holds inside the commit.

use wharf_oci::{ErrorCode, Hasher, Manifest, Reference};

use crate::cache::Kind;
use crate::metadata::{CommitManifest, CommitOutcome, CountKind};
use crate::operation::PutManifest;
use crate::permissions::Permitted;
use crate::registry::{PushManifest, PushedManifest, Registry};
use crate::{Error, Result};

impl Registry {
    /// Stores a manifest and moves tags to it: all of it or nothing.
    ///
    /// # Errors
    /// When the bytes are no manifest, are not what the digest names, name content that the repository does
    /// not hold, a tag stands elsewhere than required, or a policy keeps one where it is.
    pub async fn push_manifest(
        &self,
        operation: &Permitted<PutManifest>,
        push: PushManifest,
    ) -> Result<PushedManifest> {
        let limit = self.rules.max_manifest_size;
        if push.payload.len() as u64 > limit {
            return Err(Error::TooLarge { what: "the manifest", limit });
        }
        let (digest, tags) = match &operation.reference {
            Reference::Tag(tag) => {
                (Hasher::digest(wharf_oci::Algorithm::Sha256, &push.payload), vec![tag.clone()])
            }
            Reference::Digest(named) => {
                let digest = Hasher::digest(named.algorithm(), &push.payload);
                if digest != *named {
                    let message = format!("the manifest's bytes are {digest}, not {named}");
                    return Err(Error::invalid(ErrorCode::DigestInvalid, message));
                }
                (digest, operation.tags.clone())
            }
        };
        let manifest = Manifest::parse(&push.payload, push.content_type.as_deref())
            .map_err(|error| Error::invalid(ErrorCode::ManifestInvalid, error.to_string()))?;
        let pushed = PushedManifest {
            digest,
            media_type: manifest.media_type,
            tags: tags.clone(),
            subject: manifest.subject.as_ref().map(|subject| subject.digest),
            warnings: warnings(&manifest, push.content_type.is_some()),
        };
        let commit = CommitManifest {
            repository: operation.repository.clone(),
            digest,
            payload: push.payload,
            manifest,
            tags,
            precondition: push.precondition,
            by: operation.actor(),
        };
        let outcome = self.parts.metadata.commit_manifest(commit).await;
        // Before the acknowledgement: from here on no cache answers with where the tags were, or that there is nothing.
        let outcome = self.invalidated(&operation.repository, Kind::Manifest, outcome).await?;
        match outcome {
            CommitOutcome::Committed => {
                self.count(&operation.repository, digest, CountKind::Push);
                Ok(pushed)
            }
            CommitOutcome::Missing(digests) => Err(Error::MissingContent(digests)),
            CommitOutcome::Precondition(tag, current) => Err(Error::Precondition { tag, current }),
            CommitOutcome::Frozen(frozen) => Err(Error::Immutable(frozen)),
        }
    }
}

/// What the specification asks for and does not demand ("Pushing Manifests").
fn warnings(manifest: &Manifest, has_content_type: bool) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    if !manifest.states_media_type {
        warnings.push("the manifest has no mediaType; it should state its own type");
    }
    if !has_content_type {
        warnings.push("the request had no Content-Type; it should be the manifest's media type");
    }
    warnings
}
