//! Rules of findings: what a list of them shows.

use wharf_core::metadata::{
    Damage, FaultKind, FindingFilter, FindingState, FindingStates, FoundKind, Pass, ScrubFinding,
};
use wharf_oci::Digest;

use super::samples::blob;
use super::stand::Stand;

impl Stand {
    async fn found(&self, kind: Option<FaultKind>, states: FindingStates) -> Vec<ScrubFinding> {
        let filter = FindingFilter { kind, states };
        self.integrity.list_scrub_findings(filter, None, 100).await.unwrap()
    }
}

fn digests(found: &[ScrubFinding]) -> Vec<Digest> {
    found.iter().map(|finding| finding.digest).collect()
}

/// Each is in one state, and is listed by that, by its kind, and in pages.
pub async fn findings_are_listed_by_kind_and_by_what_became_of_them(stand: &Stand) {
    let broken = stand.hold("a", blob("broken")).await;
    stand.integrity.note_unreadable(broken, "broken".to_owned()).await.unwrap();
    let manifest = stand.push("b", "lost", &[]).await;
    let lost = stand.quarantined("a", "lost").await;
    let repaired = stand.quarantined("a", "repaired").await;
    let finish = stand.repairing(repaired).await;
    assert!(stand.integrity.finish_repair(finish).await.unwrap());
    let sound = stand.quarantined("a", "sound").await;
    assert!(stand.integrity.note_sound(sound).await.unwrap());
    // What is missing for one is quarantined for others.
    let row = "DELETE FROM repository_blobs WHERE blob_digest = $1 AND repository_id IN
        (SELECT repository_id FROM repository_manifests WHERE digest = $2)";
    stand.rows(row, &[lost.digest, manifest]).await;
    assert_eq!(stand.integrity.check_references(None, 10).await.unwrap().found, 1);

    let all = [broken, lost, repaired, sound, lost].map(|key| key.digest);
    let found = stand.found(None, FindingStates::All).await;
    assert_eq!(digests(&found), all);
    use FindingState::{Gone, Open, Quarantined, Repaired};
    let states: Vec<_> = found.iter().map(ScrubFinding::state).collect();
    assert_eq!(states, [Open, Quarantined, Repaired, Gone, Open]);
    for (state, expected) in [
        (Open, &[broken, lost][..]),
        (Quarantined, &[lost]),
        (Repaired, &[repaired]),
        (Gone, &[sound]),
    ] {
        let found = stand.found(None, FindingStates::Only(state)).await;
        let expected: Vec<_> = expected.iter().map(|key| key.digest).collect();
        assert_eq!(digests(&found), expected, "{state:?}");
    }
    assert_eq!(
        digests(&stand.found(None, FindingStates::Unresolved).await),
        [broken, lost, lost].map(|key| key.digest)
    );
    let missing = Some(FaultKind::Missing);
    let found = stand.found(missing, FindingStates::All).await;
    assert_eq!(digests(&found), [lost, repaired, sound].map(|key| key.digest));
    let found = stand.found(missing, FindingStates::Unresolved).await;
    assert_eq!(digests(&found), [lost.digest]);
    assert!(stand.found(Some(FaultKind::WrongSize), FindingStates::All).await.is_empty());
    let only = FindingFilter { kind: missing, states: FindingStates::All };
    let after = found[0].id;
    let behind = stand.integrity.list_scrub_findings(only, Some(after), 1).await.unwrap();
    assert_eq!(digests(&behind), [repaired.digest]);
}

/// What is kept of a manifest that was repaired is not of the damage that came after it.
pub async fn a_manifest_that_is_damaged_again_is_an_open_finding(stand: &Stand) {
    let digest = stand.push("a", "one", &[]).await;
    let state = async || {
        let found = stand.found(Some(FaultKind::DamagedManifest), FindingStates::All).await;
        assert_eq!(found.len(), 1);
        (found[0].state(), found[0].is_quarantined)
    };
    for _ in 0..2 {
        stand.damage(digest).await;
        stand.integrity.note_damaged_manifest(digest).await.unwrap();
        assert_eq!(state().await, (FindingState::Open, false));
        stand.push("a", "one", &[]).await;
        assert_eq!(state().await, (FindingState::Repaired, true));
    }
}

