//! What is set for a repository, and its name.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::metadata::{Change, Refusal, RenameRepository, SetVisibility};

use super::{Apply, fresh};
use crate::engine::{Result, Statements, arguments};
use crate::transactions::events::{self, Event};
use crate::transactions::immutability::any_frozen;
use crate::transactions::repositories::find;
use crate::transactions::usage;
use crate::transactions::writes::{self, Work};

#[async_trait]
impl Apply for SetVisibility {
    async fn apply(&self, on: &mut dyn Statements, _: &Actor) -> Result<Change> {
        let sql = "SELECT id, settings_version FROM repositories WHERE name = $1";
        let rows = on.query_locked(sql, arguments![self.repository.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(Change::NotFound) };
        if !fresh(row.int(1)?, self.expected) {
            return Ok(Change::Stale);
        }
        let sql = "UPDATE repositories SET visibility = $1, settings_version = settings_version + 1
                   WHERE id = $2";
        on.execute(sql, arguments![self.visibility.name(), row.int(0)?]).await?;
        Ok(Change::Done)
    }
}

#[async_trait]
impl Apply for RenameRepository {
    async fn apply(&self, on: &mut dyn Statements, by: &Actor) -> Result<Change> {
        let repository = match writes::enter(on, &self.from, Work::Change).await {
            Err(StoreError::Closed(_)) => return Ok(Change::Refused(Refusal::ReadOnly)),
            found => found?,
        };
        let Some(repository) = repository else { return Ok(Change::NotFound) };
        let sql = "SELECT 1 FROM namespaces WHERE name = $1";
        if on.query(sql, arguments![self.to.namespace()]).await?.is_empty() {
            return Ok(Change::NotFound);
        }
        if find(on, &self.to).await?.is_some() {
            return Ok(Change::Taken);
        }
        // Under the old name a tag could then be made anew. A push that makes one meanwhile holds the row against this.
        if any_frozen(on, repository, &self.from).await?.is_some() {
            return Ok(Change::Refused(Refusal::ImmutableTags));
        }
        // Two that take one name at once meet at it: the later one begins again and finds it taken.
        let sql = "UPDATE repositories SET name = $1, settings_version = settings_version + 1
                   WHERE id = $2";
        on.execute(sql, arguments![self.to.as_str(), repository]).await?;
        usage::relocate(on, repository, &self.from, self.to.namespace()).await?;
        let now = on.now().await?;
        let renamed = Event::Renamed { from: &self.from, to: &self.to };
        events::record(on, repository, renamed, &by.by, now).await?;
        Ok(Change::Done)
    }
}
