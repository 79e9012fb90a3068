//! A job is held for as long as it takes, by one runner at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;
use wharf_core::metadata::JobOutcome;
use wharf_jobs::Runner;

use crate::queue::Queue;
use crate::work::{Notes, Work};
use crate::{Running, SECOND, enqueue, rules};

fn start(queue: &Arc<Queue>, notes: &Arc<Notes>, takes: Duration) -> Running {
    let work = Work::new(notes, takes, || JobOutcome::Done);
    Running::start(Runner::new(queue.clone(), rules()).handling(work))
}

#[tokio::test(start_paused = true)]
async fn a_job_is_run_with_its_payload_and_forgotten() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    let runner = start(&queue, &notes, Duration::ZERO);
    enqueue(&queue, "a").await;
    sleep(SECOND * 2).await;
    assert_eq!(notes.begun.lock().unwrap()[0].1, "payload of a");
    assert!(queue.jobs().is_empty());
    runner.stop().await;
    assert_eq!((notes.begun(), notes.ended()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_run_at_once_than_may() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    for number in 0..9 {
        enqueue(&queue, &number.to_string()).await;
    }
    let runner = start(&queue, &notes, SECOND * 10);
    // One begins as soon as another ends.
    sleep(SECOND * 51).await;
    assert_eq!((notes.most_at_once(), notes.ended()), (2, 9));
    runner.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_takes_longer_than_its_lease_is_run_once() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let runners = [(); 3].map(|()| start(&queue, &notes, SECOND * 1000));
    sleep(SECOND * 1002).await;
    assert_eq!((notes.begun(), notes.ended()), (1, 1));
    assert!(queue.jobs().is_empty());
    for runner in runners {
        runner.stop().await;
    }
}

/// The work is dropped before another runner can begin it.
#[tokio::test(start_paused = true)]
async fn work_whose_lease_cannot_be_extended_ends_before_the_lease_does() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let runner = start(&queue, &notes, SECOND * 1000);
    sleep(SECOND).await;
    assert_eq!(notes.running(), 1);
    queue.away.store(true, Ordering::SeqCst);
    sleep(SECOND * 58).await;
    assert_eq!((notes.running(), notes.ended()), (0, 0));
    queue.away.store(false, Ordering::SeqCst);
    sleep(SECOND * 40).await;
    assert_eq!((notes.running(), queue.only().attempts), (1, 2));
    runner.stop().await;
}

/// As after a process was frozen for longer than its lease.
#[tokio::test(start_paused = true)]
async fn work_whose_job_is_another_runners_is_dropped_and_changes_nothing() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let runner = start(&queue, &notes, SECOND * 30);
    sleep(SECOND).await;
    queue.rob();
    sleep(SECOND * 25).await;
    assert_eq!((notes.running(), notes.ended()), (0, 0));
    assert!(queue.only().leased);
    runner.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_away_is_asked_again_later() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    queue.away.store(true, Ordering::SeqCst);
    let runner = start(&queue, &notes, Duration::ZERO);
    sleep(SECOND * 600).await;
    assert_eq!(notes.begun(), 0);
    queue.away.store(false, Ordering::SeqCst);
    sleep(SECOND * 31).await;
    assert_eq!(notes.ended(), 1);
    runner.stop().await;
}

/// It was done, and only the word of it was late.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_job_is_told_as_soon_as_the_queue_is_back() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let runner = start(&queue, &notes, SECOND * 5);
    sleep(SECOND * 4).await;
    queue.away.store(true, Ordering::SeqCst);
    sleep(SECOND * 20).await;
    assert_eq!((notes.ended(), queue.only().leased), (1, true));
    queue.away.store(false, Ordering::SeqCst);
    sleep(SECOND * 2).await;
    assert!(queue.jobs().is_empty());
    assert_eq!(notes.begun(), 1);
    runner.stop().await;
}
