//! The protocol holds in every scenario: within bounds in each run of the tests, and further with `WHARF_MODEL=full`.

use std::time::Instant;

use stateright::{Checker, Model};

use crate::ends::circle;
use crate::guards::Guard;
use crate::life::Life;
use crate::scenarios;

/// All that can happen in a scenario leaves every property true, and comes to rest.
fn holds(name: &str, life: Life) {
    let full = match std::env::var("WHARF_MODEL").as_deref() {
        Ok("full") => true,
        Ok(other) => panic!("WHARF_MODEL is {other:?}; it may be `full`, or unset"),
        Err(_) => false,
    };
    let (life, threads) = if full { (life.in_full(), 2) } else { (life, 1) };
    let began = Instant::now();
    let circle = circle(&life);
    assert!(circle.is_none(), "{name} can go on for ever: {circle:#?}");
    let checker = life.checker().threads(threads).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}: {states} states, at most {depth} steps, {:.1?}", began.elapsed());
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        panic!("{name}: not true: {property}\n{:#?}", path.into_actions());
    }
}

#[test]
fn two_pushes() {
    holds("two pushes", scenarios::two_pushes());
}

#[test]
fn a_cancelled_push() {
    holds("a cancelled push", scenarios::cancelled_push());
}

#[test]
fn late_moves() {
    holds("late moves", scenarios::late_moves());
}

#[test]
fn two_pushes_of_a_condemned_blob() {
    holds("two pushes of a condemned blob", scenarios::pushes_of_a_condemned_blob());
}

#[test]
fn two_collectors_and_a_push() {
    holds("two collectors and a push", scenarios::two_collectors_and_a_push());
}

#[test]
fn an_old_listing_and_a_push() {
    holds("an old listing and a push", scenarios::old_listing_and_a_push());
}

#[test]
fn a_push_beside_a_later_key() {
    holds("a push beside a later key", scenarios::push_beside_a_later_key());
}

#[test]
fn a_push_of_a_marked_blob() {
    holds("a push of a marked blob", scenarios::push_of_a_marked_blob());
}

#[test]
fn a_mount_and_a_removal() {
    holds("a mount and a removal", scenarios::mount_and_removal());
}

#[test]
fn a_mount_and_a_deletion() {
    holds("a mount and a deletion", scenarios::mount_and_deletion());
}

#[test]
fn two_deletions() {
    holds("two deletions", scenarios::two_deletions());
}

#[test]
fn a_commit_and_a_deletion() {
    holds("a commit and a deletion", scenarios::commit_and_deletion());
}

#[test]
fn a_look_and_a_deletion() {
    holds("a look and a deletion", scenarios::look_and_deletion());
}

#[test]
fn a_deletion_and_a_removal() {
    holds("a deletion and a removal", scenarios::deletion_and_removal());
}

#[test]
fn two_removals() {
    holds("two removals", scenarios::two_removals());
}

#[test]
fn found_objects() {
    holds("found objects", scenarios::found_objects());
}

#[test]
fn two_pushes_of_a_quarantined_blob() {
    holds("two pushes of a quarantined blob", scenarios::pushes_of_a_quarantined_blob());
}

#[test]
fn a_quarantine_and_a_lift() {
    holds("a quarantine and a lift", scenarios::quarantine_and_lift());
}

#[test]
fn a_quarantine_and_a_release() {
    holds("a quarantine and a release", scenarios::quarantine_and_release());
}

#[test]
fn a_repair_and_a_push() {
    holds("a repair and a push", scenarios::repair_and_push());
}

#[test]
fn two_pushes_and_a_lift() {
    holds("two pushes and a lift", scenarios::pushes_and_lift());
}

#[test]
fn a_push_and_a_lift() {
    holds("a push and a lift", scenarios::lift_and_push());
}

#[test]
fn two_repairs_and_a_lift() {
    holds("two repairs and a lift", scenarios::repairs_and_lift());
}

#[test]
fn a_mount_of_a_quarantined_blob() {
    holds("a mount of a quarantined blob", scenarios::mount_of_a_quarantined_blob());
}

/// Some guards say what follows from the others. A reservation keeps its key from being condemned, and so the key the current one; what
/// is a member is not condemned. An upload that has expired has what it reserved until its row goes, and nothing after. What a collector was told to delete stays condemned until a collector confirms that it is gone, and is remembered for longer than
/// that takes. They stand behind those.
#[test]
fn what_is_checked_twice_holds_without_the_second_check() {
    for guard in [
        Guard::FinishSeesTheIncarnation,
        Guard::CondemnedIsPastSaving,
        Guard::ExpiredUploadIsOver,
        Guard::DeletedWasCondemned,
    ] {
        for life in [
            scenarios::two_collectors_and_a_push(),
            scenarios::deletion_and_removal(),
            scenarios::cancelled_push(),
            scenarios::push_of_a_marked_blob(),
            scenarios::mount_and_removal(),
        ] {
            let life = Life { without: Some(guard), faults: 0, ..life };
            life.checker().spawn_bfs().join().assert_properties();
        }
    }
}
