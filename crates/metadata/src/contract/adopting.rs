//! Rules of adoptions: one at a time, recorded by one node, and what each piece of another registry comes to.

use std::time::Duration;

use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Clock;
use wharf_core::metadata::{
    AdoptBlob, AdoptTag, Adoptable, AdoptedBlob, AdoptedTag, Adoption, AdoptionProgress,
    AdoptionState, Change, CommitOutcome, DeleteOutcome, EventScope, Finding, Hashing,
    Precondition, RecordAdoption, StartAdoption, StartedAdoption,
};
use wharf_oci::{Algorithm, Digest, Hasher};

use super::immutability::{freeze, organization, releases, scope};
use super::samples::{blob, commit, image, name};
use super::stand::{LIFETIME, Stand, TICK};
use super::usage::{bytes, is_counted_right, limit, namespace, of, refused, usage, user};

fn start(source: &str) -> StartAdoption {
    StartAdoption {
        source: source.into(),
        repositories: Some("team/*".parse().unwrap()),
        by: "user:ada".into(),
    }
}

async fn started(stand: &Stand, source: &str) -> Adoption {
    match stand.adoptions.start_adoption(start(source)).await.unwrap() {
        StartedAdoption::Started(adoption) => adoption,
        StartedAdoption::Running(other) => panic!("{other:?} runs"),
    }
}

async fn last(stand: &Stand) -> Adoption {
    stand.adoptions.last_adoption().await.unwrap().unwrap()
}

fn record(adoption: &Adoption) -> RecordAdoption {
    let (id, version, progress) = (adoption.id, adoption.version, adoption.progress.clone());
    RecordAdoption { id, version, progress, findings: Vec::new(), finished: false }
}

fn finding(repository: &str, subject: &str) -> Finding {
    let text = str::to_owned;
    Finding { repository: text(repository), subject: text(subject), reason: "why".into() }
}

/// The next one may begin when it has ended, and what the one before found is forgotten.
pub async fn one_adoption_runs_at_a_time(stand: &Stand) {
    assert_eq!(stand.adoptions.last_adoption().await.unwrap(), None);
    assert!(!stand.adoptions.stop_adoption("bob".into()).await.unwrap());
    let first = started(stand, "file:///one").await;
    assert_eq!(first.source, "file:///one");
    assert_eq!(first.repositories, Some("team/*".parse().unwrap()));
    assert_eq!((first.state, first.started_at), (AdoptionState::Running, stand.clock.now()));
    assert_eq!(first.progress, AdoptionProgress::default());
    let other = stand.adoptions.start_adoption(start("file:///other")).await.unwrap();
    assert_eq!(other, StartedAdoption::Running(first.clone()));

    let findings = vec![finding("a", "tag v1")];
    let recorded = RecordAdoption { findings, ..record(&first) };
    assert_eq!(stand.adoptions.record_adoption(recorded).await.unwrap(), Some(1));
    assert!(stand.adoptions.stop_adoption("bob".into()).await.unwrap());
    assert_eq!(last(stand).await.state, AdoptionState::Stopped);
    let second = started(stand, "file:///two").await;
    assert!(second.id > first.id);
    assert_eq!(last(stand).await, second);
    assert!(stand.rows("SELECT subject FROM adoption_findings", &[]).await.is_empty());
    let log = stand.rows("SELECT action, by, target, detail FROM audit_log ORDER BY id", &[]).await;
    assert_eq!(
        log,
        [
            "adoption.start user:ada store:file:///one repositories=team/*",
            "adoption.stop bob store:file:///one repositories=team/*",
            "adoption.start user:ada store:file:///two repositories=team/*",
        ]
    );
    let events = super::event_log::all(stand).await;
    assert!(events.iter().all(|event| event.scope == EventScope::Registry));
    let events: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(events, ["adoption.started", "adoption.stopped", "adoption.started"]);
}

