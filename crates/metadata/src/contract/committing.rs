//! Rules of committing a manifest: its bytes, all that it needs, and nothing when something is missing.

use wharf_core::metadata::{CommitOutcome, Precondition};
use wharf_oci::{MediaType, Reference};

use super::samples::{blob, commit, image, index, name, with_layer};
use super::stand::{Stand, TICK};

/// However they are written: they are found again under their digest and under the tag.
pub async fn a_manifest_is_stored_byte_by_byte(stand: &Stand) {
    let config = blob("config");
    stand.hold("a", config).await;
    let commit = commit("a", &image(&[config]), &["latest"]);
    assert!(commit.payload.contains(&b'\n'), "the bytes are not what would be written again");
    assert_eq!(stand.commit(commit.clone()).await, CommitOutcome::Committed);
    for reference in [Reference::Digest(commit.digest), Reference::Tag("latest".parse().unwrap())] {
        let found = stand.metadata.find_manifest(name("a"), reference).await.unwrap().unwrap();
        assert_eq!(found.digest, commit.digest);
        assert_eq!(found.media_type, MediaType::ImageManifest);
        assert_eq!(found.payload, commit.payload);
    }
}

/// Knowing its digest opens nothing elsewhere.
pub async fn a_manifest_is_found_only_in_its_repository(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.push("b", "two", &[]).await;
    assert!(stand.has("a", digest).await);
    assert!(!stand.has("b", digest).await);
    assert!(!stand.has("unknown", digest).await);
    assert_eq!(stand.tag("b", "latest").await, None);
    assert_eq!(stand.tag("unknown", "latest").await, None);
}

/// Configuration and layers, each once.
pub async fn every_missing_blob_is_named_and_nothing_is_changed(stand: &Stand) {
    let (config, held, one, two) = (blob("config"), blob("held"), blob("one"), blob("two"));
    stand.hold("a", held).await;
    let before = stand.everything().await;
    let commit = commit("a", &image(&[config, one, held, two, one]), &["latest"]);
    let missing = CommitOutcome::Missing(vec![config, one, two]);
    assert_eq!(stand.commit(commit).await, missing);
    assert_eq!(stand.everything().await, before);
}

/// A child that is a blob there, or a manifest elsewhere, is no manifest of the repository.
pub async fn every_missing_child_is_named_and_nothing_is_changed(stand: &Stand) {
    let held = stand.push("a", "one", &[]).await;
    let elsewhere = stand.push("b", "two", &[]).await;
    let unknown = blob("unknown");
    let a_blob = blob("one");
    let before = stand.everything().await;
    let wanted = commit("a", &index(&[unknown, held, elsewhere, a_blob]), &["latest"]);
    let missing = CommitOutcome::Missing(vec![unknown, elsewhere, a_blob]);
    assert_eq!(stand.commit(wanted).await, missing);
    assert_eq!(stand.everything().await, before);
    let whole = commit("a", &index(&[held]), &["latest"]);
    assert_eq!(stand.commit(whole.clone()).await, CommitOutcome::Committed);
    assert_eq!(stand.tag("a", "latest").await, Some(whole.digest));
}

/// A part of an index may have been deleted since: what needs the index is refused by that part's name, however far down it is.
pub async fn an_index_is_whole_all_the_way_down(stand: &Stand) {
    let parts = [stand.push("a", "one", &[]).await, stand.push("a", "two", &[]).await];
    let inner = stand.put("a", &index(&parts), &[]).await;
    let middle = stand.put("a", &index(&[inner]), &[]).await;
    stand.delete("a", parts[1], Precondition::None).await;
    let before = stand.everything().await;
    for needed in [vec![inner], vec![middle], vec![middle, parts[0]]] {
        let outer = commit("a", &index(&needed), &["latest"]);
        // The innermost is a push of the same again, and no more whole for that.
        assert_eq!(stand.commit(outer).await, CommitOutcome::Missing(vec![parts[1]]));
    }
    assert_eq!(stand.everything().await, before);
    stand.push("a", "two", &[]).await;
    let outer = commit("a", &index(&[middle]), &["latest"]);
    assert_eq!(stand.commit(outer).await, CommitOutcome::Committed);
}

/// What they need is theirs to know.
pub async fn what_is_below_a_manifest_of_others_is_not_told(stand: &Stand) {
    let part = stand.push("b", "one", &[]).await;
    let inner = stand.put("b", &index(&[part]), &[]).await;
    let outer = commit("a", &index(&[inner]), &["latest"]);
    for _ in 0..2 {
        let missing = CommitOutcome::Missing(vec![inner]);
        assert_eq!(stand.commit(outer.clone()).await, missing);
        // Also once there is such a repository.
        stand.push("a", "two", &[]).await;
    }
}

/// Also when the same manifest is stored already, for another repository.
pub async fn content_that_another_repository_holds_is_missing(stand: &Stand) {
    let config = blob("one");
    let digest = stand.push("a", "one", &["latest"]).await;
    stand.hold("b", blob("two")).await;
    let commit = commit("b", &image(&[config]), &["latest"]);
    assert_eq!(commit.digest, digest);
    assert_eq!(stand.commit(commit).await, CommitOutcome::Missing(vec![config]));
    assert!(!stand.has("b", digest).await);
}

