//! Does the simulator find bugs? Each is planted alone, and must fail a seed that passes without it.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use hikyaku_simulator::{FLAWS, find};

/// Within how many seeds.
const SEEDS: u64 = 1000;

/// The bug of that name is found.
fn is_found(name: &str) {
    let (_, flaw) = FLAWS.iter().find(|(known, _)| *known == name).unwrap();
    let found = find(*flaw, 1..=SEEDS);
    println!("{name}: {:?}", found.as_ref().map(|failure| (failure.seed, &failure.what)));
    assert!(found.is_some(), "{name} was not found within {SEEDS} seeds");
}

macro_rules! planted {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            is_found($name);
        })*

        #[test]
        fn every_bug_that_can_be_planted_has_a_test() {
            let tested = [$($name),*];
            assert!(FLAWS.iter().all(|(name, _)| tested.contains(name)));
        }
    };
}

planted! {
    an_acknowledgement_before_the_commit_is_found: "acknowledge-before-commit",
    a_forgotten_id_of_qos_2_is_found: "forget-received-id",
    a_session_that_resumes_in_the_wrong_order_is_found: "resume-in-wrong-order",
    a_message_that_goes_with_its_first_receiver_is_found: "drop-message-early",
    a_will_although_its_client_came_back_is_found: "will-after-return",
    a_packet_id_that_is_in_use_is_found: "packet-id-in-use",
    a_session_number_that_is_used_again_is_found: "session-number-again",
    a_message_that_had_expired_is_found: "send-expired",
    a_publish_in_two_batches_is_found: "split-publish",
    an_answer_to_a_repeat_that_does_not_wait_is_found: "repeat-does-not-wait",
    a_connack_that_does_not_wait_for_the_end_of_the_session_before_is_found: "connect-does-not-wait",
    a_drain_of_what_is_not_appended_is_found: "drain-unappended",
    a_retained_value_that_a_subscriber_misses_is_found: "retained-missed",
    a_retained_value_that_comes_twice_is_found: "retained-twice",
    a_packet_larger_than_its_receiver_takes_is_found: "packet-size-ignored",
    a_queue_that_takes_one_more_than_its_limit_is_found: "queue-one-more",
    sessions_that_are_committed_before_retained_messages_are_found: "sessions-before-retained",
    a_watermark_that_moves_before_the_batch_is_applied_is_found: "commit-before-apply",
    a_batch_that_is_not_written_is_found: "batch-not-written",
    a_missing_sync_is_found: "no-sync",
}
