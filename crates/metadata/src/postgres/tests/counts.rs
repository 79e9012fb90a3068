//! Counts on PostgreSQL: exact whatever breaks, on partitions that come and go, as a hypertable where there can be one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use wharf_core::clock::{Clock, SystemRandom};
use wharf_core::metadata::{CountBatch, CountKind, Counts};
use wharf_core::tally::{Tally, TallyRules};
use wharf_oci::Digest;

use super::faults::losing_replies;
use super::fresh::Fresh;
use crate::contract::Stand;
use crate::contract::counts::{batch, of, pulls, sum};
use crate::contract::samples::name;
use crate::{Database, Postgres, PostgresSettings};

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A node that counts.
struct Node {
    tally: Arc<Tally>,
    running: tokio::task::JoinHandle<()>,
}

impl Node {
    async fn begin(settings: PostgresSettings, mut stop: watch::Receiver<bool>) -> Self {
        let database: Arc<dyn Counts> =
            Arc::new(Database::on_postgres(Postgres::connect(settings).await.unwrap()));
        let rules = TallyRules { interval: Duration::from_millis(20), ..TallyRules::default() };
        let tally = Arc::new(Tally::new(rules, Arc::new(SystemRandom)));
        let running = tokio::spawn({
            let tally = tally.clone();
            async move {
                let stopped = async {
                    let _ = stop.wait_for(|stop| *stop).await;
                };
                tally.run(database, stopped).await;
            }
        });
        Self { tally, running }
    }

    fn pull(&self, digest: Digest, times: usize) {
        for _ in 0..times {
            self.tally.count(&name("a"), digest, CountKind::Pull);
        }
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.expect(what);
}

/// Of three nodes, one behind PgBouncer; one loses replies of commits, connections of all are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_several_nodes_are_exact_whatever_breaks() {
    const ROUNDS: usize = 40;
    let fresh = Fresh::new().await;
    let url = wharf_engines::postgres();
    let server = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let losing = Arc::new(AtomicBool::new(false));
    let port = losing_replies(server.clone(), losing.clone()).await;
    let (stop, stopped) = watch::channel(false);
    let nodes = [
        Node::begin(fresh.settings(), stopped.clone()).await,
        Node::begin(fresh.settings_at(&wharf_engines::pgbouncer()), stopped.clone()).await,
        Node::begin(
            fresh.settings_at(&url.replace(&server, &format!("127.0.0.1:{port}"))),
            stopped,
        )
        .await,
    ];
    let client = fresh.client().await;
    let (metadata, clock, fresh) = fresh.metadata(url).await;
    let stand = Stand::new(metadata, clock, fresh);
    let digests = [stand.push("a", "1", &[]).await, stand.push("a", "2", &[]).await];

