"""The fault matrix: what may fail, what must hold then, and the tests that hold it.

The rows are faults, the columns what they befall; each cell is a promise, or several, and a promise has its tests.
test_matrix.py sees to it that no promise is without a test and that every test there is still exists.
"""

from collections.abc import Mapping

Promises = Mapping[str, tuple[str, ...]]

_M = "tests/faults/test_models.py::"
_K = "tests/faults/test_keys_ssm.py::"
_D = "tests/faults/test_dynamodb.py::"
_S = "tests/faults/test_sqlite.py::"
_P = "tests/faults/test_process.py::"
_T = "tests/faults/test_clock.py::"
_C = "tests/faults/test_client.py::"
_GATEWAY = "tests/llm/test_gateway.py::"
_ROUND = "tests/workers/test_round.py::TestOneModelFails::"
_KEYS = "tests/test_keys.py::"
_LIMITS = "tests/http/test_limits.py::"
_COLLECTOR = "tests/telemetry/test_collector_faults.py::"
_LAMBDA = "tests/lambdas/test_process.py::"

_COMPARE = "tests/faults/test_compare.py::"
_COMPARING = "tests/http/test_compare.py::"
_FLOODS = "tests/http/test_floods.py::"

_SSM_STALE = _K + "test_fresh_is_unaffected_and_stale_is_served_for_an_hour_and_reported"
_SSM_COLD = _K + "test_cold_the_model_is_unavailable_within_three_seconds"
_ONE_RETRY = _M + "test_429_5xx_or_reset_once_one_retry_mends_it"
_THEN_BREAKER = _M + "test_429_5xx_or_reset_for_good_two_attempts_each_then_the_breaker"
_SLOTS = _COMPARING + "test_a_slot_that_fails_says_why_and_the_others_stand"
_BALLOTS = _COMPARE + "test_429_500_reset_or_junk_a_vote_on_a_comparison_is_retried_then_503_and_safe_to_repeat"
_OTHERS_KEPT = _ROUND + "test_the_others_bring_theirs_and_it_is_named"

