//! What a transaction needs of a database engine: statements with arguments, rows, and the engine's clock.
//!
//! A transaction is a value with a `run`; it is written once and runs on every engine. Parameters are `$1`, `$2`, …
//! in the order of their first appearance.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::clock::Timestamp;
use wharf_oci::Digest;

/// The result of a statement.
pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// An argument or a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing. As an argument it has the type that something would have; as a column it has any.
    Null(Kind),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// A JSON document, as an argument for a column of that type. Columns give it as text.
    Json(String),
}

/// The type of a value. PostgreSQL wants to know it, also of what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
    Json,
}

/// A JSON document, as an argument.
pub(crate) struct Json(pub(crate) String);

/// A row of a reply.
pub(crate) struct Row(pub(crate) Vec<Value>);

/// Whose SQL is spoken. Statements are written once; where they cannot be, a function beside the transaction
/// is named after what both of its texts ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// One transaction, open.
#[async_trait]
pub(crate) trait Statements: Send {
    /// Whose SQL is spoken.
    fn dialect(&self) -> Dialect;

    /// A number above 0 that no other transaction of this process has while this one runs: of counters that are kept in
    /// shards, this one writes to the shard of this number, and so meets no other of them there.
    fn shard(&self) -> i64;

    /// Now, by the database's clock.
    async fn now(&mut self) -> Result<Timestamp>;

    /// Runs a statement and returns how many rows it changed.
    async fn execute(&mut self, sql: &'static str, arguments: &[Value]) -> Result<u64>;

    /// Runs a statement once for each list of arguments, in their order. Returns how many rows each changed.
    async fn execute_each(
        &mut self,
        sql: &'static str,
        arguments: &[Vec<Value>],
    ) -> Result<Vec<u64>>;

    /// Runs a query.
    async fn query(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>>;

    /// Runs a query of one table in a transaction that writes, and keeps others from changing the rows found
    /// until it ends. A row that another transaction has changed since this one began makes it begin again. So
    /// what was read is still true when this commits. Says nothing of rows that are not there.
    async fn query_locked(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>>;

    /// The same of one or more tables, but others may look at the rows in this way, too: only who changes one waits.
    async fn query_shared(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>>;

    /// As [`query_locked`](Self::query_locked), passing over rows that another transaction holds. For transactions that see
    /// [`EachCommit`](Sees::EachCommit): others would begin again at each row changed since they began.
    async fn query_free(&mut self, sql: &'static str, arguments: &[Value]) -> Result<Vec<Row>>;
}

/// What the statements of a transaction see of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sees {
    /// What was committed when it began. It begins again where a row that it changes or locks is not that any
    /// more. The rule.
    OneSnapshot,
    /// Each statement, what was committed by then. For one that depends on a single row, which it locks first.
    EachCommit,
}

/// Where a transaction that only reads may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// On the primary. The rule: whatever decides, destroys or goes on with something asks there.
    Primary,
    /// On a replica too, once that has come as far as the primary was when the transaction was asked for: pulls
    /// and lists. Such a transaction asks for no clock.
    Replica,
}

/// How its statements find their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plans {
    /// As the engine thinks best by what it knows of the tables. The rule.
    Estimated,
    /// By indexes and in their order, a row at a time. For a step of a walk: it takes a few rows of tables of millions, which the step
    /// before has just changed, so that what the engine knows of them is of another time.
    ByIndex,
}

/// A whole transaction. It may run more than once, where an engine makes it try again.
#[async_trait]
pub(crate) trait Transaction: Send + Sync + 'static {
    /// What it returns once it is committed.
    type Output: Send + 'static;

    /// What its statements see of others.
    const SEES: Sees = Sees::OneSnapshot;

    /// Where it may run when it only reads.
    const READS: Reads = Reads::Primary;

    /// How its statements find their rows.
    const PLANS: Plans = Plans::Estimated;

    /// What it means that it, or one of its statements, took longer than it may: that the database is too slow, unless it is known to be about
    /// more than fits.
    fn late(fault: StoreError) -> StoreError {
        fault
    }

    /// Its statements. An error rolls all of them back.
    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output>;
}

/// A database engine.
pub(crate) trait Engine: Send + Sync + 'static {
    /// How long a transaction in the background should take at most.
    const MOMENT: Duration;

