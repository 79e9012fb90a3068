//! Limits that nodes share: the contract on a real Redis, two nodes that count together, and what happens while Redis is
//! away or forgets.

use wharf_core::limits::{Limiter, Take};

use super::*;
use crate::SharedLimiter;

async fn limiter(url: &str, epochs: &Arc<MemoryEpochs>) -> SharedLimiter {
    node(url, epochs).await.limiter()
}

fn one(key: &str, rate: &str) -> [Take; 1] {
    [Take::one(key, rate.parse().unwrap())]
}

async fn allows(limiter: &SharedLimiter, takes: &[Take]) -> bool {
    limiter.take(takes).await.wait.is_none()
}

mod contract {
    use super::*;

    /// Whatever a rule says must be said by Redis: one that is away for a moment would let a limiter in process say it.
    struct InRedis(SharedLimiter);

    impl InRedis {
        fn checked<T>(&self, said: T) -> T {
            assert!(!self.0.is_alone() && self.0.takes().1 == 0, "Redis was not asked");
            said
        }
    }

    #[async_trait]
    impl Limiter for InRedis {
        async fn take(&self, takes: &[Take]) -> wharf_core::limits::Verdict {
            self.checked(self.0.take(takes).await)
        }

        async fn give_back(&self, takes: &[Take]) {
            self.0.give_back(takes).await;
        }

        async fn forget(&self, takes: &[Take]) {
            self.0.forget(takes).await;
        }
    }

    async fn new() -> InRedis {
        let epochs = MemoryEpochs::new();
        let settings = SharedCacheSettings {
            time_limit: Duration::from_secs(10),
            ..settings(&wharf_engines::redis())
        };
        let cache = SharedCache::new(settings, epochs as _).unwrap();
        while cache.watch.current().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        InRedis(cache.limiter())
    }

    crate::limiter_contract!(new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_give_together_no_more_than_there_is() {
    let epochs = MemoryEpochs::new();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        nodes.push(Arc::new(limiter(&wharf_engines::redis(), &epochs).await));
    }
    let ask = |number: usize| {
        let node = Arc::clone(&nodes[number % 2]);
        tokio::spawn(async move { allows(&node, &one("a", "30/10d")).await })
    };
    let asked: Vec<_> = (0..100).map(ask).collect();
    let mut allowed = 0;
    for asked in asked {
        allowed += usize::from(asked.await.unwrap());
    }
    assert_eq!(allowed, 30);
    nodes[0].forget(&one("a", "30/10d")).await;
    assert!(allows(&nodes[1], &one("a", "30/10d")).await);
    // And another registry in the same Redis has its own.
    let stranger = limiter(&wharf_engines::redis(), &MemoryEpochs::new()).await;
    assert_eq!(stranger.take(&one("a", "30/10d")).await.standings[0].remaining, 29);
}

#[tokio::test]
async fn what_was_taken_stays_when_the_cache_is_suspended_and_begins_anew() {
    let epochs = MemoryEpochs::new();
    let node = node(&wharf_engines::redis(), &epochs).await;
    let limiter = node.limiter();
    assert!(allows(&limiter, &one("a", "1/10d")).await);
    for _ in 0..2 {
        let before = epochs.epoch().await.unwrap().number;
        epochs.advance_epoch(before).await.unwrap();
        while node.watch.last() == Some(before)
            || (node.watch.current().is_none() && before % 2 == 1)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!allows(&limiter, &one("a", "1/10d")).await);
    }
    assert_eq!(limiter.takes(), (3, 0));
}

#[tokio::test]
async fn while_redis_is_away_a_node_counts_for_itself_and_then_with_the_others_again() {
    for stalls in [false, true] {
        let epochs = MemoryEpochs::new();
        let proxy = Proxy::start(&wharf_engines::redis()).await;
        let cut_off = limiter(&proxy.url(), &epochs).await;
        let other = limiter(&wharf_engines::redis(), &epochs).await;
        let three = one("a", "3/10d");
        assert!(allows(&cut_off, &three).await && !cut_off.is_alone());
        if stalls {
            proxy.stall()
        } else {
            proxy.cut()
        }
        let began = Instant::now();
        for allowed in [true, true, true, false] {
            assert_eq!(allows(&cut_off, &three).await, allowed);
        }
        assert!(cut_off.is_alone());
        assert_eq!(cut_off.takes(), (1, 4));
        assert!(began.elapsed() < Duration::from_secs(2), "a limit costs {:?}", began.elapsed());
        assert!(allows(&other, &three).await);
        proxy.heal();
        while cut_off.is_alone() {
            cut_off.take(&[Take::look("a", "3/10d".parse().unwrap())]).await;
            assert!(began.elapsed() < Duration::from_secs(30), "Redis is never asked again");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // One by each before, of three; what stalled may have come to Redis after all.
        let left = other.take(&three).await;
        assert!(left.wait.is_some() || left.standings[0].remaining == 0, "{left:?}");
        assert!(!allows(&cut_off, &three).await);
    }
}

#[tokio::test]
async fn what_is_paid_back_is_gone_from_redis_and_what_is_damaged_is_nothing() {
    let epochs = MemoryEpochs::new();
    let node = node(&wharf_engines::redis(), &epochs).await;
    let limiter = node.limiter();
    let home = node.watch.home().unwrap();
    let name = format!("wharf:{home}:l:a");
    let ask = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let link = Arc::clone(&node.link);
        async move {
            let asked = link.ask::<i64, _>(|mut connection| async move {
                command.query_async(&mut connection).await
            });
            asked.await.unwrap()
        }
    };
    assert!(allows(&limiter, &one("a", "10/100s")).await);
    let life = ask(&["PTTL", &name]).await;
    assert!((1..=10_000).contains(&life), "{life} ms");
    limiter.give_back(&one("a", "10/100s")).await;
    assert_eq!(ask(&["EXISTS", &name]).await, 0);
    limiter.take(&[Take::look("a", "10/100s".parse().unwrap())]).await;
    assert_eq!(ask(&["EXISTS", &name]).await, 0);

    assert!(allows(&limiter, &one("a", "1/10d")).await);
    assert_eq!(ask(&["SETRANGE", &name, "0", "what"]).await, 16);
    assert!(allows(&limiter, &one("a", "1/10d")).await);
    assert!(!allows(&limiter, &one("a", "1/10d")).await);
    assert_eq!(limiter.takes().1, 0);
}