/// A node that lost its job writes over nothing, and none goes on with what was stopped.
pub async fn an_adoption_is_recorded_by_who_saw_its_last_record(stand: &Stand) {
    let begun = started(stand, "file:///one").await;
    stand.clock.advance(Duration::from_secs(60));
    let progress = AdoptionProgress {
        repositories_total: Some(9),
        repositories: 1,
        manifests: 2,
        tags: 3,
        blobs: 4,
        bytes: 5,
        left_out: 6,
        done_up_to: Some("team/app".into()),
        hashing: Some(Hashing {
            digest: blob("one"),
            begun: stand.clock.now(),
            offset: 7,
            state: Hasher::new(Algorithm::Sha256).state(),
        }),
    };
    let mine = RecordAdoption { progress: progress.clone(), ..record(&begun) };
    assert_eq!(stand.adoptions.record_adoption(mine.clone()).await.unwrap(), Some(1));
    let found = last(stand).await;
    assert_eq!((found.version, &found.progress), (1, &progress));
    assert_eq!((found.started_at, found.updated_at), (begun.started_at, stand.clock.now()));
    // Somebody else's, who did not see it.
    assert_eq!(stand.adoptions.record_adoption(mine).await.unwrap(), None);
    assert_eq!(last(stand).await, found);

    let end = RecordAdoption { finished: true, ..record(&found) };
    assert_eq!(stand.adoptions.record_adoption(end).await.unwrap(), Some(2));
    assert_eq!(last(stand).await.state, AdoptionState::Finished);
    let late = record(&last(stand).await);
    assert_eq!(stand.adoptions.record_adoption(late).await.unwrap(), None);
}

/// In the order of repositories and subjects, a page at a time.
pub async fn what_an_adoption_found_is_kept_once(stand: &Stand) {
    let begun = started(stand, "file:///one").await;
    let (one, two, three) = (finding("a", "tag b"), finding("a", "tag a"), finding("b", "tag a"));
    let findings = vec![three.clone(), one.clone(), two.clone(), one.clone()];
    let first = RecordAdoption { findings, ..record(&begun) };
    stand.adoptions.record_adoption(first).await.unwrap().unwrap();
    let again = Finding { reason: "another".into(), ..one.clone() };
    let second = RecordAdoption { findings: vec![again], ..record(&last(stand).await) };
    stand.adoptions.record_adoption(second).await.unwrap().unwrap();
    let listed = async |after: Option<(&str, &str)>, limit| {
        let after = after.map(|(one, other)| (one.to_owned(), other.to_owned()));
        stand.adoptions.list_findings(begun.id, after, limit).await.unwrap()
    };
    assert_eq!(listed(None, 10).await, [two.clone(), one.clone(), three.clone()]);
    assert_eq!(listed(None, 2).await, [two, one.clone()]);
    assert_eq!(listed(Some(("a", "tag a")), 2).await, [one, three]);
    assert!(stand.adoptions.list_findings(begun.id + 1, None, 10).await.unwrap().is_empty());
}

/// Those of other repositories are not told of.
pub async fn manifests_that_a_repository_holds_are_told_apart(stand: &Stand) {
    let (mine, other) = (stand.push("a", "one", &[]).await, stand.push("b", "two", &[]).await);
    let held = async |repository: &str| {
        let digests = vec![other, mine, blob("unknown")];
        stand.adoptions.held_manifests(name(repository), digests).await.unwrap()
    };
    assert_eq!(held("a").await, [mine]);
    assert_eq!(held("b").await, [other]);
    assert!(held("unknown").await.is_empty());
}

async fn adoptable(stand: &Stand, repository: &str, digest: Digest) -> Adoptable {
    stand.adoptions.find_adoptable(name(repository), digest).await.unwrap()
}

fn adopt(stand: &Stand, repository: &str, key: ObjectKey) -> AdoptBlob {
    let begun = stand.clock.now();
    AdoptBlob { repository: name(repository), key, size: 1000, begun, within: LIFETIME }
}

