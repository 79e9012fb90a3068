//! The contract suite: what every store does, one rule a function, each on a new and empty store.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken rule ends in a panic")]

mod direct;
mod finishing;
mod listing;
mod reading;
mod removing;
mod staging;
mod stand;

pub use direct::*;
pub use finishing::*;
pub use listing::*;
pub use reading::*;
pub use removing::*;
pub use staging::*;
pub use stand::Mapped;
#[cfg(test)]
pub(crate) use stand::deleted;
#[cfg(test)]
pub(crate) use stand::{content, pushed};

/// Makes a test of each rule. `$make` is a function without arguments that gives a new, empty store and
/// something that is kept until the test is over. The crate that uses it needs tokio with `macros` and
/// `rt-multi-thread`, and this crate's feature `contract`.
#[macro_export]
macro_rules! blobs_contract {
    ($make:path) => {
        $crate::blobs_contract! { $make:
            // Reading.
            what_was_pushed_is_read
            an_object_of_no_bytes_is_an_object
            a_large_object_is_read_whole
            what_is_not_there_is_not_found
            the_head_tells_the_size
            a_range_between_two_bytes
            a_range_to_the_end
            a_range_of_the_last_bytes
            ranges_across_pieces
            a_range_past_the_end_is_unsatisfiable
            no_range_of_no_bytes_is_satisfiable
            a_stream_dropped_early_harms_nothing
            an_object_is_read_to_its_end_while_it_is_deleted
            many_read_at_once
            // Staging.
            a_new_upload_stands_at_zero
            pieces_are_appended_in_order
            an_append_of_nothing_changes_nothing
            an_append_forgets_what_lies_past_the_offset
            a_shorter_append_after_a_longer_one
            what_is_staged_is_read_up_to_the_offset
            bytes_that_were_never_staged_are_not_found
            uploads_are_told_apart
            an_append_that_is_dropped_harms_nothing
            // Finishing.
            a_finished_upload_is_exactly_what_was_staged
            what_is_finished_is_staged_no_more
            finishing_twice_answers_the_same
            an_object_is_never_replaced
            a_second_push_is_dropped
            a_finish_without_bytes_staged_is_not_found
            one_of_many_finishes_at_once_wins
            digests_of_both_algorithms_are_keys
            incarnations_are_objects_of_their_own
            // Removing.
            what_was_discarded_is_gone
            what_is_rolled_back_is_as_before
            discarding_twice_answers_the_same
            discarding_touches_no_object
            what_was_deleted_is_gone
            deleting_twice_answers_the_same
            many_are_deleted_at_once
            what_was_deleted_can_be_pushed_again
            a_store_that_works_says_so
            // Faults.
            a_read_that_breaks_says_so
            an_append_that_breaks_leaves_what_was_staged
            an_append_whose_reply_was_lost_is_done_again
            a_finish_whose_reply_was_lost_is_done_again
        }
    };
    ($make:path: $($rule:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (blobs, _kept) = $make();
            $crate::contract::$rule(&$crate::FaultyBlobs::new(blobs)).await;
        }
    )* };
}

/// Makes a test of each rule of listing objects. `$make` gives a new, empty store and something that is kept until the test is over.
#[macro_export]
macro_rules! stored_objects_contract {
    ($make:path) => {
        $crate::stored_objects_contract! { $make:
            an_empty_store_lists_nothing
            objects_are_listed_with_their_sizes_and_what_is_staged_is_not
            pages_hold_whole_digests_and_go_on_behind_them
            what_was_deleted_is_listed_no_more
        }
    };
    ($make:path: $($rule:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (blobs, _kept) = $make();
            $crate::contract::$rule(&blobs).await;
        }
    )* };
}

/// Makes a test of each rule of direct uploads. `$make` gives a new, empty store, the same store for direct uploads,
/// and something that is kept until the test is over.
#[macro_export]
macro_rules! direct_uploads_contract {
    ($make:path) => {
        $crate::direct_uploads_contract! { $make:
            parts_sent_in_any_order_become_the_blob
            what_has_come_is_told
            a_seal_is_kept_and_changes_nothing_else
            a_part_sent_again_replaces_the_first
            a_part_of_another_length_does_not_count
            no_part_is_taken_after_assembling
            no_part_is_taken_after_discarding
            other_parts_than_came_are_not_assembled
            assembling_twice_answers_the_same
            one_of_many_assembles_at_once_counts_for_all
            a_finish_of_parts_can_be_done_again
            an_object_that_is_there_stays
            what_was_assembled_is_discarded
            direct_and_standard_uploads_are_told_apart
        }
    };
    ($make:path: $($rule:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (blobs, direct, _kept) = $make();
            $crate::contract::$rule(&$crate::contract::Direct::new(blobs, direct)).await;
        }
    )* };
}
