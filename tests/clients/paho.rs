//! Eclipse Paho for Python, with the API of 1.x and that of 2.x.

use hikyaku_tests::Broker;
use hikyaku_tests::tools::{MESSAGE, mosquitto_pub, mosquitto_sub, paho};

/// A durable subscriber misses nothing that a publisher without any loop sends while it is away.
fn durable_subscriber_and_publisher_in_a_row(major: u8) {
    let broker = Broker::memory();
    let mut sub = paho(major, &broker, "subscriber.py", &[]);
    assert_eq!(sub.expect("connected "), "0");
    sub.expect("subscribed");
    paho(major, &broker, "publisher.py", &["here"]).finish();
    assert_eq!(sub.expect(MESSAGE), "1 0 test here");
    sub.kill9();
    let payloads: Vec<String> = (0..8).map(|number| format!("away-{number}")).collect();
    for payload in &payloads {
        paho(major, &broker, "publisher.py", &[payload]).finish();
    }
    let mut sub = paho(major, &broker, "subscriber.py", &[]);
    assert_eq!(sub.expect("connected "), "1", "the session was kept");
    mosquitto_pub(&broker, "-t test -q 1 -m end");
    let expected: Vec<String> = payloads.iter().map(|payload| format!("1 0 test {payload}")).collect();
    assert_eq!(sub.expect_until(MESSAGE, "end"), expected);
}

/// What is published as retained in a row with connect and disconnect is kept.
fn retained_in_a_row(major: u8) {
    let broker = Broker::memory();
    paho(major, &broker, "publisher.py", &["first", "retain"]).finish();
    paho(major, &broker, "publisher.py", &["kept", "retain"]).finish();
    mosquitto_pub(&broker, "-t done -q 1 -m done");
    let mut sub = mosquitto_sub(&broker, "-t test -q 1");
    assert_eq!(sub.expect(MESSAGE), "1 1 test kept");
    let mut paho_sub = paho(major, &broker, "subscriber.py", &[]);
    assert_eq!(paho_sub.expect(MESSAGE), "1 1 test kept");
}

#[test]
fn paho_1_durable_subscriber_and_publisher_in_a_row() {
    durable_subscriber_and_publisher_in_a_row(1);
}

#[test]
fn paho_2_durable_subscriber_and_publisher_in_a_row() {
    durable_subscriber_and_publisher_in_a_row(2);
}

#[test]
fn paho_1_retained_in_a_row() {
    retained_in_a_row(1);
}

#[test]
fn paho_2_retained_in_a_row() {
    retained_in_a_row(2);
}
