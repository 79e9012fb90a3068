//! Rules of the facts that tags are judged by: signatures, indexes, pulls, and what is reported to run.

use std::time::Duration;

use wharf_core::clock::{Clock, Timestamp};
use wharf_core::metadata::{
    Change, MOST_RUNNING, PinManifest, PinOutcome, PinTarget, Precondition, Refusal, ReportRunning,
};
use wharf_core::retention::{Protection, SIGNATURE_TYPES, TagFacts};
use wharf_oci::{Algorithm, Digest, Hasher, TagSelection};

use super::counts::{batch, pulls};
use super::immutability::{HOUR, freeze, organization, policy, releases, remove, scope};
use super::pins::pin;
use super::samples::{about, blob, commit, image, index, name};
use super::stand::Stand;

/// The facts of a tag of `a`.
pub(crate) async fn facts(stand: &Stand, tag: &str) -> TagFacts {
    facts_since(stand, tag, Timestamp(0)).await
}

async fn facts_since(stand: &Stand, tag: &str, pulled_since: Timestamp) -> TagFacts {
    let all = stand.retention.retention_facts(name("a"), None, 100, pulled_since).await.unwrap();
    all.into_iter().find(|facts| facts.tag.as_str() == tag).unwrap()
}

/// What another one holds says nothing.
pub async fn the_facts_of_a_tag_are_those_of_its_repository(stand: &Stand) {
    let one = stand.push("a", "one", &["one"]).await;
    stand.clock.advance(HOUR);
    let two = stand.push("a", "two", &["two"]).await;
    for text in ["one", "two"] {
        stand.push("b", text, &[]).await;
    }
    let signature = |of: Digest| {
        let mut signature = about(image(&[blob("signature")]), of);
        signature["artifactType"] = SIGNATURE_TYPES[0].into();
        signature
    };
    stand.hold("b", blob("signature")).await;
    stand.commit(commit("b", &signature(one), &[])).await;
    stand.commit(commit("b", &index(&[two]), &[])).await;
    let plain = TagFacts {
        tag: "one".parse().unwrap(),
        digest: one,
        version: 1,
        pushed_at: stand.clock.now().before(HOUR),
        pulled_at: None,
        signed: false,
        referenced: false,
        running: false,
        protection: None,
    };
    assert_eq!(facts(stand, "one").await, plain);
    stand.hold("a", blob("signature")).await;
    stand.commit(commit("a", &about(image(&[blob("signature")]), one), &[])).await;
    assert!(!facts(stand, "one").await.signed, "not every referrer is a signature");
    stand.commit(commit("a", &signature(one), &[])).await;
    stand.commit(commit("a", &index(&[two]), &["all"])).await;
    assert_eq!(facts(stand, "one").await, TagFacts { signed: true, ..plain });
    let of_two = facts(stand, "two").await;
    assert!(of_two.referenced && !of_two.signed);
    assert!(!facts(stand, "all").await.referenced);
    // As clients sign where a registry lists no referrers; and one that is about nothing.
    let of = |digest: Digest| format!("sha256-{}.sig", digest.hex());
    let nothing = Hasher::digest(Algorithm::Sha256, b"nothing");
    stand.push("a", "named", &[&of(two), &of(nothing)]).await;
    assert!(facts(stand, "two").await.signed);
    assert_eq!(facts(stand, &of(two)).await.protection, Some(Protection::Companion(two)));
    assert_eq!(facts(stand, &of(nothing)).await.protection, None);
    // A page goes on behind the one before.
    let behind = Some("all".parse().unwrap());
    let page =
        stand.retention.retention_facts(name("a"), behind.clone(), 1, Timestamp(0)).await.unwrap();
    assert_eq!(page[0].tag.as_str(), "one");
    let keys = stand.retention.retention_keys(name("a"), behind, 2).await.unwrap();
    let keys: Vec<_> = keys.iter().map(|key| (key.tag.as_str(), key.pushed_at)).collect();
    let now = stand.clock.now();
    assert_eq!(keys[0], ("one", now.before(HOUR)));
    assert_eq!(keys[1].1, now);
    // For as long as what is signed may come back.
    stand.delete("a", two, Precondition::None).await;
    assert_eq!(facts(stand, &of(two)).await.protection, Some(Protection::Companion(two)));
}

