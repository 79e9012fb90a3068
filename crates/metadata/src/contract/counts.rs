//! Rules of counts: each batch is added once, into its own hour, and asked for by range, trend and top list.

use std::time::Duration;

use wharf_core::clock::{Clock, Random, SystemRandom, Timestamp};
use wharf_core::metadata::{
    CountAt, CountBatch, CountKind, CountsOf, ManifestTally, Span, Step, TopList, Trend, Within,
};
use wharf_oci::Digest;

use super::samples::{blob, name};
use super::stand::{Stand, TICK};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// All of time.
const EVER: Span = Span { from: Timestamp(0), to: Timestamp(i64::MAX) };

fn tally(repository: &str, digest: Digest, kind: CountKind, count: u64) -> ManifestTally {
    ManifestTally { repository: name(repository), digest, kind, count }
}

pub(crate) fn pulls(repository: &str, digest: Digest, count: u64) -> ManifestTally {
    tally(repository, digest, CountKind::Pull, count)
}

/// A batch with an id of its own, counted just now.
pub(crate) fn batch(tallies: &[ManifestTally]) -> CountBatch {
    let mut id = [0; 16];
    SystemRandom.fill(&mut id);
    CountBatch {
        id,
        age: Duration::ZERO,
        shard: id[0] % CountBatch::SHARDS,
        tallies: tallies.into(),
    }
}

async fn add(stand: &Stand, tallies: &[ManifestTally]) {
    assert!(stand.counts.add_counts(batch(tallies)).await.unwrap());
}

pub(crate) fn of(repository: &str, manifest: Option<Digest>, kind: CountKind) -> CountsOf {
    CountsOf { repository: name(repository), manifest, kind }
}

/// The sum of all time.
pub(crate) async fn sum(stand: &Stand, of: CountsOf) -> u64 {
    let range = stand.counts.count_range(of, EVER, Step::Day, 10_000).await.unwrap();
    range.iter().map(|bucket| bucket.count).sum()
}

/// Of the manifest, and of its repository; of nothing else.
pub async fn counts_are_added_up(stand: &Stand) {
    let [one, two] = [stand.push("a", "1", &[]).await, stand.push("a", "2", &[]).await];
    stand.push("b", "1", &[]).await;
    add(stand, &[pulls("a", one, 3), pulls("a", two, 4), pulls("b", one, 5)]).await;
    add(stand, &[pulls("a", one, 1), tally("a", two, CountKind::Push, 7)]).await;
    add(stand, &[]).await;
    for (repository, manifest, kind, expected) in [
        ("a", Some(one), CountKind::Pull, 4),
        ("a", Some(two), CountKind::Pull, 4),
        ("a", None, CountKind::Pull, 8),
        ("b", Some(one), CountKind::Pull, 5),
        ("b", None, CountKind::Pull, 5),
        ("b", Some(two), CountKind::Pull, 0),
        ("a", Some(two), CountKind::Push, 7),
        ("a", None, CountKind::Push, 7),
        ("c", None, CountKind::Pull, 0),
    ] {
        assert_eq!(
            sum(stand, of(repository, manifest, kind)).await,
            expected,
            "{repository} {kind:?}"
        );
    }
}

/// However often, and whoever asks.
pub async fn a_batch_is_added_once(stand: &Stand) {
    let one = stand.push("a", "1", &[]).await;
    let batch = batch(&[pulls("a", one, 3), pulls("a", one, 2)]);
    let tries = (0..8).map(|_| {
        let (counts, batch) = (stand.counts.clone(), batch.clone());
        tokio::spawn(async move { counts.add_counts(batch).await.unwrap() })
    });
    let added = futures_util::future::join_all(tries).await;
    assert_eq!(added.into_iter().filter(|added| *added.as_ref().unwrap()).count(), 1);
    assert!(!stand.counts.add_counts(batch).await.unwrap());
    assert_eq!(sum(stand, of("a", None, CountKind::Pull)).await, 5);
}

/// The image that is pulled next counts.
pub async fn an_index_is_counted_apart(stand: &Stand) {
    let index = stand.push("a", "1", &[]).await;
    add(stand, &[tally("a", index, CountKind::IndexPull, 3)]).await;
    assert_eq!(sum(stand, of("a", None, CountKind::Pull)).await, 0);
    assert_eq!(sum(stand, of("a", Some(index), CountKind::Pull)).await, 0);
    assert_eq!(sum(stand, of("a", Some(index), CountKind::IndexPull)).await, 3);
}

