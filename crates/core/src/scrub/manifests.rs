//! The bytes of manifests as the database has them, hashed no faster than asked. What is damaged is served to nobody, as whoever reads a manifest
//! hashes it; here it is found before anybody asks, and repaired where a copy is found.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use wharf_oci::{Digest, Hasher};

use super::TurnEnd;
use super::copies::FoundCopy;
use super::way::Way;
use crate::StoreError;
use crate::adoption::hashing::Pace;
use crate::metadata::{CheckedManifest, FaultKind, NotedManifest, RepairManifest};

/// How many manifests are asked for at once.
const PAGE: usize = 500;

/// Of how many bytes these are together, at most, but for a larger one alone.
const PAGE_BYTES: u64 = 8 << 20;

/// In what caches know of how many repositories a copy is looked for.
const MOST_ASKED: usize = 10;

impl Way<'_> {
    pub(super) async fn manifests(&mut self) -> Result<TurnEnd, StoreError> {
        let mut pace = Pace::new(self.scrubber.rules.bytes_per_second);
        loop {
            let after = self.state.place.digest;
            let page = self.integrity().stored_manifests(after, PAGE, PAGE_BYTES).await?;
            if page.is_empty() {
                return Ok(TurnEnd::Whole);
            }
            for manifest in page {
                let bytes = manifest.payload.len() as u64;
                pace.take(bytes).await;
                self.state.bytes += bytes;
                self.done.bytes += bytes;
                self.examine_manifest(&manifest).await?;
                self.looked_at(1);
                self.state.place.digest = Some(manifest.digest);
                if self.rest().await? {
                    return Ok(TurnEnd::Part);
                }
            }
        }
    }

    async fn examine_manifest(&mut self, manifest: &CheckedManifest) -> Result<(), StoreError> {
        let digest = manifest.digest;
        let Some(damage) = manifest.damage() else {
            if manifest.is_flagged {
                self.integrity().note_sound_manifest(digest).await?;
            }
            return Ok(());
        };
        match self.integrity().note_damaged_manifest(digest).await? {
            NotedManifest::Sound => return Ok(()),
            NotedManifest::Known => {}
            NotedManifest::New => {
                tracing::error!(
                    manifest = %digest, %damage,
                    "the bytes of a manifest are damaged: it is served again when a copy is found, or it is pushed again"
                );
                self.found(FaultKind::DamagedManifest, 1);
            }
        }
        self.repair_manifest(manifest).await
    }

    async fn repair_manifest(&mut self, manifest: &CheckedManifest) -> Result<(), StoreError> {
        let digest = manifest.digest;
        let Some((payload, source)) = self.manifest_copy(manifest).await? else {
            tracing::warn!(manifest = %digest, "a damaged manifest has no copy; push it again");
            return Ok(());
        };
        let repair = RepairManifest { digest, payload, source: source.clone() };
        if self.integrity().repair_manifest(repair).await? {
            tracing::info!(manifest = %digest, source, "a damaged manifest is repaired from a copy");
            self.done.repaired_manifests += 1;
        }
        Ok(())
    }

    /// The bytes that a manifest should have, and where they were found: in its own row, where only its size is wrong, in the cache, or where
    /// the bytes of blobs are looked for.
    async fn manifest_copy(
        &mut self,
        manifest: &CheckedManifest,
    ) -> Result<Option<(Bytes, String)>, StoreError> {
        let digest = manifest.digest;
        if is(&manifest.payload, &digest) {
            return Ok(Some((manifest.payload.clone(), "its own bytes".to_owned())));
        }
        let registry = &self.scrubber.registry;
        for holder in self.integrity().manifest_holders(digest, MOST_ASKED).await? {
            if let Some(payload) = registry.cached_payload(&holder, digest).await {
                return Ok(Some((payload, "the cache".to_owned())));
            }
        }
        let most = registry.rules().max_manifest_size;
        for source in &self.scrubber.copies {
            let copies = match source.copies(&digest, None).await {
                Ok(copies) => copies,
                Err(fault) => {
                    tracing::warn!(manifest = %digest, %fault, "no copy was looked for in one place");
                    continue;
                }
            };
            for copy in copies.into_iter().filter(|copy| copy.size <= most) {
                let place = copy.place.clone();
                if let Some(payload) = read(copy).await.filter(|payload| is(payload, &digest)) {
                    return Ok(Some((payload, place)));
                }
            }
        }
        Ok(None)
    }
}

fn is(payload: &Bytes, digest: &Digest) -> bool {
    Hasher::digest(digest.algorithm(), payload) == *digest
}

/// The bytes of a copy, no more than it was said to have; `None` where they cannot be read.
async fn read(copy: FoundCopy) -> Option<Bytes> {
    let mut stream = copy.content.await.ok()?.stream;
    let mut bytes = BytesMut::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.ok()?);
        if bytes.len() as u64 > copy.size {
            return None;
        }
    }
    Some(bytes.freeze())
}
