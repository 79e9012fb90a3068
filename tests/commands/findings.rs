//! `wharf findings`.

use std::time::Duration;

use crate::desk::Desk;
use crate::house::{House, content};
use crate::support::program::wait_until;
use crate::support::registry::digest;

#[test]
fn findings_are_shown_to_administrators_of_the_registry() {
    let house = House::start_with(&[("WHARF_SCRUB_INTERVAL", "100ms")]);
    let (root, ada) = (Desk::of(&house, "root"), Desk::of(&house, "ada"));
    assert_eq!(root.done("findings --all"), "");
    house.lose_blob("team/private");
    let within = Duration::from_secs(60);
    wait_until("it is found", within, || !root.done("findings").is_empty());
    let line = root.done("findings --kind missing --state quarantined");
    let cells: Vec<&str> = line.trim_end().split('\t').collect();
    let blob = digest(&content("team/private"));
    assert_eq!(cells[1..4], ["missing", "quarantined", blob.as_str()], "{line}");
    assert_eq!(cells[5..], ["-", "it is not in the store", "-"], "{line}");
    let all = root.json("findings --all");
    assert_eq!((&all[0]["digest"], all.as_array().unwrap().len()), (&blob.into(), 1));
    assert_eq!(root.done("findings --state open"), "");
    assert!(root.refused("findings --kind crooked").contains("none of unexplained, missing"));
    assert!(ada.refused("findings").contains("403"));
}