/// In the audit log, and in the events of the repository that was pushed to: who pushes what is not told to all who hold the same.
pub async fn a_push_that_repairs_is_told_as_its_pushers(stand: &Stand) {
    let manifest = stand.push("a", "one", &[]).await;
    let key = stand.hold("b", blob("one")).await;
    stand.push("b", "one", &[]).await;
    assert!(stand.integrity.quarantine(key, Damage::Missing).await.unwrap());
    stand.damage(manifest).await;
    stand.integrity.note_damaged_manifest(manifest).await.unwrap();
    stand.rows("DELETE FROM events", &[]).await;
    stand.push("b", "one", &[]).await;
    let events = "SELECT r.name, e.kind, e.payload FROM events e
        JOIN repositories r ON r.id = e.repository_id WHERE e.kind LIKE '%.repaired' ORDER BY e.id";
    let told: Vec<_> = stand.rows(events, &[]).await.iter().map(|row| by(row)).collect();
    assert_eq!(
        told,
        [
            "a blob.repaired by system",
            "b blob.repaired by alice",
            "a manifest.repaired by system",
            "b manifest.repaired by alice"
        ]
    );
    let audit = "SELECT by, action, target FROM audit_log WHERE action LIKE '%.repair' ORDER BY id";
    let (blob, manifest) = (format!("blob:{}", key.digest), format!("manifest:{manifest}"));
    assert_eq!(
        stand.rows(audit, &[]).await,
        [format!("alice blob.repair {blob}"), format!("alice manifest.repair {manifest}")]
    );
    let found = stand.found(None, FindingStates::Only(FindingState::Repaired)).await;
    let from: Vec<_> = found.iter().map(|found| found.repaired_from.as_deref()).collect();
    assert_eq!(from, [Some("a push"); 2]);
}

/// The row of an event, with who did it in place of all that it says.
fn by(row: &str) -> String {
    let (start, payload) = row.split_at(row.find('{').unwrap());
    let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
    format!("{start}by {}", payload["by"].as_str().unwrap())
}

/// While nodes are upgraded one after the other, the old ones read what the new ones write: they tell of it by its name, and go on with
/// what they know.
pub async fn what_only_newer_releases_find_is_told_by_its_name(stand: &Stand) {
    let known = stand.hold("a", blob("one")).await;
    stand.integrity.note_unreadable(known, "broken".to_owned()).await.unwrap();
    let newer = "INSERT INTO scrub_findings
        (kind, digest, incarnation, repository_id, needed_by, detail, found_at, seen_at)
        VALUES ('crooked', $1, 0, 0, substr($1, 1, 0), 'it is crooked', 1, 1)";
    stand.rows(newer, &[blob("two")]).await;
    let kinds = [FoundKind::Newer("crooked".to_owned()), FoundKind::Known(FaultKind::Unreadable)];
    let counts = stand.integrity.count_findings().await.unwrap();
    assert_eq!(counts, [(kinds[0].clone(), 1), (kinds[1].clone(), 1)]);
    let found =
        stand.integrity.list_scrub_findings(FindingFilter::default(), None, 10).await.unwrap();
    assert_eq!(
        found.iter().map(|found| found.kind.clone()).collect::<Vec<_>>(),
        [kinds[1].clone(), kinds[0].clone()]
    );
    assert_eq!((found[1].kind.name(), found[1].detail.as_str()), ("crooked", "it is crooked"));
    // Whoever knows them resolves them.
    assert_eq!(stand.integrity.resolve_findings().await.unwrap(), 0);

    let pass = "INSERT INTO scrub_passes (pass, begun_at) VALUES ('corners', 1)";
    stand.rows(pass, &[]).await;
    stand.integrity.begin_pass(Pass::Objects).await.unwrap();
    let passes = stand.integrity.passes().await.unwrap();
    assert_eq!(passes.iter().map(|(pass, _)| *pass).collect::<Vec<_>>(), [Pass::Objects]);
}
