//! Where reads run, and that a replica never shows less than what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use wharf_core::metadata::ManifestMetadata;
use wharf_oci::{Digest, Reference};

use super::super::Ask;
use super::gate::{Gate, Way};
use super::{Copied, HeldUp, PATIENCE, Pull, WHERE, connect, on, settings, until_used};
use crate::contract::Stand;
use crate::contract::samples::{blob, commit, image, name};
use crate::engine::Engine;
use crate::postgres::Postgres;
use crate::postgres::failure::Again;
use crate::postgres::position::{Answer, Position, Positions};
use crate::postgres::replica::Replica;
use crate::postgres::tests::fresh::{Fresh, within};

#[tokio::test]
async fn pulls_and_lists_run_on_a_replica_and_what_decides_on_the_primary() {
    let copied = Copied::new().await;
    for (primary, replica) in [
        (wharf_engines::postgres(), wharf_engines::postgres_replica()),
        (wharf_engines::pgbouncer(), wharf_engines::pgbouncer_replica()),
    ] {
        let settings = settings(&copied.fresh, &primary, &replica);
        let engine = Postgres::connect(settings).await.unwrap();
        until_used(&engine).await;
        assert_eq!(engine.read(Ask(WHERE)).await.unwrap(), ["primary"]);
        assert_eq!(engine.write(Pull(WHERE)).await.unwrap(), "primary");
        // A snapshot, with the limits of a read, and no transaction is left open.
        let begun = "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')
                     || ' ' || current_setting('statement_timeout')";
        let expected = ["repeatable read on 1s", "repeatable read on 10s"];
        for _ in 0..20 {
            assert!(expected.contains(&engine.read(Pull(begun)).await.unwrap().as_str()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reads_share_a_question() {
    const READS: usize = 200;
    let copied = Copied::new().await;
    let gate = Gate::before(&wharf_engines::postgres(), Way::Open).await;
    let settings = settings(&copied.fresh, &gate.url, &wharf_engines::postgres_replica());
    let engine = Postgres::connect(settings).await.unwrap();
    until_used(&engine).await;
    let before = gate.asked();
    assert!(before > 0);
    for read in join_all((0..READS).map(|_| engine.read(Pull(WHERE)))).await {
        read.unwrap();
    }
    assert!(gate.asked() - before < READS / 4, "{} questions", gate.asked() - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_held_up_shows_nothing_old_and_is_used_again_later() {
    let mut replica = HeldUp::new().await;
    let fresh = Fresh::new().await;
    super::catch_up(&fresh).await;
    let settings = settings(&fresh, &wharf_engines::postgres(), &wharf_engines::postgres_replica());
    let (engine, other) = (
        Postgres::connect(settings.clone()).await.unwrap(),
        Postgres::connect(settings).await.unwrap(),
    );
    until_used(&other).await;
    let stand =
        Stand::new(crate::Database::on_postgres(engine), crate::contract::HandClock::new(), fresh);
    let reader = crate::Database::on_postgres(other);
    replica.hold().await;
    for round in 0..30 {
        let pushed = stand.push("a", &round.to_string(), &["latest"]).await;
        let begin = Instant::now();
        assert_eq!(stand.tag("a", "latest").await, Some(pushed));
        assert_eq!(at(&reader, "latest").await, Some(pushed));
        assert!(begin.elapsed() < PATIENCE / 4, "{:?}", begin.elapsed());
        assert_eq!(reader.engine.read(Pull(WHERE)).await.unwrap(), "primary");
    }
    replica.let_go().await;
    until_used(&reader.engine).await;
    assert_eq!(at(&reader, "latest").await, stand.tag("a", "latest").await);
}

async fn at(reader: &crate::Database<Postgres>, tag: &str) -> Option<Digest> {
    let reference = Reference::Tag(tag.parse().unwrap());
    let found = reader.find_manifest(name("a"), reference).await.unwrap();
    found.map(|manifest| manifest.digest)
}

/// Readers on other nodes than the writer's, while the replica stops and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_an_acknowledged_move_no_read_shows_an_older_digest() {
    const ROUNDS: usize = 60;
    let mut replica = HeldUp::new().await;
    let fresh = Fresh::new().await;
    super::catch_up(&fresh).await;
    let settings = settings(&fresh, &wharf_engines::postgres(), &wharf_engines::postgres_replica());
    let connect = async || Postgres::connect(settings.clone()).await.unwrap();
    let readers = [Arc::new(connect().await), Arc::new(connect().await)];
    let writer = crate::Database::on_postgres(connect().await);
    let stand = Stand::new(writer, crate::contract::HandClock::new(), fresh);
    stand.hold("a", blob("blob")).await;
    let commits: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let mut image = image(&[blob("blob")]);
            image["annotations"] = serde_json::json!({ "round": round.to_string() });
            commit("a", &image, &["latest"])
        })
        .collect();
    let digests: Arc<Vec<Digest>> = Arc::new(commits.iter().map(|it| it.digest).collect());
    let (acknowledged, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let on_replica = Arc::new(AtomicUsize::new(0));
    let mut commits = commits.into_iter();
    stand.commit(commits.next().unwrap()).await;
    let reading = readers.iter().cycle().take(4).map(|engine| {
        let (engine, digests) = (Arc::clone(engine), Arc::clone(&digests));
        let (acknowledged, over) = (Arc::clone(&acknowledged), Arc::clone(&over));
        let on_replica = Arc::clone(&on_replica);
        tokio::spawn(async move {
            let mut newest = 0;
            while !over.load(Ordering::SeqCst) {
                newest = newest.max(acknowledged.load(Ordering::SeqCst));
                let found = engine.read(Pull(STANDS)).await.unwrap();
                let (place, digest) = found.split_once(' ').unwrap();
                let round = digests.iter().position(|known| binary(known) == digest).unwrap();
                assert!(round >= newest, "round {round} after {newest}, on the {place}");
                newest = round;
                on_replica.fetch_add(usize::from(place == "replica"), Ordering::SeqCst);
            }
        })
    });
    let reading: Vec<_> = reading.collect();
    for (round, commit) in commits.enumerate() {
        match round % 20 {
            5 => replica.hold().await,
            10 => replica.let_go().await,
            _ => {}
        }
        stand.commit(commit).await;
        acknowledged.store(round + 1, Ordering::SeqCst);
    }
    replica.let_go().await;
    let begin = Instant::now();
    let so_far = on_replica.load(Ordering::SeqCst);
    while on_replica.load(Ordering::SeqCst) == so_far {
        assert!(begin.elapsed() < PATIENCE, "no read ran on the replica");
        sleep(Duration::from_millis(5)).await;
    }
    over.store(true, Ordering::SeqCst);
    for reader in reading {
        reader.await.unwrap();
    }
}

/// Where the tag stands, and who says so.
const STANDS: &str =
    "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica ' ELSE 'primary ' END || encode(manifest_digest, 'hex')
     FROM tags";

fn binary(digest: &Digest) -> String {
    digest.to_binary().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_read_that_fails_on_the_replica_alone_is_the_primarys() {
    let copied = Copied::new().await;
    let settings =
        settings(&copied.fresh, &wharf_engines::postgres(), &wharf_engines::postgres_replica());
    let engine = Postgres::connect(settings).await.unwrap();
    until_used(&engine).await;
    let fails = "SELECT (1 / CASE WHEN pg_is_in_recovery() THEN 0 ELSE 1 END)::text";
    for _ in 0..10 {
        assert_eq!(engine.read(Pull(fails)).await.unwrap(), "1");
    }
    until_used(&engine).await;
}

/// What is replayed may remove rows that a read still needs; that read is cancelled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_in_the_way_of_the_replica_is_the_primarys() {
    let (database, _, copied) =
        on(wharf_engines::postgres(), wharf_engines::postgres_replica()).await;
    let engine = Arc::new(database.engine);
    let client = copied.fresh.client().await;
    let insert = "INSERT INTO repositories (name, created_at) SELECT number::text, 0 FROM generate_series(1, 100) AS numbers (number)";
    client.batch_execute(insert).await.unwrap();
    until_used(&engine).await;
    let slow = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' || pg_sleep(0.9) ELSE 'primary' END FROM repositories LIMIT 1";
    let reading = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.read(Pull(slow)).await }
    });
    let replica = connect(&within(&wharf_engines::postgres_replica(), &copied.fresh.name)).await;
    let runs = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'";
    let begin = Instant::now();
    while replica.query_typed_one(runs, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begin.elapsed() < PATIENCE && !reading.is_finished(), "the read does not begin");
        sleep(Duration::from_millis(2)).await;
    }
    client.batch_execute("DELETE FROM repositories WHERE name <> '1'").await.unwrap();
    client.batch_execute("VACUUM repositories").await.unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), "primary");
}

