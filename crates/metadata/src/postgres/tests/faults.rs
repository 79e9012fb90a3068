//! A database that is away, that refuses, that cuts connections, that does not answer; tasks that end half-way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use wharf_core::StoreError;

use super::fresh::Fresh;
use super::{Ask, Run};
use crate::engine::{Engine, Result, Statements, Transaction};
use crate::{Postgres, PostgresError, PostgresSettings};

const INSERT: &str = "INSERT INTO repositories (name, created_at) VALUES ('a', 0)";

fn settings(url: &str) -> PostgresSettings {
    let mut settings = PostgresSettings::new(url.parse().unwrap());
    settings.connect_timeout = Duration::from_millis(300);
    settings
}

async fn refused(settings: PostgresSettings) -> PostgresError {
    let begin = Instant::now();
    let error = Postgres::connect(settings).await.err().expect("no connection is made");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(!error.to_string().contains("hidden"), "{error}");
    error
}

#[tokio::test]
async fn a_server_that_is_away_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = refused(settings(&format!("postgres://me:hidden@127.0.0.1:{port}/wharf"))).await;
    assert!(matches!(error, PostgresError::Unavailable(_)));
    let text = error.to_string();
    assert!(text.contains(&format!("me@127.0.0.1:{port}/wharf")), "{text}");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_a_bounded_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for at in ["127.0.0.1", "localhost"] {
        let error = refused(settings(&format!("postgres://me:hidden@{at}:{port}/wharf"))).await;
        assert!(matches!(error, PostgresError::Unavailable(_)), "{error}");
    }
}

/// Answers as a server does that asks for no TLS and refuses the password.
async fn refusing() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut sent = [0; 1024];
            assert!(socket.read(&mut sent).await.unwrap() > 0);
            socket.write_all(b"N").await.unwrap();
            assert!(socket.read(&mut sent).await.unwrap() > 0);
            let fields =
                b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"me\"\0\0";
            let mut reply = vec![b'E'];
            reply.extend_from_slice(&(fields.len() as u32 + 4).to_be_bytes());
            reply.extend_from_slice(fields);
            socket.write_all(&reply).await.unwrap();
        }
    });
    port
}

#[tokio::test]
async fn a_wrong_password_is_told_as_that() {
    let port = refusing().await;
    let error = refused(settings(&format!("postgres://me:hidden@127.0.0.1:{port}/wharf"))).await;
    assert!(matches!(error, PostgresError::Refused(_)));
    let text = error.to_string();
    assert!(text.contains("password authentication failed for user \"me\""), "{text}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_told_as_that() {
    let url = wharf_engines::postgres().replace("/postgres", "/no_such_database");
    let error = refused(settings(&url)).await;
    assert!(matches!(error, PostgresError::Refused(_)));
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test]
async fn a_server_that_must_speak_tls_and_does_not_is_refused() {
    let error = refused(settings(&format!("{}?sslmode=require", wharf_engines::postgres()))).await;
    assert!(error.to_string().contains("TLS"), "{error}");
}

/// Cuts every connection of the database but the one that says so.
async fn cut(fresh: &Fresh) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    fresh.client().await.batch_execute(sql).await.unwrap();
}

/// Waits, the first time it runs, until it is told to go on; then inserts.
struct Halting {
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
    first: AtomicBool,
}

impl Halting {
    fn new() -> (Self, Arc<Semaphore>, Arc<Semaphore>) {
        let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let first = AtomicBool::new(true);
        (Self { reached: reached.clone(), go: go.clone(), first }, reached, go)
    }
}

