//! Manifests that a collector takes, or forgets, while somebody brings them back, pins them, or changes the rule that they go by.

use wharf_core::metadata::{
    AccountChange, Change, ChangeRequest, CommitOutcome, DeleteOutcome, EnableRetention,
    ManifestRules, PinOutcome, PinTarget, Precondition, RemoveRetention, Restore, RestoreOutcome,
};
use wharf_oci::{Digest, Reference};

use super::blobs::{collect, empty, restoration};
use super::{ALL, Scene};
use crate::contract::pins::pin;
use crate::contract::samples::{commit, deletion, index, name};
use crate::contract::{UNTAGGED, untagged};
use crate::engine::Engine;
use crate::transactions::garbage::manifests::Collect;

impl Scene {
    /// Pushes an index of these manifests to repository `a`.
    async fn index(&self, children: &[Digest], tags: &[&str]) -> Digest {
        let push = commit("a", &index(children), tags);
        let digest = push.digest;
        assert_eq!(self.stand.commit(push).await, CommitOutcome::Committed);
        digest
    }

    async fn throw_away(&self, digest: Digest) {
        let deleted = self.stand.delete("a", digest, Precondition::None).await;
        assert_eq!(deleted, DeleteOutcome::Deleted);
    }

    /// The kinds of the events of a tag and of the deletion of a manifest, in the order in which their transactions took place. Each has locked
    /// what the other changes, so no event of the later one was written before the earlier one was committed.
    async fn order_of(&self, tag: &str, manifest: Digest) -> Vec<String> {
        let of = [format!("tag.created {tag}"), format!("manifest.deleted {manifest}")];
        let events = self.stand.events().await.into_iter().filter(|event| of.contains(event));
        events.filter_map(|event| event.split(' ').next().map(str::to_owned)).collect()
    }

    /// Whether the repository holds them.
    async fn holds<const N: usize>(&self, manifests: [Digest; N]) -> [bool; N] {
        let mut held = [false; N];
        for (held, manifest) in held.iter_mut().zip(manifests) {
            *held = self.stand.has("a", manifest).await;
        }
        held
    }
}

fn is_back(outcome: &RestoreOutcome) -> bool {
    matches!(outcome, RestoreOutcome::Restored { .. })
}

/// It is back with its bytes and its tag, or forgotten: never the one without the other.
#[tokio::test]
async fn a_restore_and_the_emptying_of_the_trash() {
    for how in ALL {
        let scene = Scene::new().await;
        let manifest = scene.stand.push("a", "one", &["t"]).await;
        scene.throw_away(manifest).await;
        let (back, taken) = scene.both(how, restoration(manifest), empty()).await;
        assert!(is_back(&back) || back == RestoreOutcome::NotDeleted, "{how:?}: {back:?}");
        assert_eq!(taken.count, u64::from(!is_back(&back)), "{how:?}: {back:?}");
        let expected = is_back(&back).then_some(manifest);
        assert_eq!(scene.stand.tag("a", "t").await, expected, "{how:?}");
        let references = scene.stand.rows("SELECT count(*) FROM blob_references", &[]).await;
        assert_eq!(references, [if is_back(&back) { "1" } else { "0" }], "{how:?}");
        assert!(scene.stand.rows("SELECT digest FROM deleted_manifests", &[]).await.is_empty());
        scene.linear("t").await;
    }
}

/// By its tag, too, which stood at what is forgotten.
#[tokio::test]
async fn a_restore_of_a_tag_and_the_emptying_of_the_trash() {
    for how in ALL {
        let scene = Scene::new().await;
        let manifest = scene.stand.push("a", "one", &["t"]).await;
        scene.throw_away(manifest).await;
        let by_tag =
            Restore { what: Reference::Tag("t".parse().unwrap()), ..restoration(manifest) };
        let (back, taken) = scene.both(how, by_tag, empty()).await;
        assert!(is_back(&back) || back == RestoreOutcome::Lost(manifest), "{how:?}: {back:?}");
        assert_eq!(taken.count, u64::from(!is_back(&back)), "{how:?}");
        let expected = is_back(&back).then_some(manifest);
        assert_eq!(scene.stand.tag("a", "t").await, expected, "{how:?}");
        scene.linear("t").await;
    }
}

