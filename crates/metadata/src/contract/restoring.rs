//! Rules of bringing back what was deleted.

use std::time::Duration;

use wharf_core::StoreError;
use wharf_core::metadata::{
    CommitOutcome, DeletedManifest, KeepBlob, ListDeleted, ManifestRules, MountBlob, Precondition,
    RemoveBlob, RemoveOutcome, Restore, RestoreOutcome,
};
use wharf_core::permissions::Sources;
use wharf_oci::{Digest, Reference};

use super::samples::{blob, commit, image, index, name};
use super::stand::{Stand, TICK};

/// How long something can be brought back on the stand.
pub(super) const GRACE: Duration = Duration::from_secs(24 * 3600);

impl Stand {
    pub(super) async fn restore(
        &self,
        repository: &str,
        what: impl Into<Reference>,
    ) -> RestoreOutcome {
        let (repository, what) = (name(repository), what.into());
        let restore = Restore { repository, what, grace: GRACE, by: "carol".into() };
        self.trash.restore(restore).await.unwrap()
    }

    async fn in_trash(&self, repository: &str) -> Vec<DeletedManifest> {
        let repository = name(repository);
        let query = ListDeleted { repository, grace: GRACE, after: None, limit: 100 };
        self.trash.list_deleted(query).await.unwrap().unwrap()
    }

    async fn throw_away(&self, repository: &str, digest: Digest) {
        self.delete(repository, digest, Precondition::None).await;
    }
}

fn tag(text: &str) -> Reference {
    Reference::Tag(text.parse().unwrap())
}

pub(super) fn restored(digest: Digest, tags: &[&str], manifests: usize) -> RestoreOutcome {
    let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    RestoreOutcome::Restored { digest, tags, manifests }
}

/// With its tags, who pushed it and when, and all that it needs, until the grace is over.
pub async fn a_deleted_manifest_comes_back_as_it_was(stand: &Stand) {
    let manifest = stand.push("a", "one", &["latest", "v1"]).await;
    let looks = "SELECT pushed_by, pushed_at FROM repository_manifests";
    let before = stand.rows(looks, &[]).await;
    stand.clock.advance(GRACE * 3);
    stand.throw_away("a", manifest).await;
    stand.clock.advance(GRACE - TICK);
    let rules = ManifestRules { grace: GRACE, untagged_after: None };
    stand.garbage.empty_trash(rules, 100).await.unwrap();
    stand.garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
    let trash = stand.in_trash("a").await;
    assert_eq!(trash.len(), 1);
    assert_eq!((trash[0].digest, trash[0].deleted_by.as_str()), (manifest, "bob"));
    assert_eq!(trash[0].tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["latest", "v1"]);
    assert_eq!(stand.restore("a", manifest).await, restored(manifest, &["latest", "v1"], 1));
    for tag in ["latest", "v1"] {
        assert_eq!(stand.tag("a", tag).await, Some(manifest), "{tag}");
    }
    assert_eq!(stand.rows(looks, &[]).await, before);
    assert!(stand.held("a", blob("one")).await.is_some());
    assert!(stand.in_trash("a").await.is_empty());
    // And stays.
    stand.clock.advance(GRACE * 3);
    stand.garbage.empty_trash(rules, 100).await.unwrap();
    stand.garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
    assert!(stand.held("a", blob("one")).await.is_some() && stand.has("a", manifest).await);
}

/// Nothing is brought back then, whether it was emptied or not.
pub async fn nothing_comes_back_when_the_grace_is_over(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    stand.throw_away("a", manifest).await;
    stand.clock.advance(GRACE);
    let before = stand.everything().await;
    assert_eq!(stand.restore("a", manifest).await, RestoreOutcome::NotDeleted);
    assert_eq!(stand.restore("a", tag("t")).await, RestoreOutcome::NotDeleted);
    assert!(stand.in_trash("a").await.is_empty());
    assert_eq!(stand.everything().await, before);
}

/// Nor from another repository, nor where nothing was deleted.
pub async fn what_was_not_deleted_does_not_come_back(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    stand.push("b", "other", &["t"]).await;
    assert_eq!(stand.restore("a", manifest).await, RestoreOutcome::NotDeleted);
    assert_eq!(stand.restore("a", tag("t")).await, RestoreOutcome::Stands(manifest));
    stand.throw_away("a", manifest).await;
    assert_eq!(stand.restore("b", manifest).await, RestoreOutcome::NotDeleted);
    assert_eq!(stand.restore("c", manifest).await, RestoreOutcome::NotDeleted);
    assert_eq!(stand.restore("a", tag("other")).await, RestoreOutcome::NotDeleted);
}

