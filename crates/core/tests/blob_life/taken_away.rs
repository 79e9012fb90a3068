//! Each guard is needed: without it, and with all others, there is a way to what must not be.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use crate::ends::circle;
use crate::guards::Guard;
use crate::life::Life;
use crate::model::{
    CONDEMNED_IS_NO_MEMBER, DELETED_COMES_BACK, MEMBER_IS_STORED, NEEDED_IS_MEMBER,
    NOTHING_IS_LEFT, QUARANTINED_IS_NOT_GIVEN, TOLD_IS_MEMBER,
};
use crate::scenarios as a;

/// Without the guard, the checker finds a run of the scenario after which the property is not true.
fn fails(life: Life, guard: Guard, property: &'static str) {
    let until = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = Life { without: Some(guard), ..life }.checker();
    let checker = checker.finish_when(until).spawn_bfs().join();
    let path = checker.discovery(property);
    let path = path.unwrap_or_else(|| panic!("{guard:?} can go: {property} all the same"));
    println!("without {guard:?}, {:#?}", path.into_actions());
}

#[test]
fn a_condemnation_looks_at_memberships() {
    fails(a::two_removals(), Guard::JudgeSeesMemberships, MEMBER_IS_STORED);
}

#[test]
fn a_condemnation_looks_at_reservations() {
    fails(a::cancelled_push(), Guard::JudgeSeesReservations, MEMBER_IS_STORED);
}

/// An object at an old key is marked and spared for ever, since the blob is held at another one.
#[test]
fn a_condemnation_looks_at_the_incarnation() {
    let life = Life { without: Some(Guard::JudgeSeesTheIncarnation), ..a::found_objects() };
    assert!(circle(&life).is_some());
}

#[test]
fn a_condemnation_waits_for_the_grace() {
    fails(a::mount_and_removal(), Guard::JudgeWaits, MEMBER_IS_STORED);
}

#[test]
fn a_condemnation_moves_a_mark_that_is_there() {
    fails(a::push_of_a_marked_blob(), Guard::StagesMoveAMark, MEMBER_IS_STORED);
}

#[test]
fn who_begins_to_hold_a_blob_takes_its_mark_away() {
    fails(a::push_of_a_marked_blob(), Guard::HoldingTakesTheMark, MEMBER_IS_STORED);
}

#[test]
fn a_commit_updates_the_memberships_that_it_needs() {
    fails(a::commit_and_deletion(), Guard::CommitUpdates, NEEDED_IS_MEMBER);
}

#[test]
fn a_sweep_looks_at_what_manifests_need() {
    fails(a::two_removals(), Guard::SweepSeesManifests, NEEDED_IS_MEMBER);
}

#[test]
fn a_sweep_waits_for_the_grace() {
    fails(a::mount_and_deletion(), Guard::SweepWaits, DELETED_COMES_BACK);
}

#[test]
fn who_is_told_of_a_blob_touches_its_membership() {
    fails(a::look_and_deletion(), Guard::TellingTouches, TOLD_IS_MEMBER);
}

#[test]
fn a_removal_looks_at_what_manifests_need() {
    fails(a::two_removals(), Guard::RemovalSeesManifests, NEEDED_IS_MEMBER);
}

#[test]
fn a_removal_looks_at_what_can_be_brought_back() {
    fails(a::deletion_and_removal(), Guard::RemovalSeesTheTrash, DELETED_COMES_BACK);
}

#[test]
fn a_deletion_updates_the_memberships_that_it_needed() {
    fails(a::two_deletions(), Guard::DeletionUpdates, NOTHING_IS_LEFT);
}

#[test]
fn a_manifest_comes_back_together_with_its_memberships() {
    fails(a::two_deletions(), Guard::RestoreUpdates, NEEDED_IS_MEMBER);
}

#[test]
fn an_upload_ends_by_what_it_has_reserved_still() {
    fails(a::push_of_a_marked_blob(), Guard::FinishSeesReservation, MEMBER_IS_STORED);
}

#[test]
fn a_push_of_a_condemned_blob_goes_to_a_new_key() {
    fails(a::push_of_a_marked_blob(), Guard::CondemnedKeyIsLeft, MEMBER_IS_STORED);
}

#[test]
fn a_new_key_was_never_marked() {
    fails(a::push_beside_a_later_key(), Guard::NewKeyWasNeverMarked, MEMBER_IS_STORED);
}

#[test]
fn who_takes_a_new_key_writes_the_mark_of_the_one_before() {
    fails(a::pushes_of_a_condemned_blob(), Guard::NewKeyWritesTheMark, MEMBER_IS_STORED);
}

