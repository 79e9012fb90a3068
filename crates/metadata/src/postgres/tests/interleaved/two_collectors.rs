//! Two collectors that take the same step at once: each thing goes once, and neither fails.

use std::collections::BTreeSet;

use wharf_core::blobs::ObjectKey;
use wharf_core::metadata::Judged;
use wharf_oci::Digest;

use super::blobs::{condemn, sweep};
use super::{ALL, Scene};
use crate::contract::samples::blob;
use crate::contract::stand::TICK;
use crate::contract::usage::is_counted_right;
use crate::transactions::garbage::blobs::Condemn;
use crate::transactions::garbage::sweep::Sweep;

/// Of which a part is the other's whole, too.
#[tokio::test]
async fn two_sweeps() {
    for limits in [(100, 100), (1, 100), (1, 1)] {
        for how in ALL {
            let scene = Scene::new().await;
            let digests = ["one", "two", "three"].map(blob);
            for repository in ["a", "b"] {
                for digest in digests {
                    scene.stand.hold(repository, digest).await;
                }
            }
            scene.stand.push("a", "needed", &["t"]).await;
            let [one, two] = [limits.0, limits.1].map(|limit| Sweep { limit, ..sweep() });
            let (one, two) = scene.both(how, one, two).await;
            let taken = one.count + two.count;
            let least = limits.0.max(limits.1).min(6) as u64;
            assert!((least..=6).contains(&taken), "{how:?} {limits:?}: {one:?}, {two:?}");
            let left = "SELECT count(*) FROM repository_blobs";
            assert_eq!(scene.stand.rows(left, &[]).await, [(7 - taken).to_string()], "{how:?}");
            scene.stand.garbage.sweep_memberships(None, Default::default(), 100).await.unwrap();
            assert_eq!(scene.stand.rows(left, &[]).await, ["1"], "{how:?} {limits:?}");
            for digest in digests {
                assert_eq!(scene.stand.marks(digest).await, ["0 marked"], "{how:?} {limits:?}");
            }
            is_counted_right(&scene.stand).await;
        }
    }
}

/// What is held is spared by either of them, and nothing is condemned twice.
#[tokio::test]
async fn two_condemnations() {
    for limits in [(100, 100), (1, 100), (1, 1)] {
        for how in ALL {
            let scene = Scene::new().await;
            let digests = ["one", "two", "three"].map(blob);
            for digest in digests {
                scene.stand.mark(digest, 0, "marked").await;
            }
            scene.stand.hold("a", blob("held")).await;
            scene.stand.mark(blob("held"), 0, "marked").await;
            scene.stand.clock.advance(TICK);
            let [one, two] = [limits.0, limits.1].map(|limit| Condemn { limit, ..condemn() });
            let (one, two) = scene.both(how, one, two).await;
            let rest = condemn_all(&scene).await;
            let condemned = one.condemned + two.condemned + rest.condemned;
            assert_eq!(condemned, 3, "{how:?} {limits:?}: {one:?}, {two:?}, {rest:?}");
            let spared = one.spared + two.spared + rest.spared;
            assert_eq!(spared, 1, "{how:?} {limits:?}: {one:?}, {two:?}, {rest:?}");
            let going = scene.stand.garbage.condemned_blobs(None, 100).await.unwrap();
            let going: BTreeSet<Digest> = going.iter().map(|key: &ObjectKey| key.digest).collect();
            assert_eq!(going, BTreeSet::from(digests), "{how:?} {limits:?}");
            assert!(scene.stand.marks(blob("held")).await.is_empty(), "{how:?} {limits:?}");
        }
    }
}

async fn condemn_all(scene: &Scene) -> Judged {
    scene.stand.garbage.condemn_blobs(Default::default(), 100).await.unwrap()
}