/// Their owner lets nobody distribute them; the others of the image are needed.
pub async fn non_distributable_layers_are_not_needed(stand: &Stand) {
    let config = blob("config");
    let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    let docker = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let image = with_layer(image(&[config]), foreign, blob("foreign"));
    let image = with_layer(image, docker, blob("docker"));
    let wanted = commit("a", &image, &["latest"]);
    assert_eq!(stand.commit(wanted.clone()).await, CommitOutcome::Missing(vec![config]));
    stand.hold("a", config).await;
    assert_eq!(stand.commit(wanted).await, CommitOutcome::Committed);
}

/// Those and no others, each time: a sweep finds them young.
pub async fn a_commit_touches_each_membership_that_it_needs(stand: &Stand) {
    let needed = [blob("config"), blob("one"), blob("two")];
    for digest in needed {
        stand.hold("a", digest).await;
    }
    stand.hold("a", blob("other")).await;
    stand.hold("b", needed[0]).await;
    let commit = commit("a", &image(&needed), &[]);
    for round in 1..=2 {
        stand.clock.advance(TICK);
        stand.commit(commit.clone()).await;
        let touched = "SELECT r.name, b.blob_digest FROM repository_blobs b
             JOIN repositories r ON r.id = b.repository_id
             WHERE b.touched_at = (SELECT max(touched_at) FROM repository_blobs)
             ORDER BY b.blob_digest";
        let mut expected = needed.map(|digest| format!("a {digest}"));
        expected.sort();
        assert_eq!(stand.rows(touched, &[]).await, expected, "round {round}");
    }
}

/// No history, no event, no other time or person.
pub async fn the_same_push_again_changes_nothing(stand: &Stand) {
    let config = blob("config");
    stand.hold("a", config).await;
    let mut commit = commit("a", &image(&[config]), &["latest", "1"]);
    stand.commit(commit.clone()).await;
    let before = stand.everything().await;
    stand.clock.advance(TICK);
    commit.by = "bob".into();
    assert_eq!(stand.commit(commit).await, CommitOutcome::Committed);
    assert_eq!(stand.everything().await, before);
}

/// Those that stand there already have no history of it.
pub async fn several_tags_move_in_one_commit(stand: &Stand) {
    let old = stand.push("a", "old", &["1", "latest"]).await;
    let new = stand.push("a", "new", &["1.1"]).await;
    stand.push("a", "new", &["1", "1.1", "latest", "1.1.0"]).await;
    for tag in ["1", "1.1", "latest", "1.1.0"] {
        assert_eq!(stand.tag("a", tag).await, Some(new));
    }
    for tag in ["1", "latest"] {
        let history = [format!("1 create - {old}"), format!("2 move {old} {new}")];
        assert_eq!(stand.history("a", tag).await, history);
    }
    for tag in ["1.1", "1.1.0"] {
        assert_eq!(stand.history("a", tag).await, [format!("1 create - {new}")]);
    }
}

/// A client may repeat itself; the history does not.
pub async fn a_tag_named_twice_moves_once(stand: &Stand) {
    let old = stand.push("a", "old", &["latest", "latest"]).await;
    let new = stand.push("a", "new", &["latest", "latest"]).await;
    let history = [format!("1 create - {old}"), format!("2 move {old} {new}")];
    assert_eq!(stand.history("a", "latest").await, history);
    assert_eq!(stand.tag("a", "latest").await, Some(new));
}

/// Nor is anything to be seen of it.
pub async fn a_refused_commit_makes_no_repository(stand: &Stand) {
    let before = stand.everything().await;
    let image = commit("new", &image(&[blob("config")]), &["latest"]);
    assert!(matches!(stand.commit(image).await, CommitOutcome::Missing(_)));
    let mut empty = commit("new", &index(&[]), &["latest"]);
    empty.precondition = wharf_core::metadata::Precondition::Exists;
    assert!(matches!(stand.commit(empty.clone()).await, CommitOutcome::Precondition(..)));
    assert_eq!(stand.everything().await, before);
    assert_eq!(stand.metadata.list_tags(name("new"), None, 10).await.unwrap(), None);
    // One that needs nothing makes it.
    empty.precondition = wharf_core::metadata::Precondition::None;
    assert_eq!(stand.commit(empty).await, CommitOutcome::Committed);
    assert!(stand.metadata.list_tags(name("new"), None, 10).await.unwrap().is_some());
}

/// What one tenant pushed does not change for the other.
pub async fn a_manifest_of_two_repositories_is_stored_once(stand: &Stand) {
    let digest = stand.push("a", "one", &["latest"]).await;
    let row = "SELECT digest, size, created_at FROM manifests";
    let before = stand.rows(row, &[]).await;
    stand.clock.advance(TICK);
    assert_eq!(stand.push("b", "one", &["latest"]).await, digest);
    assert_eq!(stand.rows(row, &[]).await, before);
    let pushes = "SELECT r.name FROM repository_manifests m
         JOIN repositories r ON r.id = m.repository_id WHERE m.digest = $1 ORDER BY r.name";
    assert_eq!(stand.rows(pushes, &[digest]).await, ["a", "b"]);
}
