//! A process that stops: what runs is finished or given back.

use std::sync::Arc;

use tokio::time::{Instant, sleep};
use wharf_core::metadata::JobOutcome;
use wharf_jobs::Runner;

use crate::queue::Queue;
use crate::work::{Notes, Work};
use crate::{Running, SECOND, enqueue, rules};

#[tokio::test(start_paused = true)]
async fn a_job_that_is_nearly_done_is_finished_and_none_is_begun() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    for key in ["a", "b", "c"] {
        enqueue(&queue, key).await;
    }
    let work = Work::new(&notes, SECOND * 20, || JobOutcome::Done);
    let runner = Running::start(Runner::new(queue.clone(), rules()).handling(work));
    sleep(SECOND * 15).await;
    runner.stop().await;
    assert_eq!((notes.begun(), notes.ended()), (2, 2));
    let left = queue.only();
    assert_eq!((left.key.as_str(), left.attempts, left.leased), ("c", 0, false));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_takes_long_is_given_back_for_another_runner() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    enqueue(&queue, "a").await;
    let start = || {
        let work = Work::new(&notes, SECOND * 1000, || JobOutcome::Done);
        Running::start(Runner::new(queue.clone(), rules()).handling(work))
    };
    let mut runner = start();
    sleep(SECOND * 100).await;
    let begin = Instant::now();
    runner.tell_to_stop();
    sleep(SECOND * 9).await;
    assert_eq!(notes.running(), 1);
    runner.stop().await;
    assert!(begin.elapsed() < SECOND * 11);
    let job = queue.only();
    assert_eq!((notes.running(), notes.ended()), (0, 0));
    assert_eq!((job.leased, job.attempts, job.last_error), (false, 0, None));
    let other = start();
    sleep(SECOND).await;
    assert_eq!((notes.running(), queue.only().attempts), (1, 1));
    other.stop().await;
}