#[async_trait]
impl Transaction for Halting {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        let changed = on.execute(INSERT, &[]).await?;
        if self.first.swap(false, Ordering::SeqCst) {
            self.reached.add_permits(1);
            self.go.acquire().await.unwrap().forget();
            on.query("SELECT 1", &[]).await?;
        }
        Ok(changed)
    }
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew() {
    let fresh = Fresh::new().await;
    for url in [wharf_engines::postgres(), wharf_engines::pgbouncer()] {
        let engine = Arc::new(Postgres::connect(fresh.settings_at(&url)).await.unwrap());
        engine.read(Ask("SELECT name FROM repositories")).await.unwrap();
        cut(&fresh).await;
        engine.read(Ask("SELECT name FROM repositories")).await.unwrap();
        cut(&fresh).await;
        engine.write(Run("UPDATE repositories SET name = name")).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_that_is_cut_before_its_commit_begins_again() {
    let fresh = Fresh::new().await;
    for url in [wharf_engines::postgres(), wharf_engines::pgbouncer()] {
        let engine = Arc::new(Postgres::connect(fresh.settings_at(&url)).await.unwrap());
        let (halting, reached, go) = Halting::new();
        let writing = tokio::spawn({
            let engine = engine.clone();
            async move { engine.write(halting).await }
        });
        reached.acquire().await.unwrap().forget();
        cut(&fresh).await;
        go.add_permits(1);
        assert_eq!(writing.await.unwrap().unwrap(), 1);
        assert_eq!(fresh.column("SELECT name FROM repositories").await, ["a"]);
        engine.write(Run("DELETE FROM repositories")).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_whose_task_ends_is_rolled_back_and_frees_its_connection() {
    let fresh = Fresh::new().await;
    let mut settings = fresh.settings();
    settings.connections = 1;
    let engine = Arc::new(Postgres::connect(settings).await.unwrap());
    for _ in 0..5 {
        let (halting, reached, _go) = Halting::new();
        let writing = tokio::spawn({
            let engine = engine.clone();
            async move { engine.write(halting).await }
        });
        reached.acquire().await.unwrap().forget();
        writing.abort();
        writing.await.unwrap_err();
        // On the same connection, if it is one: it is outside of the other's transaction.
        assert!(engine.read(Ask("SELECT name FROM repositories")).await.unwrap().is_empty());
    }
    engine.write(Run(INSERT)).await.unwrap();
    assert_eq!(fresh.column("SELECT name FROM repositories").await, ["a"]);
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_fails_and_frees_its_connection() {
    let fresh = Fresh::new().await;
    let mut settings = fresh.settings();
    settings.connections = 1;
    settings.statement_timeout = Duration::from_millis(200);
    settings.transaction_timeout = Duration::from_millis(500);
    settings.pool_timeout = Duration::from_millis(200);
    let engine = Arc::new(Postgres::connect(settings).await.unwrap());
    let begin = Instant::now();
    let error = engine.read(Ask("SELECT pg_sleep(5)::text")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    let (halting, reached, _go) = Halting::new();
    let writing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.write(halting).await }
    });
    reached.acquire().await.unwrap().forget();
    let error = engine.read(Ask("SELECT 1")).await.unwrap_err();
    assert!(error.to_string().contains("all connections were busy"), "{error}");
    let error = timeout(Duration::from_secs(2), writing).await.unwrap().unwrap().unwrap_err();
    assert!(error.to_string().contains("took too long"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3));
    engine.write(Run(INSERT)).await.unwrap();
}

/// Stands between a node and the server at `to`, and once `armed` hands a COMMIT on but never its reply.
pub(super) async fn losing_replies(to: String, armed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (server, armed) = (TcpStream::connect(&to).await.unwrap(), armed.clone());
            tokio::spawn(hand_on(client, server, armed));
        }
    });
    port
}

async fn hand_on(client: TcpStream, server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    });
    let mut buffer = vec![0; 65536];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        let sent = &buffer[..length];
        // The whole statement: a beginning may say READ COMMITTED.
        let lost = sent.windows(7).any(|word| word == b"COMMIT\0") && armed.load(Ordering::SeqCst);
        if lost {
            back.abort();
        }
        to_server.write_all(sent).await.unwrap();
        if lost {
            // The server has it before the connection is gone.
            tokio::time::sleep(Duration::from_millis(200)).await;
            return;
        }
    }
    back.abort();
}

#[tokio::test]
async fn a_commit_whose_reply_is_lost_is_not_asked_again_and_told_as_that() {
    let fresh = Fresh::new().await;
    let url = wharf_engines::postgres();
    let server = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let armed = Arc::new(AtomicBool::new(false));
    let port = losing_replies(server.clone(), armed.clone()).await;
    let settings = fresh.settings_at(&url.replace(&server, &format!("127.0.0.1:{port}")));
    let engine = Postgres::connect(settings).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    let error = engine.write(Run(INSERT)).await.unwrap_err();
    assert!(matches!(error, StoreError::Uncertain(_)), "{error}");
    assert!(error.to_string().contains("not known whether the transaction was committed"));
    armed.store(false, Ordering::SeqCst);
    // The server had it, and commits in its own time.
    let committed = async {
        let names = "SELECT name FROM repositories";
        while engine.read(Ask(names)).await.unwrap() != ["a"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), committed).await.unwrap();
}

/// Goes on after a statement that failed, as no transaction should.
struct Careless;

#[async_trait]
impl Transaction for Careless {
    type Output = ();

    async fn run(&self, on: &mut dyn Statements) -> Result<()> {
        on.execute(INSERT, &[]).await?;
        let _ = on.query("SELECT no_such_column FROM repositories", &[]).await;
        Ok(())
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_after_a_statement_that_failed() {
    let fresh = Fresh::new().await;
    let error = fresh.engine().await.write(Careless).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    assert!(fresh.column("SELECT name FROM repositories").await.is_empty());
}

/// Is told, the first time it runs, what one of two who update a row may be told instead of that it comes too late; then inserts.
struct Disturbed(AtomicBool);

#[async_trait]
impl Transaction for Disturbed {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        if self.0.swap(false, Ordering::SeqCst) {
            let told = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE =
                'new multixact has more than one updating member: 0 2[7 (keysh), 8 (nokeyupd)]'; END $$";
            on.execute(told, &[]).await?;
        }
        on.execute(INSERT, &[]).await
    }
}

#[tokio::test]
async fn a_conflict_that_is_found_by_the_last_check_begins_again() {
    let fresh = Fresh::new().await;
    let disturbed = Disturbed(AtomicBool::new(true));
    assert_eq!(fresh.engine().await.write(disturbed).await.unwrap(), 1);
    assert_eq!(fresh.column("SELECT name FROM repositories").await, ["a"]);
}
