//! Backups made while pushes go on, and restored into empty systems: on one machine, and on PostgreSQL with a bucket.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "backup/point_in_time.rs"]
mod point_in_time;
#[path = "backup/readers.rs"]
mod readers;
#[path = "backup/refusals.rs"]
mod refusals;
#[path = "backup/site.rs"]
mod site;
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use site::{Image, Site, check, push};
use support::program::wait_until;
use support::registry::Registry;
use tempfile::TempDir;

const WRITERS: usize = 3;

/// Pushes images until `stop`, and notes each that was acknowledged.
fn write(writer: usize, registry: &Registry, stop: &AtomicBool, pushed: &Mutex<Vec<Image>>) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let image = push(registry, &format!("team/app-{writer}"), &format!("v{number}"));
        pushed.lock().unwrap().push(image);
    }
}

/// Every tag there is can be pulled, with each blob: nothing refers to what is absent.
fn everything_is_whole(registry: &Registry) -> usize {
    let mut count = 0;
    for writer in 0..WRITERS {
        let repository = format!("team/app-{writer}");
        let tags = registry.get(&format!("/v2/{repository}/tags/list")).unwrap().json();
        for tag in tags["tags"].as_array().unwrap() {
            let manifest = registry.manifest(&repository, tag.as_str().unwrap()).unwrap();
            assert_eq!(manifest.status, 200, "{repository}:{tag}");
            let manifest = manifest.json();
            let layers = manifest["layers"].as_array().unwrap().iter();
            for blob in layers.chain([&manifest["config"]]) {
                let found = registry.blob(&repository, blob["digest"].as_str().unwrap()).unwrap();
                assert_eq!(found.status, 200, "{repository}:{tag} {blob}");
                assert_eq!(found.body.len() as u64, blob["size"].as_u64().unwrap());
            }
            count += 1;
        }
    }
    count
}

/// Backs a site up while it is written to, and restores into `empty`: what was acknowledged before is there, byte by
/// byte, and what came later is there whole or not at all.
fn what_was_acknowledged_is_restored(site: Site, empty: Site, copies_blobs: bool) {
    let folder = TempDir::new().unwrap();
    let (backup, copies) = (folder.path().join("backup"), folder.path().join("blobs"));
    let copies: &[&str] = match copies_blobs {
        true => &["--blobs", copies.to_str().unwrap()],
        false => &[],
    };
    let backup = backup.to_str().unwrap();
    let server = site.serve();
    let (registry, pushed) = (server.registry(), Mutex::new(Vec::new()));
    let stop = AtomicBool::new(false);
    let acknowledged = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (registry, stop, pushed) = (&registry, &stop, &pushed);
            scope.spawn(move || write(writer, registry, stop, pushed));
        }
        let count = || pushed.lock().unwrap().len();
        wait_until("some images are pushed", Duration::from_secs(60), || count() > 20);
        // Left open over the backup: it is not in what is restored.
        let open = registry.open_upload("team/app-0").unwrap();
        let before = pushed.lock().unwrap().clone();
        site.admin(&[&["backup", "--to", backup], copies].concat()).unwrap();
        assert!(count() > before.len(), "nothing was pushed meanwhile");
        stop.store(true, Ordering::Relaxed);
        (before, open)
    });
    let (acknowledged, open) = acknowledged;
    site.admin(&[&["verify-backup", "--from", backup, "--rehash"], copies].concat()).unwrap();
    drop(server);
    site.wipe();

    let said = empty.admin(&[&["restore", "--from", backup], copies].concat()).unwrap();
    assert!(said.contains("nodes may start"), "{said}");
    let server = empty.serve();
    let registry = server.registry();
    for image in &acknowledged {
        check(&registry, image);
    }
    assert!(everything_is_whole(&registry) >= acknowledged.len());
    assert_eq!(registry.push_chunk(&open, 0, b"late").unwrap().status, 404);
    check(&registry, &push(&registry, "team/app-0", "after"));
}

#[test]
fn a_laptop_is_backed_up_while_it_is_pushed_to() {
    let (site, empty) = (Site::on_one_machine(), Site::on_one_machine());
    what_was_acknowledged_is_restored(site, empty, true);
}

/// The bucket is not lost: it has versions, or a replica.
#[test]
fn a_cluster_is_restored_beside_its_bucket() {
    let site = Site::in_a_cluster();
    let empty = Site::in_a_cluster().with_blobs_of(&site);
    what_was_acknowledged_is_restored(site, empty, false);
}

/// Out of one bucket into another, by a folder of copies.
#[test]
fn a_cluster_is_restored_into_another_bucket() {
    what_was_acknowledged_is_restored(Site::in_a_cluster(), Site::in_a_cluster(), true);
}

/// Copies are made once: the second backup copies what came since.
#[test]
fn blobs_are_copied_once() {
    let (site, folder) = (Site::on_one_machine(), TempDir::new().unwrap());
    let server = site.serve();
    let copies = folder.path().join("blobs");
    let back_up = |name: &str| {
        let to = folder.path().join(name);
        let (to, copies) = (to.to_str().unwrap(), copies.to_str().unwrap());
        site.admin(&["backup", "--to", to, "--blobs", copies]).unwrap()
    };
    push(&server.registry(), "team/app", "one");
    assert!(back_up("first").contains(" 2 blobs were copied"));
    push(&server.registry(), "team/app", "two");
    assert!(back_up("second").contains(" 2 blobs were copied"));
    assert!(back_up("third").contains(" 0 blobs were copied"));
}