/// To where it stood, with its manifest if that was deleted too.
pub async fn a_deleted_tag_is_restored(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t", "u"]).await;
    stand.delete_tag("a", "t", Precondition::None).await;
    assert_eq!(stand.restore("a", tag("t")).await, restored(manifest, &["t"], 0));
    assert_eq!(stand.tag("a", "t").await, Some(manifest));
    stand.throw_away("a", manifest).await;
    assert_eq!(stand.restore("a", tag("t")).await, restored(manifest, &["t"], 1));
    assert_eq!(stand.tag("a", "t").await, Some(manifest));
    assert_eq!(stand.tag("a", "u").await, None);
    let history = stand.history("a", "t").await;
    assert_eq!(history.len(), 5, "{history:?}");
}

/// Tags that were made again since stay where they are.
pub async fn a_tag_that_stands_is_not_moved_by_what_comes_back(stand: &Stand) {
    let old = stand.push("a", "one", &["t", "u"]).await;
    stand.throw_away("a", old).await;
    let new = stand.push("a", "two", &["t"]).await;
    assert_eq!(stand.restore("a", tag("t")).await, RestoreOutcome::Stands(new));
    assert_eq!(stand.restore("a", old).await, restored(old, &["u"], 1));
    assert_eq!(stand.tag("a", "t").await, Some(new));
    assert_eq!(stand.tag("a", "u").await, Some(old));
}

/// Those first that others need.
pub async fn an_index_comes_back_with_what_is_in_it(stand: &Stand) {
    let (one, two) = (stand.push("a", "one", &[]).await, stand.push("a", "two", &["two"]).await);
    let push = async |manifest: &serde_json::Value, tags: &[&str]| {
        let commit = commit("a", manifest, tags);
        let digest = commit.digest;
        assert_eq!(stand.commit(commit).await, CommitOutcome::Committed);
        digest
    };
    let inner = push(&index(&[one]), &[]).await;
    let outer = push(&index(&[inner, two, one]), &["t"]).await;
    for manifest in [outer, inner, one] {
        stand.throw_away("a", manifest).await;
    }
    assert_eq!(stand.restore("a", outer).await, restored(outer, &["t"], 3));
    for manifest in [outer, inner, one, two] {
        assert!(stand.has("a", manifest).await, "{manifest}");
    }
    assert_eq!(stand.tag("a", "two").await, Some(two));
}

/// Then nothing comes back.
pub async fn an_index_whose_image_is_gone_for_good_does_not_come_back(stand: &Stand) {
    let child = stand.push("a", "one", &[]).await;
    let parent = commit("a", &index(&[child]), &["t"]);
    let outer = parent.digest;
    stand.commit(parent).await;
    stand.throw_away("a", child).await;
    stand.clock.advance(GRACE);
    stand.throw_away("a", outer).await;
    let before = stand.everything().await;
    assert_eq!(stand.restore("a", outer).await, RestoreOutcome::Lost(child));
    assert_eq!(stand.everything().await, before);
}

/// What was deleted by hand is not there for anybody, until the manifest that needs it is.
pub async fn a_manifest_comes_back_with_a_blob_that_was_deleted_by_hand(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    let other = image(&[blob("one"), blob("one")]);
    stand.throw_away("a", manifest).await;
    let remove = async || {
        let (repository, digest) = (name("a"), blob("one"));
        let removal = RemoveBlob { repository, digest, by: "bob".into() };
        stand.metadata.remove_blob(removal).await.unwrap()
    };
    assert_eq!(remove().await, RemoveOutcome::Removed);
    assert_eq!(stand.held("a", blob("one")).await, None);
    assert_eq!(remove().await, RemoveOutcome::NotHeld);
    for sources in [Sources::Any, Sources::PublicOr(vec![name("a")])] {
        for from in [None, Some(name("a"))] {
            let (repository, digest, sources) = (name("b"), blob("one"), sources.clone());
            let mount = MountBlob { repository, digest, from, sources };
            assert!(!stand.metadata.mount_blob(mount).await.unwrap());
        }
    }
    let keep = KeepBlob { repository: name("a"), digest: blob("one"), grace: GRACE };
    assert!(!stand.metadata.keep_blob(keep).await.unwrap());
    let missing = CommitOutcome::Missing(vec![blob("one")]);
    assert_eq!(stand.commit(commit("a", &other, &[])).await, missing);
    stand.clock.advance(GRACE - TICK);
    stand.garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
    assert_eq!(stand.restore("a", manifest).await, restored(manifest, &["t"], 1));
    assert!(stand.held("a", blob("one")).await.is_some());
    assert_eq!(stand.commit(commit("a", &other, &[])).await, CommitOutcome::Committed);
}

