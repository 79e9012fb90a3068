//! The data folder as `wharf serve` opens it, between processes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config_process;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use config_process::{Server, run, wharf};

fn serve(folder: &Path) -> Command {
    wharf(folder, &["serve", "--listen", "127.0.0.1:0", "--data", "data"])
}

/// Runs `wharf serve`, which must refuse the folder, and returns its message.
fn refusal(folder: &Path) -> String {
    let (code, out, err) = run(&mut serve(folder));
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    err
}

#[test]
fn a_missing_folder_is_made_for_its_owner_alone_and_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    Server::start(&mut serve(folder.path())).stop();
    let data = folder.path().join("data");
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(data.join("format")).unwrap(), "1\n");
    let greeting = Server::start(&mut serve(folder.path())).greeting.clone();
    assert!(greeting.contains("/data\n"), "{greeting}");
}

#[test]
fn a_folder_that_another_process_uses_is_refused_with_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("lock"), "4711\n").unwrap();
    let lock = File::open(data.join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(
        refusal(folder.path()),
        "wharf: the data folder data is in use by another wharf process (pid 4711)\n"
    );
    assert_eq!(fs::read_to_string(data.join("lock")).unwrap(), "4711\n");
    drop(lock);
    Server::start(&mut serve(folder.path())).stop();
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("format"), "2\n").unwrap();
    assert_eq!(
        refusal(folder.path()),
        "wharf: data has format 2, this wharf understands up to 1; use a newer wharf\n"
    );
    for (text, reason) in [("0", "data has format 0, which no wharf ever made"), ("x", "\"x\"")] {
        fs::write(data.join("format"), text).unwrap();
        let message = refusal(folder.path());
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("thesis.txt"), "").unwrap();
    assert_eq!(
        refusal(folder.path()),
        "wharf: data holds \"thesis.txt\" and is not a wharf data folder; name an empty folder or \
         one that does not exist yet\n"
    );
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}

#[test]
fn an_empty_mount_and_a_making_cut_short_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("lost+found")).unwrap();
    fs::write(data.join("lock"), "1\n").unwrap();
    fs::write(data.join("format.new"), "").unwrap();
    Server::start(&mut serve(folder.path())).stop();
    assert_eq!(fs::read_to_string(data.join("format")).unwrap(), "1\n");
    assert!(!data.join("format.new").exists());
}
