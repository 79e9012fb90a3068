//! One transaction on a connection of the pool: begun together with its first statement, ended before the
//! connection goes back, whatever becomes of the task that runs it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Object;
use futures_util::future::{join, join_all};
use tokio::time::timeout;
use tokio_postgres::Error;
use wharf_core::StoreError;
use wharf_core::clock::{Clock, Timestamp};

use super::caught_up::Check;
use super::failure::{Again, Failure, rolled_back};
use super::shards::Shard;
use super::values::{parameters, row};
use crate::engine::{Dialect, Result, Row, Statements, Value};

/// Now, in microseconds, by the database's clock: of the moment, not of the transaction's beginning.
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// The same, and the oldest protocol that is allowed, in the snapshot of the transaction.
const NOW_AND_PROTOCOL: &str =
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, minimum
     FROM schema_protocol";

/// How long the end of a transaction is waited for in the background.
const LONGEST_END: Duration = Duration::from_secs(5);

/// How many statements are sent before the first of them is answered.
const PIPELINE: usize = 24;

/// How a transaction begins.
pub(super) enum Beginning {
    /// By these statements.
    AtOnce(Arc<str>),
    /// On a replica, by these statements, which follow a check that it has come far enough.
    CaughtUp(Check, Arc<str>),
}

/// A transaction. Dropped before its end, it is rolled back.
pub(super) struct Session {
    client: Option<Object>,
    /// What begins it, until it is sent.
    begin: Option<Beginning>,
    /// A clock in place of the database's.
    clock: Option<Arc<dyn Clock>>,
    /// What it has to itself while it runs, where it writes.
    shard: Option<Shard>,
    now: Option<Timestamp>,
    /// What failed first; nothing of this transaction is ever committed then.
    failure: Option<Failure>,
    /// The connection is of no use to anybody any more.
    lost: bool,
}

impl Session {
    /// A transaction that begins with its first statement.
    pub(super) const fn new(
        client: Object,
        begin: Beginning,
        clock: Option<Arc<dyn Clock>>,
    ) -> Self {
        Self {
            client: Some(client),
            begin: Some(begin),
            clock,
            shard: None,
            now: None,
            failure: None,
            lost: false,
        }
    }

    /// The same with a shard of counters to itself, until it is dropped.
    pub(super) fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Begins a transaction that writes, unless the database has left this binary's `protocol` behind.
    pub(super) async fn open(&mut self, protocol: i64) -> Result<()> {
        let rows = self.query(NOW_AND_PROTOCOL, &[]).await?;
        let Some(row) = rows.first() else {
            return Err(StoreError::Corrupt("schema_protocol has no row".into()));
        };
        self.now = Some(Timestamp(row.int(0)?));
        let minimum = row.int(1)?;
        if minimum > protocol {
            return Err(StoreError::Unavailable(left_behind(minimum, protocol)));
        }
        Ok(())
    }

    /// What came of the statements, which gave `result`. Nothing good comes of those behind one that failed.
    pub(super) fn outcome<T>(&mut self, result: Result<T>) -> std::result::Result<T, Failure> {
        match (result, self.failure.take()) {
            (Ok(output), None) => Ok(output),
            (_, Some(failure)) => Err(failure),
            (Err(error), None) => Err(Failure::new(error, None)),
        }
    }

    /// Commits. Fails with `again` only where it is certain that nothing was committed.
    pub(super) async fn commit(&mut self, limit: Duration) -> std::result::Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let Some(client) = self.client.take() else { return Err(Failure::closed()) };
        if client.is_closed() {
            return Err(Failure::closed());
        }
        // In here, so that a task that ends while it waits does not give the connection back.
        let mut ending = Ending(Some(client));
        match timeout(limit, ending.run("COMMIT")).await {
            Ok(Ok(())) => {
                ending.give_back();
                Ok(())
            }
            Ok(Err(error)) if rolled_back(&error) => {
                ending.give_back();
                Err(Failure::of(&error))
            }
            Ok(Err(error)) => Err(unknown(&super::failure::describe(&error))),
            Err(_) => Err(unknown("PostgreSQL: COMMIT took too long")),
        }
    }

    /// Ends a transaction that only read, behind the back of who asked: nothing depends on how it ends.
    pub(super) fn end(mut self) {
        self.leave("COMMIT");
    }

    fn leave(&mut self, how: &'static str) {
        let Some(client) = self.client.take() else { return };
        if self.begin.is_some() {
            // Nothing was sent on it.
            return;
        }
        let mut ending = Ending(Some(client));
        if self.lost {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(Ok(())) = timeout(LONGEST_END, ending.run(how)).await {
                    ending.give_back();
                }
            });
        }
    }

    fn client(&self) -> Result<&Object> {
        self.client
            .as_ref()
            .ok_or_else(|| StoreError::Unavailable("the transaction has ended".into()))
    }

    /// Takes the result of a statement, after that of the beginning if this was the first.
    fn taken<T>(
        &mut self,
        begun: std::result::Result<(), Failure>,
        result: std::result::Result<T, Error>,
    ) -> Result<T> {
        let failure = match (begun, result) {
            (Ok(()), Ok(taken)) => return Ok(taken),
            (Ok(()), Err(error)) => Failure::of(&error),
            (Err(failure), _) => failure,
        };
        self.lost |= failure.again == Some(Again::Lost);
        // What follows the first failure only tells that something failed before.
        Err(self.failure.get_or_insert(failure).error.clone())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave("ROLLBACK");
    }
}

