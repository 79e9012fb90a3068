//! Rules of what operators are told of manifests: which go, how much that frees, and what keeps one.

use wharf_core::clock::Clock;
use wharf_core::metadata::{
    Change, EnableRetention, Fate, Freed, GoingManifest, Keeper, ManifestRules, PinManifest,
    PinTarget, SetWrites,
};
use wharf_core::writes::{WriteMode, WriteScope};
use wharf_oci::Digest;

use super::garbage::GRACE;
use super::pins::pin;
use super::retention::{UNTAGGED, untagged};
use super::samples::{about, blob, image, index, name};
use super::stand::{Stand, TICK};

const KEEPING: ManifestRules = ManifestRules { grace: GRACE, untagged_after: None };
const TIDY: ManifestRules = ManifestRules { grace: GRACE, untagged_after: Some(GRACE) };

impl Stand {
    async fn fate(&self, digest: Digest, rules: ManifestRules) -> Fate {
        self.garbage.explain_manifest(name("a"), digest, rules).await.unwrap()
    }

    /// All that would go of a repository by a rule for untagged manifests, two looked at at a time.
    async fn let_go(&self, repository: &str) -> Vec<Digest> {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let page = self.retention.untagged_manifests(name(repository), UNTAGGED, after, 2);
            let page = page.await.unwrap();
            found.extend(page.going);
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    }

    /// All that a collection would delete, two at a time.
    async fn planned(&self, rules: ManifestRules) -> Vec<GoingManifest> {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let going = self.garbage.plan_manifests(after, rules, 2).await.unwrap();
            found.extend(going.manifests);
            after = going.next;
            if after.is_none() {
                return found;
            }
        }
    }
}

/// How many need what goes with a manifest, in the order of the samples.
fn needed_by(going: &GoingManifest, digests: &[Digest]) -> Vec<u64> {
    let of = |digest: &Digest| going.frees.iter().find(|freed| freed.digest == *digest);
    digests.iter().map(|digest| of(digest).unwrap().needed_by).collect()
}

/// Without deleting any; those in the trash with when they came there.
pub async fn manifests_on_their_way_out_are_listed_with_what_they_free(stand: &Stand) {
    let (own, shared) = (blob("own"), blob("shared"));
    stand.hold("a", own).await;
    stand.hold("a", shared).await;
    stand.hold("b", shared).await;
    let first = stand.put("a", &image(&[own, shared]), &[]).await;
    let second = stand.put("a", &image(&[shared, shared]), &["t"]).await;
    stand.put("b", &image(&[shared, shared]), &[]).await;
    stand.clock.advance(GRACE - TICK);
    assert!(stand.planned(TIDY).await.is_empty());
    stand.clock.advance(TICK);
    let before = stand.everything().await;
    assert!(stand.planned(KEEPING).await.is_empty());
    let planned = stand.planned(TIDY).await;
    let places: Vec<_> =
        planned.iter().map(|going| (going.repository.as_str(), going.digest)).collect();
    assert_eq!(places, [("a", first), ("b", second)]);
    assert_eq!(needed_by(&planned[0], &[first, own, shared]), [1, 1, 3]);
    assert_eq!(needed_by(&planned[1], &[second, shared]), [2, 3]);
    assert_eq!(planned[0].deleted_at, None);
    let size = |digest: Digest| Freed { digest, bytes: Some(0), needed_by: 1 };
    assert!(planned[0].frees.contains(&size(own)), "{:?}", planned[0].frees);
    assert_eq!(stand.everything().await, before);
    // In the trash it needs its blobs still, but not once it is there again.
    stand.remove("a", first).await;
    let trash = stand.garbage.list_trash(None, 10).await.unwrap();
    assert_eq!((trash.manifests.len(), trash.next), (1, None));
    assert_eq!(trash.manifests[0].deleted_at, Some(stand.clock.now()));
    assert_eq!(needed_by(&trash.manifests[0], &[first, own, shared]), [1, 1, 3]);
    stand.put("a", &image(&[own, shared]), &[]).await;
    assert!(stand.garbage.list_trash(None, 10).await.unwrap().manifests.is_empty());
}

