//! A transaction that tells of its statements: how many it waited for, one after another, and how many rows of tables each read.

use async_trait::async_trait;
use wharf_core::clock::Timestamp;

use crate::engine::{Dialect, Plans, Result, Row, Sees, Statements, Transaction, Value};

/// Does what the transaction does, and returns with its output what there is to tell.
pub(super) struct Told<T>(pub(super) T);

/// A statement, or one with many lists of arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) sql: &'static str,
    /// How many rows of tables it read, also those that it passed over.
    pub(super) read: u64,
}

#[async_trait]
impl<T: Transaction> Transaction for Told<T> {
    type Output = (T::Output, Vec<Statement>);

    const SEES: Sees = T::SEES;
    const PLANS: Plans = T::PLANS;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        // What this connection read before is told of some time later.
        let read = read(on).await?;
        let mut telling = Telling { on, told: Vec::new(), read };
        let output = self.0.run(&mut telling).await?;
        Ok((output, telling.told))
    }
}

struct Telling<'a> {
    on: &'a mut dyn Statements,
    told: Vec<Statement>,
    /// How many rows all of them read so far.
    read: u64,
}

impl Telling<'_> {
    async fn tell<T: Send>(&mut self, sql: &'static str, done: T) -> Result<T> {
        let read = read(self.on).await?;
        self.told.push(Statement { sql, read: read - self.read });
        self.read = read;
        Ok(done)
    }
}

async fn read(on: &mut dyn Statements) -> Result<u64> {
    let sql = "SELECT CAST(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS bigint)
               FROM pg_stat_xact_user_tables";
    on.query(sql, &[]).await?[0].size(0)
}

#[async_trait]
impl Statements for Telling<'_> {
    fn dialect(&self) -> Dialect {
        self.on.dialect()
    }

    fn shard(&self) -> i64 {
        self.on.shard()
    }

    async fn now(&mut self) -> Result<Timestamp> {
        self.on.now().await
    }

    async fn execute(&mut self, sql: &'static str, arguments: &[Value]) -> Result<u64> {
        let done = self.on.execute(sql, arguments).await?;
        self.tell(sql, done).await
    }

    async fn execute_each(
        &mut self,
        sql: &'static str,
        arguments: &[Vec<Value>],
    ) -> Result<Vec<u64>> {
        let done = self.on.execute_each(sql, arguments).await?;
        self.tell(sql, done).await
    }

    async fn query(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        let done = self.on.query(sql, arguments).await?;
        self.tell(sql, done).await
    }

    async fn query_locked(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        let done = self.on.query_locked(sql, arguments).await?;
        self.tell(sql, done).await
    }

    async fn query_shared(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        let done = self.on.query_shared(sql, arguments).await?;
        self.tell(sql, done).await
    }

    async fn query_free(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>> {
        let done = self.on.query_free(sql, arguments).await?;
        self.tell(sql, done).await
    }
}