/// What to do where the nodes of a newer wharf have agreed on a rule that this one does not know.
pub(super) fn left_behind(minimum: i64, spoken: i64) -> String {
    format!(
        "the database asks for protocol {minimum}, this wharf speaks {spoken}; use a newer wharf"
    )
}

fn unknown(reason: &str) -> Failure {
    let error = format!("{reason}; it is not known whether the transaction was committed");
    Failure::new(StoreError::Uncertain(error), None)
}

/// A connection whose transaction is about to end. Unless it has ended, the connection is closed.
struct Ending(Option<Object>);

impl Ending {
    async fn run(&self, how: &str) -> std::result::Result<(), Error> {
        match &self.0 {
            Some(client) => client.batch_execute(how).await,
            None => Ok(()),
        }
    }

    fn give_back(&mut self) {
        drop(self.0.take());
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

async fn begin(client: &Object, beginning: Option<Beginning>) -> std::result::Result<(), Failure> {
    match beginning {
        Some(Beginning::AtOnce(sql)) => {
            client.batch_execute(&sql).await.map_err(|error| Failure::of_begin(&error))
        }
        Some(Beginning::CaughtUp(check, sql)) => check.begin(client, &sql).await,
        None => Ok(()),
    }
}

#[async_trait]
impl Statements for Session {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn shard(&self) -> i64 {
        self.shard.as_ref().map_or(1, Shard::number)
    }

    async fn now(&mut self) -> Result<Timestamp> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        if let Some(now) = self.now {
            return Ok(now);
        }
        let rows = self.query(NOW, &[]).await?;
        let now = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
        Ok(*self.now.insert(Timestamp(now)))
    }

    async fn execute(&mut self, sql: &'static str, arguments: &[Value]) -> Result<u64> {
        let begin_with = self.begin.take();
        let client = self.client()?;
        let parameters = parameters(arguments);
        let (begun, changed) =
            join(begin(client, begin_with), client.execute_typed(sql, &parameters)).await;
        self.taken(begun, changed)
    }

    /// Many at once, so that they cost one trip.
    async fn execute_each(
        &mut self,
        sql: &'static str,
        arguments: &[Vec<Value>],
    ) -> Result<Vec<u64>> {
        let mut changed = Vec::with_capacity(arguments.len());
        for chunk in arguments.chunks(PIPELINE) {
            let begin_with = self.begin.take();
            let client = self.client()?;
            let parameters: Vec<_> = chunk.iter().map(|one| parameters(one)).collect();
            let all = parameters.iter().map(|parameters| client.execute_typed(sql, parameters));
            let (begun, all) = join(begin(client, begin_with), join_all(all)).await;
            changed.extend(
                self.taken(begun, all.into_iter().collect::<std::result::Result<Vec<_>, _>>())?,
            );
        }
        Ok(changed)
    }

    async fn query(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.ask(sql, arguments).await
    }

    async fn query_locked(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.ask(&format!("{sql} FOR UPDATE"), arguments).await
    }

    async fn query_shared(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.ask(&format!("{sql} FOR SHARE"), arguments).await
    }

    async fn query_free(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        self.ask(&format!("{sql} FOR UPDATE SKIP LOCKED"), arguments).await
    }
}

impl Session {
    async fn ask(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>> {
        let begin_with = self.begin.take();
        let client = self.client()?;
        let parameters = parameters(arguments);
        let (begun, rows) =
            join(begin(client, begin_with), client.query_typed(sql, &parameters)).await;
        self.taken(begun, rows)?.iter().map(row).collect()
    }
}
