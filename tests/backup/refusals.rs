//! What is not restored: over something, from what is damaged, and without blobs unless that is accepted.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::site::{Image, Site, check, push};
use crate::support::registry::digest;

/// A site that was backed up with two images, and the folder of the backup.
fn backed_up(site: &Site, folder: &Path) -> (Image, Image, PathBuf) {
    let server = site.serve();
    let one = push(&server.registry(), "team/app", "one");
    let two = push(&server.registry(), "team/other", "two");
    let backup = folder.join("backup");
    site.admin(&["backup", "--to", backup.to_str().unwrap()]).unwrap();
    (one, two, backup)
}

/// A collector may have deleted since what the backup needs.
fn without_a_blob(site: Site, empty: Site, lose: impl Fn(&Site, &str)) {
    let folder = TempDir::new().unwrap();
    let (one, two, backup) = backed_up(&site, folder.path());
    let backup = backup.to_str().unwrap();
    let lost = digest(&one.blobs[1]);
    lose(&empty, &lost);
    let refused = empty.admin(&["verify-backup", "--from", backup]).unwrap_err();
    assert!(refused.contains(&format!("{lost} is not there")), "{refused}");
    let refused = empty.admin(&["restore", "--from", backup]).unwrap_err();
    assert!(refused.contains(&format!("team/app:one lacks {lost}\n")), "{refused}");
    assert!(!refused.contains("team/other"), "{refused}");
    assert!(refused.contains("nothing was restored: 1 blobs are missing"), "{refused}");

    // Nothing was left behind that would be in the way.
    empty.admin(&["restore", "--from", backup, "--accept-missing"]).unwrap();
    let server = empty.serve();
    let registry = server.registry();
    check(&registry, &two);
    assert_eq!(registry.blob("team/app", &lost).unwrap().status, 404);
    // Pushed again, it is whole.
    assert_eq!(registry.push_blob("team/app", &one.blobs[1]).unwrap().status, 201);
    check(&registry, &one);
}

#[test]
fn a_laptop_without_a_blob_says_what_lacks_it() {
    let (site, empty) = (Site::on_one_machine(), Site::on_one_machine());
    let objects = site.data().join("blobs");
    without_a_blob(site, empty, |empty, lost| {
        fs::create_dir_all(empty.data()).unwrap();
        fs::rename(&objects, empty.data().join("blobs")).unwrap();
        fs::write(empty.data().join("format"), "1\n").unwrap();
        fs::remove_file(empty.blob_file(lost)).unwrap();
    });
}

/// Its blobs are in a folder, where a test can lose one.
#[test]
fn a_cluster_without_a_blob_says_what_lacks_it() {
    let objects = TempDir::new().unwrap();
    let site = Site::in_a_cluster().with_blobs_in(objects.path());
    let empty = Site::in_a_cluster().with_blobs_in(objects.path());
    without_a_blob(site, empty, |_, lost| {
        let hex = lost.strip_prefix("sha256:").unwrap();
        let file = format!("objects/sha256/{}/{}/{hex}", &hex[..2], &hex[2..4]);
        fs::remove_file(objects.path().join(file)).unwrap();
    });
}

#[test]
fn nothing_is_restored_over_something() {
    for (site, other) in [
        (Site::on_one_machine(), Site::on_one_machine()),
        (Site::in_a_cluster(), Site::in_a_cluster()),
    ] {
        let folder = TempDir::new().unwrap();
        let (one, _, backup) = backed_up(&site, folder.path());
        let backup = backup.to_str().unwrap();
        let refused = site.admin(&["restore", "--from", backup]).unwrap_err();
        assert!(refused.contains("is not empty"), "{refused}");
        check(&site.serve().registry(), &one);
        drop(other.serve());
        let refused = other.admin(&["restore", "--from", backup]).unwrap_err();
        assert!(refused.contains("is not empty"), "{refused}");
    }
}

#[test]
fn a_folder_that_is_served_is_not_restored_into() {
    let (site, folder) = (Site::on_one_machine(), TempDir::new().unwrap());
    let (_, _, backup) = backed_up(&site, folder.path());
    let _server = site.serve();
    let refused = site.admin(&["restore", "--from", backup.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("in use by another wharf process"), "{refused}");
}

#[test]
fn a_damaged_or_unfinished_backup_is_refused() {
    let (site, folder) = (Site::on_one_machine(), TempDir::new().unwrap());
    let (_, _, backup) = backed_up(&site, folder.path());
    let empty = Site::on_one_machine();
    let refused = |what: &str| {
        for command in ["restore", "verify-backup"] {
            let said = empty.admin(&[command, "--from", backup.to_str().unwrap()]).unwrap_err();
            assert!(said.contains(what), "{command}: {said}");
        }
        assert!(!empty.data().join("metadata.sqlite").exists());
    };
    for name in ["metadata.sqlite", "blobs.tsv"] {
        let file = backup.join(name);
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&file, damaged).unwrap();
        refused(&format!("{name} is damaged"));
        fs::write(&file, whole).unwrap();
    }
    let document = backup.join("backup.json");
    let text = fs::read_to_string(&document).unwrap();
    let with = |field: &str, value: Value| {
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document[field] = value;
        document.to_string()
    };
    fs::write(&document, with("format", 2.into())).unwrap();
    refused("has format 2, this wharf understands 1");
    fs::remove_file(&document).unwrap();
    refused("is no whole backup");
}

/// A folder that is called otherwise than the one that was meant.
#[test]
fn copies_that_are_not_there_are_no_empty_folder() {
    let (site, folder) = (Site::on_one_machine(), TempDir::new().unwrap());
    let (_, _, backup) = backed_up(&site, folder.path());
    let (from, elsewhere) = (backup.to_str().unwrap(), folder.path().join("blob"));
    let blobs = elsewhere.to_str().unwrap();
    for command in ["restore", "verify-backup"] {
        let empty = Site::on_one_machine();
        let said = empty.admin(&[command, "--from", from, "--blobs", blobs]).unwrap_err();
        assert!(said.contains("holds no copies of blobs"), "{command}: {said}");
        assert!(!elsewhere.exists() && !empty.data().join("metadata.sqlite").exists());
    }
}

/// Hashes of passwords are in it.
#[test]
fn a_backup_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    for site in [Site::on_one_machine(), Site::in_a_cluster()] {
        let folder = TempDir::new().unwrap();
        let (_, _, backup) = backed_up(&site, folder.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&backup), 0o700);
        let files: Vec<PathBuf> =
            fs::read_dir(&backup).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
        let again = site.admin(&["backup", "--to", backup.to_str().unwrap()]).unwrap_err();
        assert!(again.contains("is not empty"), "{again}");
    }
}