/// By its name, and only while it does: a policy of the namespace or of the repository, a pin, or the manifest that the tag is
/// named after.
pub async fn what_keeps_a_tag_whatever_rules_say_is_told(stand: &Stand) {
    organization(stand).await;
    let one = stand.push("team/app", "one", &["v1", "latest"]).await;
    let signature = format!("sha256-{}.sig", one.hex());
    stand.push("team/app", "signature", &[&signature]).await;
    stand.push("team/app", "two", &["two"]).await;
    let kept = async |tag: &str| {
        let app = name("team/app");
        let all = stand.retention.retention_facts(app, None, 100, Timestamp(0)).await.unwrap();
        all.into_iter().find(|facts| facts.tag.as_str() == tag).unwrap().protection
    };
    let frozen = |of: &str, policy: &str| {
        Some(Protection::Frozen { of: scope(of), policy: policy.parse().unwrap() })
    };
    assert_eq!(kept(&signature).await, Some(Protection::Companion(one)));
    freeze(stand, "team", releases(HOUR)).await;
    assert_eq!(kept("v1").await, None, "it is not old enough");
    let until = Some(stand.clock.now().after(HOUR * 2));
    let pin = pin("shipped", PinTarget::Tag("v1".parse().unwrap(), None), until);
    let pin = PinManifest { repository: name("team/app"), ..pin };
    let pinned = stand.metadata.pin_manifest(pin).await.unwrap();
    assert!(matches!(pinned, PinOutcome::Pinned { .. }), "{pinned:?}");
    let shipped = Some(Protection::Pinned("shipped".parse().unwrap()));
    for tag in ["v1", "latest"] {
        assert_eq!(kept(tag).await, shipped, "{tag}");
    }
    assert_eq!(kept("two").await, None);
    stand.clock.advance(HOUR);
    assert_eq!(kept("v1").await, frozen("team", "releases"));
    assert_eq!(kept("latest").await, shipped);
    let all = TagSelection::new(&["*"], &["v*", "two"]).unwrap();
    freeze(stand, "team/app", policy("all", all, Duration::ZERO)).await;
    for tag in ["latest", &signature] {
        assert_eq!(kept(tag).await, frozen("team/app", "all"), "{tag}");
    }
    assert_eq!(kept("two").await, None);
    for (of, name) in [("team", "releases"), ("team/app", "all")] {
        assert_eq!(remove(stand, of, name).await, Change::Done);
    }
    assert_eq!(kept("v1").await, shipped);
    stand.clock.advance(HOUR);
    assert_eq!(kept("v1").await, None, "the pin has expired");
    assert_eq!(kept(&signature).await, Some(Protection::Companion(one)));
}

/// By the hour after the one in which it was counted: counting may have begun in it.
pub async fn pulls_are_known_since_the_oldest_count(stand: &Stand) {
    assert_eq!(stand.retention.retention_basis(name("a")).await.unwrap(), None);
    let one = stand.push("a", "one", &["t"]).await;
    let counted = async || stand.retention.retention_basis(name("a")).await.unwrap().unwrap();
    assert_eq!(counted().await.counted_since, None);
    let hour = stand.on_the_hour();
    assert!(stand.counts.add_counts(batch(&[pulls("a", one, 1)])).await.unwrap());
    stand.clock.advance(HOUR * 5);
    let two = stand.push("b", "two", &[]).await;
    assert!(stand.counts.add_counts(batch(&[pulls("b", two, 1)])).await.unwrap());
    let basis = counted().await;
    assert_eq!((basis.now, basis.counted_since), (stand.clock.now(), Some(hour.after(HOUR))));
    assert_eq!(facts(stand, "t").await.pulled_at, Some(hour));
    assert_eq!(facts_since(stand, "t", hour).await.pulled_at, Some(hour));
    let later = hour.after(HOUR);
    assert_eq!(facts_since(stand, "t", later).await.pulled_at, None);
}

fn report(digest: Digest, reporter: &str, hours: u32) -> ReportRunning {
    let lasts = format!("{hours}h").parse().unwrap();
    ReportRunning { repository: name("a"), digest, reporter: reporter.into(), lasts }
}

/// Of the manifest, or of the index that it is a child of.
pub async fn what_runs_is_known_until_it_ends(stand: &Stand) {
    let one = stand.push("a", "one", &["one"]).await;
    stand.push("a", "two", &["two"]).await;
    stand.commit(commit("a", &index(&[one]), &["all"])).await;
    assert_eq!(stand.change(report(blob("none"), "eu", 1)).await, Change::NotFound);
    assert_eq!(stand.change(report(one, "eu", 1)).await, Change::Done);
    assert_eq!(stand.change(report(one, "us", 3)).await, Change::Done);
    let running = async || {
        let mut running = Vec::new();
        for tag in ["one", "all", "two"] {
            running.push(facts(stand, tag).await.running);
        }
        running
    };
    assert_eq!(running().await, [true, true, false]);
    stand.clock.advance(HOUR);
    assert_eq!(stand.retention.forget_running(10).await.unwrap(), 1);
    assert_eq!(running().await, [true, true, false]);
    assert_eq!(stand.change(report(one, "us", 4)).await, Change::Done, "it runs on");
    stand.clock.advance(HOUR * 3);
    assert_eq!(stand.retention.forget_running(10).await.unwrap(), 0);
    assert_eq!(running().await, [true, true, false]);
    stand.clock.advance(HOUR);
    assert_eq!(running().await, [false, false, false]);
    assert_eq!(stand.retention.forget_running(10).await.unwrap(), 1);
}

/// Of those that are there already, each may be given again.
pub async fn reports_of_what_runs_are_limited(stand: &Stand) {
    let one = stand.push("a", "one", &[]).await;
    let most = MOST_RUNNING - 1;
    let fill = format!(
        "INSERT INTO running_manifests (repository_id, digest, reporter, ends_at)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})
         SELECT r.id, h.digest, 'of' || n.i, 1 FROM n, repositories r
         JOIN repository_manifests h ON h.repository_id = r.id"
    );
    stand.rows(&fill, &[]).await;
    assert_eq!(stand.change(report(one, "last", 1)).await, Change::Done);
    let refused = Change::Refused(Refusal::TooManyRunning);
    assert_eq!(stand.change(report(one, "more", 1)).await, refused);
    assert_eq!(stand.change(report(one, "last", 2)).await, Change::Done);
}
