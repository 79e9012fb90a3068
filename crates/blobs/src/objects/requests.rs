//! Requests to the store: none is waited for longer than it may take, and each is counted by what it was for.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wharf_core::StoreError;

use super::failure::late;

/// Requests for one thing, their retries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// How many there were, whatever the answer.
    pub count: u64,
    /// How many of them were not answered in time.
    pub late: u64,
    /// How long they took together.
    pub time: Duration,
}

/// The counts since the process began. What requests are for is named in the code: they are few.
#[derive(Debug, Default)]
pub struct StoreRequests(Mutex<BTreeMap<&'static str, Requests>>);

impl StoreRequests {
    /// All of them, by what they were for.
    pub fn all(&self) -> Vec<(&'static str, Requests)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(doing, requests)| (*doing, *requests)).collect()
    }

    /// Waits for a request, no longer than `limit`. One that nobody waits for to its end is not counted.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        doing: &'static str,
        request: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let answer = tokio::time::timeout(limit, request).await;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = counts.entry(doing).or_default();
        requests.count += 1;
        requests.late += u64::from(answer.is_err());
        requests.time += began.elapsed();
        answer.map_err(|_| late(doing))
    }
}
