//! Pushing manifests and their tags (distribution-spec, "Pushing Manifests").

use bytes::Bytes;
use http::{HeaderValue, Method};
use wharf_oci::{Algorithm, Descriptor, Digest, Manifest, Tag};

use super::manifest::CONTENT_DIGEST;
use super::{Repository, fallback};
use crate::Error;
use crate::connection::{Payload, Reply, encode};

/// How many tags go along with one push: what registries that take several should take at least.
const TAGS_AT_ONCE: usize = 10;

impl Repository {
    /// Pushes a manifest and lets every one of `tags` name it; without tags, by its digest. Several tags go in one
    /// request where the registry takes them so, else one by one. Returns whether the registry handled the
    /// manifest's subject, if it has one: see [`push_manifest`](Repository::push_manifest).
    ///
    /// # Errors
    /// When the registry refuses it; some tags may then have been moved.
    pub async fn put_manifest(
        &self,
        manifest: &Descriptor,
        bytes: Bytes,
        tags: &[Tag],
    ) -> Result<bool, Error> {
        let is_sha256 = manifest.digest.algorithm() == Algorithm::Sha256;
        // By a tag the registry chooses the algorithm, so only SHA-256 is safe.
        if let ([tag], true) = (tags, is_sha256) {
            let reply = self.put_one(manifest, &bytes, tag.as_str()).await?;
            return self.accepted(manifest, &reply).map(|()| handles_subject(&reply));
        }
        let mut handled = false;
        let mut left: Vec<&Tag> = Vec::new();
        let batches: Vec<&[Tag]> =
            if tags.is_empty() { vec![tags] } else { tags.chunks(TAGS_AT_ONCE).collect() };
        for batch in batches {
            let query: Vec<String> =
                batch.iter().map(|tag| format!("tag={}", encode(tag.as_str()))).collect();
            let separator = if query.is_empty() { "" } else { "?" };
            let name = format!("{}{separator}{}", manifest.digest, query.join("&"));
            match self.put_one(manifest, &bytes, &name).await {
                Ok(reply) => {
                    self.accepted(manifest, &reply)?;
                    handled |= handles_subject(&reply);
                    let set = tags_set(&reply);
                    left.extend(batch.iter().filter(|tag| !set.iter().any(|s| s == tag.as_str())));
                }
                // A registry may find the address too long, or the parameter strange.
                Err(error) if !batch.is_empty() && is_about_the_address(&error) => {
                    left.extend(batch);
                }
                Err(error) => return Err(error),
            }
        }
        for tag in left {
            let reply = self.put_one(manifest, &bytes, tag.as_str()).await?;
            handled |= handles_subject(&reply);
        }
        Ok(handled)
    }

    /// Pushes a manifest as [`put_manifest`](Repository::put_manifest) does and, where it has a subject and the
    /// registry does not list referrers, adds it to the list that clients keep under a tag.
    ///
    /// # Errors
    /// As there, or when the list cannot be written.
    pub async fn push_manifest(
        &self,
        descriptor: &Descriptor,
        bytes: Bytes,
        tags: &[Tag],
    ) -> Result<(), Error> {
        match self.put_unlisted(descriptor, bytes, tags).await? {
            Some((subject, referrer)) => self.add_to_fallback(&subject, referrer).await,
            None => Ok(()),
        }
    }

    /// Pushes a manifest. Where clients have to list it as a referrer, returns of what, and how it is described.
    pub(super) async fn put_unlisted(
        &self,
        descriptor: &Descriptor,
        bytes: Bytes,
        tags: &[Tag],
    ) -> Result<Option<(Digest, Descriptor)>, Error> {
        let digest = descriptor.digest;
        let manifest = Manifest::parse(&bytes, Some(&descriptor.media_type))
            .map_err(Error::manifest(digest))?;
        let handled = self.put_manifest(descriptor, bytes, tags).await?;
        let subject = manifest.subject.as_ref().filter(|_| !handled);
        Ok(subject.map(|subject| (subject.digest, fallback::describe(descriptor, &manifest))))
    }

    async fn put_one(
        &self,
        manifest: &Descriptor,
        bytes: &Bytes,
        name: &str,
    ) -> Result<Reply, Error> {
        let media_type = HeaderValue::try_from(&manifest.media_type).map_err(|_| Error::Image {
            digest: manifest.digest,
            reason: "has a media type that no header can hold".to_owned(),
        })?;
        let call = self
            .writing(Method::PUT, &format!("manifests/{name}"))?
            .body(media_type, Payload::Bytes(bytes.clone()));
        let reply = self.client().call(call).await?;
        if reply.status.is_success() { Ok(reply) } else { Err(reply.refusal().await) }
    }

    /// The registry must have stored what was sent.
    fn accepted(&self, manifest: &Descriptor, reply: &Reply) -> Result<(), Error> {
        let named: Option<Digest> = reply.header(CONTENT_DIGEST).and_then(|text| text.parse().ok());
        match named {
            Some(found)
                if found.algorithm() == manifest.digest.algorithm() && found != manifest.digest =>
            {
                Err(Error::digest(manifest.digest, found))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the registry lists the manifest with its subject's referrers.
fn handles_subject(reply: &Reply) -> bool {
    reply.headers.contains_key("oci-subject")
}

/// The tags that the registry says it set.
fn tags_set(reply: &Reply) -> Vec<String> {
    let values = reply.headers.get_all("oci-tag").into_iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect()
}

fn is_about_the_address(error: &Error) -> bool {
    error.status().is_some_and(|status| matches!(status.as_u16(), 400 | 404 | 405 | 414 | 431))
}
