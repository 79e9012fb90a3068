//! Model check of the life of a blob: every order in which pushes, mounts, deletions, collectors, crashes and what lands late can meet.
//!
//! `wharf_core::blob_life` decides what happens to a blob. Here those same functions are called, and nothing of them is written again; the
//! model adds what surrounds them in production, for one digest:
//!
//! - `rows`: the database. A transaction decides by the snapshot of its beginning and writes at its commit; where another has written one
//!   of its rows meanwhile it begins again, but for an upsert of a row that is gone (PostgreSQL's `REPEATABLE READ`). SQLite, where
//!   one transaction comes after the other, is a part of that. Rows that are read and not written stop nobody.
//! - `transactions`: each one of `crates/metadata/src/transactions` that bears on a blob: its facts, the question, the writes.
//! - `state`, `life`: processes that push, repair, mount, look, commit, delete, restore, remove and cancel; collectors; the object store. A process dies
//!   between any two steps, a reply is lost, a move or a delete lands at once, later, after its sender died, or never.
//! - Time has no clock. A row remembers what was under way when it was written (transactions, moves; for a deleted key: deletes), and is as old as
//!   the grace as soon as nothing is left of that. So the model goes by no more than: the grace is longer than a transaction, and a deleted
//!   key is remembered for longer than a delete takes from the list of the condemned to its landing. Where moves are late, not
//!   even these are bounded. Uploads expire at any time.
//! - `model`: what may happen next, and the properties: what a manifest needs is a member; what is a member is in the store, and is neither
//!   condemned nor deleted; what is quarantined is kept, and given to nobody; what can be brought back is a member, and so is what a
//!   pusher was told of; and at rest, nothing is left that nobody needs. `ends` shows that every run
//!   comes to rest, by finding no circle among the states.
//! - `scenarios`: who meets whom. `holds` runs them all; `WHARF_MODEL=full` with two collectors in each, and with one more process
//!   that dies where moves are prompt. It ends when there is no state left that was not looked at, and no state is passed over for being
//!   like another. Unoptimised it is many times as slow:
//!
//! ```text
//! WHARF_MODEL=full cargo test --config profile.dev.package.wharf-core.opt-level=3 -p wharf-core --test blob_life holds -- --nocapture
//! ```
//!
//! # Guards
//!
//! `taken_away` has one test for each guard: without it alone, by other facts or other writes, the checker finds the way to a fault.
//!
//! | guard | in production | test |
//! | --- | --- | --- |
//! | a condemnation looks at memberships | `judge`, `garbage/blobs.rs` | `a_condemnation_looks_at_memberships` |
//! | … at reservations | the same | `a_condemnation_looks_at_reservations` |
//! | … at the incarnation | the same | `a_condemnation_looks_at_the_incarnation` |
//! | … waits for the grace | the same | `a_condemnation_waits_for_the_grace` |
//! | … updates a row that is there | `move_all`, `garbage/marks.rs` | `a_condemnation_moves_a_mark_that_is_there` |
//! | who begins to hold takes the mark away | `hold` | `who_begins_to_hold_a_blob_takes_its_mark_away` |
//! | a commit updates memberships | `touch_blobs`, `manifests.rs` | `a_commit_updates_the_memberships_that_it_needs` |
//! | … and looks at them | `CommitManifest`, `manifests.rs` | `a_commit_looks_at_memberships` |
//! | a sweep looks at manifests | `sweep`, `garbage/sweep.rs` | `a_sweep_looks_at_what_manifests_need` |
//! | a sweep waits for the grace | `sweep` | `a_sweep_waits_for_the_grace` |
//! | who is told of a blob touches it | `renew`, `KeepBlob`, `memberships.rs` | `who_is_told_of_a_blob_touches_its_membership` |
//! | a removal looks at manifests | `remove`, `RemoveBlob`, `memberships.rs` | `a_removal_looks_at_what_manifests_need` |
//! | … and at the trash | `remove`, the same | `a_removal_looks_at_what_can_be_brought_back` |
//! | a deletion updates memberships | `Deletion`, `garbage/trash.rs` | `a_deletion_updates_the_memberships_that_it_needed` |
//! | a restored manifest updates them | `push`, `restoring.rs`, by `touch_blobs` | `a_manifest_comes_back_together_with_its_memberships` |
//! | … and looks at them | the same | `a_restore_looks_at_memberships` |
//! | an upload ends by its reservation | `finish`, `uploads.rs` | `an_upload_ends_by_what_it_has_reserved_still` |
//! | a condemned key is left | `place` | `a_push_of_a_condemned_blob_goes_to_a_new_key` |
//! | … for one that was never marked | `place` | `a_new_key_was_never_marked` |
//! | … and its mark written again | `place` | `who_takes_a_new_key_writes_the_mark_of_the_one_before` |
//! | who lets go writes the mark again | `let_go` | `who_lets_go_writes_the_mark_again` |
//! | … sets its moment anew | `let_go` | `who_lets_go_sets_the_marks_moment_anew` |
//! | … asks nobody | `let_go` | `who_lets_go_does_not_ask_who_else_holds_the_blob` |
//! | an ended upload lets go | `end`, `uploads.rs` | `an_upload_that_ends_with_a_reservation_lets_go` |
//! | a deleted key is remembered | `forget` | `a_deleted_key_is_not_forgotten_at_once` |
//! | … and was deleted | `forget` | `what_is_forgotten_was_deleted` |
//! | a delete is prompt | asked of whatever deletes | `a_delete_is_sent_soon_after_its_key_was_listed` |
//! | a delete is confirmed by the store | `deleted`, and the same | `a_delete_is_confirmed_by_the_stores_word` |
//! | what is found leaves deleted keys | `found` | `what_is_found_is_not_marked_at_a_deleted_key` |
//! | a listing finds what late moves leave | `found` | `a_listing_finds_what_no_row_explains` |
//! | a quarantined key stays current | `place`, `finish` | `a_quarantined_key_is_the_current_one_until_a_push_ends` |
//! | … is not held | `hold` | `what_is_quarantined_is_not_held` |
//! | … and the next one is no garbage meanwhile | `judge`, `garbage/blobs.rs` | `a_condemnation_looks_at_who_reserved_the_very_key` |
//! | … and its mark written by who takes its place | `finish`, `repair` | `who_takes_the_place_of_a_quarantined_key_writes_its_mark` |
//! | … or is held where a repository holds what took it | `finish` | `an_upload_that_was_not_the_first_looks_at_memberships` |
//! | … what a repair has copied is marked | `repair` | `what_a_repair_has_copied_is_marked` |
//! | … what is sound was quarantined | `lift` | `what_is_found_to_be_sound_was_quarantined` |
//! | … is released when nobody holds it | `release` | `a_release_looks_at_memberships` |
//! | … and no upload has reserved it | `release` | `a_release_looks_at_reservations` |
//! | … and when the grace is over | `release` | `a_release_waits_for_the_grace` |
//!
//! That `finish` looks at the key, that it and a mount refuse what is condemned, that an upload is over when it expires,
//! and that what is deleted was condemned follows from other guards: `what_is_checked_twice_holds_without_the_second_check`.
//! `quarantine` leaves alone what is condemned: nobody holds that, and so no scrub looks at it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod ends;
mod guards;
mod holds;
mod life;
mod model;
mod rows;
mod scenarios;
mod state;
mod taken_away;
mod transactions;
