//! The trait of read-only mode and draining on any engine.

use async_trait::async_trait;
use wharf_core::metadata::{WriteModes, WriteState};
use wharf_core::writes::{Closed, WriteScope};

use super::{Database, Result};
use crate::engine::Engine;
use crate::transactions::writes::{self, setting};

#[async_trait]
impl<E: Engine> WriteModes for Database<E> {
    async fn write_state(&self, scope: WriteScope) -> Result<Option<WriteState>> {
        self.engine.read(setting::Find(scope)).await
    }

    async fn closed(&self, scope: WriteScope) -> Result<Option<Closed>> {
        self.engine.read(writes::Ask(scope)).await
    }

    async fn end_drains(&self) -> Result<u64> {
        let ended = self.engine.write(setting::EndDrains).await?;
        if ended > 0 {
            self.engine.settle().await?;
        }
        Ok(ended)
    }
}
