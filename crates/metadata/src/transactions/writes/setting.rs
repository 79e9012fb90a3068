//! Read-only mode and draining, set: by who may, and by itself where a drain waits for nobody any more.

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::actor::Actor;
use wharf_core::clock::Timestamp;
use wharf_core::metadata::{
    AccountChange, AuditEntry, AuditOutcome, Change, Refusal, SetWrites, WriteState,
};
use wharf_core::writes::{PUSH_PAUSE, Turn, WriteMode, WriteReason, WriteScope};

use super::Standing;
use crate::engine::{Result, Statements, Transaction, arguments};
use crate::transactions::events::{self, Event, Of};
use crate::transactions::{audit, repositories};

/// The change itself: moves the state, and remembers who goes on where it becomes a drain.
pub(crate) async fn set(on: &mut dyn Statements, set: &SetWrites, by: &Actor) -> Result<Change> {
    let Some(scope) = Scope::find(on, &set.scope).await? else { return Ok(Change::NotFound) };
    let (from, reason) = scope.standing(on).await?;
    let to = match from.after(set.mode.turn()) {
        Ok(to) => to,
        Err(refused) => return Ok(Change::Refused(Refusal::NothingToDrain(refused))),
    };
    if from == to && reason == set.reason {
        return Ok(Change::Done);
    }
    let now = on.now().await?;
    scope.write(on, to, set.reason.as_ref(), now).await?;
    if from != to {
        scope.forget_pushes(on).await?;
        if to == WriteMode::Draining {
            scope.remember_pushes(on, now).await?;
        }
        scope.tell(on, to, set.reason.as_ref(), &by.by, now).await?;
    }
    Ok(Change::Done)
}

/// A repository's number, or all.
#[derive(Clone, Copy)]
enum Scope {
    All,
    One(i64),
}

impl Scope {
    async fn find(on: &mut dyn Statements, scope: &WriteScope) -> Result<Option<Self>> {
        match scope {
            WriteScope::All => Ok(Some(Self::All)),
            WriteScope::Repository(name) => Ok(repositories::find(on, name).await?.map(Self::One)),
        }
    }

    /// Its mode in a transaction that writes: two that set it follow one another.
    async fn standing(self, on: &mut dyn Statements) -> Result<(WriteMode, Option<WriteReason>)> {
        let rows = match self {
            Self::All => on.query_locked("SELECT mode, reason FROM site_writes", &[]).await?,
            Self::One(id) => {
                let sql = "SELECT write_mode, write_reason FROM repositories WHERE id = $1";
                on.query_locked(sql, arguments![id]).await?
            }
        };
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Corrupt("site_writes has no row".into()))?;
        let Standing { mode, reason } = Standing::read(row, 0)?;
        Ok((mode, reason))
    }

    async fn write(
        self,
        on: &mut dyn Statements,
        mode: WriteMode,
        reason: Option<&WriteReason>,
        now: Timestamp,
    ) -> Result<()> {
        let reason = reason.map(WriteReason::as_str);
        match self {
            Self::All => {
                let sql = "UPDATE site_writes SET mode = $1, reason = $2, since = $3";
                on.execute(sql, arguments![mode.name(), reason, now]).await?;
            }
            Self::One(id) => {
                let sql = "UPDATE repositories
                     SET write_mode = $1, write_reason = $2, write_mode_since = $3 WHERE id = $4";
                on.execute(sql, arguments![mode.name(), reason, now, id]).await?;
            }
        }
        Ok(())
    }

    async fn forget_pushes(self, on: &mut dyn Statements) -> Result<()> {
        match self {
            Self::All => on.execute("DELETE FROM pushes_under_way WHERE of_all = 1", &[]).await?,
            Self::One(id) => {
                let sql = "DELETE FROM pushes_under_way WHERE of_all = 0 AND repository_id = $1";
                on.execute(sql, arguments![id]).await?
            }
        };
        Ok(())
    }

    /// Whoever has an upload open is in the middle of a push. Those of the registry itself are repairs, which are none.
    async fn remember_pushes(self, on: &mut dyn Statements, now: Timestamp) -> Result<()> {
        let system = Actor::system().by;
        match self {
            Self::All => {
                let sql = "INSERT INTO pushes_under_way (of_all, repository_id, principal, seen_at)
                     SELECT DISTINCT 1, repository_id, principal, $1 FROM uploads
                     WHERE expires_at > $2 AND principal <> $3";
                on.execute(sql, arguments![now, now, system]).await?;
            }
            Self::One(id) => {
                let sql = "INSERT INTO pushes_under_way (of_all, repository_id, principal, seen_at)
                     SELECT DISTINCT 0, repository_id, principal, $1 FROM uploads
                     WHERE expires_at > $2 AND repository_id = $3 AND principal <> $4";
                on.execute(sql, arguments![now, now, id, system]).await?;
            }
        }
        Ok(())
    }

    /// The event, for whoever follows the log.
    async fn tell(
        self,
        on: &mut dyn Statements,
        mode: WriteMode,
        reason: Option<&WriteReason>,
        by: &str,
        now: Timestamp,
    ) -> Result<()> {
        let (of, event) = match self {
            Self::All => (Of::Registry, Event::AllWritesSet { mode, reason }),
            Self::One(id) => (Of::Repository(id), Event::WritesSet { mode, reason }),
        };
        events::record_of(on, of, event, by, now).await
    }

    /// How many uploads are open, and how many pushes went on lately. A repair goes on in a repository that is read-only, and not where all is.
    async fn under_way(self, on: &mut dyn Statements, now: Timestamp) -> Result<(u64, u64)> {
        let lately = now.before(PUSH_PAUSE);
        let rows = match self {
            Self::All => {
                let sql = "SELECT (SELECT count(*) FROM uploads WHERE expires_at > $1),
                     (SELECT count(*) FROM pushes_under_way WHERE of_all = 1 AND seen_at > $2)";
                on.query(sql, arguments![now, lately]).await?
            }
            Self::One(id) => {
                let sql = "SELECT
                     (SELECT count(*) FROM uploads
                      WHERE expires_at > $1 AND repository_id = $2 AND principal <> $3),
                     (SELECT count(*) FROM pushes_under_way
                      WHERE of_all = 0 AND repository_id = $2 AND seen_at > $4)";
                on.query(sql, arguments![now, id, Actor::system().by, lately]).await?
            }
        };
        rows.first().map_or(Ok((0, 0)), |row| Ok((row.size(0)?, row.size(1)?)))
    }
}

