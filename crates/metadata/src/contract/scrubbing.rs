//! Rules of scrubs: what is found, what becomes of damaged objects, and that all of it can be asked for twice.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::{
    CheckedBlob, CommitOutcome, Damage, EventScope, FaultKind, FindingFilter, FoundKind, Hashing,
    HeldPlace, Judged, MountBlob, Pass, PassPlace, ReferencesChecked, ReleaseOutcome, ScrubFinding,
};
use wharf_core::permissions::Sources;
use wharf_oci::{Algorithm, Digest, Hasher};

use super::garbage::GRACE;
use super::samples::{blob, commit, image, index, name, with_layer};
use super::stand::{Stand, TICK};

fn canonical(text: &str) -> ObjectKey {
    ObjectKey::canonical(blob(text))
}

impl Stand {
    async fn quarantine(&self, key: ObjectKey, damage: Damage) -> bool {
        self.integrity.quarantine(key, damage).await.unwrap()
    }

    async fn findings(&self, resolved: bool) -> Vec<ScrubFinding> {
        let filter = if resolved { FindingFilter::ALL } else { FindingFilter::default() };
        self.integrity.list_scrub_findings(filter, None, 100).await.unwrap()
    }

    async fn open_findings(&self) -> Vec<(FaultKind, Digest, u32)> {
        let findings = self.findings(false).await;
        let kind = |found: &ScrubFinding| found.kind.known().unwrap();
        findings.iter().map(|found| (kind(found), found.digest, found.incarnation)).collect()
    }

    async fn mount(&self, to: &str, digest: Digest) -> bool {
        let mount = MountBlob { repository: name(to), digest, from: None, sources: Sources::Any };
        self.metadata.mount_blob(mount).await.unwrap()
    }

    async fn release(&self, digest: Digest) -> ReleaseOutcome {
        self.integrity.release(digest, "user:ada".into(), GRACE).await.unwrap()
    }
}

/// Memberships explain the current incarnation, reservations and marks any.
pub async fn only_what_no_row_explains_is_marked(stand: &Stand) {
    let held = stand.hold("a", blob("held")).await;
    let id = stand.start("a").await;
    let reserved = stand.reserve(id, blob("reserved")).await.unwrap();
    stand.mark(blob("marked"), 3, "condemned").await;
    let marked = ObjectKey { incarnation: 3, ..canonical("marked") };
    let other = ObjectKey { incarnation: 1, ..held };
    let unknown = canonical("unknown");
    let all = vec![held, other, reserved, marked, unknown];
    let found = stand.integrity.mark_unexplained(all.clone()).await.unwrap();
    assert_eq!(found, [other, unknown]);
    assert_eq!(stand.marks(held.digest).await, ["1 marked"]);
    assert_eq!(stand.marks(unknown.digest).await, ["0 marked"]);
    assert!(stand.marks(reserved.digest).await.is_empty());
    assert!(stand.integrity.mark_unexplained(all).await.unwrap().is_empty());
    assert!(stand.integrity.mark_unexplained(Vec::new()).await.unwrap().is_empty());
    let unexplained = |key: ObjectKey| (FaultKind::Unexplained, key.digest, key.incarnation);
    assert_eq!(stand.open_findings().await, [unexplained(other), unexplained(unknown)]);
    // Each is one event, of the registry.
    let events = super::event_log::all(stand).await;
    let events: Vec<_> = events.iter().filter(|event| event.kind == "object.unexplained").collect();
    let about = [other, unknown]
        .map(|key| json!({ "digest": key.digest, "incarnation": key.incarnation, "by": "system" }));
    assert!(events.iter().all(|event| event.scope == EventScope::Registry));
    let told = events.iter().map(|event| serde_json::from_str(&event.payload).unwrap());
    assert_eq!(told.collect::<Vec<Value>>(), about);
    stand.clock.advance(GRACE);
    let judged = stand.garbage.condemn_blobs(GRACE, 100).await.unwrap();
    assert_eq!(judged, Judged { condemned: 2, spared: 0 });
    assert_eq!(stand.held("a", held.digest).await, Some(held));
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 0);
    stand.garbage.confirm_deleted(vec![other, unknown]).await.unwrap();
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 2);
    assert!(stand.findings(false).await.is_empty());
}

