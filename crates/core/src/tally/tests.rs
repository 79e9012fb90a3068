//! The tally on metadata that can be made to fail: nothing is lost, nothing is counted twice.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use tokio::sync::oneshot;
use wharf_oci::{Algorithm, Hasher};

use super::*;
use crate::StoreError;
use crate::clock::{SystemRandom, Timestamp};
use crate::metadata::{
    CountAt, CountBatch, CountsOf, Span, Step, TopList, TopManifest, TopRepository, Trend,
};

/// How the next calls end: taken, refused, or taken with the reply lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Taking,
    Away,
    LosingReplies,
}

/// Counts that are kept in memory.
struct Memory {
    mood: Mutex<Mood>,
    sums: Mutex<BTreeMap<(String, CountKind), u64>>,
    known: Mutex<HashSet<[u8; 16]>>,
    asked: Mutex<Vec<(Duration, usize)>>,
}

impl Memory {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(Mood::Taking),
            sums: Mutex::default(),
            known: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn sum(&self, repository: &str, kind: CountKind) -> u64 {
        let sums = self.sums.lock().unwrap();
        sums.get(&(repository.to_owned(), kind)).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Counts for Memory {
    async fn add_counts(&self, batch: CountBatch) -> Result<bool, StoreError> {
        self.asked.lock().unwrap().push((batch.age, batch.tallies.len()));
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Away {
            return Err(StoreError::Unavailable("away".into()));
        }
        let new = self.known.lock().unwrap().insert(batch.id);
        if new {
            for tally in batch.tallies.iter() {
                let key = (tally.repository.as_str().to_owned(), tally.kind);
                *self.sums.lock().unwrap().entry(key).or_default() += tally.count;
            }
        }
        if mood == Mood::LosingReplies {
            return Err(StoreError::Uncertain("the reply was lost".into()));
        }
        Ok(new)
    }

    async fn count_range(
        &self,
        _: CountsOf,
        _: Span,
        _: Step,
        _: usize,
    ) -> Result<Vec<CountAt>, StoreError> {
        unreachable!()
    }

    async fn count_trend(&self, _: CountsOf, _: Duration) -> Result<Trend, StoreError> {
        unreachable!()
    }

    async fn top_repositories(&self, _: TopList) -> Result<Vec<TopRepository>, StoreError> {
        unreachable!()
    }

    async fn top_manifests(&self, _: TopList) -> Result<Vec<TopManifest>, StoreError> {
        unreachable!()
    }

    async fn last_pulled(
        &self,
        _: RepositoryName,
        _: Vec<Digest>,
    ) -> Result<Vec<(Digest, Timestamp)>, StoreError> {
        unreachable!()
    }

    async fn make_room_for_counts(&self) -> Result<u64, StoreError> {
        unreachable!()
    }

    async fn expire_counts(&self, _: Duration, _: usize) -> Result<u64, StoreError> {
        unreachable!()
    }

    async fn forget_batches(&self, _: usize) -> Result<u64, StoreError> {
        unreachable!()
    }
}

fn tally(rules: TallyRules) -> Tally {
    Tally::new(rules, Arc::new(SystemRandom))
}

fn manifest(number: usize) -> Digest {
    Hasher::digest(Algorithm::Sha256, number.to_string().as_bytes())
}

fn pull(tally: &Tally, repository: &str, number: usize) {
    tally.count(&repository.parse().unwrap(), manifest(number), CountKind::Pull);
}

#[tokio::test]
async fn threads_that_count_at_once_lose_nothing() {
    const THREADS: usize = 8;
    const EACH: usize = 10_000;
    let (tally, memory) = (tally(TallyRules::default()), Memory::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let tally = &tally;
            scope.spawn(move || {
                for number in 0..EACH {
                    pull(
                        tally,
                        if number % 2 == 0 { "hot" } else { "cold" },
                        (number + thread) % 7,
                    );
                }
            });
        }
        for _ in 0..50 {
            let mut batches = tally.batches.try_lock().unwrap();
            tally.close(&mut batches);
        }
    });
    tally.add_to(&*memory, true).await;
    for repository in ["hot", "cold"] {
        assert_eq!(memory.sum(repository, CountKind::Pull), (THREADS * EACH / 2) as u64);
    }
    let totals = tally.totals();
    assert_eq!((totals.added, totals.lost, totals.waiting()), ((THREADS * EACH) as u64, 0, 0));
    assert_eq!(tally.entries.load(Ordering::SeqCst), 0);
    assert_eq!(tally.gathered.load(Ordering::SeqCst), 0);
}

