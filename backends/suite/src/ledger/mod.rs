//! The ledger's own suite: does a store keep what the broker puts into it? With the feature `ledger`, which needs the
//! broker's core; the author of a backend outside of this repository does without.

mod messages;
mod recorder;
mod sessions;
mod world;

pub use messages::*;
pub use recorder::Recorder;
pub use sessions::*;

/// Expands to one test per case of the ledger, as [`suite!`](crate::suite) does; the store is opened again in each.
#[macro_export]
macro_rules! ledger_suite {
    ($fresh:path) => {
        $crate::tests!(
            $fresh: one_body_serves_many_sessions_until_the_last, partly_finished_receivers_keep_their_progress,
            publish_is_never_split, batch_applied_again_after_a_reopen_is_as_once, long_queues_come_back_in_order,
            times_are_absolute_and_the_clock_does_not_go_back, exchanges_of_qos_2_come_back_in_their_phase,
            retained_messages_are_replaced_and_cleared, ended_session_leaves_nothing, counters_never_go_back,
            store_tells_the_same_after_each_restart
        );
    };
}
