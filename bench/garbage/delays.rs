//! How long pushes and pulls take: some pushers and as many pullers, each of which begins every now and then, so that the machine is busy and
//! not full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::{TryStreamExt, stream};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use wharf_bench::figures::percentile;
use wharf_bench::transactions::{Pushed, pull, push};
use wharf_core::UploadId;
use wharf_core::blobs::Blobs;
use wharf_core::clock::SystemRandom;
use wharf_core::metadata::Metadata;

/// How often each begins.
const EVERY: Duration = Duration::from_millis(50);

/// How long they took, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub count: usize,
    pub median: f64,
    pub p99: f64,
}

/// Of pushes, and of pulls.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    pub pushes: Times,
    pub pulls: Times,
}

/// What they work on.
pub struct Among<M> {
    store: Arc<M>,
    /// Where the layers of pulled images lie.
    blobs: Arc<dyn Blobs>,
    pulled: Vec<Pushed>,
}

impl<M: Metadata> Among<M> {
    /// With an image for each puller, whose layer is in place.
    pub async fn prepare(store: Arc<M>, blobs: Arc<dyn Blobs>, pullers: usize) -> Result<Self> {
        let mut pulled = Vec::new();
        for puller in 0..pullers {
            let layer = format!("pulled {puller}").repeat(100_000);
            let repository = format!("pulled/app{puller}").parse()?;
            let image = push(&*store, &repository, &layer).await?;
            let key = pull(&*store, &image).await?;
            let id = UploadId::random(&SystemRandom);
            let start = blobs.stage(&id).await?;
            let mut chunks = stream::iter([Bytes::from(layer)]);
            let staged = blobs.append(&id, &start, Box::pin(&mut chunks)).await?;
            blobs.finish(&id, &staged, &key).await?;
            pulled.push(image);
        }
        Ok(Self { store, blobs, pulled })
    }

    /// Pushes and pulls until `done` ends.
    pub async fn measure<T>(
        &self,
        name: &'static str,
        done: impl Future<Output = Result<T>>,
    ) -> Result<(T, Delays)> {
        let (stop, stopped) = watch::channel(false);
        let pushers = (0..self.pulled.len()).map(|pusher| {
            let store = Arc::clone(&self.store);
            let push = move |number| push_one(Arc::clone(&store), name, pusher, number);
            tokio::spawn(again_and_again(stopped.clone(), push))
        });
        let pullers = self.pulled.iter().cloned().map(|image| {
            let (store, blobs) = (Arc::clone(&self.store), Arc::clone(&self.blobs));
            let pull = move |_| pull_one(Arc::clone(&store), Arc::clone(&blobs), image.clone());
            tokio::spawn(again_and_again(stopped.clone(), pull))
        });
        let (pushers, pullers) = (pushers.collect::<Vec<_>>(), pullers.collect::<Vec<_>>());
        let result = done.await;
        stop.send_replace(true);
        let pushes = times(try_join_all(pushers).await?)?;
        let pulls = times(try_join_all(pullers).await?)?;
        Ok((result?, Delays { pushes, pulls }))
    }
}

async fn push_one<M: Metadata>(
    store: Arc<M>,
    name: &str,
    pusher: usize,
    number: usize,
) -> Result<()> {
    let repository = format!("pushed/app{pusher}").parse()?;
    push(&*store, &repository, &format!("{name} {pusher} {number}")).await.map(drop)
}

async fn pull_one<M: Metadata>(store: Arc<M>, blobs: Arc<dyn Blobs>, image: Pushed) -> Result<()> {
    let layer = blobs.read(&pull(&*store, &image).await?, None).await?;
    let pieces = layer.stream.map_ok(|piece| piece.len() as u64);
    let came = pieces.try_fold(0, |sum, more| std::future::ready(Ok(sum + more)));
    ensure!(came.await? == layer.size, "a layer did not come whole");
    Ok(())
}

/// Does it every now and then. Returns how long each took, in milliseconds.
async fn again_and_again<F: Future<Output = Result<()>>>(
    stopped: watch::Receiver<bool>,
    work: impl Fn(usize) -> F,
) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    let mut ticks = interval(EVERY);
    // Who was held up does not catch up: that would be another load.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopped.borrow() {
        ticks.tick().await;
        let began = Instant::now();
        work(times.len()).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

fn times(each: Vec<Result<Vec<f64>>>) -> Result<Times> {
    let mut times = each.into_iter().collect::<Result<Vec<_>>>()?.concat();
    times.sort_by(f64::total_cmp);
    let of = |share| percentile(&times, share);
    Ok(Times { count: times.len(), median: of(0.5), p99: of(0.99) })
}
