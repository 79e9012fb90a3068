//! The runner, on a queue in memory whose clock is that of the tests: hours pass in no time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod damaged_manifests;
mod failing;
mod holding;
mod lost_replies;
mod queue;
mod recurring;
mod registry;
mod repairing;
mod scrubbing;
mod small;
mod stopping;
mod usage;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wharf_core::metadata::{Jobs, NewJob};
use wharf_jobs::{Backoff, Runner, RunnerRules};

use queue::Queue;

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> RunnerRules {
    RunnerRules {
        concurrency: 2,
        lease: SECOND * 60,
        poll: SECOND,
        run_limit: SECOND * 3600,
        attempts: 3,
        backoff: Backoff { first: SECOND * 10, longest: SECOND * 1000 },
        grace: SECOND * 10,
    }
}

/// A runner at work.
struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(runner: Runner) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(runner.run(async {
            let _ = stopped.await;
        }));
        Self { stop: Some(stop), task }
    }

    fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }

    async fn stop(mut self) {
        self.tell_to_stop();
        self.task.await.unwrap();
    }
}

async fn enqueue(queue: &Arc<Queue>, key: &str) {
    let (kind, key, payload) = ("work".into(), key.into(), format!("payload of {key}"));
    let job = NewJob { kind, key, payload, delay: Duration::ZERO };
    assert!(queue.enqueue_job(job).await.unwrap());
}
