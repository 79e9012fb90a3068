//! A repository as the source of images: one of them, or all that have tags.

use async_trait::async_trait;
use bytes::Bytes;
use wharf_oci::{Descriptor, Reference, Tag};

use super::Repository;
use crate::source::{BlobSource, BlobStream, Root, Source};
use crate::{Error, MAX_MANIFEST};

/// The most tags that are copied in one go.
const MAX_TAGS: usize = 100_000;

/// Images of a repository.
pub struct RegistrySource {
    repository: Repository,
    meant: Meant,
}

/// Which images are meant.
enum Meant {
    One(Reference),
    /// Where a tag stood at a time (RFC 3339).
    Then(Tag, String),
    AllTags,
}

impl RegistrySource {
    /// One image.
    pub fn new(repository: Repository, reference: Reference) -> Self {
        Self { repository, meant: Meant::One(reference) }
    }

    /// The image at which a tag stood at a time (RFC 3339).
    pub fn as_of(repository: Repository, tag: Tag, at: String) -> Self {
        Self { repository, meant: Meant::Then(tag, at) }
    }

    /// Every image that has a tag.
    pub fn all_tags(repository: Repository) -> Self {
        Self { repository, meant: Meant::AllTags }
    }

    async fn root(&self, reference: &Reference) -> Result<Root, Error> {
        let descriptor = match self.repository.manifest_head(reference).await? {
            Some(descriptor) => descriptor,
            None => return Err(self.repository.not_found(reference)),
        };
        let names = match reference {
            Reference::Tag(tag) => vec![tag.to_string()],
            Reference::Digest(_) => Vec::new(),
        };
        Ok(Root { descriptor, names })
    }
}

#[async_trait]
impl BlobSource for RegistrySource {
    async fn blob(&self, blob: &Descriptor, offset: u64) -> Result<BlobStream, Error> {
        let (_, stream) = self.repository.blob(&blob.digest, Some(blob.size), offset).await?;
        Ok(stream)
    }
}

#[async_trait]
impl Source for RegistrySource {
    fn place(&self) -> String {
        self.repository.place()
    }

    async fn roots(&self) -> Result<Vec<Root>, Error> {
        match &self.meant {
            Meant::One(reference) => return Ok(vec![self.root(reference).await?]),
            Meant::Then(tag, at) => {
                let descriptor = self.repository.manifest_as_of(tag, at).await?;
                return Ok(vec![Root { descriptor, names: vec![tag.to_string()] }]);
            }
            Meant::AllTags => {}
        }
        let mut roots: Vec<Root> = Vec::new();
        for name in self.repository.tags()?.collect(MAX_TAGS).await? {
            // A name that is no tag cannot be asked for.
            let Ok(tag) = name.parse() else { continue };
            let root = match self.root(&Reference::Tag(tag)).await {
                Ok(root) => root,
                // It was deleted since the list was made.
                Err(Error::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            match roots.iter_mut().find(|known| known.descriptor.digest == root.descriptor.digest) {
                Some(known) => known.names.extend(root.names),
                None => roots.push(root),
            }
        }
        Ok(roots)
    }

    async fn manifest(&self, manifest: &Descriptor) -> Result<Bytes, Error> {
        if manifest.size > MAX_MANIFEST as u64 {
            let what = format!("manifest {} of {}", manifest.digest, self.place());
            return Err(Error::TooLarge { what, limit: MAX_MANIFEST as u64 });
        }
        Ok(self.repository.manifest(&Reference::Digest(manifest.digest)).await?.bytes)
    }

    async fn referrers(&self, manifest: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        self.repository.referrers(&manifest.digest, None).await
    }
}
