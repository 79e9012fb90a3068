//! The one writer. Transactions that wait while another is synced share the next sync, so that many small
//! writes cost few; a lone one never waits for company.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rusqlite::Connection;
use tokio::sync::oneshot;
use wharf_core::StoreError;
use wharf_core::clock::Clock;

use crate::engine::{Result, Transaction};
use crate::sqlite::statements::OnConnection;
use crate::sqlite::store_error;

/// How many transactions share a sync at most.
const GROUP: usize = 128;

/// The thread that writes. It ends when the last handle is dropped.
pub(super) struct Writer {
    queue: Sender<Job>,
}

/// A transaction to run, which gives back how to answer once its group is committed.
type Job = Box<dyn FnOnce(&mut OnConnection<'_>) -> Answer + Send>;

/// Tells who asked what became of it: its own error, else that of the whole group, if that failed.
type Answer = Box<dyn FnOnce(Option<StoreError>) + Send>;

impl Writer {
    pub(super) fn start(connection: Connection, clock: Arc<dyn Clock>) -> Self {
        let (queue, jobs) = channel();
        std::thread::spawn(move || write_all(connection, &clock, &jobs));
        Self { queue }
    }

    pub(super) async fn run<T: Transaction>(&self, transaction: T) -> Result<T::Output> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |on| {
            let result = in_savepoint(on, &transaction);
            Box::new(move |failure| {
                let result = result.and_then(|output| failure.map_or(Ok(output), Err));
                // The asker may have gone away; what was done stays done.
                let _ = reply.send(result);
            })
        });
        let stopped =
            || StoreError::Unavailable("the database's writer did not take the transaction".into());
        self.queue.send(job).map_err(|_| stopped())?;
        answer.await.map_err(|_| StoreError::Uncertain("the database's writer has ended".into()))?
    }
}

fn write_all(mut connection: Connection, clock: &Arc<dyn Clock>, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut answers = Vec::new();
        let group = write_group(&mut connection, clock, first, jobs, &mut answers);
        let failure = group.err();
        if failure.is_some() && !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        for answer in answers {
            answer(failure.clone());
        }
    }
}

fn write_group(
    connection: &mut Connection,
    clock: &Arc<dyn Clock>,
    first: Job,
    jobs: &Receiver<Job>,
    answers: &mut Vec<Answer>,
) -> Result<()> {
    batch(connection, "BEGIN IMMEDIATE")?;
    let mut on = OnConnection { connection, clock };
    answers.push(first(&mut on));
    // A full disk makes SQLite roll the whole group back by itself; then nothing more may join it.
    while answers.len() < GROUP && !on.connection.is_autocommit() {
        let Ok(job) = jobs.try_recv() else { break };
        answers.push(job(&mut on));
    }
    if on.connection.is_autocommit() {
        return Err(StoreError::Unavailable(
            "another transaction failed, and all that were to be synced with it were undone".into(),
        ));
    }
    batch(on.connection, "COMMIT").map_err(|fault| match fault {
        // A disk that failed in the middle may have it or not.
        StoreError::Unavailable(reason) => StoreError::Uncertain(reason),
        other => other,
    })
}

fn batch(connection: &Connection, sql: &str) -> Result<()> {
    connection.execute_batch(sql).map_err(|error| store_error(&error))
}

/// Runs a transaction so that its failure undoes it alone.
fn in_savepoint<T: Transaction>(on: &mut OnConnection<'_>, transaction: &T) -> Result<T::Output> {
    batch(on.connection, "SAVEPOINT one")?;
    let result = on.run(transaction);
    if on.connection.is_autocommit() {
        // SQLite has rolled everything back by itself, this savepoint too: only the reason is left to tell.
        return result;
    }
    if result.is_err() {
        batch(on.connection, "ROLLBACK TO one")?;
    }
    batch(on.connection, "RELEASE one")?;
    result
}
