//! What must be there after the broker was stopped or killed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod boot;
mod crash;
mod durable;
mod queue;
mod retained;
mod space;
mod stall;
mod syscalls;
mod time;
mod wills;

/// Declares each test once for every backend that keeps anything.
macro_rules! with_backends {
    ($($test:ident)*) => {
        mod redb { $(#[test] fn $test() { super::$test("redb"); })* }
        mod sqlite { $(#[test] fn $test() { super::$test("sqlite"); })* }
    };
}
pub(crate) use with_backends;