/// Others of the batch are added.
pub async fn counts_of_a_repository_that_is_not_there_are_left_out(stand: &Stand) {
    let one = stand.push("a", "1", &[]).await;
    add(stand, &[pulls("gone", one, 3), pulls("a", one, 2)]).await;
    stand.push("gone", "1", &[]).await;
    assert_eq!(sum(stand, of("gone", None, CountKind::Pull)).await, 0);
    assert_eq!(sum(stand, of("a", None, CountKind::Pull)).await, 2);
}

/// By the database's clock, less the time for which it waited.
pub async fn a_batch_falls_into_the_hour_in_which_it_was_counted(stand: &Stand) {
    let one = stand.push("a", "1", &[]).await;
    let hour = stand.on_the_hour();
    let late = CountBatch { age: HOUR * 2, ..batch(&[pulls("a", one, 1)]) };
    assert!(stand.counts.add_counts(late).await.unwrap());
    stand.clock.advance(HOUR - TICK);
    add(stand, &[pulls("a", one, 2)]).await;
    stand.clock.advance(TICK);
    add(stand, &[pulls("a", one, 4)]).await;
    let at = |at, count| CountAt { at, count };
    let expected = [at(hour.before(HOUR * 2), 1), at(hour, 2), at(hour.after(HOUR), 4)];
    let range = async |span, step, limit| {
        let of = of("a", Some(one), CountKind::Pull);
        stand.counts.count_range(of, span, step, limit).await.unwrap()
    };
    assert_eq!(range(EVER, Step::Hour, 10).await, expected);
    assert_eq!(range(EVER, Step::Hour, 2).await, expected[..2]);
    let span = Span { from: hour, to: hour.after(HOUR) };
    assert_eq!(range(span, Step::Hour, 10).await, expected[1..2]);
    let days = range(EVER, Step::Day, 10).await;
    assert_eq!(days.iter().map(|day| day.count).sum::<u64>(), 7);
    assert!(days.iter().all(|day| day.at.0 % 86_400_000_000 == 0), "{days:?}");
}

/// Up to now.
pub async fn a_trend_compares_a_period_with_the_one_before(stand: &Stand) {
    let one = stand.push("a", "1", &[]).await;
    stand.on_the_hour();
    for count in [1, 2, 4] {
        stand.clock.advance(DAY);
        add(stand, &[pulls("a", one, count)]).await;
    }
    let trend = async |period| {
        stand.counts.count_trend(of("a", None, CountKind::Pull), period).await.unwrap()
    };
    assert_eq!(trend(DAY).await, Trend { current: 4, previous: 2 });
    assert_eq!(trend(DAY * 2).await, Trend { current: 6, previous: 1 });
    let other = stand.counts.count_trend(of("b", None, CountKind::Pull), DAY).await.unwrap();
    assert_eq!(other, Trend::default());
}

fn list(within: Within, limit: usize) -> TopList {
    TopList { within, public_only: false, kind: CountKind::Pull, span: EVER, limit }
}

