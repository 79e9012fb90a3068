//! The traits of the history of tags and of pins on any engine.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    AsOf, ListChanges, Pin, PinManifest, PinOutcome, Pins, Stood, TagChange, TagHistory, TagThen,
    UnpinManifest,
};
use wharf_oci::{RepositoryName, Tag};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::{pins, tag_history};

#[async_trait]
impl<E: Engine> TagHistory for Database<E> {
    async fn list_changes(&self, query: ListChanges) -> Result<Option<Vec<TagChange>>> {
        self.engine.read(query).await
    }

    async fn tag_as_of(
        &self,
        repository: RepositoryName,
        tag: Tag,
        at: Timestamp,
    ) -> Result<AsOf<Stood>> {
        self.engine.read(tag_history::TagAsOf { repository, tag, at }).await
    }

    async fn tags_as_of(
        &self,
        repository: RepositoryName,
        at: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> Result<AsOf<Vec<TagThen>>> {
        self.engine.read(tag_history::TagsAsOf { repository, at, after, limit }).await
    }
}

#[async_trait]
impl<E: Engine> Pins for Database<E> {
    async fn pin_manifest(&self, pin: PinManifest) -> Result<PinOutcome> {
        self.engine.write(pin).await
    }

    async fn unpin_manifest(&self, unpin: UnpinManifest) -> Result<bool> {
        self.engine.write(unpin).await
    }

    async fn list_pins(
        &self,
        repository: RepositoryName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Option<Vec<Pin>>> {
        self.engine.read(pins::List { repository, after, limit }).await
    }
}