/// It keeps when it was found, and is a new one when it comes back.
pub async fn a_finding_is_one_row_until_its_fault_is_gone(stand: &Stand) {
    let key = stand.hold("a", blob("one")).await;
    let unreadable = |reason: &str| stand.integrity.note_unreadable(key, reason.to_owned());
    let kind = FoundKind::Known(FaultKind::Unreadable);
    let began = stand.clock_now();
    assert!(unreadable("broken").await.unwrap());
    stand.clock.advance(TICK);
    assert!(!unreadable("still broken").await.unwrap());
    let found = stand.findings(false).await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].kind, found[0].detail.as_str()), (&kind, "still broken"));
    assert_eq!((found[0].found_at, found[0].seen_at), (began, began.after(TICK)));
    assert!(!found[0].is_quarantined && found[0].needed_by.is_none());
    assert_eq!(stand.integrity.count_findings().await.unwrap(), [(kind, 1)]);
    assert!(!stand.integrity.note_sound(key).await.unwrap());
    assert!(stand.findings(false).await.is_empty());
    assert!(stand.integrity.count_findings().await.unwrap().is_empty());
    assert_eq!(stand.findings(true).await[0].resolved_at, Some(began.after(TICK)));
    stand.clock.advance(TICK);
    assert!(unreadable("again").await.unwrap());
    let again = stand.findings(true).await;
    assert_eq!((again.len(), again[0].found_at), (1, began.after(TICK * 2)));
    assert_eq!(again[0].resolved_at, None);
    let behind = stand
        .integrity
        .list_scrub_findings(FindingFilter::ALL, Some(again[0].id), 10)
        .await
        .unwrap();
    assert!(behind.is_empty());
    // And is forgotten in the end.
    stand.integrity.note_sound(key).await.unwrap();
    stand.clock.advance(Duration::from_secs(400 * 24 * 3600));
    stand.integrity.resolve_findings().await.unwrap();
    assert!(stand.findings(true).await.is_empty());
}

/// Each once, in pages, at its current key.
pub async fn held_blobs_are_listed_with_what_is_known_of_them(stand: &Stand) {
    let mut digests: Vec<_> = ["one", "two", "three", "four"].into_iter().map(blob).collect();
    digests.sort();
    for digest in &digests {
        stand.hold("a", *digest).await;
    }
    stand.hold("b", digests[0]).await;
    stand.mark(digests[1], 0, "condemned").await;
    assert_eq!(stand.hold("b", digests[1]).await.incarnation, 1);
    let damaged = ObjectKey::canonical(digests[2]);
    assert!(stand.quarantine(damaged, Damage::Missing).await);
    let list = |after, up_to, limit| stand.integrity.held_blobs(after, up_to, limit);
    let all = list(None, None, 100).await.unwrap();
    assert_eq!(all.iter().map(|blob| blob.key.digest).collect::<Vec<_>>(), digests);
    assert_eq!(all.iter().map(|blob| blob.key.incarnation).collect::<Vec<_>>(), [0, 1, 0, 0]);
    let sound = CheckedBlob {
        key: ObjectKey::canonical(digests[0]),
        size: Some(0),
        is_quarantined: false,
        is_flagged: false,
    };
    assert_eq!(all[0], sound);
    let quarantined = CheckedBlob { key: damaged, is_quarantined: true, is_flagged: true, ..sound };
    assert_eq!(all[2], quarantined);
    assert_eq!(list(None, None, 2).await.unwrap(), all[..2]);
    assert_eq!(list(Some(digests[1]), None, 100).await.unwrap(), all[2..]);
    assert_eq!(list(Some(digests[0]), Some(digests[2]), 100).await.unwrap(), all[1..3]);
    let in_quarantine = |after| stand.integrity.quarantined_blobs(after, 10);
    assert_eq!(in_quarantine(None).await.unwrap(), [quarantined]);
    assert!(in_quarantine(Some(digests[2])).await.unwrap().is_empty());
    let holders = stand.integrity.holders(digests[0], None, 1).await.unwrap();
    assert_eq!(holders.len(), 1);
    let rest = stand.integrity.holders(digests[0], Some(holders[0].0), 10).await.unwrap();
    assert_eq!([&holders[0].1, &rest[0].1], [&name("a"), &name("b")]);
    assert_eq!(rest.len(), 1);
}

