//! An adoption goes on: slice after slice, from the middle of a blob, after any end of whoever worked on it.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use wharf_core::adoption::{Adopter, SliceEnd};
use wharf_core::metadata::{AdoptionState, Adoptions as _};

use crate::stand::{SOURCE, Stand};
use crate::tree::{Tree, digest_of};

/// Repositories with images on one large base, and something broken in each.
fn fill(stand: &Stand, repositories: usize) -> Vec<u8> {
    let base: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 251) as u8).collect();
    for number in 0..repositories {
        let name = format!("team/app{number}");
        for text in ["one", "two", "three"] {
            let digest = stand.tree.image_on(&name, &format!("{text} of {number}"), &base);
            stand.tree.tag(&name, text, &digest);
        }
        stand.tree.tag(&name, "lost", &digest_of(b"lost"));
    }
    base
}

async fn has_come_whole(stand: &Stand, repositories: usize) {
    let count = repositories as u64;
    let last = stand.last().await;
    assert_eq!(last.state, AdoptionState::Finished);
    let progress = last.progress;
    assert_eq!((progress.repositories_total, progress.repositories), (Some(count), count));
    assert_eq!(
        (progress.manifests, progress.tags, progress.left_out),
        (3 * count, 3 * count, count)
    );
    assert_eq!(stand.left_out().await.len(), repositories);
    for number in 0..repositories {
        let name = format!("team/app{number}");
        for text in ["one", "two", "three"] {
            let digest = stand.stands(&name, text).await.unwrap();
            stand.serves(&name, &digest, &[text]).await;
        }
    }
}

#[tokio::test]
async fn a_slice_goes_on_where_the_one_before_ended() {
    let stand = Stand::new();
    let base = fill(&stand, 3);
    stand.begin(None).await;
    let (mut slices, mut half_way) = (0, Vec::new());
    // The shortest there can be: each takes one step.
    while stand.adopter(Duration::ZERO).work().await.unwrap() == SliceEnd::More {
        slices += 1;
        half_way.extend(stand.last().await.progress.hashing);
    }
    assert!(slices > 20, "{slices}");
    let of_base: Vec<_> =
        half_way.iter().filter(|it| it.digest == digest_of(&base)).map(|it| it.offset).collect();
    assert!(of_base.len() > 5 && of_base.is_sorted(), "{of_base:?}");
    has_come_whole(&stand, 3).await;
    let progress = stand.last().await.progress;
    assert_eq!((progress.blobs, progress.hashing), (10, None));
    // No byte was read twice.
    let small: usize = (0..3)
        .map(|it| ["one", "two", "three"].map(|text| format!("{text} of {it}").len()))
        .map(|it| it.iter().sum::<usize>())
        .sum();
    assert_eq!(progress.bytes, (base.len() + small) as u64);
}

/// As after a kill: nothing is told to end well.
#[tokio::test]
async fn an_adoption_survives_the_end_of_whoever_works_on_it() {
    let stand = Stand::new();
    fill(&stand, 4);
    stand.begin(None).await;
    let mut cuts = 0;
    for millis in (1..).map(|round: u64| round * 10) {
        let adopter = stand.adopter(Duration::from_secs(600));
        match timeout(Duration::from_millis(millis), adopter.work()).await {
            Ok(ended) if ended.clone().unwrap() == SliceEnd::Done => break,
            // What was cut off may have recorded something since.
            _ => cuts += 1,
        }
    }
    assert!(cuts > 0);
    has_come_whole(&stand, 4).await;
}

/// What was hashed up to there is hashed no more, and what was damaged behind it is found all the same.
#[tokio::test]
async fn damage_behind_the_place_of_a_cut_is_found() {
    let stand = Stand::new();
    let base = fill(&stand, 1);
    let mut damaged = base.clone();
    *damaged.last_mut().unwrap() ^= 1;
    stand.begin(None).await;
    let is_in_base = async || {
        let hashing = stand.last().await.progress.hashing;
        hashing.is_some_and(|it| it.digest == digest_of(&base) && it.offset > 1 << 20)
    };
    while !is_in_base().await {
        assert_eq!(stand.adopter(Duration::ZERO).work().await.unwrap(), SliceEnd::More);
    }
    stand.tree.write(&Tree::blob_name(&digest_of(&base)), &damaged);
    stand.adopter(Duration::from_secs(600)).work().await.unwrap();
    let found = stand.left_out().await;
    assert!(found[0].contains("is damaged") && found.len() == 3 + 4, "{found:?}");
    assert_eq!(stand.tags("team/app0").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stopped_adoption_ends_and_keeps_what_it_has() {
    let stand = Stand::new();
    fill(&stand, 2);
    stand.begin(None).await;
    while stand.last().await.progress.repositories == 0 {
        assert_eq!(stand.adopter(Duration::ZERO).work().await.unwrap(), SliceEnd::More);
    }
    assert!(stand.database.stop_adoption("user:ada".into()).await.unwrap());
    assert_eq!(stand.adopter(Duration::ZERO).work().await.unwrap(), SliceEnd::Done);
    assert_eq!(stand.last().await.state, AdoptionState::Stopped);
    assert_eq!(stand.tags("team/app0").await, ["one", "three", "two"]);
    assert_eq!(stand.tags("team/app1").await, Vec::<String>::new());
    let again = stand.adopt().await;
    assert_eq!((again.repositories, again.manifests), (2, 6));
}

#[tokio::test]
async fn a_node_works_on_no_store_that_it_does_not_know() {
    let stand = Stand::new();
    fill(&stand, 1);
    stand.begin(None).await;
    let other = Adopter { source: "file:///other".into(), ..stand.adopter(Duration::ZERO) };
    assert_eq!(other.work().await.unwrap(), SliceEnd::Elsewhere(SOURCE.into()));
    assert_eq!(stand.last().await.version, 0);
}

#[tokio::test]
async fn bytes_are_read_no_faster_than_asked() {
    let stand = Stand::new();
    fill(&stand, 1);
    stand.begin(None).await;
    let slow = Adopter { bytes_per_second: 6 << 20, ..stand.adopter(Duration::from_secs(600)) };
    let begun = Instant::now();
    assert_eq!(slow.work().await.unwrap(), SliceEnd::Done);
    assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    has_come_whole(&stand, 1).await;
}