#[tokio::test]
async fn a_server_that_follows_another_history_or_nobody_is_no_replica() {
    let copied = Copied::new().await;
    let fresh = &copied.fresh;
    let settings = settings(fresh, &wharf_engines::postgres(), &wharf_engines::postgres_replica());
    let positions = Positions::new(&settings).unwrap();
    let Answer::At(now) = positions.ask().await else { panic!("the primary stands nowhere") };
    let text = async |url: &str, position: Position| {
        let url = within(url, &fresh.name).parse().unwrap();
        let replica = Replica::new(&url, &settings, None).unwrap();
        let failure = replica.read(&Pull(WHERE), Some(position)).await.unwrap_err();
        assert_eq!(failure.again, Some(Again::Foreign));
        assert!(replica.standing.fault().is_some());
        failure.error.to_string()
    };
    let replica = wharf_engines::postgres_replica();
    let promoted = Position { timeline: now.timeline + 1, ..now };
    assert!(text(&replica, promoted).await.contains("a replica was promoted"));
    let elsewhere = Position { system: now.system ^ 1, ..now };
    assert!(text(&replica, elsewhere).await.contains("another database cluster"));
    assert!(text(&wharf_engines::postgres(), now).await.contains("follows nobody"));
    let client = connect(&replica).await;
    let look = "SELECT pg_is_in_recovery()";
    assert!(client.query_typed_one(look, &[]).await.unwrap().get::<_, bool>(0));
}