/// Whoever pushes it has it back; and else it goes with what it was kept for.
pub async fn a_blob_that_was_deleted_by_hand_is_pushed_again_or_goes(stand: &Stand) {
    for text in ["one", "two"] {
        let manifest = stand.push("a", text, &[]).await;
        stand.throw_away("a", manifest).await;
        let (repository, digest) = (name("a"), blob(text));
        let removal = RemoveBlob { repository, digest, by: "bob".into() };
        assert_eq!(stand.metadata.remove_blob(removal).await.unwrap(), RemoveOutcome::Removed);
    }
    stand.clock.advance(GRACE / 2);
    stand.hold("a", blob("one")).await;
    assert!(stand.held("a", blob("one")).await.is_some());
    stand.clock.advance(GRACE / 2);
    stand.garbage.sweep_memberships(None, GRACE, 100).await.unwrap();
    let left = stand.rows("SELECT blob_digest, removed FROM repository_blobs", &[]).await;
    assert_eq!(left, [format!("{} 0", blob("one"))]);
    assert_eq!(stand.marks(blob("two")).await, ["0 marked"]);
}

/// Nor do those of its images that could.
pub async fn an_index_comes_back_whole_or_not_at_all(stand: &Stand) {
    let children = [stand.push("a", "one", &[]).await, stand.push("a", "two", &[]).await];
    for order in [[0, 1], [1, 0]] {
        let parent = commit("a", &index(&order.map(|it| children[it])), &["t"]);
        let outer = parent.digest;
        stand.commit(parent).await;
        for manifest in [outer, children[0], children[1]] {
            stand.throw_away("a", manifest).await;
        }
        // As a restored database lacks what its store lacked.
        let lose = "DELETE FROM repository_blobs WHERE blob_digest = $1";
        stand.rows(lose, &[blob("two")]).await;
        let missing = CommitOutcome::Missing(vec![blob("two")]);
        assert_eq!(stand.restore("a", outer).await, RestoreOutcome::Refused(missing));
        for manifest in [outer, children[0], children[1]] {
            assert!(!stand.has("a", manifest).await, "{manifest}");
        }
        stand.hold("a", blob("two")).await;
        assert_eq!(stand.restore("a", outer).await, restored(outer, &["t"], 3));
    }
}

/// Where that was deleted by itself, it comes back, too; and where it is lost, so is the whole.
pub async fn an_index_comes_back_with_what_is_gone_below_a_part_that_is_there(stand: &Stand) {
    let part = stand.push("a", "one", &[]).await;
    let inner = stand.put("a", &index(&[part]), &[]).await;
    let outer = stand.put("a", &index(&[inner]), &["t"]).await;
    for manifest in [outer, part] {
        stand.throw_away("a", manifest).await;
    }
    assert!(stand.has("a", inner).await && !stand.has("a", part).await);
    assert_eq!(stand.restore("a", outer).await, restored(outer, &["t"], 2));
    assert!(stand.has("a", part).await);
    for manifest in [outer, part] {
        stand.throw_away("a", manifest).await;
    }
    stand.rows("DELETE FROM deleted_manifests WHERE digest = $1", &[part]).await;
    assert_eq!(stand.restore("a", outer).await, RestoreOutcome::Lost(part));
}

/// No push makes such ones. Who looks at them comes to an end.
pub async fn manifests_that_need_each_other_do_not_come_back(stand: &Stand) {
    let child = stand.push("a", "one", &[]).await;
    let outer = stand.put("a", &index(&[child]), &["t"]).await;
    stand.throw_away("a", outer).await;
    let back = "INSERT INTO manifest_references (parent, child) SELECT child, parent FROM manifest_references";
    stand.rows(back, &[]).await;
    let (repository, what) = (name("a"), outer.into());
    let restore = Restore { repository, what, grace: GRACE, by: "carol".into() };
    let told = stand.trash.restore(restore).await;
    assert!(matches!(told, Err(StoreError::Corrupt(_))), "{told:?}");
}

/// Who brought what back is written down.
pub async fn what_comes_back_is_in_the_audit_log(stand: &Stand) {
    let manifest = stand.push("a", "one", &["t"]).await;
    stand.throw_away("a", manifest).await;
    stand.restore("a", manifest).await;
    let log = "SELECT by, action FROM audit_log ORDER BY id";
    let log = stand.rows(log, &[]).await;
    assert!(log.ends_with(&["carol manifest.restore".to_owned()]), "{log:?}");
}
