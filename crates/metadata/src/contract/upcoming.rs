//! Rules of what operators are told of the rest that is on its way out: repositories, blobs that nothing needs, uploads.

use std::time::Duration;

use wharf_core::metadata::{
    Change, GoingRepository, HeldPlace, Purged, SetWrites, StagedUpload, UnneededBlob,
};
use wharf_core::writes::{WriteMode, WriteScope};

use super::garbage::GRACE;
use super::samples::{blob, name};
use super::stand::{LIFETIME, Stand};
use super::usage::{push, upload};

impl Stand {
    async fn going_repositories(&self) -> Vec<GoingRepository> {
        self.garbage.list_going_repositories(None, 100).await.unwrap()
    }

    /// One after the other.
    async fn unneeded(&self) -> Vec<UnneededBlob> {
        let (mut after, mut found) = (None::<HeldPlace>, Vec::new());
        loop {
            let page = self.garbage.list_unneeded(after, 1).await.unwrap();
            found.extend(page.blobs);
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    }
}

/// Until nothing is left of it; with the bytes of what only it holds.
pub async fn deleted_repositories_are_listed_with_what_they_free(stand: &Stand) {
    push(stand, "team/one", &[("own", 10), ("shared", 100)], &["t"]).await.unwrap();
    push(stand, "team/two", &[("other", 1000), ("shared", 100)], &["t"]).await.unwrap();
    assert!(stand.going_repositories().await.is_empty());
    stand.throw_away_all("team/one").await;
    let deleted_at = stand.clock_now();
    let going = stand.going_repositories().await;
    let expected = GoingRepository {
        number: going[0].number,
        name: name("team/one"),
        deleted_at,
        is_begun: false,
        manifests: 1,
        bytes: 10,
    };
    assert_eq!(going, std::slice::from_ref(&expected));
    stand.clock.advance(Duration::from_secs(1));
    stand.throw_away_all("team/two").await;
    let behind = stand.garbage.list_going_repositories(Some(expected.number), 100).await.unwrap();
    assert_eq!((behind.len(), behind[0].name.as_str()), (1, "team/two"));
    stand.clock.advance(GRACE - Duration::from_secs(1));
    let purged = stand.garbage.purge_repositories(GRACE, 1).await.unwrap();
    assert_eq!(purged, Purged { rows: 1, repositories: 0 });
    let begun: Vec<_> = stand.going_repositories().await.iter().map(|it| it.is_begun).collect();
    assert_eq!(begun, [true, false]);
    stand.purge(100).await;
    let left: Vec<_> = stand.going_repositories().await.into_iter().map(|it| it.name).collect();
    assert_eq!(left, [name("team/two")]);
}

/// But for what a manifest needs, or one in the trash, which is counted with that; and for repositories that are read-only.
pub async fn blobs_that_nothing_needs_are_listed(stand: &Stand) {
    let needed = stand.push("a", "needed", &["t"]).await;
    let thrown = stand.push("a", "thrown away", &[]).await;
    stand.remove("a", thrown).await;
    upload(stand, "a", blob("loose"), 7).await.unwrap();
    upload(stand, "a", blob("needed"), 8).await.unwrap();
    upload(stand, "b", blob("needed"), 8).await.unwrap();
    let at = stand.clock_now();
    let unneeded = |repository, text, bytes, is_held_elsewhere| UnneededBlob {
        repository: name(repository),
        digest: blob(text),
        bytes: Some(bytes),
        touched_at: at,
        is_held_elsewhere,
    };
    let expected = [unneeded("a", "loose", 7, false), unneeded("b", "needed", 8, true)];
    assert_eq!(stand.unneeded().await, expected);
    for (mode, count) in [(WriteMode::ReadOnly, 1), (WriteMode::Writable, 2)] {
        let scope = WriteScope::Repository(name("b"));
        let set = SetWrites { scope, mode, reason: None };
        assert_eq!(stand.change(set).await, Change::Done);
        assert_eq!(stand.unneeded().await.len(), count, "{mode}");
    }
    // These are those that go.
    stand.clock.advance(GRACE);
    stand.empty_trash().await;
    assert_eq!(stand.unneeded().await.len(), 3);
    assert_eq!(stand.sweep().await, 3);
    assert!(stand.unneeded().await.is_empty());
    assert!(stand.has("a", needed).await);
}

/// With what they have staged, and when they expire.
pub async fn uploads_are_listed_with_what_is_staged_of_them(stand: &Stand) {
    let mut ids = [stand.start("a").await, stand.start("b").await];
    ids.sort_by_key(|id| id.to_bytes());
    let expires_at = stand.clock_now().after(LIFETIME);
    let listed = stand.garbage.list_staged(None, 100).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), ids);
    assert!(listed.iter().all(|it| it.bytes == 0 && it.expires_at == expires_at));
    let behind = stand.garbage.list_staged(Some(ids[0]), 100).await.unwrap();
    assert_eq!(behind, listed[1..]);
    let StagedUpload { repository, .. } = &listed[0];
    let to = repository.as_ref().map(ToString::to_string);
    assert!(matches!(to.as_deref(), Some("a" | "b")), "{to:?}");
    assert_eq!(stand.garbage.count_garbage(100).await.unwrap().uploads, 2);
    stand.metadata.cancel_upload(ids[0]).await.unwrap();
    assert_eq!(stand.garbage.list_staged(None, 100).await.unwrap(), behind);
}