/// Not found, not mounted, and no reason to let a manifest in.
pub async fn what_is_quarantined_is_held_by_nobody(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    assert!(stand.quarantine(key, Damage::WrongDigest(blob("other"))).await);
    assert!(!stand.quarantine(key, Damage::WrongDigest(blob("other"))).await);
    assert_eq!(stand.held("a", key.digest).await, None);
    assert!(!stand.mount("b", key.digest).await);
    let again = commit("a", &image(&[key.digest]), &["u"]);
    assert_eq!(stand.commit(again).await, CommitOutcome::Missing(vec![key.digest]));
    // What needs it is there as before.
    assert_eq!(stand.tag("a", "t").await, Some(manifest));
    assert_eq!(stand.marks(key.digest).await, ["0 quarantined"]);
    let found = stand.findings(false).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].is_quarantined && found[0].detail.contains(&blob("other").to_string()));
}

/// At a new key, for all who hold the blob, when it ends and not before.
pub async fn a_push_takes_the_place_of_what_is_quarantined(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    stand.quarantine(key, Damage::WrongSize { expected: 3, found: 2 }).await;
    let id = stand.start("b").await;
    let placed = stand.reserve(id, key.digest).await.unwrap();
    assert_eq!(placed.incarnation, 1);
    assert_eq!(stand.held("a", key.digest).await, None);
    assert!(!stand.mount("c", key.digest).await);
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 0);
    assert!(stand.finish(id, placed).await);
    for repository in ["a", "b"] {
        assert_eq!(stand.held(repository, key.digest).await, Some(placed));
    }
    assert!(stand.mount("c", key.digest).await);
    // The damaged object stays.
    assert_eq!(stand.marks(key.digest).await, ["0 quarantined"]);
    assert!(stand.integrity.quarantined_blobs(None, 10).await.unwrap().is_empty());
    assert!(stand.findings(false).await.is_empty());
    assert_eq!(stand.findings(true).await[0].repaired_from.as_deref(), Some("a push"));
    // And is no reason to find fault with the new one.
    assert!(!stand.integrity.note_sound(key).await.unwrap());
    assert!(!stand.quarantine(key, Damage::Missing).await);
    assert!(stand.findings(false).await.is_empty());
}

