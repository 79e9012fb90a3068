//! Pulls while it goes on, and going on after a kill.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::content::{Content, blob, push_image};
use crate::site::{Old, Own, Site};
use crate::support::program::wait_until;
use crate::support::random::Random;
use crate::support::registry::digest;

/// Longer than a job rests when its node was killed.
const PATIENCE: Duration = Duration::from_secs(150);

/// How much is hashed by now.
fn hashed(site: &Site) -> u64 {
    site.adopt(&["--status"]).pop().unwrap()["bytes"].as_u64().unwrap()
}

#[test]
fn a_killed_node_goes_on_and_serves_meanwhile() {
    goes_on_and_serves(Site::new(Old::Files, Own::Embedded));
}

#[test]
fn a_killed_node_on_shared_engines_goes_on_and_serves_meanwhile() {
    goes_on_and_serves(Site::new(Old::Bucket, Own::Shared));
}

fn goes_on_and_serves(mut site: Site) {
    let registry = site.old.registry();
    let base = Random::seeded(2).bytes(12 << 20);
    let mut content = Content::default();
    // The first in order is small, and there long before the others.
    let first = push_image(&registry, "a/first", "v1", b"a base", 41);
    content.knows("a/first", &["v1", &first]);
    for (name, seed) in [("b/large", 42), ("c/large", 43)] {
        let image = push_image(&registry, name, "v1", &base, seed);
        content.knows(name, &["v1", &image]);
    }
    site.set("WHARF_BLOBS_ADOPTED_RATE", "1MiB");
    site.start();
    site.adopt(&["--detach"]);

    let (stop, pulls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let wharf = site.registry();
    wait_until("the first repository is there", PATIENCE, || {
        wharf.manifest("a/first", "v1").unwrap().status == 200
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(wharf.manifest("a/first", "v1").unwrap().status, 200);
                blob(&wharf, "a/first", &digest(b"a base"));
                pulls.fetch_add(1, Ordering::SeqCst);
            }
        });
        wait_until("the large blob is half-way", PATIENCE, || hashed(&site) > 4 << 20);
        stop.store(true, Ordering::SeqCst);
    });
    assert!(pulls.load(Ordering::SeqCst) > 10);
    assert_eq!(wharf.manifest("b/large", "v1").unwrap().status, 404);
    let before = hashed(&site);
    site.kill();

    site.set("WHARF_BLOBS_ADOPTED_RATE", "1GiB");
    site.start();
    // It runs already; the command follows it to its end.
    let ended = site.adopt(&[]).pop().unwrap();
    assert_eq!((&ended["state"], &ended["left_out"]), (&"finished".into(), &0.into()), "{ended}");
    content.is_same(&registry, &site.registry());
    // What was recorded before the kill was not hashed again: at most what two seconds and a bit had added.
    let all = ended["bytes"].as_u64().unwrap();
    let once = (12 << 20) + 3 * 200_000;
    assert!(before > 4 << 20 && all < once + (5 << 20), "{before} of {all}");
}

#[test]
fn an_adoption_is_stopped_by_whoever_can() {
    let mut site = Site::new(Old::Files, Own::Embedded);
    push_image(&site.old.registry(), "b/large", "v1", &Random::seeded(2).bytes(30 << 20), 42);
    site.set("WHARF_BLOBS_ADOPTED_RATE", "1MiB");
    site.start();
    let begun = site.adopt(&["--detach"]).pop().unwrap();
    assert_eq!(begun["state"], "running");
    let other = site.refused(&["--repository", "other/*"]);
    assert!(other.contains("an adoption of file:///") && other.contains("--stop"), "{other}");
    let stopped = site.adopt(&["--stop"]).pop().unwrap();
    assert_eq!(stopped["state"], "stopped");
    assert!(site.refused(&["--stop"]).contains("no adoption runs"));
    // The next one begins anew, for others.
    let only = site.adopt(&["--repository", "other/*"]).pop().unwrap();
    assert_eq!((&only["state"], &only["repositories"]), (&"finished".into(), &0.into()), "{only}");
}