/// In a namespace, in a repository, of what is public.
pub async fn what_is_pulled_most_is_listed_first(stand: &Stand) {
    let mut tallies = Vec::new();
    for (repository, count) in [("ab/c", 2), ("ab", 1), ("ab-x/c", 9), ("ab/b", 2), ("ac/d", 5)] {
        tallies.push(pulls(repository, stand.push(repository, "1", &[]).await, count));
    }
    let two = stand.push("ab/c", "2", &[]).await;
    tallies.push(pulls("ab/c", two, 1));
    tallies.push(tally("ab/c", two, CountKind::IndexPull, 50));
    add(stand, &tallies).await;
    let repositories = async |list| {
        let found = stand.counts.top_repositories(list).await.unwrap();
        let tell = |place: &wharf_core::metadata::TopRepository| {
            format!("{} {}", place.repository, place.count)
        };
        found.iter().map(tell).collect::<Vec<_>>()
    };
    let within = || Within::Namespace("ab".parse().unwrap());
    let everywhere = ["ab-x/c 9", "ac/d 5", "ab/c 3", "ab/b 2", "ab 1"];
    assert_eq!(repositories(list(Within::Everywhere, 10)).await, everywhere);
    assert_eq!(repositories(list(Within::Everywhere, 2)).await, everywhere[..2]);
    assert_eq!(repositories(list(within(), 10)).await, everywhere[2..]);
    let public = TopList { public_only: true, ..list(Within::Everywhere, 10) };
    assert!(repositories(public.clone()).await.is_empty());
    stand.rows("UPDATE repositories SET visibility = 'public' WHERE name = 'ab/b'", &[]).await;
    assert_eq!(repositories(public).await, ["ab/b 2"]);
    let past = TopList {
        span: Span { from: Timestamp(0), to: stand.clock.now().before(HOUR) },
        ..list(Within::Everywhere, 10)
    };
    assert!(repositories(past).await.is_empty());

    let one = tallies[0].digest;
    let manifests = async |list| {
        let found = stand.counts.top_manifests(list).await.unwrap();
        found
            .into_iter()
            .map(|place| (place.repository.to_string(), place.digest, place.count))
            .collect::<Vec<_>>()
    };
    let own = list(Within::Repository(name("ab/c")), 10);
    let of_own = [("ab/c".into(), one, 2), ("ab/c".into(), two, 1)];
    assert_eq!(manifests(own).await, of_own);
    let first = manifests(list(within(), 2)).await;
    assert_eq!(first, [("ab/b".into(), one, 2), ("ab/c".into(), one, 2)]);
    assert_eq!(manifests(list(Within::Everywhere, 1)).await[0].2, 9);
}

/// Images and indexes; a push is none.
pub async fn the_last_pull_of_a_manifest_is_known(stand: &Stand) {
    let hour = stand.on_the_hour();
    let digests = ["1", "2", "3"].map(blob);
    stand.push("a", "1", &[]).await;
    stand.push("b", "1", &[]).await;
    add(stand, &[pulls("a", digests[0], 1), tally("a", digests[1], CountKind::IndexPull, 1)]).await;
    stand.clock.advance(HOUR);
    let later = [
        pulls("a", digests[0], 1),
        pulls("b", digests[1], 1),
        tally("a", digests[2], CountKind::Push, 1),
    ];
    add(stand, &later).await;
    let mut expected = vec![(digests[0], hour.after(HOUR)), (digests[1], hour)];
    expected.sort_by_key(|(digest, _)| digest.to_binary());
    let asked = stand.counts.last_pulled(name("a"), digests.to_vec()).await.unwrap();
    assert_eq!(asked, expected);
    let asked = stand.counts.last_pulled(name("a"), vec![digests[1]]).await.unwrap();
    assert_eq!(asked, [(digests[1], hour)]);
    assert!(stand.counts.last_pulled(name("a"), Vec::new()).await.unwrap().is_empty());
    assert!(stand.counts.last_pulled(name("c"), digests.to_vec()).await.unwrap().is_empty());
}

/// A bounded part at a time.
pub async fn old_counts_are_forgotten(stand: &Stand) {
    let one = stand.push("a", "1", &[]).await;
    for _ in 0..3 {
        add(stand, &[pulls("a", one, 1)]).await;
        stand.clock.advance(DAY);
    }
    let mut forgotten = Vec::new();
    while forgotten.last() != Some(&0) {
        forgotten.push(stand.counts.expire_counts(DAY + HOUR, 3).await.unwrap());
    }
    assert_eq!(forgotten, [3, 1, 0]);
    assert_eq!(sum(stand, of("a", Some(one), CountKind::Pull)).await, 1);
    assert_eq!(sum(stand, of("a", None, CountKind::Pull)).await, 1);
}

/// Not before nobody may ask for them any more.
pub async fn ids_of_old_batches_are_forgotten(stand: &Stand) {
    let one = stand.push("a", "1", &[]).await;
    let first = batch(&[pulls("a", one, 1)]);
    assert!(stand.counts.add_counts(first.clone()).await.unwrap());
    stand.clock.advance(CountBatch::REMEMBERED);
    for _ in 0..3 {
        assert_eq!(stand.counts.forget_batches(10).await.unwrap(), 0);
        assert!(!stand.counts.add_counts(first.clone()).await.unwrap());
    }
    add(stand, &[]).await;
    stand.clock.advance(TICK);
    assert_eq!(stand.counts.forget_batches(10).await.unwrap(), 1);
    assert_eq!(stand.counts.forget_batches(10).await.unwrap(), 0);
    assert!(stand.counts.add_counts(first).await.unwrap());
}
