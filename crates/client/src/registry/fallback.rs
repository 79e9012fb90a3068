//! The tag that lists referrers where a registry does not (distribution-spec, "Referrers Tag Schema").

use bytes::Bytes;
use serde::Serialize;
use wharf_oci::{Algorithm, Descriptor, Digest, Hasher, Kind, Manifest, MediaType, Reference, Tag};

use super::Repository;
use super::manifest::plain_descriptor;
use crate::Error;

/// `<algorithm>-<hex>`, cut to 32 and 64 characters.
pub(super) fn tag_for(subject: &Digest) -> Result<Tag, Error> {
    let hex = subject.hex();
    let hex = hex.get(..64).unwrap_or(&hex);
    format!("{}-{hex}", subject.algorithm())
        .parse()
        .map_err(|error| Error::Setup(format!("no tag for the referrers of {subject}: {error}")))
}

/// How a referrer is described in a list: with its artifact type and annotations.
pub(crate) fn describe(descriptor: &Descriptor, manifest: &Manifest) -> Descriptor {
    let config_type = match &manifest.kind {
        Kind::Image { config, .. } => Some(config.media_type.clone()),
        Kind::Index { .. } => None,
    };
    let mut described =
        plain_descriptor(&descriptor.media_type, descriptor.digest, descriptor.size);
    described.artifact_type = manifest.artifact_type.clone().or(config_type);
    if !manifest.annotations.is_empty() {
        described.annotations = Some(manifest.annotations.clone());
    }
    described
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'a str,
    manifests: &'a [Descriptor],
}

/// The bytes of an index of `manifests`, and its descriptor.
pub(crate) fn index_of(manifests: &[Descriptor]) -> Result<(Descriptor, Bytes), Error> {
    let media_type = MediaType::ImageIndex.as_str();
    let index = Index { schema_version: 2, media_type, manifests };
    let bytes = serde_json::to_vec(&index)
        .map_err(|error| Error::Setup(format!("an index cannot be written: {error}")))?;
    let digest = Hasher::digest(Algorithm::Sha256, &bytes);
    Ok((plain_descriptor(media_type, digest, bytes.len() as u64), bytes.into()))
}

impl Repository {
    /// Adds a referrer to the list under its subject's tag. Two clients that do so at once may lose one of the two;
    /// the specification leaves that to registries with the API.
    pub(super) async fn add_to_fallback(
        &self,
        subject: &Digest,
        referrer: Descriptor,
    ) -> Result<(), Error> {
        let tag = tag_for(subject)?;
        let mut list = match self.manifest(&Reference::Tag(tag.clone())).await {
            Ok(found) => {
                let manifest = found.parse()?;
                if !manifest.media_type.is_index() {
                    let reason = format!(
                        "is about {subject}, but the tag {tag} that lists such is no index"
                    );
                    return Err(Error::Image { digest: referrer.digest, reason });
                }
                manifest.children().to_vec()
            }
            Err(Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if list.iter().any(|known| known.digest == referrer.digest) {
            return Ok(());
        }
        list.push(referrer);
        let (descriptor, bytes) = index_of(&list)?;
        self.put_manifest(&descriptor, bytes, &[tag]).await.map(|_| ())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_referrers_tag_is_cut_as_the_specification_says() {
        let short: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let long: Digest = format!("sha512:{}", "a".repeat(128)).parse().unwrap();
        assert_eq!(tag_for(&short).unwrap().as_str(), format!("sha256-{}", "a".repeat(64)));
        assert_eq!(tag_for(&long).unwrap().as_str(), format!("sha512-{}", "a".repeat(64)));
    }
}
