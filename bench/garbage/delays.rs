//! How long pushes take: some pushers, each of which begins a push every now and then, so that the machine is busy and not full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use wharf_bench::figures::percentile;
use wharf_bench::transactions::push;
use wharf_core::metadata::Metadata;

/// How often each pusher begins.
const EVERY: Duration = Duration::from_millis(50);

/// How long the pushes took, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub pushes: usize,
    pub median: f64,
    pub p99: f64,
}

/// Pushes until `done` ends.
pub async fn measure<T>(
    store: &Arc<impl Metadata>,
    name: &'static str,
    pushers: usize,
    done: impl Future<Output = Result<T>>,
) -> Result<(T, Times)> {
    let (stop, stopped) = watch::channel(false);
    let pushers = (0..pushers).map(|pusher| {
        let (store, stopped) = (Arc::clone(store), stopped.clone());
        tokio::spawn(async move {
            let repository = format!("pushed/app{pusher}").parse()?;
            let mut times = Vec::new();
            let mut ticks = interval(EVERY);
            // Who was held up does not catch up: that would be another load.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !*stopped.borrow() {
                ticks.tick().await;
                let began = Instant::now();
                push(&*store, &repository, &format!("{name} {pusher} {}", times.len())).await?;
                times.push(began.elapsed().as_secs_f64() * 1000.0);
            }
            anyhow::Ok(times)
        })
    });
    let pushers = pushers.collect::<Vec<_>>();
    let result = done.await;
    stop.send_replace(true);
    let mut times = Vec::new();
    for pusher in try_join_all(pushers).await? {
        times.extend(pusher?);
    }
    times.sort_by(f64::total_cmp);
    let of = |share| percentile(&times, share);
    Ok((result?, Times { pushes: times.len(), median: of(0.5), p99: of(0.99) }))
}
