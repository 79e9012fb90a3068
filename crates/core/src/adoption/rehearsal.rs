//! A rehearsal: all that an adoption looks at but for the blobs' bytes, and nothing changed anywhere.

use std::collections::HashSet;

use async_trait::async_trait;
use wharf_oci::{Digest, NamePattern, RepositoryName, Tag};

use super::fault::{Fault, Piece, Stop, piece};
use super::journey::Journey;
use super::target::{Read, Tallied, Target};
use crate::StoreError;
use crate::metadata::{AdoptionProgress, Finding};
use crate::old_store::OldStore;

/// Looks through the other registry's store, and hands over what an adoption would leave out. Blobs are not read, so
/// that damaged ones are not found; in the sum each counts once with its size. Nothing is asked of the database: what
/// is here already counts like the rest.
///
/// # Errors
/// When the store cannot be read.
pub async fn rehearse(
    store: &dyn OldStore,
    only: Option<&NamePattern>,
    max_manifest_size: u64,
    found: impl FnMut(Finding) + Send,
) -> Result<AdoptionProgress, StoreError> {
    let journey = Journey { store, only, max_manifest_size };
    let (sum, blobs) = (AdoptionProgress::default(), HashSet::new());
    let mut rehearsal = Rehearsal { store, found, sum, blobs };
    match journey.go(&mut rehearsal, None).await {
        Ok(()) | Err(Stop::Slice | Stop::Lost) => {}
        Err(Stop::Store(error)) => return Err(error),
        Err(Stop::OverQuota(over)) => return Err(StoreError::OverQuota(over)),
    }
    let mut sum = rehearsal.sum;
    sum.repositories_total = Some(sum.repositories);
    Ok(sum)
}

struct Rehearsal<'a, F> {
    store: &'a dyn OldStore,
    found: F,
    sum: AdoptionProgress,
    blobs: HashSet<Digest>,
}

#[async_trait]
impl<F: FnMut(Finding) + Send> Target for Rehearsal<'_, F> {
    async fn begin(&mut self, _: &str) -> Result<HashSet<String>, Stop> {
        Ok(HashSet::new())
    }

    async fn held(&mut self, _: &RepositoryName, _: &[Digest]) -> Result<HashSet<Digest>, Stop> {
        Ok(HashSet::new())
    }

    async fn blob(&mut self, _: &RepositoryName, digest: &Digest) -> Result<Piece<()>, Stop> {
        if self.blobs.contains(digest) {
            return Ok(Ok(()));
        }
        let size = match piece(self.store.head(digest).await.map_err(Fault::from))? {
            Ok(Some(size)) => size,
            Ok(None) => return Ok(Err("its bytes are not in the store".into())),
            Err(reason) => return Ok(Err(reason)),
        };
        self.blobs.insert(*digest);
        self.sum.blobs += 1;
        self.sum.bytes += size;
        Ok(Ok(()))
    }

    async fn manifest(&mut self, _: &RepositoryName, _: Read) -> Result<Piece<()>, Stop> {
        Ok(Ok(()))
    }

    async fn tag(&mut self, _: &RepositoryName, _: Tag, _: &Digest) -> Result<Piece<()>, Stop> {
        Ok(Ok(()))
    }

    async fn found(&mut self, finding: Finding) -> Result<(), Stop> {
        (self.found)(finding);
        Ok(())
    }

    async fn done(&mut self, _: &str, tallied: Tallied) -> Result<(), Stop> {
        self.sum.repositories += 1;
        self.sum.manifests += tallied.manifests;
        self.sum.tags += tallied.tags;
        self.sum.left_out += tallied.left_out;
        Ok(())
    }
}
