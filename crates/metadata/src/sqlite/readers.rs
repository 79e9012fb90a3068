//! Readers: a few connections, each used by one read at a time, off the threads that serve connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wharf_core::StoreError;
use wharf_core::clock::Clock;

use crate::engine::{Result, Transaction};
use crate::sqlite::statements::OnConnection;
use crate::sqlite::store_error;

/// How long a read waits for a connection before it gives up.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The connections for reading.
pub(super) struct Readers {
    /// As many places as there are connections.
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    clock: Arc<dyn Clock>,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>, clock: Arc<dyn Clock>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(connections.len())),
            idle: Arc::new(Mutex::new(connections)),
            clock,
        }
    }

    pub(super) async fn run<T: Transaction>(&self, transaction: T) -> Result<T::Output> {
        let failed =
            |what: &str| StoreError::Unavailable(format!("the database's readers: {what}"));
        let place = timeout(LONGEST_WAIT, Arc::clone(&self.places).acquire_owned());
        let place = place.await.map_err(|_| failed("busy"))?.map_err(|_| failed("closed"))?;
        let (idle, clock) = (Arc::clone(&self.idle), Arc::clone(&self.clock));
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = taken else {
                return Err(StoreError::Unavailable("no connection is idle".into()));
            };
            let result = in_snapshot(&mut connection, &clock, &transaction);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        });
        read.await.map_err(|_| failed("a read died"))?
    }
}

/// Runs all of a transaction's queries on one state of the database.
fn in_snapshot<T: Transaction>(
    connection: &mut Connection,
    clock: &Arc<dyn Clock>,
    transaction: &T,
) -> Result<T::Output> {
    transact(connection, "BEGIN")?;
    let mut on = OnConnection { connection, clock };
    let result = on.run(transaction);
    // Nothing was changed, so how it ends makes no difference; it must end.
    transact(on.connection, "ROLLBACK")?;
    result
}

/// Begins or ends a transaction, by a statement that is parsed once a connection.
fn transact(connection: &Connection, sql: &'static str) -> Result<()> {
    let run = || connection.prepare_cached(sql)?.execute([]);
    run().map(drop).map_err(|error| store_error(&error))
}