#[test]
fn who_lets_go_writes_the_mark_again() {
    fails(a::two_removals(), Guard::LettingGoWrites, NOTHING_IS_LEFT);
}

/// A move of an upload that was cancelled lands behind the delete.
#[test]
fn who_lets_go_sets_the_marks_moment_anew() {
    fails(a::cancelled_push(), Guard::LettingGoSetsTheMoment, NOTHING_IS_LEFT);
}

#[test]
fn who_lets_go_does_not_ask_who_else_holds_the_blob() {
    fails(a::two_removals(), Guard::LettingGoAsksNobody, NOTHING_IS_LEFT);
}

#[test]
fn an_upload_that_ends_with_a_reservation_lets_go() {
    fails(a::cancelled_push(), Guard::EndedUploadLetsGo, NOTHING_IS_LEFT);
}

#[test]
fn a_deleted_key_is_not_forgotten_at_once() {
    fails(a::two_collectors_and_a_push(), Guard::ForgettingWaits, MEMBER_IS_STORED);
}

#[test]
fn a_delete_is_sent_soon_after_its_key_was_listed() {
    fails(a::two_collectors_and_a_push(), Guard::DeleteIsPrompt, MEMBER_IS_STORED);
}

#[test]
fn a_delete_is_confirmed_by_the_stores_word() {
    let life = Life { faults: 1, ..a::two_collectors_and_a_push() };
    fails(life, Guard::ConfirmHasTheStoresWord, NOTHING_IS_LEFT);
}

#[test]
fn what_is_found_is_not_marked_at_a_deleted_key() {
    fails(a::old_listing_and_a_push(), Guard::FoundLeavesDeletedKeys, MEMBER_IS_STORED);
}

/// Where a move may land at any time, nothing else clears away what it leaves.
#[test]
fn a_listing_finds_what_no_row_explains() {
    fails(a::late_moves(), Guard::ListingFinds, NOTHING_IS_LEFT);
}

#[test]
fn a_quarantined_key_is_the_current_one_until_a_push_ends() {
    let life = a::pushes_of_a_quarantined_blob();
    fails(life, Guard::QuarantinedStaysCurrent, MEMBER_IS_STORED);
}

#[test]
fn what_is_quarantined_is_not_held() {
    let life = a::mount_of_a_quarantined_blob();
    fails(life, Guard::CondemnedIsPastSaving, QUARANTINED_IS_NOT_GIVEN);
}

#[test]
fn a_release_looks_at_memberships() {
    let life = a::mount_of_a_quarantined_blob();
    fails(life, Guard::ReleaseSeesMemberships, CONDEMNED_IS_NO_MEMBER);
}

#[test]
fn a_release_waits_for_the_grace() {
    fails(a::quarantine_and_release(), Guard::ReleaseWaits, NOTHING_IS_LEFT);
}

#[test]
fn a_condemnation_looks_at_who_reserved_the_very_key() {
    fails(a::pushes_of_a_quarantined_blob(), Guard::JudgeSeesThePlaced, MEMBER_IS_STORED);
}

#[test]
fn a_release_looks_at_reservations() {
    fails(a::quarantine_and_release(), Guard::ReleaseSeesReservations, MEMBER_IS_STORED);
}

#[test]
fn what_a_repair_has_copied_is_marked() {
    fails(a::repair_and_push(), Guard::RepairedIsMarked, NOTHING_IS_LEFT);
}

#[test]
fn a_commit_looks_at_memberships() {
    fails(a::commit_and_deletion(), Guard::CommitSeesMemberships, NEEDED_IS_MEMBER);
}

#[test]
fn a_restore_looks_at_memberships() {
    fails(a::deletion_and_removal(), Guard::RestoreSeesMemberships, NEEDED_IS_MEMBER);
}

#[test]
fn what_is_forgotten_was_deleted() {
    fails(a::push_of_a_marked_blob(), Guard::ForgottenWasDeleted, MEMBER_IS_STORED);
}

#[test]
fn what_is_found_to_be_sound_was_quarantined() {
    fails(a::lift_and_push(), Guard::SoundWasQuarantined, MEMBER_IS_STORED);
}

#[test]
fn an_upload_that_was_not_the_first_looks_at_memberships() {
    fails(a::quarantine_and_release(), Guard::FinishSeesMembers, NOTHING_IS_LEFT);
}

/// An upload that reserved the key of what is sound again is not the last that could let go of it.
#[test]
fn who_takes_the_place_of_a_quarantined_key_writes_its_mark() {
    for life in [a::repairs_and_lift(), a::pushes_and_lift()] {
        fails(life, Guard::QuarantinedIsWrittenAgain, NOTHING_IS_LEFT);
    }
}