    losing.store(true, Ordering::SeqCst);
    nodes[2].pull(digests[0], 5);
    until("the batch is committed", async || {
        sum(&stand, of("a", None, CountKind::Pull)).await == 5
    })
    .await;
    assert_eq!(nodes[2].tally.totals().waiting(), 5, "the node was not told");
    for round in 0..ROUNDS {
        for node in &nodes {
            node.pull(digests[round % 2], 100);
        }
        losing.store(round % 10 < 3, Ordering::SeqCst);
        if round % 10 == 5 {
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
            client.batch_execute(cut).await.unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    losing.store(false, Ordering::SeqCst);
    until("all is added", async || nodes.iter().all(|node| node.tally.totals().waiting() == 0))
        .await;
    for node in &nodes {
        node.pull(digests[0], 1);
    }
    stop.send_replace(true);
    for node in nodes {
        node.running.await.unwrap();
        assert_eq!((node.tally.totals().waiting(), node.tally.totals().lost), (0, 0));
    }
    let expected = 5 + 3 * ROUNDS as u64 * 100 + 3;
    assert_eq!(sum(&stand, of("a", None, CountKind::Pull)).await, expected);
    let mut each = 0;
    for digest in digests {
        each += sum(&stand, of("a", Some(digest), CountKind::Pull)).await;
    }
    assert_eq!(each, expected);
}

/// Each partition with the sum of what is in it.
const LEFT: &str =
    "SELECT tableoid::regclass::text, sum(count)::bigint FROM counts GROUP BY 1 ORDER BY 1";

#[tokio::test]
async fn partitions_of_counts_are_made_and_dropped_by_the_week() {
    let fresh = Fresh::own().await;
    // The migration made room for the weeks of the server's clock.
    assert_eq!(fresh.column("SELECT count(*) FROM count_partitions").await, ["5"]);
    let (metadata, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
    let stand = Stand::new(metadata, clock, fresh);
    let one = stand.push("a", "1", &[]).await;
    let add = async |count| {
        assert!(stand.counts.add_counts(batch(&[pulls("a", one, count)])).await.unwrap());
    };
    add(1).await;
    assert_eq!(stand.rows(LEFT, &[]).await, ["counts_default 2"]);
    // The week that has rows already is left where it is.
    assert_eq!(stand.counts.make_room_for_counts().await.unwrap(), 4);
    assert_eq!(stand.counts.make_room_for_counts().await.unwrap(), 0);
    stand.clock.advance(WEEK);
    add(2).await;
    assert_eq!(stand.counts.make_room_for_counts().await.unwrap(), 1);
    stand.clock.advance(WEEK);
    add(4).await;
    // HandClock stands in the week of Thursday, 9 November 2023.
    let all = ["counts_20231116 4", "counts_20231123 8", "counts_default 2"];
    assert_eq!(stand.rows(LEFT, &[]).await, all);
    assert_eq!(stand.counts.expire_counts(WEEK * 2 + DAY, 10).await.unwrap(), 0);
    assert_eq!(stand.counts.expire_counts(WEEK, 10).await.unwrap(), 2, "rows of the default one");
    assert_eq!(stand.counts.expire_counts(WEEK, 10).await.unwrap(), 0);
    assert_eq!(stand.counts.expire_counts(DAY, 10).await.unwrap(), 1, "a partition");
    assert_eq!(stand.rows(LEFT, &[]).await, all[1..2]);
    assert_eq!(sum(&stand, of("a", None, CountKind::Pull)).await, 4);
}

#[tokio::test]
async fn making_room_for_counts_gives_up_where_it_would_have_to_wait() {
    let fresh = Fresh::own().await;
    let client = fresh.client().await;
    let (metadata, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
    let stand = Stand::new(metadata, clock, fresh);
    client.batch_execute("BEGIN; SELECT count(*) FROM counts").await.unwrap();
    let error = stand.counts.make_room_for_counts().await.unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(stand.counts.make_room_for_counts().await.unwrap(), 5);
}

/// What stands in for TimescaleDB: its name in the catalogue, and its two functions, which note what they were asked.
const STAND_IN: &str = "
    SET allow_system_table_mods = on;
    INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        VALUES (1, 'timescaledb', 10, 'public'::regnamespace, false, '2');
    CREATE TABLE asked (what text);
    CREATE FUNCTION create_hypertable(relation regclass, time_column_name name,
        chunk_time_interval anyelement, create_default_indexes boolean) RETURNS text
        LANGUAGE sql AS $$
            INSERT INTO asked VALUES (format('hypertable %s %s %s', $1, $2, $3)) RETURNING what $$;
    CREATE FUNCTION drop_chunks(relation regclass, older_than bigint) RETURNS SETOF text
        LANGUAGE sql AS $$
            INSERT INTO asked VALUES (format('drop %s %s', $1, $2));
            SELECT 'chunk' WHERE false $$;";

/// As far as that can be seen without it: TimescaleDB itself is not there.
#[tokio::test]
async fn where_timescaledb_is_installed_counts_are_made_a_hypertable() {
    let fresh = Fresh::empty().await;
    fresh.client().await.batch_execute(STAND_IN).await.unwrap();
    Postgres::migrate(&fresh.settings()).await.unwrap();
    let (metadata, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
    let stand = Stand::new(metadata, clock, fresh);
    let kind = "SELECT relkind::text FROM pg_class WHERE oid = 'counts'::regclass";
    assert_eq!(stand.rows(kind, &[]).await, ["r"]);
    let one = stand.push("a", "1", &[]).await;
    let batch = batch(&[pulls("a", one, 3)]);
    assert!(stand.counts.add_counts(batch.clone()).await.unwrap());
    assert!(!stand.counts.add_counts(CountBatch { age: DAY, ..batch }).await.unwrap());
    assert_eq!(sum(&stand, of("a", None, CountKind::Pull)).await, 3);
    assert_eq!(stand.counts.make_room_for_counts().await.unwrap(), 0);
    assert_eq!(stand.counts.expire_counts(DAY, 10).await.unwrap(), 0);
    let before = stand.clock.now().before(DAY).0;
    let expected =
        ["hypertable counts bucket 604800000000".to_owned(), format!("drop counts {before}")];
    assert_eq!(stand.rows("SELECT what FROM asked", &[]).await, expected);
}