/// Each of them, as a collection sees it.
pub async fn a_manifest_is_told_what_keeps_it(stand: &Stand) {
    let child = stand.push("a", "child", &["latest", "v1"]).await;
    let parent = stand.put("a", &index(&[child]), &[]).await;
    let manifest = image(&[blob("child")]);
    let signature = stand.put("a", &about(manifest, child), &["signed"]).await;
    let pin = PinManifest {
        repository: name("a"),
        name: "release".parse().unwrap(),
        target: PinTarget::Digest(parent),
        until: None,
        by: "alice".into(),
    };
    stand.metadata.pin_manifest(pin).await.unwrap();
    let pinned_at = stand.clock.now();
    let tag = |tag: &str| Keeper::Tag(tag.parse().unwrap());
    let pin = || Keeper::Pin("release".parse().unwrap());
    let young = || Keeper::Age(pinned_at.after(GRACE));
    assert_eq!(stand.fate(parent, TIDY).await, Fate::Stays(vec![pin(), young()]));
    stand.clock.advance(GRACE);
    let of_child =
        vec![tag("latest"), tag("v1"), Keeper::Index(parent), Keeper::Referrer(signature)];
    assert_eq!(stand.fate(child, TIDY).await, Fate::Stays(of_child));
    assert_eq!(stand.fate(parent, TIDY).await, Fate::Stays(vec![pin()]));
    let of_signature = vec![tag("signed"), Keeper::Subject(child)];
    assert_eq!(stand.fate(signature, TIDY).await, Fate::Stays(of_signature));
    assert_eq!(stand.fate(parent, KEEPING).await, Fate::Stays(vec![pin()]));
    assert_eq!(stand.fate(blob("nothing"), TIDY).await, Fate::Unknown);
    let elsewhere = stand.garbage.explain_manifest(name("b"), child, TIDY).await.unwrap();
    assert_eq!(elsewhere, Fate::Unknown);
}

/// And does so; and then, until when it can come back.
pub async fn a_manifest_that_nothing_keeps_is_told_to_go(stand: &Stand) {
    let untagged = stand.push("a", "one", &[]).await;
    let orphan = stand.put("a", &about(image(&[blob("one")]), blob("gone")), &[]).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.fate(untagged, KEEPING).await, Fate::Stays(vec![Keeper::NoRule]));
    for manifest in [untagged, orphan] {
        assert_eq!(stand.fate(manifest, TIDY).await, Fate::Goes);
    }
    assert_eq!(stand.fate(orphan, KEEPING).await, Fate::Goes);
    stand.garbage.collect_manifests(None, TIDY, 100).await.unwrap();
    let deleted = Fate::Deleted { by: "system".to_owned(), at: stand.clock.now() };
    for manifest in [untagged, orphan] {
        assert_eq!(stand.fate(manifest, TIDY).await, deleted);
    }
    stand.clock.advance(GRACE);
    stand.garbage.empty_trash(TIDY, 100).await.unwrap();
    assert_eq!(stand.fate(untagged, TIDY).await, Fate::Unknown);
}

/// Of one repository, in pages, whatever the state of its policy and whether it is read-only: just what is collected once the policy is enabled.
pub async fn what_a_rule_for_untagged_manifests_lets_go_is_listed(stand: &Stand) {
    let tagged = stand.push("a", "tagged", &["t"]).await;
    let part = stand.push("a", "part", &[]).await;
    let whole = stand.put("a", &index(&[part]), &["whole"]).await;
    let pinned = stand.push("a", "pinned", &[]).await;
    stand.metadata.pin_manifest(pin("keep", PinTarget::Digest(pinned), None)).await.unwrap();
    let expired = stand.push("a", "expired pin", &[]).await;
    let until = Some(stand.clock.now().after(TICK));
    let soon = pin("soon", PinTarget::Digest(expired), until);
    stand.metadata.pin_manifest(soon).await.unwrap();
    let alone = stand.push("a", "alone", &[]).await;
    let about_it = stand.put("a", &about(image(&[blob("alone")]), alone), &[]).await;
    let child = stand.push("a", "child", &[]).await;
    let parent = stand.put("a", &index(&[child]), &[]).await;
    stand.push("b", "of another", &[]).await;
    stand.clock.advance(UNTAGGED - TICK);
    assert!(stand.let_go("a").await.is_empty());
    stand.clock.advance(TICK);
    let young = stand.push("a", "young", &[]).await;
    let mut expected = vec![expired, alone, about_it, child, parent];
    expected.sort();
    assert_eq!(stand.let_go("a").await, expected);
    untagged(stand, false).await;
    let scope = WriteScope::Repository(name("a"));
    for mode in [WriteMode::ReadOnly, WriteMode::Writable] {
        let set = SetWrites { scope: scope.clone(), mode, reason: None };
        assert_eq!(stand.change(set).await, Change::Done);
        assert_eq!(stand.let_go("a").await, expected, "{mode}");
    }
    assert!(stand.let_go("nothing").await.is_empty());
    let enabling = EnableRetention { repository: name("a"), version: 1 };
    assert_eq!(stand.change(enabling).await, Change::Done);
    let taken = stand.garbage.collect_manifests(None, KEEPING, 100).await.unwrap();
    assert_eq!(taken.count, expected.len() as u64);
    for digest in expected {
        assert!(!stand.has("a", digest).await, "{digest}");
    }
    for digest in [tagged, part, whole, pinned, young] {
        assert!(stand.has("a", digest).await, "{digest}");
    }
    assert!(stand.let_go("a").await.is_empty());
}