/// And its object: the other one holds that too, and what it has put in place goes. So it is where a repair was first, or where the quarantined
/// object was found to be sound. Where nobody holds the blob any more, its object need not be there.
pub async fn of_two_pushes_of_a_quarantined_blob_the_first_counts(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    stand.quarantine(key, Damage::Missing).await;
    let (one, two) = (stand.start("b").await, stand.start("c").await);
    let first = stand.reserve(one, key.digest).await.unwrap();
    let second = stand.reserve(two, key.digest).await.unwrap();
    assert_eq!((first.incarnation, second.incarnation), (1, 2));
    assert!(stand.finish(two, second).await);
    assert!(stand.finish(one, first).await);
    for repository in ["a", "b", "c"] {
        assert_eq!(stand.held(repository, key.digest).await, Some(second));
    }
    stand.clock.advance(GRACE);
    let judged = stand.garbage.condemn_blobs(GRACE, 10).await.unwrap();
    assert_eq!(judged, Judged { condemned: 1, spared: 0 });
    assert_eq!(stand.garbage.condemned_blobs(None, 10).await.unwrap(), [first]);

    for was_repaired in [false, true] {
        let text = format!("repaired {was_repaired}");
        let damaged = stand.quarantined("a", &text).await;
        let id = stand.start("b").await;
        let placed = stand.reserve(id, damaged.digest).await.unwrap();
        let current = if was_repaired {
            let repair = stand.repairing(damaged).await;
            assert!(stand.integrity.finish_repair(repair.clone()).await.unwrap());
            repair.key
        } else {
            assert!(stand.integrity.note_sound(damaged).await.unwrap());
            damaged
        };
        assert!(stand.finish(id, placed).await);
        assert_eq!(stand.held("b", damaged.digest).await, Some(current), "{text}");
        assert_ne!(placed, current);
    }

    let damaged = stand.quarantined("a", "nobody's").await;
    let id = stand.start("b").await;
    let placed = stand.reserve(id, damaged.digest).await.unwrap();
    assert!(stand.integrity.note_sound(damaged).await.unwrap());
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[damaged.digest]).await;
    assert!(!stand.finish(id, placed).await);
}

/// And its object goes.
pub async fn a_push_that_is_given_up_leaves_the_quarantine_as_it_was(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    stand.quarantine(key, Damage::Missing).await;
    let id = stand.start("b").await;
    let placed = stand.reserve(id, key.digest).await.unwrap();
    stand.metadata.cancel_upload(id).await.unwrap();
    assert_eq!(stand.held("a", key.digest).await, None);
    stand.clock.advance(GRACE);
    stand.garbage.condemn_blobs(GRACE, 10).await.unwrap();
    assert_eq!(stand.garbage.condemned_blobs(None, 10).await.unwrap(), [placed]);
    assert_eq!(stand.marks(key.digest).await, ["0 quarantined", "1 condemned"]);
}

/// Whoever lets go of it, and however long ago.
pub async fn what_is_quarantined_is_no_garbage(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    stand.quarantine(key, Damage::WrongDigest(blob("other"))).await;
    stand.remove("a", manifest).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    stand.clock.advance(GRACE * 10);
    assert_eq!(stand.garbage.condemn_blobs(GRACE, 10).await.unwrap(), Judged::default());
    assert_eq!(stand.garbage.confirm_deleted(vec![key]).await.unwrap(), 0);
    assert_eq!(stand.garbage.forget_deleted(Duration::ZERO, 10).await.unwrap(), 0);
    assert!(stand.garbage.list_marked(None, 10).await.unwrap().is_empty());
    assert!(stand.integrity.mark_unexplained(vec![key]).await.unwrap().is_empty());
    assert_eq!(stand.marks(key.digest).await, ["0 quarantined"]);
    // The fault is nobody's any more.
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 1);
}

/// What was looked at too long ago says nothing of what is there now.
pub async fn what_is_pushed_again_is_not_quarantined(stand: &Stand) {
    let key = canonical("one");
    assert!(!stand.quarantine(key, Damage::Missing).await);
    stand.mark(key.digest, 0, "condemned").await;
    let now = stand.hold("a", key.digest).await;
    assert_eq!(now.incarnation, 1);
    assert!(!stand.quarantine(key, Damage::Missing).await);
    assert_eq!(stand.held("a", key.digest).await, Some(now));
    assert!(stand.findings(true).await.is_empty());
    // One that waits for its grace to end is held still.
    stand.mark(key.digest, 1, "marked").await;
    assert!(stand.quarantine(now, Damage::Missing).await);
    assert_eq!(stand.marks(key.digest).await, ["0 condemned", "1 quarantined"]);
}

