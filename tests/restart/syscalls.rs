//! PUBLISH read, store synced, PUBACK written: in that order, seen from outside.

use crate::with_backends;
use hikyaku_tests::Options;
use hikyaku_tests::raw::{Connect, Publish};
use hikyaku_tests::syscalls::{finish, synced_between, traced};

const MESSAGES: u16 = 5;

/// Publishes to an offline session one by one and judges the order for each message.
fn judge(options: Options) -> Vec<Result<(), String>> {
    let broker = traced(options);
    let store = broker.dir().join("data").display().to_string();
    let mut sleeper = Connect::v311("sleeper").durable().ok(&broker);
    sleeper.subscribe("order", 1);
    sleeper.leave();
    let mut publisher = Connect::v311("publisher").ok(&broker);
    for number in 0..MESSAGES {
        publisher.publish(Publish::new("order", format!("message {number}"), 1).id(0x5a00 + number));
    }
    let trace = finish(broker);
    let answer = |number: u16| [0x40, 2, 0x5a, number as u8];
    let judged = |number| synced_between(&trace, format!("message {number}").as_bytes(), &answer(number), &store);
    (0..MESSAGES).map(judged).collect()
}

fn puback_is_written_after_the_sync(backend: &str) {
    for result in judge(Options::backend(backend)) {
        assert_eq!(result, Ok(()));
    }
}

/// The same test sees that nothing is synced where nothing has to be: so it can fail.
fn without_durability_no_sync_is_seen(backend: &str) {
    for result in judge(Options::backend(backend).durability("never")) {
        assert!(result.is_err_and(|why| why.contains("no sync")), "a sync was seen with durability never");
    }
}

with_backends! {
    puback_is_written_after_the_sync
    without_durability_no_sync_is_seen
}
