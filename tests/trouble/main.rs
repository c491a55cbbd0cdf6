//! What the broker does when its store is in trouble: damaged, of another version, full, failing, forbidden.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod corrupt;
mod failing;
mod forbidden;
mod formats;
mod full;
mod load;
mod set_aside;

/// Declares each test once for every backend that keeps anything.
macro_rules! with_backends {
    ($($test:ident)*) => {
        mod redb { $(#[test] fn $test() { super::$test("redb"); })* }
        mod sqlite { $(#[test] fn $test() { super::$test("sqlite"); })* }
    };
}
pub(crate) use with_backends;

use hikyaku_tests::raw::{Connect, Publish};
use hikyaku_tests::{Broker, Options};

/// How many messages wait in a [`stocked`] store.
const STOCK: usize = 200;

/// A broker that has ended in order, in whose store messages wait for a session.
fn stocked(backend: &str) -> Broker {
    let mut broker = stocking(backend);
    broker.term();
    broker
}

/// The same, while it still runs.
fn stocking(backend: &str) -> Broker {
    let broker = Options::backend(backend).start();
    Connect::v311("sleeper").durable().ok(&broker).subscribe("stock", 1);
    let mut publisher = Connect::v311("publisher").ok(&broker);
    for number in 0..STOCK {
        publisher.publish(Publish::new("stock", format!("{number} {}", "x".repeat(1_000)), 1));
    }
    broker
}
