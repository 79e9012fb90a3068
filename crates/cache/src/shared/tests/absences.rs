//! What is not there: told only by the word of Redis, and kept in one process.

use super::*;

#[tokio::test]
async fn what_was_not_there_is_found_at_once_when_another_node_wrote_it() {
    let epochs = MemoryEpochs::new();
    let (one, other) = (
        node(&wharf_engines::redis(), &epochs).await,
        node(&wharf_engines::redis(), &epochs).await,
    );
    for key in [tag("v1"), by_digest("v1"), blob("v1")] {
        let Lookup::Miss(ticket) = one.get(key.clone()).await else { panic!("nothing was put") };
        one.put_absence(ticket, LIFE).await;
        assert!(matches!(one.get(key.clone()).await, Lookup::Absent));
        other.invalidate(key.repository(), key.kind()).await.unwrap();
        assert!(matches!(one.get(key.clone()).await, Lookup::Miss(_)));
        // What one node keeps of it is its own: a stranger's names take no room in Redis.
        let Lookup::Miss(ticket) = other.get(key.clone()).await else { panic!("nothing was put") };
        other.put_absence(ticket, LIFE).await;
        assert!(matches!(one.get(key).await, Lookup::Miss(_)));
    }
}

#[tokio::test]
async fn without_the_word_of_redis_nobody_says_that_there_is_nothing() {
    let epochs = MemoryEpochs::new();
    let proxy = Proxy::start(&wharf_engines::redis()).await;
    let cache = node(&proxy.url(), &epochs).await;
    for key in [tag("v1"), blob("v1")] {
        let Lookup::Miss(ticket) = cache.get(key.clone()).await else { panic!("nothing was put") };
        cache.put_absence(ticket, LIFE).await;
        assert!(matches!(cache.get(key).await, Lookup::Absent));
    }
    proxy.cut();
    for key in [tag("v1"), blob("v1"), blob("v2")] {
        let Lookup::Miss(ticket) = cache.get(key.clone()).await else { panic!("nobody may know") };
        cache.put_absence(ticket, LIFE).await;
        assert!(matches!(cache.get(key).await, Lookup::Miss(_)));
    }
}
