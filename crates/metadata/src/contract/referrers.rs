//! Rules of referrers: the manifests whose subject is a manifest.

use serde_json::{Value, json};
use wharf_core::metadata::{CommitOutcome, ListReferrers, Precondition, Referrer};
use wharf_oci::{Digest, MediaType};

use super::samples::{about, blob, commit, image, index, name};
use super::stand::Stand;

/// Commits a manifest about `subject` in the repository.
async fn refer(stand: &Stand, repository: &str, manifest: Value, subject: Digest) -> Digest {
    let commit = commit(repository, &about(manifest, subject), &[]);
    let digest = commit.digest;
    assert_eq!(stand.commit(commit).await, CommitOutcome::Committed);
    digest
}

/// An image of the blob `config` with an annotation, so that each is another.
fn numbered(number: usize) -> Value {
    let mut image = image(&[blob("config")]);
    image["annotations"] = json!({ "number": number.to_string() });
    image
}

fn typed(mut manifest: Value, artifact_type: &str) -> Value {
    manifest["artifactType"] = artifact_type.into();
    manifest
}

async fn listed(
    stand: &Stand,
    repository: &str,
    subject: Digest,
    artifact_type: Option<&str>,
    after: Option<Digest>,
    limit: usize,
) -> Vec<Referrer> {
    let artifact_type = artifact_type.map(str::to_owned);
    let repository = name(repository);
    let max_bytes = usize::MAX;
    let query = ListReferrers { repository, subject, artifact_type, after, limit, max_bytes };
    stand.metadata.list_referrers(query).await.unwrap()
}

fn digests(referrers: &[Referrer]) -> Vec<Digest> {
    referrers.iter().map(|referrer| referrer.digest).collect()
}

async fn five(stand: &Stand, subject: Digest) -> Vec<Digest> {
    stand.hold("a", blob("config")).await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(refer(stand, "a", numbered(number), subject).await);
    }
    all.sort();
    all
}

/// With all that the reply shows of them. The subject need not be there.
pub async fn referrers_are_listed_in_the_order_of_their_digests(stand: &Stand) {
    let subject = blob("nobody pushed this");
    let all = five(stand, subject).await;
    let found = listed(stand, "a", subject, None, None, 100).await;
    assert_eq!(digests(&found), all);
    let mut numbers: Vec<Value> =
        found.iter().map(|referrer| serde_json::from_str(&referrer.annotations).unwrap()).collect();
    numbers.sort_by_key(ToString::to_string);
    let expected: Vec<Value> =
        (0..5).map(|number| json!({ "number": number.to_string() })).collect();
    assert_eq!(numbers, expected);
    let payload = commit("a", &about(numbered(0), subject), &[]).payload;
    for referrer in &found {
        assert_eq!(referrer.media_type, MediaType::ImageManifest);
        assert_eq!(referrer.size, payload.len() as u64);
    }
}

/// Each page goes on behind the last digest of the one before.
pub async fn referrers_are_listed_a_page_at_a_time(stand: &Stand) {
    let subject = blob("subject");
    let all = five(stand, subject).await;
    let mut pages = Vec::new();
    while let page = listed(stand, "a", subject, None, pages.last().copied(), 2).await
        && !page.is_empty()
    {
        assert!(page.len() <= 2);
        pages.extend(digests(&page));
    }
    assert_eq!(pages, all);
}

/// But it has one at least, so that whoever asks for page after page comes to the end.
pub async fn a_page_of_referrers_ends_where_its_bytes_do(stand: &Stand) {
    let subject = blob("subject");
    stand.hold("a", blob("config")).await;
    for number in 0..60 {
        refer(stand, "a", numbered(number), subject).await;
    }
    let mut after = None;
    let mut pages = Vec::new();
    for max_bytes in [0, 20, 400].into_iter().cycle() {
        let (repository, limit) = (name("a"), 60);
        let artifact_type = None;
        let query = ListReferrers { repository, subject, artifact_type, after, limit, max_bytes };
        let page = stand.metadata.list_referrers(query).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.digest);
        assert!(page.len() < 60, "each has some 20 bytes of annotations");
        pages.extend(digests(&page));
    }
    assert_eq!(pages, digests(&listed(stand, "a", subject, None, None, 60).await));
}

/// Exactly.
pub async fn referrers_are_filtered_by_type(stand: &Stand) {
    let subject = blob("subject");
    stand.hold("a", blob("config")).await;
    let bill = refer(stand, "a", typed(numbered(1), "application/spdx+json"), subject).await;
    refer(stand, "a", typed(numbered(2), "application/spdx"), subject).await;
    refer(stand, "a", numbered(3), subject).await;
    let found = listed(stand, "a", subject, Some("application/spdx+json"), None, 10).await;
    assert_eq!(digests(&found), [bill]);
    assert!(listed(stand, "a", subject, Some("application/SPDX+json"), None, 10).await.is_empty());
    assert!(listed(stand, "a", subject, Some(""), None, 10).await.is_empty());
}

/// An index without one has none.
pub async fn the_type_of_a_referrer_is_its_own_or_its_configurations(stand: &Stand) {
    let subject = blob("subject");
    stand.hold("a", blob("config")).await;
    let own = refer(stand, "a", typed(numbered(1), "application/spdx"), subject).await;
    let configured = refer(stand, "a", numbered(2), subject).await;
    let empty = refer(stand, "a", typed(numbered(3), ""), subject).await;
    let bare = refer(stand, "a", index(&[]), subject).await;
    let typed_index = refer(stand, "a", typed(index(&[]), "application/x"), subject).await;
    let found = listed(stand, "a", subject, None, None, 10).await;
    let kind = |digest| {
        let referrer = found.iter().find(|referrer| referrer.digest == digest).unwrap();
        referrer.artifact_type.as_deref()
    };
    let config = Some("application/vnd.oci.image.config.v1+json");
    assert_eq!(kind(own), Some("application/spdx"));
    assert_eq!(kind(configured), config);
    assert_eq!(kind(empty), config);
    assert_eq!(kind(bare), None);
    assert_eq!(kind(typed_index), Some("application/x"));
    let filtered = listed(stand, "a", subject, config, None, 10).await;
    assert_eq!(filtered.len(), 2);
}

/// And only while it holds them.
pub async fn only_the_repositorys_own_referrers_are_listed(stand: &Stand) {
    let subject = stand.push("a", "config", &[]).await;
    stand.push("b", "config", &[]).await;
    let here = refer(stand, "a", numbered(1), subject).await;
    let there = refer(stand, "b", numbered(2), subject).await;
    refer(stand, "a", numbered(3), blob("another subject")).await;
    assert_eq!(digests(&listed(stand, "a", subject, None, None, 10).await), [here]);
    assert_eq!(digests(&listed(stand, "b", subject, None, None, 10).await), [there]);
    assert!(listed(stand, "unknown", subject, None, None, 10).await.is_empty());
    stand.delete("a", here, Precondition::None).await;
    assert!(listed(stand, "a", subject, None, None, 10).await.is_empty());
}
