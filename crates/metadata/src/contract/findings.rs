//! Rules of findings: what a list of them shows.

use wharf_core::metadata::{FaultKind, FoundKind, Pass};

use super::samples::blob;
use super::stand::Stand;

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
    let found = stand.integrity.list_scrub_findings(false, None, 10).await.unwrap();
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