/// What the index that goes would take with it is what the one that comes back needs.
#[tokio::test]
async fn a_restore_of_an_index_and_the_emptying_that_takes_its_child() {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "one", &[]).await;
        let parent = scene.index(&[child], &["t"]).await;
        scene.throw_away(parent).await;
        let (back, _) = scene.both(how, restoration(parent), empty()).await;
        assert!(is_back(&back) || back == RestoreOutcome::NotDeleted, "{how:?}: {back:?}");
        let there = is_back(&back);
        assert_eq!(scene.holds([parent, child]).await, [there; 2], "{how:?}");
    }
}

/// Where its child is held: it comes back whole, and a deletion undoes no more than its own.
#[tokio::test]
async fn a_restore_of_an_index_and_the_deletion_of_its_child() {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "one", &[]).await;
        let parent = scene.index(&[child], &["t"]).await;
        scene.throw_away(parent).await;
        let (back, deleted) = scene.both(how, restoration(parent), deletion("a", child)).await;
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        let RestoreOutcome::Restored { manifests, .. } = back else { panic!("{how:?}: {back:?}") };
        // Whoever came last: the child was there already, or came back as well.
        let child_came_back = manifests == 2;
        assert_eq!(scene.holds([parent, child]).await, [true, child_came_back], "{how:?}");
    }
}

/// No collector takes the child of what is back.
#[tokio::test]
async fn a_restore_of_an_index_and_the_collection_of_its_child() {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "one", &[]).await;
        let parent = scene.index(&[child], &["t"]).await;
        scene.throw_away(parent).await;
        let (back, _) = scene.both(how, restoration(parent), collect()).await;
        assert!(is_back(&back), "{how:?}: {back:?}");
        assert_eq!(scene.holds([parent, child]).await, [true; 2], "{how:?}");
        let again = Engine::write(&*scene.engine, collect()).await.unwrap();
        assert_eq!(again.count, 0, "{how:?}");
    }
}

/// A part of a part: whoever is first, nothing is acknowledged as whole that is not.
#[tokio::test]
async fn a_push_of_an_index_and_the_deletion_below_its_child() {
    for how in ALL {
        let scene = Scene::new().await;
        let part = scene.stand.push("a", "one", &[]).await;
        let inner = scene.index(&[part], &[]).await;
        let push = commit("a", &index(&[inner]), &["t"]);
        let (pushed, deleted) = scene.both(how, push, deletion("a", part)).await;
        assert_eq!(deleted, DeleteOutcome::Deleted, "{how:?}");
        let (tag, deletions) = (scene.stand.tag("a", "t").await, scene.order_of("t", part).await);
        match pushed {
            CommitOutcome::Committed => {
                assert_eq!(deletions, ["tag.created", "manifest.deleted"], "{how:?}");
            }
            CommitOutcome::Missing(missing) => {
                assert_eq!((missing, tag), (vec![part], None), "{how:?}");
            }
            other => panic!("{how:?}: {other:?}"),
        }
    }
}

/// And no collector takes it, whichever page it is on.
#[tokio::test]
async fn a_push_of_an_index_and_the_collection_below_its_child() {
    for how in ALL {
        let scene = Scene::new().await;
        let part = scene.stand.push("a", "one", &[]).await;
        let inner = scene.index(&[part], &[]).await;
        let push = commit("a", &index(&[inner]), &["t"]);
        let outer = push.digest;
        let (first, second) = (part.min(inner), part.max(inner));
        let one = Collect { limit: 1, ..collect() };
        let (pushed, taken) = scene.both(how, push, one).await;
        match pushed {
            CommitOutcome::Committed => {
                assert_eq!(taken.count, 0, "{how:?}");
                assert_eq!(scene.holds([outer, first, second]).await, [true; 3], "{how:?}");
            }
            CommitOutcome::Missing(missing) => {
                assert_eq!((missing, taken.count), (vec![first], 1), "{how:?}");
                assert_eq!(scene.holds([outer, first, second]).await, [false, false, true]);
            }
            other => panic!("{how:?}: {other:?}"),
        }
    }
}

