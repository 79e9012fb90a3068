//! Rules of scrubs for the bytes of manifests: what is damaged is found, is not taken for good by anybody, and is put right by a copy or a push.

use bytes::Bytes;
use wharf_core::StoreError;
use wharf_core::metadata::{
    CheckedManifest, CommitManifest, CommitOutcome, Damage, FaultKind, FindingFilter, FoundKind,
    NotedManifest, ReleaseOutcome, RepairManifest, Restore,
};
use wharf_oci::{Algorithm, Digest, Hasher, Reference};

use super::garbage::GRACE;
use super::samples::{blob, commit, image, name};
use super::stand::{Stand, TICK};

impl Stand {
    /// Has a manifest stored with other bytes: those of a digest.
    pub(crate) async fn damage(&self, manifest: Digest) -> Vec<u8> {
        let bytes = blob("damaged");
        let sql = "UPDATE manifests SET payload = $1, size = 33 WHERE digest = $2";
        self.rows(sql, &[bytes, manifest]).await;
        bytes.to_binary()
    }

    async fn payload(&self, repository: &str, digest: Digest) -> Bytes {
        let reference = Reference::Digest(digest);
        let found = self.metadata.find_manifest(name(repository), reference).await.unwrap();
        found.unwrap().payload
    }

    async fn all_stored(&self) -> Vec<CheckedManifest> {
        self.integrity.stored_manifests(None, 100, u64::MAX).await.unwrap()
    }

    async fn noted(&self, digest: Digest) -> NotedManifest {
        self.integrity.note_damaged_manifest(digest).await.unwrap()
    }

    pub(crate) async fn mended(&self, digest: Digest, payload: &Bytes) -> Result<bool, StoreError> {
        let (payload, source) = (payload.clone(), "the other shelf".to_owned());
        self.integrity.repair_manifest(RepairManifest { digest, payload, source }).await
    }

    /// A manifest that two repositories hold.
    async fn shared_manifest(&self) -> CommitManifest {
        self.push("a", "one", &["t"]).await;
        self.push("b", "one", &[]).await;
        let push = commit("b", &image(&[blob("one")]), &[]);
        self.rows("DELETE FROM events", &[]).await;
        push
    }
}

/// And told to all who hold it, once. What was there is kept until an operator does not need it.
pub async fn a_damaged_manifest_is_found_and_repaired(stand: &Stand) {
    let CommitManifest { digest, payload, .. } = stand.shared_manifest().await;
    assert_eq!(stand.noted(digest).await, NotedManifest::Sound);
    let bytes = stand.damage(digest).await;
    let found = stand.all_stored().await;
    assert_eq!((found.len(), found[0].is_flagged), (1, false));
    let is = Hasher::digest(Algorithm::Sha256, &bytes);
    assert_eq!(found[0].damage(), Some(Damage::WrongDigest(is)));
    assert_eq!(stand.noted(digest).await, NotedManifest::New);
    assert_eq!(stand.noted(digest).await, NotedManifest::Known);
    assert!(stand.all_stored().await[0].is_flagged);
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 0);
    let counts = stand.integrity.count_findings().await.unwrap();
    assert_eq!(counts, [(FoundKind::Known(FaultKind::DamagedManifest), 1)]);

    // Nothing else is taken for its bytes.
    let refused = stand.mended(digest, &Bytes::from_static(b"{}")).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert_eq!(stand.payload("a", digest).await, bytes);
    assert_eq!(stand.rows("SELECT count(*) FROM damaged_manifests", &[]).await, ["0"]);
    assert!(stand.mended(digest, &payload).await.unwrap());
    assert!(!stand.mended(digest, &payload).await.unwrap());
    for repository in ["a", "b"] {
        assert_eq!(stand.payload(repository, digest).await, payload);
    }
    let found = stand.integrity.list_scrub_findings(FindingFilter::ALL, None, 10).await.unwrap();
    assert_eq!((found.len(), found[0].digest), (1, digest));
    assert!(found[0].is_quarantined && found[0].detail.contains(&is.to_string()));
    assert_eq!(found[0].repaired_from.as_deref(), Some("the other shelf"));
    assert_eq!(found[0].resolved_at, Some(stand.clock_now()));
    let (damaged, repaired) =
        (format!("manifest.damaged {digest}"), format!("manifest.repaired {digest}"));
    assert_eq!(
        stand.events().await,
        [&damaged, &damaged, &repaired, &repaired].map(String::as_str)
    );

    let kept = "SELECT count(*) FROM damaged_manifests WHERE payload = $1 AND digest = $2";
    assert_eq!(stand.rows(kept, &[blob("damaged"), digest]).await, ["1"]);
    let release = || stand.integrity.release(digest, "user:ada".into(), GRACE);
    stand.clock.advance(GRACE - TICK);
    assert_eq!(release().await.unwrap(), ReleaseOutcome::TooYoung);
    stand.clock.advance(TICK);
    assert_eq!(release().await.unwrap(), ReleaseOutcome::Released(1));
    assert_eq!(release().await.unwrap(), ReleaseOutcome::NotQuarantined);
    let told =
        "SELECT by, action, target FROM audit_log WHERE action LIKE 'manifest.re%' ORDER BY id";
    let told = stand.rows(told, &[]).await;
    let by = |by, action| format!("{by} {action} manifest:{digest}");
    assert_eq!(told, [by("system", "manifest.repair"), by("user:ada", "manifest.release")]);
    let found = stand.integrity.list_scrub_findings(FindingFilter::ALL, None, 10).await.unwrap();
    assert!(!found[0].is_quarantined);
}

