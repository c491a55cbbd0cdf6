//! Retained messages as mosquitto's clients see them.

use hikyaku_tests::Broker;
use hikyaku_tests::tools::{MESSAGE, mosquitto_pub, mosquitto_sub};

/// New subscribers get the value with the retain flag, those who are there get
/// what is published without it and get nothing when somebody else subscribes.
#[test]
fn retained_value_comes_once_per_subscription() {
    let broker = Broker::memory();
    mosquitto_pub(&broker, "-t state -m on -q 1 -r");
    let mut first = mosquitto_sub(&broker, "-t state -q 1");
    assert_eq!(first.expect(MESSAGE), "1 1 state on");
    let mut second = mosquitto_sub(&broker, "-t state -q 1");
    assert_eq!(second.expect(MESSAGE), "1 1 state on");
    mosquitto_pub(&broker, "-t state -m off -q 1 -r");
    assert_eq!(first.expect(MESSAGE), "1 0 state off", "the second subscription brought the first nothing");
    assert_eq!(second.expect(MESSAGE), "1 0 state off");
    let mut third = mosquitto_sub(&broker, "-t +/# -q 1");
    mosquitto_pub(&broker, "-t state -m end -q 1");
    assert_eq!(third.expect_until(MESSAGE, "end"), ["1 1 state off"], "only the last value is kept");
}

/// An empty payload takes the value away, and reaches who is there.
#[test]
fn empty_payload_clears_the_retained_value() {
    let broker = Broker::memory();
    mosquitto_pub(&broker, "-t state -m on -q 1 -r");
    let mut there = mosquitto_sub(&broker, "-t state -q 1");
    assert_eq!(there.expect(MESSAGE), "1 1 state on");
    mosquitto_pub(&broker, "-t state -n -q 1 -r");
    assert_eq!(there.expect(MESSAGE), "1 0 state ");
    let mut late = mosquitto_sub(&broker, "-t state -q 1");
    mosquitto_pub(&broker, "-t state -m end -q 1");
    assert_eq!(late.expect_until(MESSAGE, "end"), Vec::<String>::new());
}
