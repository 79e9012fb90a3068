//! What cannot be adopted is refused before anything is done, with what to do.

use std::fs;

use crate::content::push_image;
use crate::site::{Old, Own, Site};
use crate::support::program::attempt;

#[test]
fn a_store_must_be_one_and_be_set() {
    let mut site = Site::new(Old::Files, Own::Embedded);
    push_image(&site.old.registry(), "team/app", "v1", b"a base", 1);
    let folder = site.old_folder.display().to_string();
    // A path does for a look; nothing else is needed.
    let looked =
        attempt(site.command(&["--dry-run", "--from", &folder]).env_remove("WHARF_BLOBS_ADOPTED"));
    assert!(looked.unwrap().ends_with("0 to leave out"));
    for (arguments, says) in [
        (vec!["--dry-run", "--from", "/"], "there is no docker/registry/v2 in file:///"),
        (vec!["--dry-run", "--from", "/nowhere"], "cannot be used"),
        (vec!["--dry-run", "--from", "ftp://host/path"], "names no folder and no bucket"),
        (vec![], "there is no database"),
    ] {
        let said = site.refused(&arguments);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    site.start();
    let said = site.refused(&["--from", "/elsewhere"]);
    assert!(
        said.contains("--from names file:///elsewhere, and blobs.adopted is file:///"),
        "{said}"
    );
    let unset =
        attempt(site.command(&["--from", &folder]).env_remove("WHARF_BLOBS_ADOPTED")).unwrap_err();
    assert!(unset.contains(&format!("set it to file://{folder}")), "{unset}");
    assert!(site.refused(&["--status"]).contains("nothing was ever adopted"));
}

#[test]
fn what_is_left_out_is_told_a_line_each() {
    let mut site = Site::new(Old::Files, Own::Embedded);
    let registry = site.old.registry();
    let damaged = push_image(&registry, "team/app", "v1", b"a base", 1);
    push_image(&registry, "team/other", "v1", b"another base", 2);
    let name = crate::support::registry::digest(b"a base");
    let hex = name.trim_start_matches("sha256:");
    let path = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    fs::write(site.old_folder.join(path), b"A BASE").unwrap();
    site.start();
    let said = attempt(&mut site.command(&[])).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    let before = format!("left out: team/app: manifest {damaged}: its blob {name}: it is damaged");
    assert!(lines[0].starts_with(&before), "{said}");
    let tag = format!("left out: team/app: tag v1: its manifest {damaged} is not here");
    assert_eq!(lines[1], tag);
    assert!(lines[2].contains("finished: 2 of 2 repositories, 1 manifests, 1 tags"), "{said}");
    assert_eq!(site.registry().manifest("team/app", "v1").unwrap().status, 404);
    assert_eq!(site.registry().manifest("team/other", "v1").unwrap().status, 200);
}

#[test]
fn settings_that_would_serve_nothing_are_refused() {
    for (settings, says) in [
        (vec![("WHARF_DELIVERY_MODE", "x-accel")], "knows nothing of those of blobs.adopted"),
        (vec![("WHARF_DELIVERY_MODE", "redirect")], "blobs.adopted is a folder"),
        (
            vec![
                ("WHARF_DELIVERY_MODE", "redirect"),
                ("WHARF_DELIVERY_CDN_URL", "https://cdn.example.com"),
                ("WHARF_DELIVERY_CDN_KEY_ID", "key"),
                ("WHARF_DELIVERY_CDN_KEY_FILE", "/dev/null"),
            ],
            "not before blobs.adopted",
        ),
        (vec![("WHARF_BLOBS_ADOPTED", "relative")], "blobs.adopted"),
        (
            vec![("WHARF_BLOBS_ADOPTED", ""), ("WHARF_BLOBS_ADOPTED_DELETE", "true")],
            "nothing to delete from",
        ),
    ] {
        let mut site = Site::new(Old::Files, Own::Embedded);
        for (name, text) in settings {
            site.set(name, text);
        }
        assert!(site.refused(&["--status"]).contains(says), "{says}");
    }
}
