//! Jobs that are always there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;
use wharf_core::metadata::JobOutcome;
use wharf_jobs::Runner;

use crate::queue::Queue;
use crate::work::{Notes, Work};
use crate::{Running, SECOND, rules};

fn start(
    queue: &Arc<Queue>,
    notes: &Arc<Notes>,
    ends: impl Fn() -> JobOutcome + Send + Sync + 'static,
) -> Running {
    let work = Work { kind: "clean", ..Work::new(notes, SECOND, ends) };
    Running::start(Runner::new(queue.clone(), rules()).recurring(work))
}

#[tokio::test(start_paused = true)]
async fn of_several_runners_one_does_it_each_time() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    let again = || JobOutcome::Again(SECOND * 60);
    let runners = [(); 3].map(|()| start(&queue, &notes, again));
    sleep(SECOND * 3600).await;
    assert_eq!(notes.most_at_once(), 1);
    assert!((57..=60).contains(&notes.begun()), "{}", notes.begun());
    assert!(notes.pauses().iter().all(|pause| *pause >= SECOND * 61));
    assert_eq!(queue.only().kind, "clean");
    for runner in runners {
        runner.stop().await;
    }
}

/// Also while the queue was away when the process began.
#[tokio::test(start_paused = true)]
async fn it_is_there_from_the_start() {
    let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
    queue.away.store(true, Ordering::SeqCst);
    let runner = start(&queue, &notes, || JobOutcome::Again(SECOND * 3600));
    sleep(SECOND * 100).await;
    queue.away.store(false, Ordering::SeqCst);
    sleep(SECOND * 32).await;
    assert_eq!(notes.ended(), 1);
    runner.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_never_set_aside() {
    for dead in [false, true] {
        let (queue, notes) = (Queue::new(), Arc::new(Notes::default()));
        let runner = start(&queue, &notes, move || {
            let error = "broken".to_owned();
            if dead {
                JobOutcome::Dead { error }
            } else {
                JobOutcome::Retry { after: Duration::ZERO, error }
            }
        });
        sleep(SECOND * 36_000).await;
        assert!((30..80).contains(&notes.begun()), "{}", notes.begun());
        assert!(queue.only().due.is_some());
        runner.stop().await;
    }
}
