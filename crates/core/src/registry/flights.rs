//! Reads that are under way: a burst of pulls of one name is one read of the database.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

/// The reads under way, by what they read.
pub(super) struct Flights<K, T> {
    under_way: Mutex<HashMap<K, Arc<OnceCell<T>>>>,
    joined: AtomicU64,
}

impl<K: Eq + Hash + Clone, T: Clone> Flights<K, T> {
    pub(super) fn new() -> Self {
        Self { under_way: Mutex::default(), joined: AtomicU64::new(0) }
    }

    /// Reads, or waits for a read of the same that is under way. Where whoever reads gives up, one of those who
    /// wait reads in his place. The result is nobody's who comes later.
    pub(super) async fn join(&self, key: K, read: impl Future<Output = T>) -> T {
        let cell = match self.under_way().entry(key.clone()) {
            Entry::Occupied(under_way) => {
                self.joined.fetch_add(1, Ordering::Relaxed);
                Arc::clone(under_way.get())
            }
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::default())),
        };
        let seat = Seat { flights: self, key, cell };
        seat.cell.get_or_init(|| read).await.clone()
    }

    /// How often someone found a read of the same under way.
    pub(super) fn joined(&self) -> u64 {
        self.joined.load(Ordering::Relaxed)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<K, Arc<OnceCell<T>>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits. The first to have the result takes the read off the list.
struct Seat<'a, K: Eq + Hash + Clone, T: Clone> {
    flights: &'a Flights<K, T>,
    key: K,
    cell: Arc<OnceCell<T>>,
}

impl<K: Eq + Hash + Clone, T: Clone> Drop for Seat<'_, K, T> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way();
        let listed = under_way.get(&self.key).is_some_and(|listed| Arc::ptr_eq(listed, &self.cell));
        // The list's and this one: nobody else waits.
        if listed && (self.cell.initialized() || Arc::strong_count(&self.cell) == 2) {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};

    use super::*;

    #[tokio::test]
    async fn a_burst_is_one_read_and_the_next_reads_again() {
        let flights = Flights::new();
        let reads = AtomicUsize::new(0);
        let read = || async {
            tokio::task::yield_now().await;
            reads.fetch_add(1, Ordering::SeqCst)
        };
        assert_eq!(join_all((0..100).map(|_| flights.join("a", read()))).await, [0; 100]);
        assert_eq!(flights.join("a", read()).await, 1);
        assert_eq!(flights.joined(), 99);
        assert!(flights.under_way().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_does_not_fail_the_others() {
        let flights = Flights::new();
        let given_up = flights.join("a", pending());
        let mut given_up = Box::pin(given_up);
        assert!((&mut given_up).now_or_never().is_none());
        let waits = flights.join("a", async { 7 });
        let mut waits = Box::pin(waits);
        assert!((&mut waits).now_or_never().is_none());
        drop(given_up);
        assert_eq!(waits.await, 7);
        assert!(flights.under_way().is_empty());
    }
}
