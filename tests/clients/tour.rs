//! The programs of the tour, run as its text says.

use hikyaku_tests::tools::{here, python};
use hikyaku_tests::{Broker, Program};
use std::process::Command;

fn tour(broker: &Broker, script: &str, args: &[&str]) -> Program {
    let script = here().parent().expect("the workspace").join("examples/tour").join(script);
    let mut command = Command::new(python(2));
    command.arg("-u").arg(script).args(args).env("MQTT_PORT", broker.port().to_string());
    Program::start(&mut command)
}

/// Subscribe, stop, publish, start again: everything is there.
#[test]
fn tour_of_the_durable_subscriber() {
    let broker = Broker::memory();
    let mut subscriber = tour(&broker, "subscriber.py", &[]);
    subscriber.expect("waiting");
    tour(&broker, "publisher.py", &["one"]).finish();
    assert_eq!(subscriber.expect("test: "), "one");
    subscriber.kill9();
    for payload in ["two", "three"] {
        tour(&broker, "publisher.py", &[payload]).finish();
    }
    let mut subscriber = tour(&broker, "subscriber.py", &[]);
    assert_eq!([(); 2].map(|()| subscriber.expect("test: ")), ["two", "three"]);
}

/// A will reaches the subscriber when its client is killed.
#[test]
fn tour_of_the_will() {
    let broker = Broker::memory();
    let mut subscriber = tour(&broker, "subscriber.py", &[]);
    subscriber.expect("waiting");
    let mut will = tour(&broker, "will.py", &[]);
    will.expect("kill");
    will.kill9();
    assert_eq!(subscriber.expect("test: "), "will");
}

/// A retained value is there for whoever comes later.
#[test]
fn tour_of_the_retained_value() {
    let broker = Broker::memory();
    tour(&broker, "retained.py", &["21.5"]).finish();
    let seen = tour(&broker, "latest.py", &[]).finish();
    assert_eq!(seen, ["room/temperature: 21.5 (retained)"]);
}