/// Once for all repositories, unless all have let go of it since.
pub async fn a_blob_is_held_once_its_bytes_were_hashed(stand: &Stand) {
    let (digest, now) = (blob("one"), stand.clock.now());
    let key = ObjectKey::canonical(digest);
    for _ in 0..2 {
        assert_eq!(adoptable(stand, "a", digest).await, Adoptable::Unhashed { key, now });
        assert_eq!(stand.held("a", digest).await, None);
    }
    let adopted = stand.adoptions.adopt_blob(adopt(stand, "a", key)).await.unwrap();
    assert_eq!(adopted, AdoptedBlob::Held);
    assert_eq!(stand.held("a", digest).await, Some(key));
    assert_eq!(adoptable(stand, "a", digest).await, Adoptable::Held);
    assert_eq!(stand.held("b", digest).await, None);
    assert_eq!(adoptable(stand, "b", digest).await, Adoptable::Shared);
    assert_eq!(stand.held("b", digest).await, Some(key));
}

/// By as many bytes as were hashed, in each repository that comes to hold it; and refused where there is no room.
pub async fn an_adopted_blob_is_charged_with_what_was_hashed(stand: &Stand) {
    user(stand, "team").await;
    let [one, two] = ["one", "two"].map(blob);
    let key = ObjectKey::canonical(one);
    stand.adoptions.adopt_blob(adopt(stand, "team/app", key)).await.unwrap();
    assert_eq!(of(stand, "team/app").await.reserved, 1000);
    assert_eq!(adoptable(stand, "team/other", one).await, Adoptable::Shared);
    assert_eq!(of(stand, "team/other").await.reserved, 1000);
    assert_eq!(usage(stand, namespace("team")).await.reserved, 1000, "once in the namespace");
    let committed = stand.commit(commit("team/app", &image(&[one]), &[])).await;
    assert_eq!(committed, CommitOutcome::Committed);
    let held = of(stand, "team/app").await;
    assert_eq!((held.reserved, held.bytes > 1000), (0, true));
    is_counted_right(stand).await;
    assert!(
        stand.usage.unsized_blobs(None, 10).await.unwrap().is_empty(),
        "nothing is left to ask"
    );
    assert_eq!(limit(stand, "team", bytes(1500 + held.bytes - 1000)).await, Change::Done);
    let before = stand.everything().await;
    let over =
        stand.adoptions.adopt_blob(adopt(stand, "team/new", ObjectKey::canonical(two))).await;
    let over = refused(over);
    assert_eq!((over.scope, over.needed), (namespace("team"), 1000));
    assert_eq!(stand.everything().await, before);
}

/// A collector may have deleted it meanwhile.
pub async fn a_blob_that_was_hashed_too_long_ago_is_not_held(stand: &Stand) {
    let key = ObjectKey::canonical(blob("one"));
    let late = adopt(stand, "a", key);
    stand.clock.advance(LIFETIME);
    let in_time = late.clone();
    stand.clock.advance(TICK);
    assert_eq!(stand.adoptions.adopt_blob(late).await.unwrap(), AdoptedBlob::Lost);
    assert_eq!(stand.held("a", key.digest).await, None);
    let in_time = AdoptBlob { within: LIFETIME + TICK, ..in_time };
    assert_eq!(stand.adoptions.adopt_blob(in_time).await.unwrap(), AdoptedBlob::Held);
}

/// Looking takes a mark away; what is condemned is past saving.
pub async fn a_blob_that_a_collector_wants_is_adopted_while_it_is_only_marked(stand: &Stand) {
    let digest = blob("one");
    let key = ObjectKey::canonical(digest);
    stand.mark(digest, 0, "marked").await;
    assert!(matches!(adoptable(stand, "a", digest).await, Adoptable::Unhashed { .. }));
    assert!(stand.marks(digest).await.is_empty());
    stand.mark(digest, 0, "condemned").await;
    assert_eq!(adoptable(stand, "a", digest).await, Adoptable::BeingDeleted);
    let adopted = stand.adoptions.adopt_blob(adopt(stand, "a", key)).await.unwrap();
    assert_eq!(adopted, AdoptedBlob::Lost);
    assert_eq!(stand.held("a", digest).await, None);
    // Pushed meanwhile, it lies elsewhere, and is shared like any other.
    let pushed = stand.hold("c", digest).await;
    assert_eq!(pushed, ObjectKey { digest, incarnation: 1 });
    assert_eq!(adoptable(stand, "a", digest).await, Adoptable::Shared);
    assert_eq!(stand.held("a", digest).await, Some(pushed));
    let adopted = stand.adoptions.adopt_blob(adopt(stand, "d", key)).await.unwrap();
    assert_eq!(adopted, AdoptedBlob::Lost);
}

