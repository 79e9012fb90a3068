//! The trait of the scrub on any engine.

use std::time::Duration;

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CheckedBlob, CheckedManifest, Damage, FindingFilter, FinishRepair, FoundKind, HeldPlace,
    Integrity, NotedManifest, Pass, PassState, ReferencesChecked, ReleaseOutcome, RepairManifest,
    ScrubFinding, StartRepair,
};
use wharf_oci::{Digest, RepositoryName};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::integrity::{
    blobs, findings, manifests, objects, passes, quarantine, references, repair,
};

#[async_trait]
impl<E: Engine> Integrity for Database<E> {
    async fn mark_unexplained(&self, found: Vec<ObjectKey>) -> Result<Vec<ObjectKey>> {
        // Nearly always there is none, and no writer has to wait for that.
        let some = self.engine.read(objects::Unexplained { keys: found, marks: false }).await?;
        if some.is_empty() {
            return Ok(some);
        }
        self.engine.write(objects::Unexplained { keys: some, marks: true }).await
    }

    async fn held_blobs(
        &self,
        after: Option<Digest>,
        up_to: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<CheckedBlob>> {
        self.engine.read(blobs::Held { after, up_to, limit }).await
    }

    async fn quarantined_blobs(
        &self,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<CheckedBlob>> {
        self.engine.read(blobs::Quarantined { after, limit }).await
    }

    async fn quarantine(&self, key: ObjectKey, damage: Damage) -> Result<bool> {
        self.engine.write(quarantine::Quarantine { key, damage }).await
    }

    async fn note_unreadable(&self, key: ObjectKey, reason: String) -> Result<bool> {
        self.engine.write(quarantine::Unreadable { key, reason }).await
    }

    async fn note_sound(&self, key: ObjectKey) -> Result<bool> {
        self.engine.write(quarantine::Sound(key)).await
    }

    async fn objects_of(&self, digest: Digest) -> Result<Vec<ObjectKey>> {
        self.engine.read(repair::Objects(digest)).await
    }

    async fn start_repair(&self, start: StartRepair) -> Result<bool> {
        self.engine.write(start).await
    }

    async fn finish_repair(&self, finish: FinishRepair) -> Result<bool> {
        self.engine.write(finish).await
    }

    async fn stored_manifests(
        &self,
        after: Option<Digest>,
        limit: usize,
        max_bytes: u64,
    ) -> Result<Vec<CheckedManifest>> {
        self.engine.read(manifests::Stored { after, limit, max_bytes }).await
    }

    async fn note_damaged_manifest(&self, digest: Digest) -> Result<NotedManifest> {
        self.engine.write(manifests::Damaged(digest)).await
    }

    async fn note_sound_manifest(&self, digest: Digest) -> Result<()> {
        self.engine.write(manifests::Sound(digest)).await
    }

    async fn manifest_holders(&self, digest: Digest, limit: usize) -> Result<Vec<RepositoryName>> {
        self.engine.read(manifests::Holders { digest, limit }).await
    }

    async fn repair_manifest(&self, repair: RepairManifest) -> Result<bool> {
        self.engine.write(repair).await
    }

    async fn holders(
        &self,
        digest: Digest,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, RepositoryName)>> {
        self.engine.read(blobs::Holders { digest, after, limit }).await
    }

    async fn check_references(
        &self,
        after: Option<HeldPlace>,
        limit: usize,
    ) -> Result<ReferencesChecked> {
        // As above.
        let looked = self.engine.read(references::Check { after, limit, notes: false }).await?;
        if looked.found == 0 {
            return Ok(looked);
        }
        self.engine.write(references::Check { after, limit, notes: true }).await
    }

    async fn resolve_findings(&self) -> Result<u64> {
        self.engine.write(findings::Resolve).await
    }

    async fn begin_pass(&self, pass: Pass) -> Result<PassState> {
        self.engine.write(passes::Begin(pass)).await
    }

    async fn record_pass(&self, pass: Pass, state: PassState, end: bool) -> Result<()> {
        self.engine.write(passes::Record { pass, state, end }).await
    }

    async fn passes(&self) -> Result<Vec<(Pass, PassState)>> {
        self.engine.read(passes::List).await
    }

    async fn list_scrub_findings(
        &self,
        filter: FindingFilter,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ScrubFinding>> {
        self.engine.read(findings::List { filter, after, limit }).await
    }

    async fn count_findings(&self) -> Result<Vec<(FoundKind, u64)>> {
        self.engine.read(findings::Count).await
    }

    async fn release(&self, digest: Digest, by: Actor, grace: Duration) -> Result<ReleaseOutcome> {
        self.engine.write(quarantine::Release { digest, by, grace }).await
    }
}
