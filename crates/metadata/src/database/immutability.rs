//! The trait of immutability policies on any engine.

use async_trait::async_trait;
use wharf_core::immutability::{PolicyName, PolicyRecord, PolicyScope};
use wharf_core::metadata::{ImmutabilityPolicies, Page, TagImmutability};
use wharf_oci::{RepositoryName, Tag};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::immutability::{Find, List, Look, LookAt};

#[async_trait]
impl<E: Engine> ImmutabilityPolicies for Database<E> {
    async fn list_policies(&self, of: PolicyScope) -> Result<Option<Vec<PolicyRecord>>> {
        self.engine.read(List(of)).await
    }

    async fn find_policy(&self, of: PolicyScope, name: PolicyName) -> Result<Option<PolicyRecord>> {
        self.engine.read(Find { of, name }).await
    }

    async fn tag_immutability(
        &self,
        repository: RepositoryName,
        tag: Tag,
    ) -> Result<Option<TagImmutability>> {
        let found = self.engine.read(Look { repository, at: LookAt::One(tag) }).await?;
        Ok(found.and_then(|tags| tags.into_iter().next()))
    }

    async fn list_tag_immutability(
        &self,
        repository: RepositoryName,
        page: Page,
    ) -> Result<Option<Vec<TagImmutability>>> {
        self.engine.read(Look { repository, at: LookAt::All(page) }).await
    }
}