/// Under the same id, while what comes meanwhile gathers behind it.
#[tokio::test]
async fn a_batch_whose_reply_was_lost_is_asked_for_again_and_counts_once() {
    let (tally, memory) = (tally(TallyRules::default()), Memory::new());
    pull(&tally, "a", 1);
    memory.becomes(Mood::LosingReplies);
    tally.add_to(&*memory, false).await;
    assert_eq!(tally.totals().waiting(), 1);
    pull(&tally, "a", 1);
    memory.becomes(Mood::Away);
    tally.add_to(&*memory, false).await;
    memory.becomes(Mood::Taking);
    tally.add_to(&*memory, false).await;
    assert_eq!(memory.sum("a", CountKind::Pull), 1);
    tally.add_to(&*memory, false).await;
    assert_eq!(memory.sum("a", CountKind::Pull), 2);
    assert_eq!(tally.totals(), TallyTotals { counted: [2, 0, 0], added: 2, lost: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_waited_says_for_how_long() {
    let (tally, memory) = (tally(TallyRules::default()), Memory::new());
    memory.becomes(Mood::Away);
    pull(&tally, "a", 1);
    tally.add_to(&*memory, false).await;
    sleep(Duration::from_secs(7200)).await;
    pull(&tally, "a", 1);
    tally.add_to(&*memory, false).await;
    memory.becomes(Mood::Taking);
    tally.add_to(&*memory, false).await;
    let hours: Vec<_> =
        memory.asked.lock().unwrap().iter().map(|(age, _)| age.as_secs() / 3600).collect();
    assert_eq!(hours, [0, 2, 2, 0]);
    assert_eq!(memory.sum("a", CountKind::Pull), 2);
}

/// Its id may be forgotten by then, so that it might be added twice.
#[tokio::test(start_paused = true)]
async fn a_batch_is_not_asked_for_when_its_id_may_be_forgotten() {
    let (tally, memory) = (tally(TallyRules::default()), Memory::new());
    memory.becomes(Mood::LosingReplies);
    pull(&tally, "a", 1);
    tally.add_to(&*memory, false).await;
    sleep(CountBatch::REMEMBERED).await;
    memory.becomes(Mood::Taking);
    tally.add_to(&*memory, false).await;
    assert_eq!(memory.asked.lock().unwrap().len(), 1);
    assert_eq!(tally.totals(), TallyTotals { counted: [1, 0, 0], added: 0, lost: 1 });
    assert_eq!(tally.entries.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_what_is_lost_is_counted() {
    let rules = TallyRules { most: 10, large: 4, ..TallyRules::default() };
    let (tally, memory) = (tally(rules), Memory::new());
    for number in 0..15 {
        pull(&tally, "a", number);
        pull(&tally, "a", number);
    }
    assert_eq!(tally.totals(), TallyTotals { counted: [30, 0, 0], added: 0, lost: 10 });
    tally.add_to(&*memory, false).await;
    assert_eq!(memory.sum("a", CountKind::Pull), 20);
    let sizes: Vec<_> = memory.asked.lock().unwrap().iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, [4, 4, 2]);
    pull(&tally, "a", 14);
    assert_eq!(tally.totals().waiting(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_adds_every_interval_when_it_is_large_and_at_the_stop() {
    let rules = TallyRules { large: 3, interval: Duration::from_secs(60), ..TallyRules::default() };
    let (tally, memory) = (Arc::new(tally(rules)), Memory::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn({
        let (tally, memory) = (tally.clone(), memory.clone());
        async move {
            tally
                .run(memory, async {
                    let _ = stopped.await;
                })
                .await;
        }
    });
    pull(&tally, "a", 1);
    sleep(Duration::from_secs(59)).await;
    assert_eq!(memory.sum("a", CountKind::Pull), 0);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(memory.sum("a", CountKind::Pull), 1);
    for number in 0..3 {
        pull(&tally, "a", number);
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(memory.sum("a", CountKind::Pull), 4);
    tally.count(&"a".parse().unwrap(), manifest(1), CountKind::Push);
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(memory.sum("a", CountKind::Push), 1);
    assert_eq!(tally.totals().waiting(), 0);
}
