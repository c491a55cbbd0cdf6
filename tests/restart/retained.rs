//! Retained values over `kill -9`.

use crate::with_backends;
use hikyaku_tests::Options;
use hikyaku_tests::raw::{Connect, Publish, prop};
use hikyaku_tests::tools::{MESSAGE, mosquitto_pub, mosquitto_sub};

/// The last value is there, with its properties; the cleared one is not; nobody gets one twice.
fn retained_values_survive_kill_9(backend: &str) {
    let mut broker = Options::backend(backend).start();
    mosquitto_pub(&broker, "-t state/a -m old -q 1 -r");
    mosquitto_pub(&broker, "-t state/a -m new -q 2 -r");
    mosquitto_pub(&broker, "-t state/b -m gone -q 1 -r");
    mosquitto_pub(&broker, "-t state/b -n -q 1 -r");
    let typed = Publish::new("state/c", "typed", 1).retained();
    Connect::v5("typed").ok(&broker).publish(typed.prop(prop::CONTENT_TYPE, "text").prop(prop::USER, ("a", "b")));
    broker.kill9();
    broker.restart();
    let mut sub = mosquitto_sub(&broker, "-t state/+ -q 1");
    let mut seen = [sub.expect(MESSAGE), sub.expect(MESSAGE)];
    seen.sort();
    assert_eq!(seen, ["1 1 state/a new", "1 1 state/c typed"]);
    mosquitto_pub(&broker, "-t state/d -m end -q 1");
    assert_eq!(sub.expect_until(MESSAGE, "end"), Vec::<String>::new());
    let mut v5 = Connect::v5("reader").ok(&broker);
    v5.subscribe("state/c", 1);
    let typed = v5.message();
    assert_eq!(typed.prop(prop::CONTENT_TYPE), Some(&"text".into()));
    assert_eq!(typed.prop(prop::USER), Some(&("a", "b").into()));
}

/// The retained value comes with the subscription, so a durable subscriber who
/// was there gets it no second time after the restart.
fn retained_value_is_not_sent_again_on_resume(backend: &str) {
    let mut broker = Options::backend(backend).start();
    mosquitto_pub(&broker, "-t state -m on -q 1 -r");
    let durable = Connect::v311("reader").durable();
    let mut reader = durable.ok(&broker);
    reader.subscribe("state", 1);
    assert_eq!(reader.message().text(), "on");
    reader.leave();
    broker.kill9();
    broker.restart();
    let mut reader = durable.resume(&broker);
    mosquitto_pub(&broker, "-t state -m end -q 1");
    assert_eq!(reader.texts_until("end"), Vec::<String>::new());
}

with_backends! {
    retained_values_survive_kill_9
    retained_value_is_not_sent_again_on_resume
}
