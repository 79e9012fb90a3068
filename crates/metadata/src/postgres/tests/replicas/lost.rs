//! A replica that is lost, and a primary that is.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use wharf_core::StoreError;
use wharf_core::metadata::{LastKnown, ListReferrers, ManifestMetadata, Tags};
use wharf_oci::{Digest, Reference};

use super::gate::{Gate, Way};
use super::{Copied, PATIENCE, Pull, WHERE, settings, until_used};
use crate::contract::samples::{about, blob, commit, image, name};
use crate::contract::{HandClock, Stand};
use crate::engine::Engine;
use crate::{Database, Postgres};

/// How long a read may take on a busy machine where nothing has to be waited for.
const SOON: Duration = Duration::from_millis(900);

async fn read_at_the_primary(engine: &Postgres) -> Duration {
    let begin = Instant::now();
    assert_eq!(engine.read(Pull(WHERE)).await.unwrap(), "primary");
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_replica_is_gone_around_and_taken_up_when_it_is_back() {
    let copied = Copied::new().await;
    let gate = Gate::before(&wharf_engines::postgres_replica(), Way::Open).await;
    let settings = settings(&copied.fresh, &wharf_engines::postgres(), &gate.url);
    let engine = Postgres::connect(settings).await.unwrap();
    for way in [Way::Cut, Way::Silent] {
        until_used(&engine).await;
        gate.set(way);
        // Many at once wait for it together, once and not long.
        let begin = Instant::now();
        for read in join_all((0..50).map(|_| engine.read(Pull(WHERE)))).await {
            assert_eq!(read.unwrap(), "primary");
        }
        assert!(begin.elapsed() < Duration::from_secs(4), "{way:?}: {:?}", begin.elapsed());
        // Nobody waits for it any more, also while it is tried again.
        let until = Instant::now() + Duration::from_millis(700);
        while Instant::now() < until {
            let took = read_at_the_primary(&engine).await;
            assert!(took < SOON, "{way:?}: {took:?}");
        }
        gate.set(Way::Open);
    }
    until_used(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_the_one_that_is_there_is_used() {
    let copied = Copied::new().await;
    let gate = Gate::before(&wharf_engines::postgres_replica(), Way::Open).await;
    let mut settings = settings(&copied.fresh, &wharf_engines::postgres(), &gate.url);
    let through = settings.replicas.clone();
    settings.replicas.extend(
        super::settings(&copied.fresh, &gate.url, &wharf_engines::pgbouncer_replica()).replicas,
    );
    assert_ne!(through[0].to_string(), settings.replicas[1].to_string());
    let engine = Postgres::connect(settings).await.unwrap();
    until_used(&engine).await;
    gate.set(Way::Cut);
    for _ in 0..3 {
        until_used(&engine).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_away_at_the_start_is_used_once_it_is_there() {
    let copied = Copied::new().await;
    for way in [Way::Cut, Way::Silent] {
        let gate = Gate::before(&wharf_engines::postgres_replica(), way).await;
        let settings = settings(&copied.fresh, &wharf_engines::postgres(), &gate.url);
        let begin = Instant::now();
        let engine = Postgres::connect(settings).await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
        read_at_the_primary(&engine).await;
        gate.set(Way::Open);
        until_used(&engine).await;
    }
}

/// All that pulls and lists ask for, of a repository with one image and one referrer.
struct Known {
    database: Database<Postgres>,
    image: Digest,
}

impl Known {
    fn referrers(&self) -> ListReferrers {
        ListReferrers {
            repository: name("a"),
            subject: self.image,
            artifact_type: None,
            after: None,
            limit: 10,
            max_bytes: 1 << 20,
        }
    }

    async fn is_known(&self) -> bool {
        let (database, image) = (&self.database, self.image);
        let latest = || Reference::Tag("latest".parse().unwrap());
        let by_tag = database.last_manifest(name("a"), latest()).await;
        let by_digest = database.last_manifest(name("a"), Reference::Digest(image)).await;
        let found = [by_tag, by_digest].map(|found| found.map(|manifest| manifest.digest));
        let blob = database.last_blob(name("a"), blob("one")).await;
        let tags = database.last_tags(name("a"), None, 10).await.map(|tags| tags.len());
        let referrers = database.last_referrers(self.referrers()).await.map(|found| found.len());
        let names = database.last_repositories(None, 10).await.map(|names| names.len());
        let all = (found, blob.is_some(), tags, referrers, names);
        let known = ([Some(image); 2], true, Some(1), Some(1), Some(1));
        assert!(all == known || all == ([None; 2], false, None, None, None), "{all:?}");
        all == known
    }

    async fn find(&self) -> Result<bool, StoreError> {
        let found = self.database.find_manifest(name("a"), Reference::Digest(self.image)).await?;
        Ok(found.is_some())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_primary_is_lost_a_replica_tells_what_it_knows_and_only_then() {
    let copied = Copied::new().await;
    let gate = Gate::before(&wharf_engines::postgres(), Way::Open).await;
    let mut settings = settings(&copied.fresh, &gate.url, &wharf_engines::postgres_replica());
    settings.connect_timeout = Duration::from_millis(500);
    settings.statement_timeout = Duration::from_millis(1500);
    settings.transaction_timeout = Duration::from_secs(2);
    let database = Database::on_postgres(Postgres::connect(settings).await.unwrap());
    let pushing = Database::on_postgres(copied.fresh.engine().await);
    let stand = Stand::new(pushing, HandClock::new(), copied);
    let pushed = stand.push("a", "one", &["latest"]).await;
    let referrer = commit("a", &about(image(&[blob("one")]), pushed), &[]);
    stand.commit(referrer).await;
    let known = Known { database, image: pushed };
    for way in [Way::Cut, Way::Silent] {
        until_used(&known.database.engine).await;
        assert!(!known.is_known().await, "the primary is there");
        gate.set(way);
        let begin = Instant::now();
        let error = known.find().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{way:?}: {error}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{way:?}: {:?}", begin.elapsed());
        let begin = Instant::now();
        assert!(known.is_known().await, "{way:?}");
        assert!(begin.elapsed() < Duration::from_secs(12), "{way:?}: {:?}", begin.elapsed());
        // What it does not have may have been pushed all the same.
        let unknown = Reference::Tag("other".parse().unwrap());
        assert!(known.database.last_manifest(name("a"), unknown).await.is_none());
        assert!(known.database.last_tags(name("b"), None, 10).await.is_none());
        gate.set(Way::Open);
        let begin = Instant::now();
        while known.find().await.is_err() {
            assert!(begin.elapsed() < PATIENCE, "the primary is not found again");
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(known.database.list_tags(name("a"), None, 10).await.unwrap().unwrap().len(), 1);
    }
}