/// What is pinned stays with all that it needs, and what is gone is not pinned.
#[tokio::test]
async fn a_pin_and_the_collection_of_its_manifest() {
    for how in ALL {
        let scene = Scene::new().await;
        let child = scene.stand.push("a", "one", &[]).await;
        let whole = scene.index(&[child], &[]).await;
        let asked = pin("keep", PinTarget::Digest(whole), None);
        let (put, taken) = scene.both(how, asked, collect()).await;
        let is_pinned = matches!(put, PinOutcome::Pinned { .. });
        assert!(is_pinned || matches!(put, PinOutcome::NotFound(_)), "{how:?}: {put:?}");
        assert_eq!(taken.count, if is_pinned { 0 } else { 2 }, "{how:?}: {put:?}");
        assert_eq!(scene.holds([whole, child]).await, [is_pinned; 2], "{how:?}");
    }
}

/// Of a page that has no more than a part of what is pinned.
#[tokio::test]
async fn a_pin_and_the_collection_of_a_part_of_its_manifest() {
    for how in ALL {
        let scene = Scene::new().await;
        let children =
            [scene.stand.push("a", "one", &[]).await, scene.stand.push("a", "two", &[]).await];
        let whole = scene.index(&children, &[]).await;
        let least = children.into_iter().chain([whole]).min().unwrap();
        let asked = pin("keep", PinTarget::Digest(whole), None);
        let (put, taken) = scene.both(how, asked, Collect { limit: 1, ..collect() }).await;
        let is_pinned = matches!(put, PinOutcome::Pinned { .. });
        assert_eq!(taken.count, u64::from(!is_pinned), "{how:?}: {put:?}");
        assert_eq!(scene.stand.has("a", least).await, is_pinned, "{how:?}: {put:?}");
        if !is_pinned {
            let gone = if least == whole {
                PinOutcome::NotFound(Reference::Digest(least))
            } else {
                PinOutcome::Gone(least)
            };
            assert_eq!(put, gone, "{how:?}");
        }
    }
}

/// A collector by whose own rules nothing goes for want of a tag: policies may say otherwise.
fn by_policies() -> Collect {
    let Collect { after, rules, limit } = collect();
    Collect { after, rules: ManifestRules { untagged_after: None, ..rules }, limit }
}

fn request(change: impl Into<AccountChange>) -> ChangeRequest {
    ChangeRequest { change: change.into(), by: "user:ada".into(), once: None }
}

/// Once it is acknowledged that the rule is gone, nothing goes by it.
#[tokio::test]
async fn a_collection_and_the_end_of_the_rule_it_goes_by() {
    let end = || request(RemoveRetention { repository: name("a") });
    for how in ALL {
        let (scene, manifest) = scene_of_a_rule(false).await;
        scene.stand.change(EnableRetention { repository: name("a"), version: 1 }).await;
        let (taken, ended) = scene.both(how, by_policies(), end()).await;
        assert_eq!(ended, Change::Done, "{how:?}");
        assert_eq!(scene.stand.has("a", manifest).await, taken.count == 0, "{how:?}");
        let after = Engine::write(&*scene.engine, by_policies()).await.unwrap();
        assert_eq!(after.count, 0, "{how:?}");
    }
    let (scene, _) = scene_of_a_rule(false).await;
    scene.stand.change(EnableRetention { repository: name("a"), version: 1 }).await;
    assert!(scene.waits(end(), by_policies()).await);
}

/// Nor does anything go that the repository keeps, once that is acknowledged: whatever the collector goes by elsewhere.
#[tokio::test]
async fn a_collection_and_a_rule_that_keeps_what_it_would_take() {
    let enable = || request(EnableRetention { repository: name("a"), version: 1 });
    for how in ALL {
        let (scene, manifest) = scene_of_a_rule(true).await;
        let (taken, enabled) = scene.both(how, collect(), enable()).await;
        assert_eq!(enabled, Change::Done, "{how:?}");
        assert_eq!(scene.stand.has("a", manifest).await, taken.count == 0, "{how:?}");
    }
    let (scene, _) = scene_of_a_rule(true).await;
    assert!(scene.waits(enable(), collect()).await);
}

/// An untagged manifest of repository `a`, old enough, and a policy that says what becomes of it once it is enabled.
async fn scene_of_a_rule(kept: bool) -> (Scene, Digest) {
    let scene = Scene::new().await;
    let manifest = scene.stand.push("a", "one", &[]).await;
    untagged(&scene.stand, kept).await;
    scene.stand.clock.advance(UNTAGGED);
    (scene, manifest)
}