/// Nobody who pushes it is told that it was taken while other bytes are stored.
pub async fn a_push_gives_a_damaged_manifest_its_bytes_back(stand: &Stand) {
    let push = stand.shared_manifest().await;
    let digest = push.digest;
    stand.damage(digest).await;
    stand.noted(digest).await;
    assert_eq!(stand.commit(push.clone()).await, CommitOutcome::Committed);
    assert_eq!(stand.payload("a", digest).await, push.payload);
    assert!(
        stand
            .integrity
            .list_scrub_findings(FindingFilter::default(), None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let found = stand.integrity.list_scrub_findings(FindingFilter::ALL, None, 10).await.unwrap();
    assert_eq!(found[0].repaired_from.as_deref(), Some("a push"));
    assert_eq!(stand.rows("SELECT count(*) FROM damaged_manifests", &[]).await, ["1"]);
    // One whose bytes are right changes nothing.
    assert_eq!(stand.commit(push).await, CommitOutcome::Committed);
    assert_eq!(stand.rows("SELECT count(*) FROM damaged_manifests", &[]).await, ["1"]);
}

/// As when the database was put right from a copy; or nobody has it any more.
pub async fn what_was_found_of_a_manifest_is_resolved(stand: &Stand) {
    let CommitManifest { digest, payload, .. } = stand.shared_manifest().await;
    stand.damage(digest).await;
    stand.noted(digest).await;
    stand.integrity.note_sound_manifest(digest).await.unwrap();
    let found = stand.integrity.list_scrub_findings(FindingFilter::ALL, None, 10).await.unwrap();
    assert_eq!((found.len(), &found[0].repaired_from), (1, &None));
    assert!(found[0].resolved_at.is_some() && !found[0].is_quarantined);
    assert_eq!(stand.noted(digest).await, NotedManifest::New);
    for table in ["tags", "repository_manifests", "blob_references", "manifests"] {
        stand.rows(&format!("DELETE FROM {table}"), &[]).await;
    }
    assert_eq!(stand.noted(digest).await, NotedManifest::Sound);
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 1);
    assert!(!stand.mended(digest, &payload).await.unwrap());
}

/// It is not brought back as if it were whole.
pub async fn a_damaged_manifest_is_not_restored(stand: &Stand) {
    let digest = stand.push("a", "one", &["t"]).await;
    stand.remove("a", digest).await;
    stand.damage(digest).await;
    let restore = Restore {
        repository: name("a"),
        what: Reference::Digest(digest),
        grace: GRACE,
        by: "user:ada".into(),
    };
    let refused = stand.trash.restore(restore).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert!(!stand.has("a", digest).await);
}

/// By their number and by their bytes, and one at least.
pub async fn stored_manifests_are_read_in_pages(stand: &Stand) {
    let mut digests = Vec::new();
    for text in ["one", "two", "three", "four"] {
        digests.push(stand.push("a", text, &[]).await);
    }
    digests.sort();
    let all = stand.all_stored().await;
    let found: Vec<_> = all.iter().map(|manifest| manifest.digest).collect();
    assert_eq!(found, digests);
    assert!(all.iter().all(|manifest| manifest.damage().is_none() && !manifest.is_flagged));
    let page = |after, limit, bytes| stand.integrity.stored_manifests(after, limit, bytes);
    let after = Some(digests[0]);
    assert_eq!(page(after, 2, u64::MAX).await.unwrap(), all[1..3]);
    let two = all[1].size + all[2].size;
    assert_eq!(page(after, 100, two).await.unwrap(), all[1..3]);
    assert_eq!(page(after, 100, two - 1).await.unwrap(), all[1..2]);
    assert_eq!(page(after, 100, 0).await.unwrap(), all[1..2]);
    assert!(page(Some(digests[3]), 100, u64::MAX).await.unwrap().is_empty());
    let holders = stand.integrity.manifest_holders(digests[0], 10).await.unwrap();
    assert_eq!(holders, [name("a")]);
}
