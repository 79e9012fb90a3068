//! Two transactions that overlap, in each of the ways they can: what one of them read, the other changes. The
//! result must be that of one after the other.

mod accounts;
mod adopting;
mod audit;
mod blobs;
mod collecting;
mod deleted_repositories;
mod event_log;
mod history;
mod immutability;
mod incarnations;
mod jobs;
mod lock_order;
mod manifests;
mod quarantine;
mod retention;
mod scrubbing;
mod tags;
mod two_collectors;
mod usage;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::fresh::Fresh;
use crate::contract::Stand;
use crate::engine::{Engine, Result, Sees, Statements, Transaction};
use crate::{Postgres, PostgresSettings};

/// How two transactions overlap.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// The first has its snapshot; the second runs and commits; the first goes on.
    FirstBegins,
    /// The same the other way round.
    SecondBegins,
    /// The first has done all its work; the second runs, as far as it gets; the first commits.
    FirstHolds,
    /// The same the other way round.
    SecondHolds,
}

pub(super) const ALL: [How; 4] =
    [How::FirstBegins, How::SecondBegins, How::FirstHolds, How::SecondHolds];

/// Where a transaction stops, the first time it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Begin,
    End,
}

/// A transaction that stops on its way until it is told to go on.
struct Stepped<T> {
    inner: T,
    at: At,
    first: AtomicBool,
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl<T> Stepped<T> {
    async fn stop(&self, at: At) {
        if self.at == at && self.first.swap(false, Ordering::SeqCst) {
            self.reached.add_permits(1);
            self.go.acquire().await.unwrap().forget();
        }
    }
}

#[async_trait]
impl<T: Transaction> Transaction for Stepped<T> {
    type Output = T::Output;

    const SEES: Sees = T::SEES;

    async fn run(&self, on: &mut dyn Statements) -> Result<T::Output> {
        self.stop(At::Begin).await;
        let output = self.inner.run(on).await?;
        self.stop(At::End).await;
        Ok(output)
    }
}

/// Metadata to prepare and to look at, and an engine for what overlaps.
pub(super) struct Scene {
    pub(super) stand: Stand,
    pub(super) engine: Arc<Postgres>,
    pub(super) through_pgbouncer: PostgresSettings,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let fresh = Fresh::new().await;
        let settings = fresh.settings();
        let through_pgbouncer = fresh.settings_at(&wharf_engines::pgbouncer());
        let (metadata, clock, fresh) = fresh.metadata(wharf_engines::postgres()).await;
        let engine = Postgres::connect_with_clock(settings, clock.clone()).await.unwrap();
        let stand = Stand::new(metadata, clock, fresh);
        Self { stand, engine: Arc::new(engine), through_pgbouncer }
    }

    /// Runs both, and returns what came of them.
    pub(super) async fn both<A: Transaction, B: Transaction>(
        &self,
        how: How,
        first: A,
        second: B,
    ) -> (A::Output, B::Output) {
        let (first, second) = self.tried(how, first, second).await;
        (first.unwrap(), second.unwrap())
    }

    /// The same of transactions that may fail, but for the one that is stopped at its end.
    pub(super) async fn tried<A: Transaction, B: Transaction>(
        &self,
        how: How,
        first: A,
        second: B,
    ) -> (Result<A::Output>, Result<B::Output>) {
        let (begin, end) = (At::Begin, At::End);
        match how {
            How::FirstBegins => self.overlap(begin, first, second).await.0,
            How::FirstHolds => self.overlap(end, first, second).await.0,
            How::SecondBegins => swap(self.overlap(begin, second, first).await.0),
            How::SecondHolds => swap(self.overlap(end, second, first).await.0),
        }
    }

    /// Whether `waiter` ends no sooner than `holder`, which has done all its work and only has to commit.
    pub(super) async fn waits<A: Transaction, B: Transaction>(&self, waiter: A, holder: B) -> bool {
        let ((held, waited), is_early) = self.overlap(At::End, holder, waiter).await;
        held.unwrap();
        waited.unwrap();
        !is_early
    }

    /// Runs `inside` while `around` has stopped. Says also whether `inside` ended before `around` went on.
    async fn overlap<A: Transaction, B: Transaction>(
        &self,
        at: At,
        around: A,
        inside: B,
    ) -> ((Result<A::Output>, Result<B::Output>), bool) {
        let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let first = AtomicBool::new(true);
        let (seen, gone) = (reached.clone(), go.clone());
        let stepped = Stepped { inner: around, at, first, reached, go };
        let (one, other) = (self.engine.clone(), self.engine.clone());
        let around = tokio::spawn(async move { one.write(stepped).await });
        seen.acquire().await.unwrap().forget();
        let mut inside = tokio::spawn(async move { other.write(inside).await });
        // What waits for the other's locks goes on once that has committed.
        let early = match at {
            At::Begin => Some((&mut inside).await.unwrap()),
            At::End => timeout(Duration::from_millis(100), &mut inside)
                .await
                .ok()
                .map(|done| done.unwrap()),
        };
        gone.add_permits(1);
        let (around, is_early) = (around.await.unwrap(), early.is_some());
        let inside = match early {
            Some(output) => output,
            None => inside.await.unwrap(),
        };
        ((around, inside), is_early)
    }

    /// Runs `around`, and `meanwhile` after its snapshot was taken.
    pub(super) async fn around<A: Transaction>(
        &self,
        around: A,
        meanwhile: impl Future<Output = ()>,
    ) -> A::Output {
        let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (seen, gone) = (reached.clone(), go.clone());
        let first = AtomicBool::new(true);
        let stepped = Stepped { inner: around, at: At::Begin, first, reached, go };
        let engine = self.engine.clone();
        let around = tokio::spawn(async move { engine.write(stepped).await.unwrap() });
        seen.acquire().await.unwrap().forget();
        meanwhile.await;
        sleep(Duration::from_millis(1)).await;
        gone.add_permits(1);
        around.await.unwrap()
    }

    /// Checks that each change of the tag of repository `a` begins where the one before ended, with the next
    /// version, and that the tag stands where the last one led.
    pub(super) async fn linear(&self, tag: &str) -> usize {
        let history = self.stand.history("a", tag).await;
        let mut at = "-".to_owned();
        for (index, change) in history.iter().enumerate() {
            let parts: Vec<&str> = change.split(' ').collect();
            assert_eq!(parts[0], (index + 1).to_string(), "{history:?}");
            assert_eq!(parts[2], at, "{history:?}");
            at = parts[3].to_owned();
        }
        let stands = self.stand.tag("a", tag).await;
        assert_eq!(stands.map_or("-".to_owned(), |digest| digest.to_string()), at);
        history.len()
    }
}

fn swap<A, B>((one, other): (A, B)) -> (B, A) {
    (other, one)
}