/// `WriteModes::write_state`
pub(crate) struct Find(pub(crate) WriteScope);

#[async_trait]
impl Transaction for Find {
    type Output = Option<WriteState>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let Some(scope) = Scope::find(on, &self.0).await? else { return Ok(None) };
        let rows = match scope {
            Scope::All => on.query("SELECT mode, reason, since FROM site_writes", &[]).await?,
            Scope::One(id) => {
                let sql = "SELECT write_mode, write_reason, write_mode_since FROM repositories
                           WHERE id = $1";
                on.query(sql, arguments![id]).await?
            }
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let Standing { mode, reason } = Standing::read(row, 0)?;
        let since = Timestamp(row.int(2)?);
        let now = on.now().await?;
        let (uploads, pushes) = scope.under_way(on, now).await?;
        Ok(Some(WriteState { mode, reason, since, uploads, pushes }))
    }
}

/// `WriteModes::end_drains`
pub(crate) struct EndDrains;

#[async_trait]
impl Transaction for EndDrains {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let now = on.now().await?;
        let mut drained = Vec::new();
        let rows = on.query("SELECT 1 FROM site_writes WHERE mode = 'draining'", &[]).await?;
        drained.extend(rows.first().map(|_| (Scope::All, WriteScope::All)));
        let sql = "SELECT id, name FROM repositories WHERE write_mode = 'draining' ORDER BY id";
        for row in on.query(sql, &[]).await? {
            drained.push((Scope::One(row.int(0)?), WriteScope::Repository(row.parsed(1)?)));
        }
        let mut ended = 0;
        for (scope, name) in drained {
            if scope.under_way(on, now).await? == (0, 0) {
                ended += u64::from(end(on, scope, &name, now).await?);
            }
        }
        Ok(ended)
    }
}

/// Ends a drain that waits for nothing, with its event and a record in the audit log.
async fn end(
    on: &mut dyn Statements,
    scope: Scope,
    name: &WriteScope,
    now: Timestamp,
) -> Result<bool> {
    let (from, reason) = scope.standing(on).await?;
    let Ok(to) = from.after(Turn::NoneLeft) else { return Ok(false) };
    if from == to {
        return Ok(false);
    }
    scope.write(on, to, reason.as_ref(), now).await?;
    scope.forget_pushes(on).await?;
    let by = Actor::system();
    scope.tell(on, to, reason.as_ref(), &by.by, now).await?;
    let change = SetWrites { scope: name.clone(), mode: to, reason };
    let change = AccountChange::from(change);
    let entry = AuditEntry {
        by,
        action: change.action().to_owned(),
        target: change.target(),
        namespace: change.namespace(),
        outcome: AuditOutcome::Done,
        detail: change.detail(),
    };
    audit::write(on, &entry).await?;
    Ok(true)
}
