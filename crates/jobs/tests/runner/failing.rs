//! Jobs that fail: tried again, each time later, and set aside in the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wharf_core::metadata::JobOutcome;
use wharf_jobs::{RunCounters, RunEnd, Runner, RunnerRules, Runs};

use crate::queue::{Job, Queue};
use crate::work::{Notes, Work};
use crate::{Running, SECOND, enqueue, rules};

/// Runs one job that takes and ends so, for an hour.
async fn an_hour_of(
    rules: RunnerRules,
    takes: Duration,
    ends: impl Fn() -> JobOutcome + Send + Sync + 'static,
) -> (Arc<Notes>, Job) {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let work = Work::new(&notes, takes, ends);
    let runner = Running::start(Runner::new(queue.clone(), rules).handling(work));
    sleep(SECOND * 3600).await;
    runner.stop().await;
    (notes, queue.only())
}

fn broken(after: Duration) -> JobOutcome {
    JobOutcome::Retry { after, error: "broken".into() }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_is_tried_again_later_each_time_and_set_aside_in_the_end() {
    let rules = RunnerRules { attempts: 5, ..rules() };
    let (notes, job) = an_hour_of(rules, Duration::ZERO, || broken(Duration::ZERO)).await;
    let pauses = notes.pauses();
    assert_eq!(pauses.len(), 4);
    for (pause, most) in pauses.into_iter().zip([10, 20, 40, 80]) {
        // With what it takes until the queue is looked into again.
        let whole = SECOND * most;
        assert!((whole / 2..=whole + SECOND).contains(&pause), "{pause:?} for {most} s");
    }
    assert_eq!((job.due, job.attempts, job.last_error.as_deref()), (None, 5, Some("broken")));
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_ask_for_a_longer_wait() {
    let (notes, _) = an_hour_of(rules(), Duration::ZERO, || broken(SECOND * 700)).await;
    assert!(notes.pauses().into_iter().all(|pause| pause >= SECOND * 700));
    assert_eq!(notes.begun(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_job_without_hope_is_set_aside_at_once() {
    let hopeless = || JobOutcome::Dead { error: "no such thing".into() };
    let (notes, job) = an_hour_of(rules(), Duration::ZERO, hopeless).await;
    assert_eq!((notes.begun(), job.due), (1, None));
    assert_eq!(job.last_error.as_deref(), Some("no such thing"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let (notes, job) = an_hour_of(rules(), Duration::ZERO, || panic!("on purpose")).await;
    assert_eq!((notes.begun(), job.due), (3, None));
    assert_eq!(job.last_error.as_deref(), Some("it panicked"));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_takes_too_long_has_failed() {
    let rules = RunnerRules { run_limit: SECOND * 100, ..rules() };
    let (notes, job) = an_hour_of(rules, SECOND * 101, || JobOutcome::Done).await;
    assert_eq!((notes.begun(), notes.ended(), job.due), (3, 0, None));
    assert_eq!(job.last_error.as_deref(), Some("it took longer than 100s"));
}

/// It would end them all.
#[tokio::test(start_paused = true)]
async fn a_job_that_ended_its_runners_too_often_is_not_run_again() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    queue.set_attempts(3);
    let work = Work::new(&notes, Duration::ZERO, || JobOutcome::Done);
    let runner = Running::start(Runner::new(queue.clone(), rules()).handling(work));
    sleep(SECOND).await;
    runner.stop().await;
    let job = queue.only();
    assert_eq!((notes.begun(), job.due), (0, None));
    assert_eq!(job.last_error.as_deref(), Some("its runner ended 3 times without a word"));
}

#[tokio::test(start_paused = true)]
async fn runs_are_counted_by_how_they_ended_with_the_time_they_took() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let counters = Arc::new(RunCounters::default());
    let work = Work::new(&notes, SECOND * 5, || broken(Duration::ZERO));
    let runner = Runner::new(queue.clone(), rules()).counting(counters.clone()).handling(work);
    let runner = Running::start(runner);
    sleep(SECOND * 3600).await;
    runner.stop().await;
    let (failed, dead) =
        (Runs { count: 2, time: SECOND * 10 }, Runs { count: 1, time: SECOND * 5 });
    let expected = [("work", RunEnd::Failed, failed), ("work", RunEnd::Dead, dead)];
    let rounded = counters.all().into_iter().map(|(kind, end, runs)| {
        (kind, end, Runs { time: Duration::from_secs(runs.time.as_secs()), ..runs })
    });
    assert_eq!(rounded.collect::<Vec<_>>(), expected);
}
