//! The trait of adoptions on any engine.

use async_trait::async_trait;
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    AdoptBlob, AdoptTag, Adoptable, AdoptedBlob, AdoptedTag, Adoption, Adoptions, Finding,
    RecordAdoption, StartAdoption, StartedAdoption,
};
use wharf_oci::{Digest, RepositoryName};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::adoptions;

#[async_trait]
impl<E: Engine> Adoptions for Database<E> {
    async fn start_adoption(&self, start: StartAdoption) -> Result<StartedAdoption> {
        self.engine.write(start).await
    }

    async fn last_adoption(&self) -> Result<Option<Adoption>> {
        self.engine.read(adoptions::Last).await
    }

    async fn record_adoption(&self, record: RecordAdoption) -> Result<Option<i64>> {
        self.engine.write(record).await
    }

    async fn stop_adoption(&self, by: Actor) -> Result<bool> {
        self.engine.write(adoptions::Stop { by }).await
    }

    async fn list_findings(
        &self,
        adoption: i64,
        after: Option<(String, String)>,
        limit: usize,
    ) -> Result<Vec<Finding>> {
        self.engine.read(adoptions::ListFindings { adoption, after, limit }).await
    }

    async fn held_manifests(
        &self,
        repository: RepositoryName,
        digests: Vec<Digest>,
    ) -> Result<Vec<Digest>> {
        self.engine.read(adoptions::Held { repository, digests }).await
    }

    async fn find_adoptable(
        &self,
        repository: RepositoryName,
        digest: Digest,
    ) -> Result<Adoptable> {
        self.engine.write(adoptions::Find { repository, digest }).await
    }

    async fn adopt_blob(&self, adopt: AdoptBlob) -> Result<AdoptedBlob> {
        self.engine.write(adopt).await
    }

    async fn adopt_tag(&self, adopt: AdoptTag) -> Result<AdoptedTag> {
        self.engine.write(adopt).await
    }
}