/// And who let go of it meanwhile has not let go in vain.
pub async fn what_is_sound_is_served_again(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    stand.quarantine(key, Damage::Missing).await;
    assert!(stand.integrity.note_sound(key).await.unwrap());
    assert_eq!(stand.held("a", key.digest).await, Some(key));
    assert!(stand.findings(false).await.is_empty());
    stand.clock.advance(GRACE);
    let judge = || stand.garbage.condemn_blobs(GRACE, 10);
    assert_eq!(judge().await.unwrap(), Judged { condemned: 0, spared: 1 });
    stand.quarantine(key, Damage::Missing).await;
    stand.remove("a", manifest).await;
    stand.clock.advance(GRACE);
    assert_eq!(stand.sweep().await, 1);
    assert!(stand.integrity.note_sound(key).await.unwrap());
    stand.clock.advance(GRACE);
    assert_eq!(judge().await.unwrap(), Judged { condemned: 1, spared: 0 });
}

/// By an operator, which the audit log tells.
pub async fn what_is_quarantined_is_released_once_nothing_needs_it(stand: &Stand) {
    stand.push("a", "one", &["t"]).await;
    let key = canonical("one");
    assert_eq!(stand.release(key.digest).await, ReleaseOutcome::NotQuarantined);
    stand.quarantine(key, Damage::Missing).await;
    assert_eq!(stand.release(key.digest).await, ReleaseOutcome::StillNeeded);
    assert_eq!(stand.marks(key.digest).await, ["0 quarantined"]);
    let now = stand.hold("b", key.digest).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.release(key.digest).await, ReleaseOutcome::TooYoung);
    stand.clock.advance(TICK);
    assert_eq!(stand.release(key.digest).await, ReleaseOutcome::Released(1));
    assert_eq!(stand.release(key.digest).await, ReleaseOutcome::NotQuarantined);
    assert_eq!(stand.garbage.condemned_blobs(None, 10).await.unwrap(), [key]);
    assert_eq!(stand.held("a", key.digest).await, Some(now));
    let told = "SELECT by, target, detail FROM audit_log WHERE action = 'blob.release'";
    let target = format!("user:ada blob:{} incarnation=0; ", key.digest);
    assert_eq!(stand.rows(told, &[]).await, [target]);
    // One that nobody holds waits for the grace: somebody may be about to.
    let loose = stand.hold("a", blob("loose")).await;
    stand.quarantine(loose, Damage::Missing).await;
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[loose.digest]).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.release(loose.digest).await, ReleaseOutcome::TooYoung);
    stand.clock.advance(TICK);
    assert_eq!(stand.release(loose.digest).await, ReleaseOutcome::Released(1));
}

/// Once for each repository that holds the blob.
pub async fn faults_are_told_in_the_events_and_the_audit_log(stand: &Stand) {
    let digest = blob("one");
    let key = stand.hold("a", digest).await;
    stand.hold("b", digest).await;
    for _ in 0..2 {
        stand.quarantine(key, Damage::Missing).await;
    }
    stand.integrity.note_sound(key).await.unwrap();
    let (damaged, sound) = (format!("blob.damaged {digest}"), format!("blob.sound {digest}"));
    assert_eq!(stand.events().await, [&damaged, &damaged, &sound, &sound].map(String::as_str));
    let told = "SELECT action, by FROM audit_log WHERE action LIKE 'blob.%' ORDER BY id";
    assert_eq!(stand.rows(told, &[]).await, ["blob.quarantine system", "blob.restore system"]);
}

