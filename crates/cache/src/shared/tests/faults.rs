//! What goes wrong at the same time: nodes that reach only some of Redis, the database and each other's writes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// The way of one node to the epoch, which can be cut.
struct Way {
    epochs: Arc<MemoryEpochs>,
    is_cut: AtomicBool,
}

impl Way {
    fn to(epochs: &Arc<MemoryEpochs>) -> Arc<Self> {
        Arc::new(Self { epochs: Arc::clone(epochs), is_cut: AtomicBool::new(false) })
    }

    fn open(&self) -> Result<(), StoreError> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("on purpose".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Epochs for Way {
    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.open()?;
        self.epochs.epoch().await
    }

    async fn advance_epoch(&self, from: i64) -> Result<(), StoreError> {
        self.open()?;
        self.epochs.advance_epoch(from).await
    }
}

#[tokio::test]
async fn a_reader_cut_from_the_database_serves_no_tag_that_a_writer_cut_from_redis_has_moved() {
    let epochs = MemoryEpochs::new();
    let (proxy, way) = (Proxy::start(&wharf_engines::redis()).await, Way::to(&epochs));
    let reader =
        SharedCache::new(settings(&wharf_engines::redis()), Arc::clone(&way) as _).unwrap();
    while reader.watch.current().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let writer = node(&proxy.url(), &epochs).await;
    put(&reader, tag("v1"), "first").await;
    assert_eq!(found(&reader, tag("v1")).await.unwrap(), "first");
    way.is_cut.store(true, Ordering::SeqCst);
    proxy.cut();
    writer.invalidate(&repository(), Kind::Manifest).await.unwrap();
    // From here the write counts as acknowledged.
    assert_eq!(found(&reader, tag("v1")).await, None);
}

#[tokio::test]
async fn pulls_of_a_tag_that_redis_cannot_vouch_for_share_no_read() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let cache = node(&proxy.url(), &epochs).await;
    proxy.cut();
    let mut versions = Vec::new();
    for _ in 0..2 {
        let Lookup::Miss(ticket) = cache.get(tag("v1")).await else { panic!("nothing was put") };
        versions.push((ticket.version, ticket.shared));
    }
    // Another node may have written in between; equal tickets would say that nobody did.
    assert_ne!(versions[0], versions[1]);
}

/// Asks Redis past the cache.
async fn redis<T: redis::FromRedisValue>(cache: &SharedCache, command: redis::Cmd) -> T {
    let asked =
        cache.link.ask(|mut connection| async move { command.query_async(&mut connection).await });
    asked.await.unwrap()
}

fn command(name: &str, arguments: &[&[u8]]) -> redis::Cmd {
    let mut command = redis::cmd(name);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}

#[tokio::test]
async fn a_value_that_was_damaged_or_is_anothers_is_not_served() {
    let epochs = MemoryEpochs::new();
    let (one, other) = (
        node(&wharf_engines::redis(), &epochs).await,
        node(&wharf_engines::redis(), &epochs).await,
    );
    put(&one, tag("v1"), "first").await;
    put(&one, tag("v2"), "second").await;
    let epoch = one.watch.current().unwrap();
    let names = [tag("v1"), tag("v2")].map(|key| super::super::value_key(epoch, &key));
    let [first, second] = [names[0].as_bytes(), names[1].as_bytes()];
    let length: i64 = redis(&one, command("STRLEN", &[first])).await;
    let last = (length - 1).to_string();
    let _: i64 = redis(&one, command("SETRANGE", &[first, last.as_bytes(), b"T"])).await;
    assert_eq!(found(&other, tag("v1")).await, None);
    let _: i64 = redis(&one, command("COPY", &[second, first, b"REPLACE"])).await;
    assert_eq!(found(&other, tag("v1")).await, None);
    assert_eq!(found(&other, tag("v2")).await.unwrap(), "second");
}

