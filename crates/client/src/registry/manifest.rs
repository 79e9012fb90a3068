//! Pulling manifests, and asking whether they are there (distribution-spec, "Pulling manifests").

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use wharf_oci::{Algorithm, Descriptor, Digest, Hasher, Manifest, MediaType, Reference, Tag};

use super::Repository;
use crate::connection::{Call, Reply, encode};
use crate::{Error, MAX_MANIFEST, Scope};

/// Every type of manifest that is understood here, the newer ones first.
const ACCEPT: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json",
);

pub(super) const CONTENT_DIGEST: &str = "docker-content-digest";

/// The time for which Wharf answers, where it was asked for one.
const AS_OF: &str = "wharf-as-of";

/// A manifest as the registry gave it.
#[derive(Clone, Debug)]
pub struct FetchedManifest {
    /// Its type, digest and size.
    pub descriptor: Descriptor,
    /// Its bytes, which have that digest.
    pub bytes: Bytes,
}

impl FetchedManifest {
    /// What it says.
    ///
    /// # Errors
    /// When it is no manifest, or its type and its content disagree.
    pub fn parse(&self) -> Result<Manifest, Error> {
        Manifest::parse(&self.bytes, Some(&self.descriptor.media_type))
            .map_err(Error::manifest(self.descriptor.digest))
    }
}

/// A descriptor of nothing but type, digest and size.
pub(crate) fn plain_descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        artifact_type: None,
        annotations: None,
        urls: None,
        data: None,
        platform: None,
    }
}

impl Repository {
    /// Pulls a manifest and verifies it: against `reference` where that is a digest, else against the digest
    /// that the registry names.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not there; [`Error::Digest`] where it is another one;
    /// [`Error::TooLarge`] past [`MAX_MANIFEST`].
    pub async fn manifest(&self, reference: &Reference) -> Result<FetchedManifest, Error> {
        let call = self.reading(Method::GET, &format!("manifests/{reference}"))?;
        let reply = self.client().call(call.header(header::ACCEPT, ACCEPT)).await?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.not_found(reference)),
            _ => return Err(reply.refusal().await),
        }
        let named: Option<Digest> = reply.header(CONTENT_DIGEST).and_then(|text| text.parse().ok());
        let media_type = content_type(&reply);
        let what = format!("manifest {reference} of {}", self.place());
        let bytes = reply.bytes(&what, MAX_MANIFEST).await?;
        let expected = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => named,
        };
        let algorithm = expected.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let found = Hasher::digest(algorithm, &bytes);
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Error::digest(expected, found));
        }
        let media_type = match media_type {
            Some(media_type) => media_type.as_str().to_owned(),
            // Older registries and plain file servers do not say; the manifest does.
            None => Manifest::parse(&bytes, None)
                .map_err(Error::manifest(found))?
                .media_type
                .as_str()
                .to_owned(),
        };
        let descriptor = plain_descriptor(&media_type, found, bytes.len() as u64);
        Ok(FetchedManifest { descriptor, bytes })
    }

    /// Type, digest and size of a manifest; `None` where it is not there. The digest of a tag is what the
    /// registry says: pulling by that digest verifies it.
    ///
    /// # Errors
    /// When the registry cannot say.
    pub async fn manifest_head(&self, reference: &Reference) -> Result<Option<Descriptor>, Error> {
        let call = self.reading(Method::HEAD, &format!("manifests/{reference}"))?;
        let reply = self.client().call(call.header(header::ACCEPT, ACCEPT)).await?;
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(reply.refusal().await),
        }
        let digest = reply.header(CONTENT_DIGEST).and_then(|text| text.parse().ok());
        match (digest, reply.content_length(), content_type(&reply)) {
            (Some(digest), Some(size), Some(media_type)) => {
                Ok(Some(plain_descriptor(media_type.as_str(), digest, size)))
            }
            // Registries of earlier specifications need not name the digest.
            _ => match self.manifest(reference).await {
                Ok(manifest) => Ok(Some(manifest.descriptor)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Type, digest and size of the manifest at which a tag stood at a time (RFC 3339). A registry that does not keep
    /// the history of tags would answer with where it stands: only one that says for which time it answers is believed.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there was no such tag; what the registry says where it does not hold the manifest any
    /// more or does not know; an error of the protocol where it knows no such times.
    pub async fn manifest_as_of(&self, tag: &Tag, at: &str) -> Result<Descriptor, Error> {
        let path = format!("manifests/{tag}?as_of={}", encode(at));
        let call = self.reading(Method::HEAD, &path)?;
        let mut reply = self.client().call(call.header(header::ACCEPT, ACCEPT)).await?;
        if !reply.status.is_success() && reply.status != StatusCode::NOT_FOUND {
            // Why, only a reply with a body says.
            let call = self.reading(Method::GET, &path)?;
            reply = self.client().call(call.header(header::ACCEPT, ACCEPT)).await?;
        }
        match reply.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(self.not_found(format_args!("{tag} as of {at}"))),
            _ => return Err(reply.refusal().await),
        }
        let host = self.registry().host();
        if reply.header(AS_OF).is_none() {
            let what = "where a tag stands now when it is asked where it stood: it keeps no history of tags";
            return Err(Error::protocol(host, what.to_owned()));
        }
        let digest = reply.header(CONTENT_DIGEST).and_then(|text| text.parse().ok());
        match (digest, reply.content_length(), content_type(&reply)) {
            (Some(digest), Some(size), Some(media_type)) => {
                Ok(plain_descriptor(media_type.as_str(), digest, size))
            }
            _ => {
                Err(Error::protocol(host, "a manifest without its digest, size or type".to_owned()))
            }
        }
    }

    /// Deletes a tag, or a manifest with all its tags (distribution-spec, "Content Management").
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not there.
    pub async fn delete_manifest(&self, reference: &Reference) -> Result<(), Error> {
        let mut call: Call = self.reading(Method::DELETE, &format!("manifests/{reference}"))?;
        call.scopes = vec![Scope::delete(&self.name)];
        let reply = self.client().call(call).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Err(self.not_found(reference)),
            status if status.is_success() => Ok(()),
            _ => Err(reply.refusal().await),
        }
    }
}

/// The type in `Content-Type`, where it is one of a manifest.
fn content_type(reply: &Reply) -> Option<MediaType> {
    MediaType::parse(reply.header(header::CONTENT_TYPE.as_str())?)
}
