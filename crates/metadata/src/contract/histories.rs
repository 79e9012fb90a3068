//! The rule above all rules of tags: whatever clients were told can have happened one after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use tokio::sync::Barrier;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, DeleteOutcome, DeleteTag, Metadata, Precondition,
};
use wharf_oci::{Digest, Reference};

use super::linearizability::{Effect, Operation, order};
use super::samples::{blob, commit, image, name};
use super::stand::Stand;

/// How many clients there are.
const CLIENTS: u32 = 64;
/// How many requests each makes, one after the other.
const EACH: u32 = 4;

/// A client of the tag `t`, and what it did.
struct Client {
    metadata: Arc<dyn Metadata>,
    clock: Arc<AtomicU64>,
    /// The number of each manifest.
    numbers: Arc<HashMap<Digest, u32>>,
    /// Each with the name under which it was asked for.
    operations: Vec<(String, Operation)>,
}

impl Client {
    async fn record(&mut self, by: String, request: impl Future<Output = Effect>) {
        let began = self.clock.fetch_add(1, Ordering::SeqCst);
        let effect = request.await;
        let ended = self.clock.fetch_add(1, Ordering::SeqCst);
        self.operations.push((by, Operation { effect, began, ended }));
    }

    async fn read(&mut self) -> Option<Digest> {
        let (metadata, numbers) = (self.metadata.clone(), self.numbers.clone());
        let mut found = None;
        let read = async {
            let tag = Reference::Tag("t".parse().unwrap());
            found = metadata.find_manifest(name("a"), tag).await.unwrap();
            Effect::Saw(found.as_ref().map(|found| numbers[&found.digest]))
        };
        self.record("reader".into(), read).await;
        found.map(|found| found.digest)
    }

    async fn push(&mut self, commit: CommitManifest) {
        let (metadata, numbers) = (self.metadata.clone(), self.numbers.clone());
        let by = commit.by.clone();
        let push = async {
            let (precondition, new) = (commit.precondition.clone(), numbers[&commit.digest]);
            match (metadata.commit_manifest(commit).await.unwrap(), &precondition) {
                (CommitOutcome::Committed, Precondition::None) => Effect::Wrote(new),
                (CommitOutcome::Committed, Precondition::Absent) => Effect::Created(new),
                (CommitOutcome::Committed, Precondition::At(old)) => {
                    Effect::Swapped(numbers[&old[0]], new)
                }
                (CommitOutcome::Precondition(_, current), _) => {
                    assert!(!precondition.holds(current));
                    Effect::Saw(current.map(|current| numbers[&current]))
                }
                other => panic!("{other:?}"),
            }
        };
        self.record(by.by, push).await;
    }

    async fn delete(&mut self, by: String) {
        let metadata = self.metadata.clone();
        let deletion = DeleteTag {
            repository: name("a"),
            tag: "t".parse().unwrap(),
            precondition: Precondition::None,
            by: by.as_str().into(),
            dropped_by: None,
        };
        let delete = async {
            match metadata.delete_tag(deletion).await.unwrap() {
                DeleteOutcome::Deleted => Effect::Deleted,
                DeleteOutcome::NotFound => Effect::Saw(None),
                other => panic!("{other:?}"),
            }
        };
        self.record(by, delete).await;
    }

    /// One of the kinds of requests, chosen by number.
    async fn act(&mut self, number: u32, mut commit: CommitManifest) {
        match number % 7 {
            0 | 1 => self.push(commit).await,
            2 | 3 => {
                if let Some(at) = self.read().await {
                    commit.precondition = Precondition::At(vec![at]);
                    self.push(commit).await;
                }
            }
            4 => {
                commit.precondition = Precondition::Absent;
                self.push(commit).await;
            }
            5 => self.delete(commit.by.by).await,
            _ => drop(self.read().await),
        }
    }
}

/// Moves, compare-and-swaps, creations, deletions and reads of one tag by many clients at once. Its history tells
/// the same: linear, with each change that was acknowledged, in an order that contradicts nobody's time.
pub async fn what_clients_of_one_tag_are_told_is_linearizable(stand: &Stand) {
    let mut commits = Vec::new();
    for client in 0..CLIENTS {
        let own = blob(&client.to_string());
        stand.hold("a", own).await;
        commits.push((0..EACH).map(move |round| {
            let mut image = image(&[own]);
            image["annotations"] = serde_json::json!({ "round": round.to_string() });
            CommitManifest {
                by: format!("{client}.{round}").as_str().into(),
                ..commit("a", &image, &["t"])
            }
        }));
    }
    let commits: Vec<Vec<_>> = commits.into_iter().map(Iterator::collect).collect();
    let numbers = commits.iter().flatten().zip(1..).map(|(commit, number)| (commit.digest, number));
    let numbers: Arc<HashMap<_, _>> = Arc::new(numbers.collect());
    let (clock, barrier) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(CLIENTS as usize)));
    let clients = commits.into_iter().zip(0..).map(|(commits, client)| {
        let (metadata, barrier) = (stand.metadata.clone(), barrier.clone());
        let (clock, numbers) = (clock.clone(), numbers.clone());
        tokio::spawn(async move {
            let mut it = Client { metadata, clock, numbers, operations: Vec::new() };
            barrier.wait().await;
            for (commit, round) in commits.into_iter().zip(0..) {
                it.act(client * 3 + round * 2, commit).await;
            }
            it.operations
        })
    });
    let done = join_all(clients).await.into_iter().flat_map(|done| done.unwrap());
    let (names, operations): (Vec<_>, Vec<_>) = done.unzip();
    let history = complete_history(stand, &names, &operations).await;
    let place = |by| history.iter().position(|change| change == by).unwrap_or_default();
    let ranks: Vec<_> = names.iter().map(|by| place(by) as u64).collect();
    assert!(order(&operations, &ranks).is_some(), "{operations:?}");
}

/// Who made each change of the tag, in the order of versions; each begins where the one before ended, and they are
/// those that were acknowledged.
async fn complete_history(
    stand: &Stand,
    names: &[String],
    operations: &[Operation],
) -> Vec<String> {
    let changes = "SELECT changed_by, version, from_digest, to_digest FROM tag_history
         WHERE name = 't' ORDER BY version";
    let (mut at, mut history) = ("-".to_owned(), Vec::new());
    for (change, version) in stand.rows(changes, &[]).await.iter().zip(1..) {
        let parts: Vec<&str> = change.split(' ').collect();
        assert_eq!((parts[1], parts[2]), (version.to_string().as_str(), at.as_str()));
        at = parts[3].to_owned();
        history.push(parts[0].to_owned());
    }
    let changes = names.iter().zip(operations);
    let changes = changes.filter(|(_, operation)| !matches!(operation.effect, Effect::Saw(_)));
    let mut acknowledged: Vec<_> = changes.map(|(by, _)| by.clone()).collect();
    let mut found = history.clone();
    acknowledged.sort();
    found.sort();
    assert_eq!(found, acknowledged);
    history
}
