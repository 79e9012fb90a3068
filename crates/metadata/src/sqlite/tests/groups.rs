//! Transactions that share a sync: each fails alone, one that panics or fills the disk harms no later one, and
//! nobody who reads waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use futures_util::FutureExt;
use wharf_core::StoreError;

use super::*;
use crate::engine::{Engine, Result, Statements, Transaction, arguments};

/// A transaction made of steps.
struct Steps(Vec<Step>);

enum Step {
    /// Makes a repository of this name.
    Insert(&'static str),
    /// A query.
    Query(&'static str),
    /// Stores as many bytes as a small disk does not hold.
    Fill,
    /// Fails.
    Fail,
    /// Panics.
    Panic,
    /// Tells that it was reached, and holds the thread until it may go on.
    Wait(Mutex<(Sender<()>, Receiver<()>)>),
}

#[async_trait]
impl Transaction for Steps {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        for step in &self.0 {
            match step {
                Step::Insert(name) => {
                    let sql = "INSERT INTO repositories (name, created_at) VALUES ($1, 0)";
                    on.execute(sql, arguments![*name]).await?;
                }
                Step::Query(sql) => drop(on.query(sql, &[]).await?),
                Step::Fill => {
                    let sql =
                        "INSERT INTO manifests VALUES (x'01', 'x', NULL, NULL, '{}', 1, $1, 0)";
                    on.execute(sql, arguments![vec![0; 1 << 20].as_slice()]).await?;
                }
                Step::Fail => return Err(StoreError::Unavailable("on purpose".into())),
                Step::Panic => panic!("on purpose"),
                Step::Wait(gate) => {
                    let gate = gate.lock().unwrap();
                    gate.0.send(()).unwrap();
                    gate.1.recv().unwrap();
                }
            }
        }
        Ok(())
    }
}

/// A step that waits, what tells that it was reached, and what lets it go on.
fn gate() -> (Step, Receiver<()>, Sender<()>) {
    let ((reached, is_reached), (go_on, may_go_on)) = (channel(), channel());
    (Step::Wait(Mutex::new((reached, may_go_on))), is_reached, go_on)
}

/// The transaction handed to the writer, which may not have come to it yet.
fn queued<'a>(
    engine: &'a Sqlite,
    steps: Vec<Step>,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    let mut write = Box::pin(engine.write(Steps(steps)));
    assert!(write.as_mut().now_or_never().is_none(), "it is answered after its sync");
    write
}

async fn names(file: &File) -> Vec<String> {
    let rows = file.rows("SELECT name FROM repositories ORDER BY name", &[]).await;
    rows.into_iter().flatten().collect()
}

const FULL: Step = Step::Query("PRAGMA max_page_count = 1");
const ROOM: Step = Step::Query("PRAGMA max_page_count = 1000000");

#[tokio::test]
async fn transactions_that_wait_share_a_sync_and_are_answered_after_it() {
    let file = File::new();
    let engine = file.open();
    let ((first, first_reached, first_goes), (last, last_reached, last_goes)) = (gate(), gate());
    let first = queued(&engine, vec![first]);
    first_reached.recv().unwrap();
    let mut write = queued(&engine, vec![Step::Insert("a")]);
    let last = queued(&engine, vec![last]);
    first_goes.send(()).unwrap();
    last_reached.recv().unwrap();
    // It has run, and is neither to be seen nor acknowledged before all are synced.
    assert!(write.as_mut().now_or_never().is_none());
    assert!(names(&file).await.is_empty());
    last_goes.send(()).unwrap();
    for transaction in [first, write, last] {
        transaction.await.unwrap();
    }
    assert_eq!(names(&file).await, ["a"]);
}

#[tokio::test]
async fn one_that_fails_undoes_itself_alone() {
    let file = File::new();
    let engine = file.open();
    let (wait, reached, go_on) = gate();
    let first = queued(&engine, vec![wait, Step::Insert("a")]);
    reached.recv().unwrap();
    let failing = queued(&engine, vec![Step::Insert("b"), Step::Fail]);
    let between = queued(&engine, vec![Step::Insert("c")]);
    let panicking = queued(&engine, vec![Step::Insert("d"), Step::Panic]);
    let twice = queued(&engine, vec![Step::Insert("e"), Step::Insert("a")]);
    let last = queued(&engine, vec![Step::Insert("f")]);
    go_on.send(()).unwrap();
    for good in [first, between, last] {
        good.await.unwrap();
    }
    assert!(matches!(failing.await, Err(StoreError::Unavailable(text)) if text == "on purpose"));
    assert!(matches!(panicking.await, Err(StoreError::Unavailable(_))));
    assert!(matches!(twice.await, Err(StoreError::Corrupt(_))));
    assert_eq!(names(&file).await, ["a", "c", "f"]);
}