#[tokio::test]
async fn names_that_strangers_think_up_stay_in_redis_for_a_minute_at_most() {
    let epochs = MemoryEpochs::new();
    let cache = node(&wharf_engines::redis(), &epochs).await;
    let version =
        super::super::version_key(cache.watch.current().unwrap(), &repository(), Kind::Manifest);
    assert_eq!(found(&cache, tag("v1")).await, None);
    let life: i64 = redis(&cache, command("TTL", &[version.as_bytes()])).await;
    assert!((1..=60).contains(&life), "{life} s");
    put(&cache, tag("v1"), "first").await;
    let life: i64 = redis(&cache, command("TTL", &[version.as_bytes()])).await;
    assert!(life > 300, "{life} s: a version outlives the values under it");
}

#[tokio::test]
async fn a_redis_that_was_emptied_in_the_middle_takes_no_value_of_before() {
    let epochs = MemoryEpochs::new();
    let (one, other) = (
        node(&wharf_engines::redis(), &epochs).await,
        node(&wharf_engines::redis(), &epochs).await,
    );
    let Lookup::Miss(ticket) = one.get(tag("v1")).await else { panic!("nothing was put") };
    let version =
        super::super::version_key(one.watch.current().unwrap(), &repository(), Kind::Manifest);
    other.invalidate(&repository(), Kind::Manifest).await.unwrap();
    let _: i64 = redis(&one, command("DEL", &[version.as_bytes()])).await;
    assert_eq!(found(&other, tag("v1")).await, None);
    one.put(ticket, Bytes::from_static(b"stale"), LIFE).await;
    assert_eq!(found(&one, tag("v1")).await, None);
    assert_eq!(found(&other, tag("v1")).await, None);
}

#[tokio::test]
async fn after_a_pause_one_try_decides_for_all() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let cache = node(&proxy.url(), &epochs).await;
    proxy.stall();
    while !cache.link.is_paused() {
        let _: Option<String> = ping(&cache).await;
    }
    // The pause is over when the first is let through again; who comes with it is not.
    let began = Instant::now();
    loop {
        let tries = [(); 8].map(|()| async {
            let asked = Instant::now();
            let _: Option<String> = ping(&cache).await;
            asked.elapsed() >= Duration::from_millis(90)
        });
        let waited = futures_util::future::join_all(tries).await;
        let waited = waited.into_iter().filter(|waited| *waited).count();
        assert!(waited <= 1, "{waited} of 8 waited for a Redis that stalls");
        if waited == 1 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it is never tried again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ping(cache: &SharedCache) -> Option<String> {
    let asked = cache
        .link
        .ask(|mut connection| async move { redis::cmd("PING").query_async(&mut connection).await });
    asked.await
}

#[tokio::test]
async fn a_writer_that_can_tell_nobody_says_so() {
    let epochs = MemoryEpochs::new();
    let (proxy, way) = (Proxy::start(&wharf_engines::redis()).await, Way::to(&epochs));
    let writer = SharedCache::new(settings(&proxy.url()), Arc::clone(&way) as _).unwrap();
    writer.invalidate(&repository(), Kind::Manifest).await.unwrap();
    proxy.cut();
    way.is_cut.store(true, Ordering::SeqCst);
    let failed = writer.invalidate(&repository(), Kind::Manifest).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
}

#[tokio::test]
async fn what_was_known_last_is_there_while_the_database_is_away_unless_it_was_invalidated() {
    let epochs = MemoryEpochs::new();
    let way = Way::to(&epochs);
    let writer = node(&wharf_engines::redis(), &epochs).await;
    let reader =
        SharedCache::new(settings(&wharf_engines::redis()), Arc::clone(&way) as _).unwrap();
    while reader.watch.current().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    put(&writer, tag("v1"), "first").await;
    way.is_cut.store(true, Ordering::SeqCst);
    while reader.watch.current().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(found(&reader, tag("v1")).await, None);
    assert_eq!(reader.last_known(tag("v1")).await.unwrap(), "first");
    writer.invalidate(&repository(), Kind::Manifest).await.unwrap();
    assert_eq!(reader.last_known(tag("v1")).await, None);
}
