//! The table of all rules, of which each is a test on each engine.

/// Makes a test of each rule. `$make` is an async function without arguments that gives new, empty metadata,
/// the [`HandClock`](crate::contract::HandClock) that is its clock, and an
/// [`Inspect`](crate::contract::Inspect) of its rows, which is kept until the test is over.
/// The crate that uses it needs tokio with `macros` and `rt-multi-thread`, and this crate's feature `contract`.
#[macro_export]
macro_rules! metadata_contract {
    ($make:path) => {
        $crate::metadata_contract! { $make:
            // Repositories.
            repositories_are_listed_in_byte_order
            repositories_are_listed_a_page_at_a_time
            a_repository_without_a_manifest_is_not_listed
            metadata_that_works_says_so
            the_epoch_goes_on_once_from_each_number
            // Garbage.
            a_membership_that_no_manifest_needs_goes_when_the_grace_is_over
            a_membership_that_a_manifest_needs_stays
            a_membership_that_a_refused_push_names_is_not_needed
            the_memberships_of_a_deleted_manifest_stay_for_the_grace
            a_blob_of_two_manifests_stays_until_both_are_deleted
            what_another_repository_needs_goes_from_one_that_does_not
            a_sweep_looks_at_the_manifests_themselves
            a_blob_that_is_needed_everywhere_is_looked_at_from_the_repository
            a_sweep_goes_on_where_it_stopped
            a_sweep_is_an_event_of_each_repository
            a_blob_that_nobody_holds_goes_step_by_step
            a_blob_that_was_deleted_just_now_is_pushed_to_another_key
            a_blob_that_an_upload_has_reserved_is_spared
            an_upload_that_ends_lets_go_of_what_it_reserved
            the_grace_of_a_blob_begins_anew_with_each_who_lets_go
            an_object_that_is_found_is_only_marked
            // Scrubs.
            only_what_no_row_explains_is_marked
            a_finding_is_one_row_until_its_fault_is_gone
            held_blobs_are_listed_with_what_is_known_of_them
            what_is_quarantined_is_held_by_nobody
            a_push_takes_the_place_of_what_is_quarantined
            of_two_pushes_of_a_quarantined_blob_the_first_counts
            a_push_that_is_given_up_leaves_the_quarantine_as_it_was
            what_is_quarantined_is_no_garbage
            what_is_pushed_again_is_not_quarantined
            what_is_sound_is_served_again
            what_is_quarantined_is_released_once_nothing_needs_it
            faults_are_told_in_the_events_and_the_audit_log
            broken_references_are_found_and_told_from_those_elsewhere
            references_are_not_judged_by_a_damaged_manifest
            a_pass_goes_on_where_it_was_recorded
            what_only_newer_releases_find_is_told_by_its_name
            findings_are_listed_by_kind_and_by_what_became_of_them
            a_manifest_that_is_damaged_again_is_an_open_finding
            a_push_that_repairs_is_told_as_its_pushers
            // Repairs.
            a_repair_gives_the_blob_back_to_all_who_hold_it
            a_blob_that_nobody_holds_any_more_is_repaired_for_nobody
            what_needs_no_repair_gets_none
            a_repair_that_comes_too_late_changes_nothing
            repairs_expire
            nothing_is_repaired_while_all_is_read_only
            objects_of_a_digest_are_those_that_rows_know_of_and_the_first
            a_damaged_manifest_is_found_and_repaired
            a_push_gives_a_damaged_manifest_its_bytes_back
            what_was_found_of_a_manifest_is_resolved
            a_damaged_manifest_is_not_restored
            stored_manifests_are_read_in_pages
            the_bytes_of_a_manifest_go_when_the_trash_is_emptied
            what_only_a_deleted_manifest_needed_goes_after_it
            what_a_deleted_manifest_leaves_behind_goes_a_few_at_a_time
            a_manifest_that_is_pushed_again_stays_with_all_it_needs
            what_has_no_tag_is_kept_where_that_is_not_wanted_otherwise
            a_manifest_that_no_tag_needs_goes_when_it_is_old_enough
            what_is_reached_from_a_tag_is_kept
            a_pinned_manifest_is_kept
            a_circle_without_a_tag_goes
            a_repository_says_when_what_has_no_tag_goes
            a_collection_of_manifests_goes_on_where_it_stopped
            what_signs_a_manifest_by_its_tag_goes_after_it
            a_signature_is_there_for_as_long_as_its_subject_can_come_back
            a_signature_that_something_else_keeps_stays
            manifests_on_their_way_out_are_listed_with_what_they_free
            a_manifest_is_told_what_keeps_it
            a_manifest_that_nothing_keeps_is_told_to_go
            what_a_rule_for_untagged_manifests_lets_go_is_listed
            blobs_on_their_way_out_are_listed
            deleted_repositories_are_listed_with_what_they_free
            blobs_that_nothing_needs_are_listed
            uploads_are_listed_with_what_is_staged_of_them
            garbage_is_counted
            // The trash.
            a_deleted_manifest_comes_back_as_it_was
            nothing_comes_back_when_the_grace_is_over
            what_was_not_deleted_does_not_come_back
            a_deleted_tag_is_restored
            a_tag_that_stands_is_not_moved_by_what_comes_back
            an_index_comes_back_with_what_is_in_it
            an_index_whose_image_is_gone_for_good_does_not_come_back
            a_manifest_comes_back_with_a_blob_that_was_deleted_by_hand
            a_blob_that_was_deleted_by_hand_is_pushed_again_or_goes
            an_index_comes_back_whole_or_not_at_all
            an_index_comes_back_with_what_is_gone_below_a_part_that_is_there
            manifests_that_need_each_other_do_not_come_back
            what_comes_back_is_in_the_audit_log
            // Deleted repositories.
            nothing_finds_a_deleted_repository
            a_deleted_repository_comes_back_as_it_was
            a_repository_does_not_come_back_when_its_grace_is_over
            a_name_that_was_taken_again_is_not_taken_back
            what_is_kept_keeps_its_repository
            a_deleted_repository_frees_its_quota
            uploads_end_with_their_repository
            a_deleted_repository_is_purged_when_its_grace_is_over
            the_row_of_a_purged_repository_outlasts_its_events
            a_deleted_repository_keeps_no_organization
            // Whatever changes.
            each_change_of_the_lifecycle_is_told
            // Accounts.
            a_user_is_found_by_name_and_nobody_else_has_it
            a_disabled_user_is_active_no_more
            users_are_listed_a_page_at_a_time
            what_is_granted_to_a_user_is_a_fact
            what_is_granted_to_a_team_is_a_fact_of_its_members
            what_is_granted_in_one_namespace_is_no_fact_in_another
            a_grant_that_is_taken_away_is_no_fact_any_more
            a_robot_has_grants_in_its_namespace_alone
            a_secret_is_found_until_it_expires
            another_password_ends_what_refreshes
            a_new_repository_is_as_visible_as_its_namespace_says
            // The directory, and changes by those who manage.
            a_list_of_repositories_has_what_its_viewer_may_pull
            lists_go_on_behind_a_name
            a_grant_a_tag_and_a_manifest_are_found_by_what_names_them
            a_robot_is_made_once_and_then_given_another_secret
            what_nobody_owns_is_got_by_no_name
            an_organization_that_was_deleted_is_not_found
            a_change_of_an_older_version_is_stale
            somebody_is_left_who_may_do_everything
            an_organization_keeps_an_administrator
            the_last_administrator_of_an_organization_is_not_disabled
            an_invitation_is_listed_until_it_is_used_or_taken_back
            a_user_who_goes_leaves_nothing_but_the_name
            a_repository_takes_all_along_to_another_name
            an_invitation_lets_in_one
            // Who leaves, and what stays.
            robots_of_a_user_who_is_disabled_or_gone_are_let_in_nowhere
            nothing_is_left_in_the_namespace_of_a_user_who_goes
            an_organization_keeps_somebody_who_can_administer_it
            a_grant_of_nobody_is_passed_over
            // Limits of what one account makes.
            organizations_are_limited_for_each_user
            teams_members_and_grants_are_limited
            robots_are_limited_for_each_namespace
            tokens_are_limited_for_each_user
            refresh_tokens_are_limited_for_each_user
            personal_tokens_are_found_and_forgotten_after_their_end
            // The audit log.
            a_change_of_accounts_is_in_the_audit_log
            a_change_of_a_repository_is_in_the_audit_log
            the_audit_log_is_found_by_what_it_says
            the_audit_log_is_only_added_to_until_it_is_old
            the_audit_log_is_followed_in_the_order_of_commits
            a_reader_of_the_audit_log_goes_on_where_it_stood
            a_change_under_a_key_happens_once
            // Trust.
            a_rule_is_in_force_for_its_robot_and_issuer_alone
            a_robot_has_only_so_many_rules
            what_a_workload_got_ends_with_time_rule_and_robot
            // External identities.
            a_new_identity_becomes_a_user_with_a_namespace
            an_identity_is_its_user_whatever_they_are_called
            nobody_gets_an_account_by_its_name_or_address
            nobody_is_called_like_repositories_without_an_owner
            an_unknown_identity_makes_nobody_where_none_may_be_made
            a_disabled_user_signs_in_nowhere
            a_sign_in_replaces_the_groups_of_its_provider_alone
            a_team_has_the_members_of_its_groups
            members_by_hand_and_by_groups_are_listed_and_told_apart
            a_member_by_hand_stays_when_the_group_is_lost
            an_identity_is_linked_to_one_user_and_unlinked_with_its_groups
            a_sign_in_that_tells_nothing_new_writes_nothing
            many_first_sign_ins_at_once_make_one_user
            what_a_sign_in_changes_is_in_the_audit_log
            // Sessions and device logins.
            a_session_is_found_by_its_secret_alone
            a_session_ends_unused_or_old
            sessions_end_with_a_logout_a_disabling_or_another_password
            sessions_by_a_provider_end_with_its_identity
            a_user_has_a_bounded_number_of_sessions
            a_login_is_in_the_audit_log
            what_has_ended_of_browsers_and_devices_is_forgotten
            a_device_gets_a_token_once_its_person_lets_it_in
            a_device_that_was_not_let_in_gets_nothing
            a_device_of_somebody_with_all_the_tokens_there_may_be_gets_none
            a_device_gets_no_more_than_its_person_was_shown
            devices_that_were_let_in_get_nothing_once_their_person_is_out
            a_devices_token_ends_with_the_identity_by_which_it_was_let_in
            a_token_by_an_identity_that_is_not_there_is_none
            who_lets_a_device_in_or_refuses_it_is_in_the_audit_log
            a_device_that_asks_too_often_is_slowed_down
            codes_are_tried_a_few_times
            an_address_has_a_bounded_number_of_devices_that_wait
            // Memberships.
            a_blob_is_found_only_where_it_is_held
            a_mount_takes_from_its_sources_alone
            a_mount_that_is_refused_leaves_the_mark
            a_mount_adds_a_membership
            a_mount_from_where_the_blob_is_not_held_adds_nothing
            a_mount_of_a_marked_blob_takes_the_mark_away
            a_mount_of_a_condemned_blob_is_refused
            a_removed_blob_is_not_held_there_any_more
            a_blob_that_a_manifest_needs_is_not_removed
            a_blob_is_removed_once_no_manifest_needs_it
            a_blob_that_is_removed_is_an_event
            a_blob_that_a_pusher_is_told_of_stays_for_three_quarters_of_the_grace
            who_is_told_of_a_blob_seldom_writes
            who_is_told_of_a_blob_that_is_read_only_writes_nothing
            // Uploads.
            an_upload_is_found_as_it_was_begun
            an_upload_is_found_only_under_its_repository
            an_upload_expires_by_the_databases_clock
            progress_counts_only_from_the_recorded_offset
            progress_makes_an_upload_live_on
            a_touch_makes_an_upload_live_on
            an_expired_upload_makes_no_progress
            a_cancelled_upload_is_gone
            known_uploads_are_those_that_there_are
            expired_uploads_are_listed_the_oldest_first
            an_expired_upload_is_not_listed_before_its_reservations_deadline
            // Reserving and finishing.
            a_blob_is_reserved_at_the_key_that_is_its_digest
            a_finished_upload_is_a_membership_and_no_upload
            a_reservation_takes_the_mark_away
            a_condemned_blob_is_reserved_at_the_next_incarnation
            a_second_upload_shares_the_new_incarnation
            a_reservation_asked_for_twice_answers_the_same
            an_upload_that_is_not_there_reserves_nothing
            a_finish_without_a_reservation_is_lost
            a_finish_after_the_upload_expired_is_lost
            a_finish_after_the_deadline_is_lost
            a_finish_of_a_blob_condemned_meanwhile_is_lost
            a_finish_that_is_lost_lets_go_of_what_it_had_reserved
            a_finish_at_another_incarnation_is_lost
            a_finish_takes_a_mark_away
            a_finish_asked_for_twice_is_lost_and_changes_nothing
            // Committing manifests.
            a_manifest_is_stored_byte_by_byte
            a_manifest_is_found_only_in_its_repository
            every_missing_blob_is_named_and_nothing_is_changed
            every_missing_child_is_named_and_nothing_is_changed
            an_index_is_whole_all_the_way_down
            what_is_below_a_manifest_of_others_is_not_told
            content_that_another_repository_holds_is_missing
            non_distributable_layers_are_not_needed
            a_commit_touches_each_membership_that_it_needs
            the_same_push_again_changes_nothing
            several_tags_move_in_one_commit
            a_tag_named_twice_moves_once
            a_refused_commit_makes_no_repository
            a_manifest_of_two_repositories_is_stored_once
            // Preconditions.
            a_push_of_what_must_be_absent
            a_push_of_what_must_exist
            a_push_of_what_must_stand_at_a_digest
            a_push_of_what_must_not_stand_at_a_digest
            a_push_by_digest_looks_at_the_manifest
            one_tag_that_stands_elsewhere_refuses_all
            a_deletion_of_a_tag_obeys_its_precondition
            a_deletion_of_a_manifest_obeys_its_precondition
            // Tags.
            the_versions_of_a_tag_are_linear
            versions_go_on_after_a_deletion
            the_history_names_who_and_when
            each_change_has_its_event_in_the_order_of_commits
            tags_are_listed_in_byte_order
            tags_are_listed_a_page_at_a_time
            the_tags_of_an_unknown_repository_are_not_an_empty_list
            a_tag_that_is_not_there_is_not_deleted
            a_deleted_tag_leaves_its_manifest
            // Immutability.
            a_tag_that_is_brought_back_is_as_old_as_it_was
            a_frozen_tag_stays_where_it_is
            a_tag_freezes_as_old_as_its_policy_says
            a_move_does_not_make_a_tag_younger
            a_tag_deleted_while_it_was_mutable_may_come_again
            of_several_tags_all_move_or_none
            a_manifest_that_a_frozen_tag_needs_is_not_deleted
            a_repository_takes_nothing_back_from_its_namespace
            a_policy_that_cannot_be_read_stops_every_change
            policies_are_changed_and_found_by_name
            a_change_of_a_policy_is_in_the_audit_log_with_what_was_before
            there_are_only_so_many_policies
            what_policies_say_of_tags_is_told
            a_repository_with_frozen_tags_keeps_its_name
            policies_go_with_their_organization
            // The history of tags.
            changes_are_listed_with_their_reasons_the_newest_first
            changes_are_listed_within_a_time
            a_change_without_a_reason_is_told_without_one
            a_tag_stood_where_its_last_change_until_then_led
            nobody_knows_a_time_to_come
            the_tags_of_a_time_are_those_that_there_were
            what_is_forgotten_is_told_as_forgotten
            // Going back.
            a_tag_goes_back_by_one_more_change
            a_tag_goes_back_to_where_it_is_told
            a_deleted_tag_comes_back
            a_tag_goes_back_nowhere_where_it_never_stood
            a_tag_does_not_go_back_to_what_is_not_held
            a_tag_goes_back_from_the_state_that_was_expected
            a_tag_goes_back_once_under_a_key
            a_tag_goes_back_as_far_as_its_history_is_kept
            what_a_tag_went_back_to_is_pulled_whole
            a_frozen_tag_goes_back_nowhere
            // Pins.
            a_pin_keeps_its_manifest
            a_pin_is_put_on_where_a_tag_stands_or_stood
            a_pin_keeps_all_that_its_manifest_needs
            a_pin_keeps_nothing_elsewhere
            a_pin_ends_with_its_time
            a_pin_that_is_put_again_only_lasts_longer
            a_repository_has_a_bounded_number_of_pins
            pins_are_listed_a_page_at_a_time
            // Tags in another order.
            tags_are_listed_as_the_versions_that_they_are
            tags_are_listed_by_when_they_moved
            tags_of_a_release_before_get_their_place
            the_tags_of_no_repository_have_no_order
            // Removing manifests.
            a_deleted_manifest_takes_its_tags_along
            a_deleted_manifest_stays_in_other_repositories
            a_manifest_that_is_not_there_is_not_deleted
            a_deleted_manifest_can_be_pushed_again
            // Referrers.
            referrers_are_listed_in_the_order_of_their_digests
            referrers_are_listed_a_page_at_a_time
            a_page_of_referrers_ends_where_its_bytes_do
            referrers_are_filtered_by_type
            the_type_of_a_referrer_is_its_own_or_its_configurations
            only_the_repositorys_own_referrers_are_listed
            // Read-only mode and draining.
            what_is_read_only_is_not_changed
            a_repository_is_closed_alone
            a_push_under_way_finishes_while_it_is_drained
            a_mount_becomes_an_upload_while_it_is_drained
            a_drain_ends_when_no_push_is_left
            a_drain_of_a_repository_waits_for_no_repair
            what_may_be_written_is_told
            the_stricter_of_two_modes_holds
            what_is_read_only_is_not_collected
            what_was_deleted_before_is_confirmed_while_all_is_read_only
            // Races.
            tags_moved_by_many_at_once_have_a_linear_history
            of_many_that_compare_and_swap_one_wins_each_round
            of_many_that_create_a_tag_one_wins
            a_blob_removed_while_manifests_are_pushed_is_never_missed
            // Histories.
            what_clients_of_one_tag_are_told_is_linearizable
            // Adoptions.
            one_adoption_runs_at_a_time
            an_adoption_is_recorded_by_who_saw_its_last_record
            what_an_adoption_found_is_kept_once
            manifests_that_a_repository_holds_are_told_apart
            a_blob_is_held_once_its_bytes_were_hashed
            an_adopted_blob_is_charged_with_what_was_hashed
            a_blob_that_was_hashed_too_long_ago_is_not_held
            a_blob_that_a_collector_wants_is_adopted_while_it_is_only_marked
            an_adopted_tag_follows_the_other_registry
            a_tag_that_was_changed_here_stays_as_it_is
            an_adopted_tag_that_a_policy_freezes_stays
            // Jobs.
            a_job_is_claimed_once_with_what_it_says
            of_one_kind_and_key_there_is_one_job
            a_job_waits_for_its_time
            the_job_that_is_due_longest_comes_first
            only_jobs_of_the_kinds_asked_for_are_claimed
            a_job_whose_runner_is_gone_is_due_when_its_lease_ends
            a_lease_that_is_extended_lasts
            a_runner_that_lost_its_job_changes_nothing
            a_job_that_is_done_is_forgotten
            a_job_that_is_due_again_waits_for_its_time
            a_job_that_failed_is_tried_again_later
            a_job_set_aside_waits_until_it_is_revived
            only_jobs_set_aside_are_revived
            a_job_that_is_hastened_is_due_now
            a_job_that_runs_is_not_hastened
            jobs_are_counted
            a_job_given_back_is_due_at_once
            jobs_are_listed_a_page_at_a_time
            many_runners_never_hold_one_job_together
            // The log of events.
            events_are_read_in_the_order_of_commits
            events_are_of_a_repository_of_a_namespace_or_of_all
            each_reader_goes_on_where_it_stood
            a_reader_never_goes_back
            behind_the_newest_position_is_what_comes_later
            readers_miss_nothing_while_many_write
            events_that_may_be_needed_are_kept
            old_changes_of_tags_are_forgotten_but_for_the_last
            // Counts.
            counts_are_added_up
            a_batch_is_added_once
            an_index_is_counted_apart
            counts_of_a_repository_that_is_not_there_are_left_out
            a_batch_falls_into_the_hour_in_which_it_was_counted
            a_trend_compares_a_period_with_the_one_before
            what_is_pulled_most_is_listed_first
            the_last_pull_of_a_manifest_is_known
            old_counts_are_forgotten
            ids_of_old_batches_are_forgotten
            // Retention.
            a_policy_drops_nothing_before_its_preview_and_its_enabling
            a_policy_of_another_version_is_stale
            an_enabled_policy_rests_while_its_repository_is_deleted
            each_step_of_a_policy_is_in_the_audit_log
            the_facts_of_a_tag_are_those_of_its_repository
            what_keeps_a_tag_whatever_rules_say_is_told
            pulls_are_known_since_the_oldest_count
            what_runs_is_known_until_it_ends
            reports_of_what_runs_are_limited
            a_dropped_tag_has_history_event_and_record
            a_tag_that_moved_since_it_was_judged_is_left
            a_tag_that_was_frozen_or_pinned_since_it_was_judged_is_left
            a_policy_that_changed_drops_nothing_more
            a_policy_is_passed_over_where_nothing_may_change
            the_last_run_is_recorded
            // Usage and quotas.
            what_pushes_hold_is_counted
            what_is_restored_is_charged_again
            what_is_refused_for_what_it_lacks_is_not_charged
            a_namespace_holds_each_blob_once
            what_is_deleted_is_free_at_once_and_charged_when_it_is_pushed_again
            an_upload_begins_where_there_is_room_for_it
            an_upload_is_charged_until_it_ends
            an_upload_is_charged_until_it_ends_also_where_its_finish_was_lost
            a_blob_is_charged_until_a_sweep_takes_it
            a_mount_is_charged_and_refused_where_there_is_no_room
            a_push_that_does_not_fit_changes_nothing
            a_tag_and_a_manifest_too_many_are_refused
            uploads_of_others_do_not_keep_out_what_is_reserved
            below_a_lowered_quota_nothing_is_pushed
            a_quota_of_an_older_version_is_stale
            a_quota_is_of_what_there_is
            many_pushers_fill_a_quota_and_no_more
            many_pushers_fill_the_quota_of_a_namespace_and_no_more
            pushes_deletions_and_quotas_at_once_are_counted_exactly
            a_repository_takes_its_usage_to_another_namespace
            a_blob_is_charged_once_its_size_is_known
            what_was_there_before_is_counted
            a_count_corrects_what_is_wrong_and_tells
            what_is_stored_is_each_blob_once
            a_count_says_what_is_next
            // Bounds.
            a_manifest_with_as_many_tags_as_may_be_is_deleted_at_once
            a_manifest_with_more_tags_is_deleted_after_some_of_them
            an_index_that_needs_too_many_manifests_is_refused
            an_index_that_needs_as_many_manifests_as_may_be_is_pinned_and_restored
            a_repository_with_too_many_blobs_stays_in_its_namespace
        }
    };
    ($make:path: $($rule:ident)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            let (metadata, clock, inspect) = $make().await;
            $crate::contract::$rule(&$crate::contract::Stand::new(metadata, clock, inspect)).await;
        }
    )* };
}