pub(crate) fn adopt_tag(tag: &str, digest: Digest) -> AdoptTag {
    let (repository, tag) = (name("a"), tag.parse().unwrap());
    AdoptTag { repository, tag, digest, by: "system".into() }
}

async fn tagged(stand: &Stand, tag: &str, digest: Digest) -> AdoptedTag {
    stand.adoptions.adopt_tag(adopt_tag(tag, digest)).await.unwrap()
}

/// With a history, an event and a record as any other move has.
pub async fn an_adopted_tag_follows_the_other_registry(stand: &Stand) {
    let (one, two) = (stand.push("a", "one", &[]).await, stand.push("a", "two", &[]).await);
    let before = stand.everything().await;
    assert_eq!(tagged(stand, "t", blob("unknown")).await, AdoptedTag::NoManifest);
    assert_eq!(stand.everything().await, before);
    for digest in [one, two] {
        assert_eq!(tagged(stand, "t", digest).await, AdoptedTag::Stands);
        assert_eq!(stand.tag("a", "t").await, Some(digest));
    }
    let before = stand.everything().await;
    assert_eq!(tagged(stand, "t", two).await, AdoptedTag::Stands);
    assert_eq!(stand.everything().await, before);
    let history = stand.history("a", "t").await;
    assert_eq!(history, [format!("1 create - {one}"), format!("2 move {one} {two}")]);
    let sql = "SELECT detail FROM audit_log WHERE action = 'tag.adopt' AND by = 'system'";
    assert_eq!(stand.rows(sql, &[]).await, ["tags=t", "tags=t"]);
}

/// Where the other registry moves it, it stays here, and what says so names the policy; what is new there is taken over.
pub async fn an_adopted_tag_that_a_policy_freezes_stays(stand: &Stand) {
    organization(stand).await;
    let (one, two) =
        (stand.push("team/app", "one", &[]).await, stand.push("team/app", "two", &[]).await);
    let adopt = async |tag: &str, digest| {
        let adopt = AdoptTag { repository: name("team/app"), ..adopt_tag(tag, digest) };
        stand.adoptions.adopt_tag(adopt).await.unwrap()
    };
    for tag in ["v1", "edge"] {
        assert_eq!(adopt(tag, one).await, AdoptedTag::Stands);
    }
    freeze(stand, "team/app", releases(Duration::ZERO)).await;
    let before = stand.everything().await;
    let AdoptedTag::Frozen(frozen) = adopt("v1", two).await else { panic!("it moved") };
    assert_eq!((frozen.tag.as_str(), &frozen.of), ("v1", &scope("team/app")));
    assert!(frozen.to_string().contains("releases"), "{frozen}");
    assert_eq!(adopt("v1", one).await, AdoptedTag::Stands);
    assert_eq!(stand.everything().await, before);
    for tag in ["edge", "v2"] {
        assert_eq!(adopt(tag, two).await, AdoptedTag::Stands);
        assert_eq!(stand.tag("team/app", tag).await, Some(two));
    }
}

/// What somebody moved, pushed or deleted here is theirs.
pub async fn a_tag_that_was_changed_here_stays_as_it_is(stand: &Stand) {
    let one = stand.push("a", "one", &[]).await;
    assert_eq!(tagged(stand, "t", one).await, AdoptedTag::Stands);
    let two = stand.push("a", "two", &["t", "mine"]).await;
    for tag in ["t", "mine"] {
        assert_eq!(tagged(stand, tag, one).await, AdoptedTag::MovedHere(two));
        assert_eq!(stand.tag("a", tag).await, Some(two));
    }
    assert_eq!(stand.delete_tag("a", "t", Precondition::None).await, DeleteOutcome::Deleted);
    assert_eq!(tagged(stand, "t", one).await, AdoptedTag::DeletedHere);
    assert_eq!(stand.tag("a", "t").await, None);
}
