//! Much work for the broker is not felt by others; `bin/stall` proves it with more, and with narrower marks.

use crate::with_backends;
use hikyaku_tests::stall::{Felt, long_queue_is_dropped, many_sessions_expire, many_sessions_resume};
use std::time::Duration;

/// Several times the marks of `bin/stall`: the machine of a test may be small, and others may use it.
const PING: Duration = Duration::from_millis(250);
const PUBLISH: Duration = Duration::from_millis(2_500);

fn check(felt: Felt) {
    println!("{felt}");
    assert!(felt.ping < PING && felt.publish < PUBLISH, "{PING:?} and {PUBLISH:?} are allowed: {felt}");
}

fn sessions_that_expire_stall_nobody(backend: &str) {
    check(many_sessions_expire(backend, 20_000));
}

/// So many that their removals together are more than the journal may hold.
fn long_queue_that_is_dropped_stalls_nobody(backend: &str) {
    check(long_queue_is_dropped(backend, 300_000));
}

fn sessions_that_resume_at_once_stall_nobody(backend: &str) {
    check(many_sessions_resume(backend, 2_000));
}

with_backends! {
    sessions_that_expire_stall_nobody
    long_queue_that_is_dropped_stalls_nobody
    sessions_that_resume_at_once_stall_nobody
}
