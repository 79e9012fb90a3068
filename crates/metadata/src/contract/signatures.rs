//! Rules of signatures, attestations and SBOMs that name their subject by their tag.

use std::time::Duration;

use wharf_core::metadata::{PinManifest, PinTarget};
use wharf_oci::{Digest, TagSelection};

use super::garbage::GRACE;
use super::immutability::{freeze, policy};
use super::restoring::restored;
use super::samples::{blob, name};
use super::stand::{Stand, TICK};

fn named(subject: Digest, end: &str) -> String {
    format!("sha256-{}.{end}", subject.hex())
}

/// With its tags, in the name of the system, and with a grace of its own.
pub async fn what_signs_a_manifest_by_its_tag_goes_after_it(stand: &Stand) {
    let subject = stand.push("a", "one", &["v1"]).await;
    let (signature, attestation) = (named(subject, "sig"), named(subject, "att"));
    let mut signed = Vec::new();
    for tag in [&signature, &attestation] {
        signed.push(stand.push("a", tag, &[tag]).await);
    }
    // In a repository of signatures, and by a name that is nobody's form.
    let elsewhere = stand.push("b", "elsewhere", &[&signature]).await;
    let other = stand.push("a", "other", &[&named(subject, "other")]).await;
    stand.remove("a", subject).await;
    stand.clock.advance(GRACE - TICK);
    assert_eq!(stand.empty_trash().await.count, 0);
    stand.clock.advance(TICK);
    let taken = stand.empty_trash().await;
    assert_eq!((taken.count, taken.repositories), (1, vec![name("a")]));
    for (tag, manifest) in [(&signature, signed[0]), (&attestation, signed[1])] {
        assert!(!stand.has("a", manifest).await, "{tag}");
        let history = [format!("1 create - {manifest}"), format!("2 delete {manifest} -")];
        assert_eq!(stand.history("a", tag).await, history);
    }
    assert_eq!(stand.tag("b", &signature).await, Some(elsewhere));
    assert!(stand.has("a", other).await);
    let log = "SELECT by, action, target FROM audit_log WHERE by = 'system' ORDER BY target";
    let mut expected: Vec<_> = signed
        .iter()
        .map(|manifest| format!("system manifest.delete repository:a@{manifest}"))
        .collect();
    expected.sort();
    assert_eq!(stand.rows(log, &[]).await, expected);
    let events = stand.events().await;
    assert!(events.contains(&format!("tag.deleted {signature}")), "{events:?}");
    let back = stand.restore("a", signed[0]).await;
    assert_eq!(back, restored(signed[0], &[&signature], 1));
    // And all is gone in the end.
    stand.clock.advance(GRACE);
    while stand.empty_trash().await.count > 0 {}
    assert!(stand.rows("SELECT digest FROM deleted_manifests", &[]).await.is_empty());
}

/// Nor is it collected when the subject is there again, by whatever way.
pub async fn a_signature_is_there_for_as_long_as_its_subject_can_come_back(stand: &Stand) {
    let (back, again) =
        (stand.push("a", "back", &["v1"]).await, stand.push("a", "again", &[]).await);
    let signatures = [back, again].map(|subject| named(subject, "sig"));
    for tag in &signatures {
        stand.push("a", tag, &[tag]).await;
    }
    stand.remove("a", back).await;
    stand.remove("a", again).await;
    stand.clock.advance(GRACE - TICK);
    stand.empty_trash().await;
    assert_eq!(stand.restore("a", back).await, restored(back, &["v1"], 1));
    assert_eq!(stand.push("a", "again", &[]).await, again);
    stand.clock.advance(GRACE * 2);
    stand.empty_trash().await;
    for tag in &signatures {
        assert!(stand.tag("a", tag).await.is_some(), "{tag}");
    }
}

/// A tag of another kind, a pin, a policy, or a push that was not long ago.
pub async fn a_signature_that_something_else_keeps_stays(stand: &Stand) {
    let repository = "team/app";
    let mut kept = Vec::new();
    for text in ["tagged", "pinned", "frozen", "young"] {
        let subject = stand.push(repository, text, &[]).await;
        let tag = named(subject, "sig");
        let others: &[&str] = if text == "tagged" { &["own"] } else { &[] };
        let tags = [&[tag.as_str()], others].concat();
        let signature = stand.push(repository, &format!("of {text}"), &tags).await;
        match text {
            "pinned" => {
                let pin = PinManifest {
                    repository: name(repository),
                    name: "kept".parse().unwrap(),
                    target: PinTarget::Digest(signature),
                    until: None,
                    by: "alice".into(),
                };
                stand.metadata.pin_manifest(pin).await.unwrap();
            }
            "frozen" => {
                let tags = TagSelection::new(&[tag.as_str()], &[]).unwrap();
                freeze(stand, repository, policy("signed", tags, Duration::ZERO)).await;
            }
            _ => {}
        }
        stand.remove(repository, subject).await;
        kept.push((text, tag, signature));
    }
    stand.clock.advance(GRACE / 2);
    stand.push(repository, "of young", &[&kept[3].1]).await;
    stand.clock.advance(GRACE / 2);
    assert_eq!(stand.empty_trash().await.count, 4);
    for (text, tag, signature) in kept {
        assert_eq!(stand.tag(repository, &tag).await, Some(signature), "{text}");
        assert!(stand.held(repository, blob(&format!("of {text}"))).await.is_some(), "{text}");
    }
}
