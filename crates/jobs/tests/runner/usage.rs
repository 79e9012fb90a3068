//! Counts of usage where one repository has too many rows, or the database has a fault.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use wharf_core::StoreError;
use wharf_core::blobs::ObjectKey;
use wharf_core::clock::{SystemClock, SystemRandom};
use wharf_core::metadata::{
    BlobSize, Counted, JobOutcome, NumberedScope, RegistryUsage, Scope, ScopeKind, ScopeUsage,
    StartUpload, StoredCount, TooMuch, Uploads, UsageMetadata,
};
use wharf_core::permissions::AccountName;
use wharf_jobs::{Handler, UsageCount, UsageCounters};
use wharf_metadata::{Database, Sqlite};
use wharf_oci::{Algorithm, Digest, Hasher, RepositoryName};

use crate::small::Small;

type Result<T> = std::result::Result<T, StoreError>;

/// Usage of which some scopes are too large to be counted. It remembers which were.
struct Large {
    database: Arc<Database<Sqlite>>,
    too_large: BTreeSet<&'static str>,
    /// What every count and every look fails with.
    fault: Mutex<Option<StoreError>>,
    counted: Mutex<BTreeSet<String>>,
}

impl Large {
    fn new(database: Arc<Database<Sqlite>>, too_large: &[&'static str]) -> Self {
        let too_large = too_large.iter().copied().collect();
        Self { database, too_large, fault: Mutex::default(), counted: Mutex::default() }
    }

    fn here(&self) -> Result<()> {
        self.fault.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn fail(&self, fault: Option<StoreError>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn counted(&self) -> Vec<String> {
        self.counted.lock().unwrap().iter().cloned().collect()
    }
}

#[async_trait]
impl UsageMetadata for Large {
    async fn find_usage(&self, scope: Scope) -> Result<Option<ScopeUsage>> {
        self.database.find_usage(scope).await
    }

    async fn list_usage(
        &self,
        namespace: Option<AccountName>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<(RepositoryName, ScopeUsage)>> {
        self.database.list_usage(namespace, after, limit).await
    }

    async fn registry_usage(&self) -> Result<RegistryUsage> {
        self.database.registry_usage().await
    }

    async fn unsized_blobs(&self, after: Option<Digest>, limit: usize) -> Result<Vec<ObjectKey>> {
        self.database.unsized_blobs(after, limit).await
    }

    async fn record_sizes(&self, sizes: Vec<BlobSize>) -> Result<u64> {
        self.database.record_sizes(sizes).await
    }

    async fn count_scopes(
        &self,
        kind: ScopeKind,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Counted> {
        self.here()?;
        let (mut names, mut behind) = (BTreeSet::new(), after);
        while names.len() < limit
            && let Some(next) = self.database.next_scope(kind, behind).await?
        {
            behind = Some(next.number);
            names.insert(next.name);
        }
        if names.iter().any(|name| self.too_large.contains(name.as_str())) {
            let reason = "canceling statement due to statement timeout";
            return Err(TooMuch::Slow(reason.into()).into());
        }
        self.counted.lock().unwrap().append(&mut names);
        self.database.count_scopes(kind, after, limit).await
    }

    async fn next_scope(
        &self,
        kind: ScopeKind,
        after: Option<i64>,
    ) -> Result<Option<NumberedScope>> {
        self.database.next_scope(kind, after).await
    }

    async fn count_stored(&self, count: StoredCount, limit: usize) -> Result<Option<StoredCount>> {
        self.database.count_stored(count, limit).await
    }
}

async fn make(database: &Database<Sqlite>, repository: &str) {
    let start = StartUpload {
        id: wharf_core::UploadId::random(&SystemRandom),
        repository: repository.parse().unwrap(),
        principal: "alice".into(),
        staged: wharf_core::blobs::Staged::default(),
        hash: Hasher::new(Algorithm::Sha256).state(),
        lifetime: Duration::from_secs(3600),
        announced: Some(0),
    };
    database.start_upload(start).await.unwrap();
}

/// What is too large is passed over, and everything else is counted, however much there is and wherever it is.
#[tokio::test]
async fn a_count_passes_over_what_is_too_large() {
    let small = Small::new(Arc::new(SystemClock));
    let mut expected = Vec::new();
    for number in 0..20 {
        let name = format!("team/r{number:02}");
        make(&small.database, &name).await;
        expected.push(name);
    }
    make(&small.database, "whale/app").await;
    let too_large = ["team/r00", "team/r11", "whale"];
    let usage = Arc::new(Large::new(small.database.clone(), &too_large));
    let counters = Arc::new(UsageCounters::default());
    let rest = Duration::from_secs(60);
    let job = UsageCount::new(small.registry.clone(), usage.clone(), counters.clone(), rest);
    expected.extend(["team".to_owned(), "whale/app".to_owned()]);
    expected.retain(|name| !too_large.contains(&name.as_str()));
    expected.sort();
    for round in 1..=2 {
        let outcome = job.run("").await;
        assert!(matches!(outcome, JobOutcome::Again(after) if after == rest), "{outcome:?}");
        assert_eq!(usage.counted(), expected);
        assert_eq!(counters.figures().passed_over, 3 * round, "and come back to");
        assert!(counters.figures().last.is_some(), "it came to its end");
    }
}

/// Nothing is too large then, also where scopes can be looked at: the count says what is wrong, and goes on where it was once that is over.
#[tokio::test]
async fn a_count_ends_with_a_fault_that_is_not_about_a_scope() {
    let small = Small::new(Arc::new(SystemClock));
    make(&small.database, "team/app").await;
    let usage = Arc::new(Large::new(small.database.clone(), &[]));
    let counters = Arc::new(UsageCounters::default());
    let rest = Duration::from_secs(60);
    let job = UsageCount::new(small.registry.clone(), usage.clone(), counters.clone(), rest);
    for fault in [
        StoreError::Unavailable("the database is away".into()),
        StoreError::Full("no space left on device".into()),
        StoreError::Corrupt("a page is broken".into()),
    ] {
        usage.fail(Some(fault.clone()));
        let outcome = job.run("").await;
        let JobOutcome::Retry { error, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(error, fault.to_string());
        assert_eq!(counters.figures().passed_over, 0);
        assert!(usage.counted().is_empty());
    }
    usage.fail(None);
    assert!(matches!(job.run("").await, JobOutcome::Again(_)));
    assert_eq!(usage.counted(), ["team", "team/app"]);
    assert_eq!(counters.figures().passed_over, 0);
}
