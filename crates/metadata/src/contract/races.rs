//! Rules under races: many at once, and still one order that everything agrees on.

use futures_util::future::join_all;
use wharf_core::metadata::{
    CommitManifest, CommitOutcome, Precondition, RemoveBlob, RemoveOutcome,
};
use wharf_oci::Digest;

use super::samples::{blob, commit, image, name};
use super::stand::Stand;

/// How many do the same at once.
const MANY: usize = 32;

/// Commits, each of another manifest, to the tag `t`; all that they need is there.
async fn commits(stand: &Stand) -> Vec<CommitManifest> {
    let mut all = Vec::new();
    for number in 0..MANY {
        let blob = blob(&number.to_string());
        stand.hold("a", blob).await;
        all.push(commit("a", &image(&[blob]), &["t"]));
    }
    all
}

/// Runs each commit on a task of its own.
async fn at_once(stand: &Stand, commits: Vec<CommitManifest>) -> Vec<(Digest, CommitOutcome)> {
    let tasks = commits.into_iter().map(|commit| {
        let metadata = stand.metadata.clone();
        tokio::spawn(async move {
            let digest = commit.digest;
            (digest, metadata.commit_manifest(commit).await.unwrap())
        })
    });
    join_all(tasks).await.into_iter().map(|task| task.unwrap()).collect()
}

/// Checks that each change of `t` begins where the one before ended, with the next version, and that the
/// events tell the same in the same order. Returns where each change led.
async fn linear(stand: &Stand) -> Vec<String> {
    let (mut at, mut led, mut told) = ("-".to_owned(), Vec::new(), Vec::new());
    for (index, change) in stand.history("a", "t").await.iter().enumerate() {
        let parts: Vec<&str> = change.split(' ').collect();
        assert_eq!(parts[0], (index + 1).to_string(), "{change}");
        assert_eq!(parts[2], at, "{change}");
        at = parts[3].to_owned();
        led.push(at.clone());
        told.push(change.clone());
    }
    let tag = stand.tag("a", "t").await;
    assert_eq!(tag.map_or("-".to_owned(), |digest| digest.to_string()), at);
    let events = "SELECT payload FROM events WHERE kind LIKE 'tag.%' ORDER BY id";
    let events = stand.rows(events, &[]).await;
    assert_eq!(events.len(), told.len());
    for (event, change) in events.iter().zip(&told) {
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        let parts: Vec<&str> = change.split(' ').collect();
        assert_eq!(event["version"].to_string(), parts[0]);
        assert_eq!(event["to"].as_str().unwrap_or("-"), parts[3]);
    }
    led
}

/// No move is missing, none comes twice.
pub async fn tags_moved_by_many_at_once_have_a_linear_history(stand: &Stand) {
    let commits = commits(stand).await;
    let mut expected: Vec<String> =
        commits.iter().map(|commit| commit.digest.to_string()).collect();
    let outcomes = at_once(stand, commits).await;
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == CommitOutcome::Committed));
    let mut led = linear(stand).await;
    led.sort();
    expected.sort();
    assert_eq!(led, expected);
}

/// All others are told where the tag stands now.
pub async fn of_many_that_compare_and_swap_one_wins_each_round(stand: &Stand) {
    let commits = commits(stand).await;
    let mut at = stand.push("a", "start", &["t"]).await;
    let mut winners = vec![at.to_string()];
    for _ in 0..4 {
        let precondition = Precondition::At(vec![at]);
        let round = commits.iter().filter(|commit| commit.digest != at).cloned();
        let round =
            round.map(|commit| CommitManifest { precondition: precondition.clone(), ..commit });
        let outcomes = at_once(stand, round.collect()).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            outcomes.into_iter().partition(|(_, outcome)| *outcome == CommitOutcome::Committed);
        assert_eq!(won.len(), 1);
        at = won[0].0;
        winners.push(at.to_string());
        let told = CommitOutcome::Precondition(Some("t".parse().unwrap()), Some(at));
        assert!(lost.iter().all(|(_, outcome)| *outcome == told), "{lost:?}");
    }
    assert_eq!(linear(stand).await, winners);
}

/// A tag that must be absent is made once.
pub async fn of_many_that_create_a_tag_one_wins(stand: &Stand) {
    let commits = commits(stand).await.into_iter();
    let commits =
        commits.map(|commit| CommitManifest { precondition: Precondition::Absent, ..commit });
    let outcomes = at_once(stand, commits.collect()).await;
    let won = outcomes.iter().filter(|(_, outcome)| *outcome == CommitOutcome::Committed);
    assert_eq!(won.count(), 1);
    assert_eq!(linear(stand).await.len(), 1);
}

/// Either the commit fails for want of the blob, or the removal because the manifest needs it.
pub async fn a_blob_removed_while_manifests_are_pushed_is_never_missed(stand: &Stand) {
    for number in 0..MANY {
        let digest = blob(&number.to_string());
        stand.hold("a", digest).await;
        let push = commit("a", &image(&[digest]), &[]);
        let removal = RemoveBlob { repository: name("a"), digest, by: "bob".into() };
        let manifest = push.digest;
        let (pusher, remover) = (stand.metadata.clone(), stand.metadata.clone());
        let pushing = tokio::spawn(async move { pusher.commit_manifest(push).await.unwrap() });
        let removing = tokio::spawn(async move { remover.remove_blob(removal).await.unwrap() });
        match (pushing.await.unwrap(), removing.await.unwrap()) {
            (CommitOutcome::Committed, RemoveOutcome::Needed(by)) => assert_eq!(by, manifest),
            (CommitOutcome::Missing(missing), RemoveOutcome::Removed) => {
                assert_eq!(missing, [digest]);
            }
            other => panic!("{other:?}"),
        }
    }
}
