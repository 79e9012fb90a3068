//! Texts that PostgreSQL cannot hold: clients send them, and get no error for it.

use serde_json::json;
use wharf_core::metadata::{CommitOutcome, ListReferrers};

use super::interleaved::Scene;
use crate::contract::samples::{about, blob, commit, image, name};

#[tokio::test]
async fn a_nul_in_a_manifest_or_a_question_does_no_harm() {
    let scene = Scene::new().await;
    let subject = scene.stand.push("a", "one", &["t"]).await;
    let mut referrer = about(image(&[blob("one")]), subject);
    referrer["artifactType"] = json!("application/x\\\\u0000\0");
    referrer["annotations"] = json!({ "a\0": "\\u0000\0b", "plain": "ä" });
    let push = commit("a", &referrer, &[]);
    let (digest, payload) = (push.digest, push.payload.clone());
    assert_eq!(scene.stand.commit(push).await, CommitOutcome::Committed);
    let reference = wharf_oci::Reference::Digest(digest);
    let found = scene.stand.metadata.find_manifest(name("a"), reference).await.unwrap().unwrap();
    assert_eq!(found.payload, payload);
    let query = ListReferrers {
        repository: name("a"),
        subject,
        artifact_type: Some("application/x\\\\u0000\0".into()),
        after: None,
        limit: 10,
        max_bytes: 1000,
    };
    let found = scene.stand.metadata.list_referrers(query).await.unwrap();
    assert_eq!(found.len(), 1);
    let annotations: serde_json::Value = serde_json::from_str(&found[0].annotations).unwrap();
    assert_eq!(annotations, json!({ "a\u{1}": "\\u0000\u{1}b", "plain": "ä" }));
    let tags = scene.stand.metadata.list_tags(name("a"), Some("s\0".into()), 10).await.unwrap();
    assert_eq!(tags.unwrap().len(), 1);
    let tags = scene.stand.metadata.list_tags(name("a"), Some("t\0".into()), 10).await.unwrap();
    assert!(tags.unwrap().is_empty());
}