    /// Runs a transaction that changes something. It is durable when this returns.
    fn write<T: Transaction>(
        &self,
        transaction: T,
    ) -> impl Future<Output = Result<T::Output>> + Send;

    /// Waits until every transaction that writes and may not have seen what was committed before this was called has
    /// ended. Stops nobody.
    fn settle(&self) -> impl Future<Output = Result<()>> + Send;

    /// Runs a transaction that only reads, without waiting for writers.
    fn read<T: Transaction>(
        &self,
        transaction: T,
    ) -> impl Future<Output = Result<T::Output>> + Send;
}

impl Row {
    pub(crate) fn int(&self, column: usize) -> Result<i64> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            _ => Err(unexpected(column)),
        }
    }

    pub(crate) fn optional_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Value::Null(_)) => Ok(None),
            _ => self.int(column).map(Some),
        }
    }

    /// A count or size, never negative.
    pub(crate) fn size(&self, column: usize) -> Result<u64> {
        u64::try_from(self.int(column)?).map_err(|_| unexpected(column))
    }

    pub(crate) fn text(&self, column: usize) -> Result<&str> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(unexpected(column)),
        }
    }

    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<String>> {
        match self.0.get(column) {
            Some(Value::Null(_)) => Ok(None),
            _ => self.text(column).map(|text| Some(text.to_owned())),
        }
    }

    pub(crate) fn bytes(&self, column: usize) -> Result<&[u8]> {
        match self.0.get(column) {
            Some(Value::Bytes(value)) => Ok(value),
            _ => Err(unexpected(column)),
        }
    }

    pub(crate) fn digest(&self, column: usize) -> Result<Digest> {
        Digest::from_binary(self.bytes(column)?).ok_or_else(|| unexpected(column))
    }

    pub(crate) fn optional_digest(&self, column: usize) -> Result<Option<Digest>> {
        match self.0.get(column) {
            Some(Value::Null(_)) => Ok(None),
            _ => self.digest(column).map(Some),
        }
    }

    /// A text that must be a good `T`, since only good ones were written.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        self.text(column)?.parse().map_err(|_| unexpected(column))
    }
}

fn unexpected(column: usize) -> StoreError {
    StoreError::Corrupt(format!("the database gave an unexpected value in column {column}"))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    /// Sizes and counts; none comes near the limit of 2^63.
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Int(moment.0)
    }
}

impl From<Duration> for Value {
    /// In microseconds.
    fn from(time: Duration) -> Self {
        Self::Int(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
    }
}

impl From<&Digest> for Value {
    fn from(digest: &Digest) -> Self {
        Self::Bytes(digest.to_binary())
    }
}

impl From<Digest> for Value {
    fn from(digest: Digest) -> Self {
        Self::from(&digest)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Json> for Value {
    fn from(document: Json) -> Self {
        Self::Json(document.0)
    }
}

impl<T: Into<Self> + Typed> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::KIND), Into::into)
    }
}

/// What has a type also where it is not there.
pub(crate) trait Typed {
    const KIND: Kind;
}

impl Typed for &str {
    const KIND: Kind = Kind::Text;
}

impl Typed for String {
    const KIND: Kind = Kind::Text;
}

impl Typed for i64 {
    const KIND: Kind = Kind::Int;
}

impl Typed for Timestamp {
    const KIND: Kind = Kind::Int;
}

impl Typed for Digest {
    const KIND: Kind = Kind::Bytes;
}

impl Typed for &[u8] {
    const KIND: Kind = Kind::Bytes;
}

impl Typed for &Digest {
    const KIND: Kind = Kind::Bytes;
}

/// Arguments of a statement, each turned into a [`Value`].
macro_rules! arguments {
    ($($value:expr),* $(,)?) => { &[$($crate::engine::Value::from($value)),*] };
}
pub(crate) use arguments;
