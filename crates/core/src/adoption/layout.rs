//! A repository in another registry's layout: which manifests, blobs and tags it links to.

use bytes::Bytes;
use futures_util::StreamExt as _;
use wharf_oci::{Algorithm, Digest, Hasher};

use super::fault::{Fault, shown};
use crate::StoreError;
use crate::blobs::{ByteStream, ReadError};
use crate::old_store::{OldKind, OldPath, OldStore};

/// The longest link in bytes: a digest is shorter, whatever its algorithm.
const LONGEST_LINK: usize = 256;

/// A repository's folder.
pub(super) struct Layout<'a> {
    store: &'a dyn OldStore,
    folder: OldPath,
}

/// What was found under a name: a good one, or the name and what is wrong with it.
pub(super) type Listed<T> = Result<T, (String, String)>;

impl<'a> Layout<'a> {
    /// The folder below that of the repositories. `None` where its path is none.
    pub(super) fn of(store: &'a dyn OldStore, path: &str) -> Option<Self> {
        Some(Self { store, folder: OldPath::repositories().join(path)? })
    }

    /// The manifests, those that were deleted since included.
    pub(super) async fn revisions(&self) -> Result<Vec<Listed<Digest>>, Fault> {
        let mut found = Vec::new();
        let folder = self.below("_manifests/revisions")?;
        for algorithm in self.store.list(&folder).await? {
            let known = Algorithm::ALL.into_iter().find(|known| known.name() == algorithm.name);
            let Some(known) = known.filter(|_| algorithm.kind == OldKind::Folder) else {
                let name = shown(&algorithm.name);
                found.push(Err((name, "it is no folder of an algorithm known here".into())));
                continue;
            };
            let inner = folder.join(known.name()).ok_or_else(too_long)?;
            for entry in self.store.list(&inner).await? {
                let named = format!("{known}:{}", entry.name);
                found.push(match (named.parse::<Digest>(), entry.kind) {
                    (Ok(digest), OldKind::Folder) => Ok(digest),
                    (Ok(_), OldKind::Other(what)) => {
                        Err((shown(&named), format!("it is {what}: not followed")))
                    }
                    (Ok(_), OldKind::File) => Err((shown(&named), "it is no folder".into())),
                    (Err(error), _) => Err((shown(&named), error.to_string())),
                });
            }
        }
        Ok(found)
    }

    /// The names of the tags, whatever they are.
    pub(super) async fn tags(&self) -> Result<Vec<Listed<String>>, Fault> {
        let entries = self.store.list(&self.below("_manifests/tags")?).await?;
        let read = entries.into_iter().map(|entry| match entry.kind {
            OldKind::Folder => Ok(entry.name),
            OldKind::File => Err((shown(&entry.name), "it is no folder".into())),
            OldKind::Other(what) => {
                Err((shown(&entry.name), format!("it is {what}: not followed")))
            }
        });
        Ok(read.collect())
    }

    /// Whether the repository still links to a manifest.
    pub(super) async fn has_revision(&self, digest: &Digest) -> Result<bool, Fault> {
        self.links("_manifests/revisions", digest).await
    }

    /// Whether the repository links to a blob: only then may it be had there.
    pub(super) async fn has_blob(&self, digest: &Digest) -> Result<bool, Fault> {
        self.links("_layers", digest).await
    }

    /// Where a tag stands; `None` where it was deleted.
    pub(super) async fn tag(&self, name: &str) -> Result<Option<Digest>, Fault> {
        self.link(&self.below(&format!("_manifests/tags/{name}/current/link"))?).await
    }

    async fn links(&self, folder: &str, digest: &Digest) -> Result<bool, Fault> {
        let place = format!("{folder}/{}/{}/link", digest.algorithm(), digest.hex());
        match self.link(&self.below(&place)?).await? {
            Some(to) if to != *digest => {
                Err(Fault::Bad(format!("its link in {folder} leads to {to}")))
            }
            found => Ok(found.is_some()),
        }
    }

    async fn link(&self, path: &OldPath) -> Result<Option<Digest>, Fault> {
        let Some(bytes) = self.store.small_file(path, LONGEST_LINK).await? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes);
        let digest = text.trim().parse();
        digest.map(Some).map_err(|error| {
            let text: String = shown(&text).chars().take(80).collect();
            Fault::Bad(format!("its link holds {text:?} and no digest: {error}"))
        })
    }

    fn below(&self, name: &str) -> Result<OldPath, Fault> {
        self.folder.join(name).ok_or_else(too_long)
    }
}

fn too_long() -> Fault {
    Fault::Bad("its path is too long or leads elsewhere".into())
}

/// The bytes of a manifest, no more than `limit` of them and none but the digest's.
pub(super) async fn manifest(
    store: &dyn OldStore,
    digest: &Digest,
    limit: u64,
) -> Result<Bytes, Fault> {
    let Some(size) = store.head(digest).await? else {
        return Err(Fault::Bad("its bytes are not in the store".into()));
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if size > limit as u64 {
        return Err(Fault::Bad(format!(
            "it has {size} bytes, more than the {limit} of registry.max_manifest_size"
        )));
    }
    let content = match store.read(digest, None).await {
        Ok(content) => content,
        Err(ReadError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Fault::Bad(error.to_string())),
    };
    let bytes = gathered(content.stream, limit).await?;
    match Hasher::digest(digest.algorithm(), &bytes) {
        is if is == *digest => Ok(bytes),
        is => Err(Fault::Bad(format!("it is damaged: its bytes are {is}"))),
    }
}

async fn gathered(mut stream: ByteStream, limit: usize) -> Result<Bytes, Fault> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.map_err(Fault::from)?);
        if bytes.len() > limit {
            let text = "the file of a manifest grew while it was read";
            return Err(StoreError::Corrupt(text.into()).into());
        }
    }
    Ok(bytes.into())
}
