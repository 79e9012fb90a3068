//! Rules of preconditions: where a tag or manifest must stand for a change to happen.

use wharf_core::metadata::{CommitOutcome, DeleteOutcome, Precondition};
use wharf_oci::Digest;

use super::samples::{blob, commit, image, index};
use super::stand::Stand;

/// Pushes an image that says `text`, whose blob is held, under a precondition.
async fn push(
    stand: &Stand,
    text: &str,
    tags: &[&str],
    precondition: Precondition,
) -> (Digest, CommitOutcome) {
    stand.hold("a", blob(text)).await;
    let mut commit = commit("a", &image(&[blob(text)]), tags);
    commit.precondition = precondition;
    (commit.digest, stand.commit(commit).await)
}

/// The outcome of a push that a tag refuses, after which nothing is changed.
async fn refused(
    stand: &Stand,
    tags: &[&str],
    precondition: Precondition,
) -> (String, Option<Digest>) {
    stand.hold("a", blob("refused")).await;
    let before = stand.everything().await;
    let (digest, outcome) = push(stand, "refused", tags, precondition).await;
    assert_eq!(stand.everything().await, before);
    assert!(!stand.has("a", digest).await);
    match outcome {
        CommitOutcome::Precondition(Some(tag), current) => (tag.as_str().to_owned(), current),
        other => panic!("{other:?}"),
    }
}

/// `If-None-Match: *`: a tag that cannot be overwritten.
pub async fn a_push_of_what_must_be_absent(stand: &Stand) {
    let (first, outcome) = push(stand, "one", &["1"], Precondition::Absent).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    assert_eq!(refused(stand, &["1"], Precondition::Absent).await, ("1".into(), Some(first)));
    stand.delete_tag("a", "1", Precondition::None).await;
    assert_eq!(push(stand, "two", &["1"], Precondition::Absent).await.1, CommitOutcome::Committed);
}

/// `If-Match: *`: no tag by mistake.
pub async fn a_push_of_what_must_exist(stand: &Stand) {
    assert_eq!(refused(stand, &["1"], Precondition::Exists).await, ("1".into(), None));
    push(stand, "one", &["1"], Precondition::None).await;
    assert_eq!(push(stand, "two", &["1"], Precondition::Exists).await.1, CommitOutcome::Committed);
}

/// `If-Match: "…"`: compare and swap.
pub async fn a_push_of_what_must_stand_at_a_digest(stand: &Stand) {
    let at = |digests: &[Digest]| Precondition::At(digests.to_vec());
    assert_eq!(refused(stand, &["1"], at(&[blob("x")])).await, ("1".into(), None));
    let (one, _) = push(stand, "one", &["1"], Precondition::None).await;
    assert_eq!(refused(stand, &["1"], at(&[blob("x")])).await, ("1".into(), Some(one)));
    assert_eq!(refused(stand, &["1"], at(&[])).await, ("1".into(), Some(one)));
    let (two, outcome) = push(stand, "two", &["1"], at(&[blob("x"), one])).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    assert_eq!(stand.tag("a", "1").await, Some(two));
}

/// `If-None-Match: "…"`.
pub async fn a_push_of_what_must_not_stand_at_a_digest(stand: &Stand) {
    let (one, outcome) = push(stand, "one", &["1"], Precondition::NotAt(vec![blob("x")])).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    let found = refused(stand, &["1"], Precondition::NotAt(vec![blob("x"), one])).await;
    assert_eq!(found, ("1".into(), Some(one)));
    let (_, outcome) = push(stand, "two", &["1"], Precondition::NotAt(vec![blob("x")])).await;
    assert_eq!(outcome, CommitOutcome::Committed);
}

/// Where no tag is named, it is the manifest that is or is not there.
pub async fn a_push_by_digest_looks_at_the_manifest(stand: &Stand) {
    let precondition = CommitOutcome::Precondition;
    let (_, outcome) = push(stand, "one", &[], Precondition::Exists).await;
    assert_eq!(outcome, precondition(None, None));
    let (digest, outcome) = push(stand, "one", &[], Precondition::Absent).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    let before = stand.everything().await;
    for refusing in [Precondition::Absent, Precondition::NotAt(vec![digest])] {
        let (_, outcome) = push(stand, "one", &[], refusing).await;
        assert_eq!(outcome, precondition(None, Some(digest)));
    }
    for holding in [Precondition::Exists, Precondition::At(vec![digest])] {
        assert_eq!(push(stand, "one", &[], holding).await.1, CommitOutcome::Committed);
    }
    assert_eq!(stand.everything().await, before);
}

/// All move or none, and the one that refuses is named.
pub async fn one_tag_that_stands_elsewhere_refuses_all(stand: &Stand) {
    let (one, _) = push(stand, "one", &["1", "latest"], Precondition::None).await;
    let (two, _) = push(stand, "two", &["2"], Precondition::None).await;
    let at = Precondition::At(vec![one]);
    assert_eq!(refused(stand, &["1", "2", "latest"], at.clone()).await, ("2".into(), Some(two)));
    assert_eq!(refused(stand, &["1", "3"], at.clone()).await, ("3".into(), None));
    assert_eq!(refused(stand, &["3", "1"], Precondition::Absent).await, ("1".into(), Some(one)));
    // What is missing does not move any, either.
    let before = stand.everything().await;
    let mut missing = commit("a", &index(&[blob("unknown")]), &["1", "latest"]);
    missing.precondition = at.clone();
    assert!(matches!(stand.commit(missing).await, CommitOutcome::Missing(_)));
    assert_eq!(stand.everything().await, before);
    let (three, outcome) = push(stand, "three", &["1", "latest"], at).await;
    assert_eq!(outcome, CommitOutcome::Committed);
    assert_eq!(stand.tag("a", "1").await, Some(three));
    assert_eq!(stand.tag("a", "latest").await, Some(three));
}

/// And tells where it stands.
pub async fn a_deletion_of_a_tag_obeys_its_precondition(stand: &Stand) {
    let (one, _) = push(stand, "one", &["1"], Precondition::None).await;
    let before = stand.everything().await;
    for refusing in
        [Precondition::At(vec![blob("x")]), Precondition::NotAt(vec![one]), Precondition::Absent]
    {
        let outcome = stand.delete_tag("a", "1", refusing).await;
        assert_eq!(outcome, DeleteOutcome::Precondition(Some(one)));
    }
    let outcome = stand.delete_tag("a", "2", Precondition::Exists).await;
    assert_eq!(outcome, DeleteOutcome::Precondition(None));
    assert_eq!(stand.everything().await, before);
    let outcome = stand.delete_tag("a", "1", Precondition::At(vec![one])).await;
    assert_eq!(outcome, DeleteOutcome::Deleted);
}

/// As a tag's does.
pub async fn a_deletion_of_a_manifest_obeys_its_precondition(stand: &Stand) {
    let (one, _) = push(stand, "one", &["1"], Precondition::None).await;
    let before = stand.everything().await;
    let outcome = stand.delete("a", one, Precondition::At(vec![blob("x")])).await;
    assert_eq!(outcome, DeleteOutcome::Precondition(Some(one)));
    let outcome = stand.delete("a", blob("x"), Precondition::Exists).await;
    assert_eq!(outcome, DeleteOutcome::Precondition(None));
    assert_eq!(stand.everything().await, before);
    let outcome = stand.delete("a", one, Precondition::At(vec![one])).await;
    assert_eq!(outcome, DeleteOutcome::Deleted);
}