MATRIX: dict[str, dict[str, Promises]] = {
    "hang, slow drip": {
        "models": {
            "live: falls back by the deadline": (
                _M + "test_hang_or_slow_drip_falls_back_by_the_deadline_and_nobody_else_waits",
            ),
            "round: the others are kept": (_ROUND + "test_one_that_hangs_is_given_up_at_its_deadline",),
            "a model that was never asked has not failed": (
                _GATEWAY + "test_a_model_that_was_never_asked_has_not_failed",
                _GATEWAY + "test_the_timeout_bounds_what_comes_before_the_call_too",
            ),
            "compare: the slot says `timeout`, the others stand": (_SLOTS,),
        },
        "SSM": {
            "fresh unaffected, stale served for an hour and reported": (
                _SSM_STALE,
                _KEYS + "test_while_the_source_hangs_only_the_first_callers_wait_for_it",
            ),
            "cold: the model is unavailable within three seconds": (_SSM_COLD,),
        },
        "DynamoDB": {
            "a vote is 503 by two seconds and safe to repeat": (
                _D + "test_hang_or_drip_a_vote_is_answered_503_by_two_seconds_and_safe_to_repeat",
            ),
            "compare: a vote is 503 by two seconds and safe to repeat": (
                _COMPARE + "test_hang_or_drip_a_vote_on_a_comparison_is_503_by_two_seconds_and_safe_to_repeat",
            ),
            "GET falls back": (_D + "test_hang_people_get_another_saying_by_one_second",),
        },
        "SQLite": {
            "a vote is 503 by two seconds and safe to repeat": (
                _S + "test_hang_a_locked_file_is_503_by_two_seconds_and_safe_to_repeat_and_reads_go_on",
                _LIMITS + "test_a_vote_that_hangs_is_answered_503_and_counts_once_when_repeated",
            ),
            "compare: a vote is 503 by two seconds and safe to repeat": (
                _COMPARE
                + "test_hang_a_locked_file_holds_up_a_vote_on_a_comparison_for_two_seconds_and_it_is_safe_to_repeat",
            ),
            "GET falls back": (_S + "test_hang_of_the_disk_people_get_another_saying_by_one_second",),
        },
    },
    "429 with Retry-After": {
        "models": {
            "fits the time left: one retry": (
                _M + "test_429_with_a_retry_after_that_fits_is_waited_for_and_retried_once",
            ),
            "else: cool down": (_M + "test_429_with_a_retry_after_that_does_not_fit_cools_down_for_just_that_long",),
            "compare: the same, and the others stand": (
                _COMPARE + "test_429_with_a_retry_after_that_fits_a_comparison_waits_and_has_all_its_slots",
                _COMPARE + "test_429_with_a_retry_after_that_does_not_fit_the_next_comparison_does_not_ask_that_model",
            ),
            "retries are a tenth of the calls": (_GATEWAY + "test_retries_cannot_multiply_an_outage",),
        },
        "SSM": {
            "as above": (_SSM_STALE, _SSM_COLD),
            "one refresh per process": (
                _K + "test_429_one_refresh_per_process_however_many_ask_and_none_for_seconds_after",
            ),
        },
        "DynamoDB": {
            "retried with jitter, then 503 and Retry-After": (
                _D + "test_429_is_retried_and_then_503",
                _D + "test_conflicts_with_other_votes_are_retried_and_then_503",
            ),
            "retries are a tenth of the calls, conflicts apart": (
                _D + "test_retries_are_a_tenth_of_the_calls_however_long_it_lasts",
                _D + "test_conflicts_cost_no_retries",
            ),
            "compare: a vote likewise, and counted once": (_BALLOTS,),
        },
    },
    "429 without, spend limit": {
        "models": {
            "without: one jittered retry": (_ONE_RETRY, _THEN_BREAKER),
            "spend limit: none, left alone until it may be reset": (
                _M + "test_429_of_a_spend_limit_is_not_retried_and_the_model_left_alone_until_it_may_be_reset",
            ),
            "compare: the slot says so, the others stand": (
                _SLOTS,
                _COMPARING + "test_a_model_that_is_left_alone_is_not_asked_and_its_money_given_back",
            ),
        },
    },
    "500, 529": {
        "models": {
            "one jittered retry, then the breaker": (_ONE_RETRY, _THEN_BREAKER),
            "compare: the slot says so, the others stand": (_SLOTS,),
        },
        "SSM": {"stale": (_SSM_STALE, _SSM_COLD)},
        "DynamoDB": {
            "three attempts at most, then 503": (_D + "test_500_is_tried_three_times_and_then_503",),
            "compare: a vote likewise, and counted once": (_BALLOTS,),
            "compare: none is begun, or it is shown without a vote": (
                _COMPARE + "test_without_a_database_no_comparison_is_begun_and_one_under_way_is_shown_without_a_vote",
            ),
        },
    },
    "bad JSON, truncated, HTML, empty": {
        "models": {
            "no retry, the reservation stays spent, counted as a bad response": (
                _M + "test_bad_json_truncated_html_or_empty_is_not_retried_and_its_reservation_stays_spent",
            ),
            "compare: the slot says `bad_response`, the others stand": (_SLOTS,),
            "round: the others are kept": (_OTHERS_KEPT,),
        },
        "SSM": {"stale": (_SSM_STALE, _SSM_COLD)},
        "DynamoDB": {
            "an answer that is none is never taken for one": (
                _D + "test_bad_json_truncated_html_or_empty_is_never_taken_for_an_answer",
            ),
            "a corrupt item is skipped and counted": (
                _D + "test_a_corrupt_item_is_skipped_and_counted",
                _D + "test_a_corrupt_comparison_ballot_vote_or_call_is_skipped_and_counted",
            ),
            "compare: no vote is taken for stored that is not": (_BALLOTS,),
        },
        "SQLite": {
            "a corrupt row is skipped and counted": (
                _S + "test_a_corrupt_row_is_skipped_and_counted",
                _S + "test_a_corrupt_comparison_vote_or_call_is_skipped_and_counted",
            ),
            "a corrupt file is an error in our words": (
                _S + "test_a_file_overwritten_with_junk_ends_votes_with_503_and_sayings_from_the_package",
            ),
        },
    },
    "refusal, max tokens": {
        "models": {
            "never stored as a saying": (
                _M + "test_refusal_or_max_tokens_is_never_stored_as_a_saying",
                _OTHERS_KEPT,
            ),
            "compare: the slot says so, the others stand": (_SLOTS,),
        },
    },
    "reset, DNS failure": {
        "models": {
            "one retry on a new connection": (
                _ONE_RETRY,
                _THEN_BREAKER,
                _M + "test_dns_failure_is_retried_once_and_costs_nothing",
            ),
            "compare: the slot says so, the others stand": (_SLOTS,),
        },
        "SSM": {
            "stale": (
                _SSM_STALE,
                _SSM_COLD,
                _K + "test_reset_is_over_and_the_next_refresh_brings_the_new_key",
                _KEYS + "test_an_ssm_that_nobody_answers_at_is_unavailable",
            ),
        },
        "DynamoDB": {
            "safe because writes are conditional": (
                _D + "test_reset_is_safe_because_writes_are_conditional",
                _D + "test_reset_for_good_is_503_and_safe_to_repeat",
            ),
            "compare: a vote likewise, and counted once": (_BALLOTS,),
            "money is not reserved twice": (
                _D + "test_money_that_cannot_be_reserved_is_not_spent_and_never_reserved_twice",
            ),
        },
    },
    "key revoked": {
        "models": {
            "reloaded once, retried once": (_K + "test_key_revoked_is_reloaded_once_and_the_call_repeated_once",),
            "then the breaker and the alarm": (
                _K + "test_key_revoked_for_good_the_model_is_left_alone_and_the_alarm_has_its_metric",
            ),
            "compare: the slot says so, the others stand": (_SLOTS,),
        },
        "SSM": {"denied: stale for an hour, and the alarm": (_SSM_STALE, _SSM_COLD)},
        "DynamoDB": {"503, not ready": (_D + "test_key_revoked_is_503_and_not_ready_and_not_tried_again",)},
    },
    "clock jumps": {
        "models": {
            "deadlines and lives are monotonic": (
                _M + "test_clock_jump_neither_ends_a_cool_down_nor_prolongs_a_call",
                _T + "test_clock_jump_of_five_minutes_or_a_day_disturbs_neither_sayings_nor_votes",
            ),
        },
        "SSM": {"lives are monotonic": (_K + "test_clock_jump_lives_are_monotonic",)},
        "DynamoDB": {
            "expiries bear five minutes": (_T + "test_clocks_five_minutes_apart_cost_a_fleet_one_round_at_most",),
        },
        "SQLite": {
            "expiries bear five minutes": (
                _T + "test_clocks_five_minutes_apart_cost_a_fleet_one_round_at_most",
                _T + "test_clock_jump_of_five_minutes_or_a_day_disturbs_neither_sayings_nor_votes",
                _T + "test_clock_of_an_instance_off_by_five_minutes_it_fills_its_pool_without_a_round_of_its_own",
            ),
        },
    },
    "disk full": {
        "SQLite": {
            "votes are 503 storage_full, reads work, nothing is corrupted": (
                _S + "test_disk_full_votes_are_503_storage_full_reads_work_and_nothing_is_corrupted",
                _S + "test_disk_full_for_the_operating_system_a_process_goes_on_reading_and_loses_nothing",
            ),
            "compare: a vote likewise, and counted once": (
                _COMPARE + "test_disk_full_votes_on_comparisons_are_503_storage_full_and_safe_to_repeat",
            ),
        },
    },
    "down, slow, 429, junk": {
        "collector": {
            "no status changes": (_COLLECTOR + "test_no_answer_changes_and_little_is_said",),
            "p99 within five milliseconds": (_COLLECTOR + "test_a_request_takes_as_long_with_a_collector_that_hangs",),
            "the oldest is dropped, and counted": (
                _COLLECTOR + "test_a_full_queue_drops_the_oldest_and_counts_them",
                _COLLECTOR + "test_what_was_refused_is_counted_when_the_collector_is_back",
            ),
            "the last flush takes two seconds at most": (
                _COLLECTOR + "test_a_process_stops_in_time_and_says_nothing_but_json",
            ),
        },
    },
    "slow body, half headers": {
        "client": {
            "408 at five seconds": (
                _C + "test_slow_body_and_half_headers_are_408_at_five_seconds",
                _LIMITS + "test_a_body_that_drips_in_is_cut_off",
                _LIMITS + "test_headers_that_do_not_end_are_cut_off",
            ),
        },
    },
    "disconnect": {
        "client": {
            "a vote once accepted is completed": (
                _C + "test_disconnect_a_vote_once_accepted_is_completed",
                _LIMITS + "test_the_vote_of_a_client_that_goes_away_still_counts",
            ),
            "compare: cancelled, and its spend booked": (
                _COMPARING + "test_a_client_that_goes_away_stops_the_models_whose_calls_count_as_spent",
                _COMPARING + "test_a_client_that_is_gone_before_the_first_event_costs_nothing",
            ),
        },
    },
    "flood": {
        "client": {
            "503 and Retry-After, health p95 below half a second": (
                _C + "test_flood_is_answered_200_or_503_with_retry_after_and_health_stays_quick",
            ),
            "compare, vote: 429 and Retry-After": (
                _FLOODS + "TestWithOneRequestAnHour::test_who_asks_too_often_is_told_when_to_come_again",
            ),
            "compare: beyond what may run at once an older one, or 503 and Retry-After": (
                _FLOODS
                + "TestWithPlacesForOneComparison::"
                + "test_who_wants_another_comparison_is_shown_one_that_was_made_or_has_to_wait",
            ),
        },
    },
    "kill -9": {
        "process": {
            "no acknowledged vote is lost, reserved spend counts as spent": (
                _P
                + "test_kill_9_under_load_loses_no_acknowledged_vote_counts_none_twice_and_leaves_reservations_spent",
                "tests/store/test_sqlite.py::test_killed_in_mid_write_no_acknowledged_vote_is_lost",
            ),
            "compare: so with a comparison under way": (
                _P + "test_kill_9_during_a_comparison_loses_no_vote_on_another_and_its_money_stays_spent",
            ),
        },
    },
    "SIGTERM under load": {
        "process": {
            "not ready, drains, out within ten seconds, nothing accepted is dropped, no orphan": (
                _P + "test_sigterm_under_load_is_not_ready_drains_and_drops_nothing_it_has_accepted",
                _LIMITS + "test_whoever_has_asked_when_the_server_stops_is_answered_however_far_the_connection_is",
                "tests/test_processes.py::TestStopping::test_while_the_calls_of_a_round_hang",
            ),
            "live, compare: ended in time, and what has landed can be voted on": (
                _P + "test_sigterm_while_models_hang_drops_nobody_either_and_what_has_landed_can_be_voted_on",
                "tests/test_compare.py::test_when_drained_what_has_landed_is_stored_and_the_others_say_timeout",
            ),
        },
    },
    "frozen and thawed": {
        "process": {
            "goes on, and no vote is lost or counted twice": (
                _P + "test_frozen_and_thawed_under_load_it_goes_on_and_no_vote_is_lost_or_counted_twice",
            ),
        },
        "Lambda": {
            "a thousand warm calls, no error of the loop": (
                _LAMBDA + "test_a_thousand_warm_invocations_leave_nothing_behind",
                _LAMBDA + "test_an_hour_in_the_freezer_disturbs_nothing",
            ),
        },
    },
    "any": {
        "SSM": {
            "every attempt is told with its fault and without content": (
                _K + "test_every_attempt_is_measured_with_its_fault_and_nothing_of_what_was_said",
            ),
        },
        "DynamoDB": {
            "every attempt is told with its fault and without content": (
                _D + "test_every_attempt_is_measured_with_its_fault_and_nothing_of_what_was_said",
            ),
        },
    },
}
