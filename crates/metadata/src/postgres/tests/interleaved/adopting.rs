//! Adopting, while others push, delete and collect.

use wharf_core::blobs::ObjectKey;
use wharf_core::clock::Clock as _;
use wharf_core::metadata::{
    AdoptBlob, AdoptedBlob, AdoptedTag, CommitOutcome, DeleteManifest, DeleteOutcome, Precondition,
    StartAdoption, StartedAdoption,
};

use super::super::Run;
use super::{ALL, Scene};
use crate::contract::adopting::adopt_tag;
use crate::contract::samples::{blob, commit, image, name};
use crate::contract::stand::LIFETIME;

/// What a collector does with a mark that is old enough.
const CONDEMN: &str = "UPDATE blob_marks SET state = 'condemned' WHERE state = 'marked'
     AND NOT EXISTS (SELECT 1 FROM repository_blobs b WHERE b.blob_digest = blob_marks.digest)";

#[tokio::test]
async fn an_adopted_blob_and_its_condemning() {
    for how in ALL {
        let (scene, digest) = (Scene::new().await, blob("one"));
        scene.stand.mark(digest, 0, "marked").await;
        let (key, begun) = (ObjectKey::canonical(digest), scene.stand.clock.now());
        let adopt = AdoptBlob { repository: name("a"), key, size: 3, begun, within: LIFETIME };
        let outcome = scene.both(how, adopt, Run(CONDEMN)).await;
        let held = scene.stand.held("a", digest).await;
        match outcome {
            (AdoptedBlob::Held, 0) => {
                assert!(held.is_some() && scene.stand.marks(digest).await.is_empty(), "{how:?}");
            }
            (AdoptedBlob::Lost, 1) => assert!(held.is_none(), "{how:?}"),
            other => panic!("{how:?}: {other:?}"),
        }
    }
}

/// No tag is left that stands at what was deleted.
#[tokio::test]
async fn an_adopted_tag_and_the_deletion_of_its_manifest() {
    for how in ALL {
        let scene = Scene::new().await;
        let digest = scene.stand.push("a", "one", &[]).await;
        let (repository, precondition) = (name("a"), Precondition::None);
        let deletion = DeleteManifest { repository, digest, precondition, by: "bob".into() };
        let (adopted, deleted) = scene.both(how, adopt_tag("t", digest), deletion).await;
        assert!(matches!(adopted, AdoptedTag::Stands | AdoptedTag::NoManifest), "{how:?}");
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        assert_eq!(scene.stand.tag("a", "t").await, None, "{how:?}");
        let dangling = scene.stand.rows("SELECT name FROM tags", &[]).await;
        assert!(dangling.is_empty(), "{how:?}: {dangling:?}");
    }
}

/// Whoever comes later, what was pushed stays.
#[tokio::test]
async fn an_adopted_tag_and_a_push_of_it() {
    for how in ALL {
        let scene = Scene::new().await;
        let one = scene.stand.push("a", "one", &[]).await;
        let two = scene.stand.push("a", "two", &[]).await;
        let push = commit("a", &image(&[blob("two")]), &["t"]);
        let (adopted, pushed) = scene.both(how, adopt_tag("t", one), push).await;
        assert_eq!(pushed, CommitOutcome::Committed, "{how:?}");
        assert!(
            matches!(adopted, AdoptedTag::Stands) || adopted == AdoptedTag::MovedHere(two),
            "{how:?}"
        );
        assert_eq!(scene.stand.tag("a", "t").await, Some(two), "{how:?}");
        scene.linear("t").await;
    }
}

#[tokio::test]
async fn two_that_begin_an_adoption() {
    for how in ALL {
        let scene = Scene::new().await;
        let start = || StartAdoption {
            source: "file:///srv/registry".into(),
            repositories: None,
            by: "system".into(),
        };
        let (one, other) = scene.both(how, start(), start()).await;
        let begun = |it: &StartedAdoption| matches!(it, StartedAdoption::Started(_));
        assert!(begun(&one) != begun(&other), "{how:?}: {one:?} {other:?}");
        assert_eq!(scene.stand.rows("SELECT state FROM adoptions", &[]).await, ["running"]);
    }
}