#[tokio::test]
async fn the_writer_and_the_readers_survive_many_that_panic() {
    let file = File::new();
    let engine = file.open();
    for _ in 0..10 {
        engine.write(Steps(vec![Step::Insert("a"), Step::Panic])).await.unwrap_err();
        engine.read(Steps(vec![Step::Query("SELECT 1"), Step::Panic])).await.unwrap_err();
    }
    engine.write(Steps(vec![Step::Insert("a")])).await.unwrap();
    for _ in 0..10 {
        engine.read(Steps(vec![Step::Query("SELECT name FROM repositories")])).await.unwrap();
    }
    assert_eq!(names(&file).await, ["a"]);
}

#[tokio::test]
async fn a_full_disk_says_so_and_is_done_with_once_there_is_room() {
    let file = File::new();
    let engine = file.open();
    engine.write(Steps(vec![FULL])).await.unwrap();
    for _ in 0..3 {
        let result = engine.write(Steps(vec![Step::Insert("a"), Step::Fill])).await;
        assert!(matches!(result, Err(StoreError::Full(_))), "{result:?}");
        assert!(names(&file).await.is_empty());
        engine.read(Steps(vec![Step::Query("SELECT name FROM repositories")])).await.unwrap();
    }
    engine.write(Steps(vec![ROOM])).await.unwrap();
    engine.write(Steps(vec![Step::Insert("a"), Step::Fill])).await.unwrap();
    assert_eq!(names(&file).await, ["a"]);
}

#[tokio::test]
async fn nothing_is_acknowledged_that_a_full_disk_undid() {
    let file = File::new();
    let engine = file.open();
    engine.write(Steps(vec![FULL])).await.unwrap();
    let (wait, reached, go_on) = gate();
    let first = queued(&engine, vec![wait]);
    reached.recv().unwrap();
    let before = queued(&engine, vec![Step::Insert("a")]);
    let filling = queued(&engine, vec![Step::Insert("b"), Step::Fill]);
    let after = queued(&engine, vec![Step::Insert("c")]);
    go_on.send(()).unwrap();
    let acknowledged = [first.await.is_ok(), before.await.is_ok(), after.await.is_ok()];
    assert!(matches!(filling.await, Err(StoreError::Full(_))));
    // SQLite may undo the one or the whole group; what it did is what was told.
    let names = names(&file).await;
    assert_eq!(names.contains(&"a".to_owned()), acknowledged[1]);
    assert_eq!(names.contains(&"c".to_owned()), acknowledged[2]);
    assert!(acknowledged[2], "one that came later and fits works");
    assert!(!names.contains(&"b".to_owned()));
}

#[tokio::test]
async fn readers_do_not_wait_for_a_long_writer() {
    let file = File::new();
    let engine = file.open();
    engine.write(Steps(vec![Step::Insert("a")])).await.unwrap();
    let (wait, reached, go_on) = gate();
    let long = queued(&engine, vec![Step::Insert("b"), wait]);
    reached.recv().unwrap();
    for _ in 0..20 {
        engine.read(Steps(vec![Step::Query("SELECT name FROM repositories")])).await.unwrap();
    }
    assert_eq!(names(&file).await, ["a"]);
    go_on.send(()).unwrap();
    long.await.unwrap();
    assert_eq!(names(&file).await, ["a", "b"]);
}

#[tokio::test]
async fn a_read_sees_one_state_from_its_beginning_to_its_end() {
    let file = File::new();
    let engine = file.open();
    let (wait, reached, go_on) = gate();
    let count =
        "SELECT CASE count(*) WHEN 0 THEN 1 ELSE abs(-9223372036854775808) END FROM repositories";
    let mut read = Box::pin(engine.read(Steps(vec![Step::Query(count), wait, Step::Query(count)])));
    assert!(read.as_mut().now_or_never().is_none());
    reached.recv().unwrap();
    engine.write(Steps(vec![Step::Insert("a")])).await.unwrap();
    go_on.send(()).unwrap();
    // The second query would fail of an overflow if it saw the row.
    read.await.unwrap();
    engine.read(Steps(vec![Step::Query(count)])).await.unwrap_err();
}

#[tokio::test]
async fn a_write_whose_asker_went_away_is_done_all_the_same() {
    let file = File::new();
    let engine = file.open();
    drop(queued(&engine, vec![Step::Insert("a")]));
    engine.write(Steps(vec![Step::Insert("b")])).await.unwrap();
    assert_eq!(names(&file).await, ["a", "b"]);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn parameters_out_of_order_are_told_in_tests() {
    let file = File::new();
    let engine = file.open();
    for sql in ["SELECT 1 WHERE $2 = $1", "SELECT 1 WHERE 1 = $2", "SELECT 1 WHERE 1 = ?"] {
        let result = engine.read(Steps(vec![Step::Query(sql)])).await;
        assert!(matches!(result, Err(StoreError::Unavailable(text)) if text.contains("panicked")));
    }
}