/// A blob that may not be distributed need not be held.
pub async fn broken_references_are_found_and_told_from_those_elsewhere(stand: &Stand) {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    stand.hold("a", blob("one")).await;
    let whole = with_layer(image(&[blob("one")]), foreign, blob("elsewhere"));
    stand.put("a", &whole, &["t"]).await;
    let child = stand.push("b", "two", &[]).await;
    let parent = stand.put("b", &index(&[child]), &["u"]).await;
    let check = |after, limit| stand.integrity.check_references(after, limit);
    let all = check(None, 100).await.unwrap();
    assert_eq!(all, ReferencesChecked { manifests: 3, found: 0, next: None });
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[blob("two")]).await;
    stand.rows("DELETE FROM repository_manifests WHERE digest = $1", &[child]).await;
    // The child is gone, and with it what it needed.
    assert_eq!(check(None, 100).await.unwrap().found, 1);
    assert_eq!(check(None, 100).await.unwrap().found, 0);
    let found = stand.findings(false).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].kind.known(), found[0].digest), (Some(FaultKind::BrokenReference), child));
    assert_eq!(found[0].needed_by, Some((name("b"), parent)));
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 0);
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[blob("one")]).await;
    let ReferencesChecked { manifests, found, next } = check(None, 1).await.unwrap();
    assert_eq!((manifests, found), (1, 1));
    let HeldPlace { digest, .. } = next.unwrap();
    assert_ne!(digest, parent);
    assert_eq!(check(next, 1).await.unwrap().found, 0);
    let events = stand.events().await;
    assert!(
        events
            .ends_with(&[format!("manifest.broken {parent}"), format!("manifest.broken {digest}")])
    );
    // It is whole again.
    stand.hold("a", blob("one")).await;
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 1);
}

/// Neither that a blob is missing nor that it is elsewhere: what is broken is seen once the bytes are right.
pub async fn references_are_not_judged_by_a_damaged_manifest(stand: &Stand) {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    stand.hold("a", blob("one")).await;
    let whole = with_layer(image(&[blob("one")]), foreign, blob("elsewhere"));
    let whole = stand.put("a", &whole, &[]).await;
    let broken = stand.push("a", "two", &[]).await;
    stand.rows("DELETE FROM repository_blobs WHERE blob_digest = $1", &[blob("two")]).await;
    let found = async || stand.integrity.check_references(None, 100).await.unwrap().found;
    stand.damage(whole).await;
    stand.damage(broken).await;
    assert_eq!(found().await, 0);
    assert!(stand.findings(false).await.is_empty());
    let push = commit("a", &image(&[blob("two")]), &[]);
    assert!(stand.mended(broken, &push.payload).await.unwrap());
    assert_eq!(found().await, 1);
    assert_eq!(stand.findings(false).await[0].needed_by, Some((name("a"), broken)));
}

/// Each for itself; and begins anew once it came to its end.
pub async fn a_pass_goes_on_where_it_was_recorded(stand: &Stand) {
    let mut state = stand.integrity.begin_pass(Pass::Contents).await.unwrap();
    let begun = stand.clock_now();
    assert_eq!((state.begun_at, state.ended_at), (begun, None));
    assert_eq!(state.place, PassPlace::default());
    let hash = Hasher::new(Algorithm::Sha256).state();
    let hashing = Hashing { digest: blob("two"), begun, offset: 5, state: hash };
    state.place = PassPlace {
        repository: Some(7),
        digest: Some(blob("one")),
        hashing: Some(hashing),
        is_doubted: true,
    };
    (state.looked_at, state.bytes, state.found) = (1, 2, 3);
    stand.integrity.record_pass(Pass::Contents, state.clone(), false).await.unwrap();
    stand.clock.advance(TICK);
    assert_eq!(stand.integrity.begin_pass(Pass::Contents).await.unwrap(), state);
    let other = stand.integrity.begin_pass(Pass::Objects).await.unwrap();
    assert_eq!((other.begun_at, other.looked_at), (begun.after(TICK), 0));
    stand.integrity.record_pass(Pass::Contents, state.clone(), true).await.unwrap();
    let passes = stand.integrity.passes().await.unwrap();
    assert_eq!(
        passes.iter().map(|(pass, _)| *pass).collect::<Vec<_>>(),
        [Pass::Contents, Pass::Objects]
    );
    let ended = &passes[0].1;
    assert_eq!((ended.ended_at, ended.looked_at), (Some(begun.after(TICK)), 1));
    let anew = stand.integrity.begin_pass(Pass::Contents).await.unwrap();
    assert_eq!(
        (anew.begun_at, anew.looked_at, anew.place),
        (begun.after(TICK), 0, PassPlace::default())
    );
}
