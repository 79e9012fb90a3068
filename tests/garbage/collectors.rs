//! Several collectors at once on shared engines. A node leaves collecting to one of all, by a job; here two collect all the time, beside pushers on two nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wharf_blobs::{Limits, ObjectBlobs};
use wharf_cache::MemoryCache;
use wharf_core::metadata::Garbage;
use wharf_core::permissions::Everyone;
use wharf_core::{Collected, GarbageRules, Parts, Registry, Rules};
use wharf_metadata::{Database, Postgres, PostgresSettings};

use crate::store::Store;
use crate::support::engines::Shared;
use crate::support::nodes::Nodes;
use crate::support::program::wait_until;
use crate::support::random::Random;
use crate::{GONE_WITHIN, churn};

/// The shortest grace that the nodes' other settings allow. By themselves they do not collect within this test.
const GRACE: Duration = Duration::from_millis(10_100);
const SETTINGS: [(&str, &str); 7] = [
    ("WHARF_GARBAGE_GRACE", "10100ms"),
    ("WHARF_GARBAGE_INTERVAL", "1d"),
    ("WHARF_UPLOADS_LIFETIME", "5s"),
    ("WHARF_UPLOADS_MOVE_TIME_LIMIT", "3s"),
    ("WHARF_DATABASE_TIMEOUT", "2s"),
    ("WHARF_BLOBS_TIMEOUT", "10s"),
    // The collectors tell the nodes by the log of events, as those tell each other that have no Redis.
    ("WHARF_CACHE_URL", "memory:"),
];

/// A registry on the engines that the nodes share, which does nothing but collect until it is over.
fn collects(shared: &Shared, over: &AtomicBool) -> Collected {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = shared.get("WHARF_DATABASE_URL").parse().unwrap();
        let postgres = Postgres::connect(PostgresSettings::new(url)).await.unwrap();
        let database = Arc::new(Database::on_postgres(postgres));
        let settings = shared.settings().into_iter();
        let environment = settings.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let bucket = shared.get("WHARF_BLOBS_URL").parse().unwrap();
        let blobs = ObjectBlobs::open(&bucket, environment, Limits::default()).unwrap();
        let parts = Parts::new(
            Arc::clone(&database) as _,
            Arc::new(blobs),
            Arc::new(MemoryCache::new(1 << 20)),
            Arc::new(Everyone),
        );
        let registry = Registry::new(parts, Rules::default());
        let rules = GarbageRules { grace: GRACE, untagged_after: None, deletes_per_second: None };
        let garbage: &dyn Garbage = &*database;
        let mut all = Collected::default();
        while !over.load(Ordering::SeqCst) {
            all += registry.collect_garbage(garbage, &rules).await.unwrap();
        }
        all
    })
}

#[test]
fn two_collectors_beside_pushers_lose_nothing_and_leave_nothing() {
    let seed = Random::seed_from("WHARF_GARBAGE_SEED");
    println!("WHARF_GARBAGE_SEED={seed}");
    let mut shared = Shared::new();
    for (name, text) in SETTINGS {
        shared = shared.with(name, text);
    }
    let nodes = Nodes::start(2, &shared.settings());
    let (store, over) = (Store::bucket(&shared), AtomicBool::new(false));
    let collected = thread::scope(|scope| {
        let collectors = [(); 2].map(|()| scope.spawn(|| collects(&shared, &over)));
        // Also where a pusher fails, so that its failure is told.
        let pushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let until = Instant::now() + Duration::from_secs(30);
            thread::scope(|scope| {
                for worker in 0..4 {
                    let registry = nodes.node(worker as usize % 2).registry();
                    scope.spawn(move || {
                        churn(&registry, worker, Random::seeded(seed ^ worker), until)
                    });
                }
            });
            assert!(!store.find().objects.is_empty(), "nothing was pushed");
            wait_until("the bucket is empty", GONE_WITHIN, || store.find().objects.is_empty());
        }));
        over.store(true, Ordering::SeqCst);
        let collected = collectors.map(|collector| collector.join().unwrap());
        if let Err(failure) = pushed {
            std::panic::resume_unwind(failure);
        }
        collected
    });
    println!("{collected:#?}");
    for of_one in collected {
        assert!(of_one.memberships + of_one.condemned + of_one.deleted > 0, "one did nothing");
        assert_eq!(of_one.failed, 0);
    }
}
