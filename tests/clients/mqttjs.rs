//! MQTT.js over MQTT 5.0.

use hikyaku_tests::Broker;
use hikyaku_tests::tools::node;

/// The script says what it sees; this is what it must see. What comes from different
/// publishers at QoS 1 and 2 comes in the order in which it was published.
#[test]
fn mqttjs_connects_subscribes_publishes_and_resumes() {
    let broker = Broker::memory();
    let seen = node(&broker, "mqttjs.js", &[]).finish();
    let expected = [
        "session 0",
        "granted 2",
        "message 0 0 js/0 live-0",
        "message 1 0 js/1 live-1",
        "message 2 0 js/2 live-2",
        "session 1",
        "message 1 0 js/1 away-1",
        "message 2 0 js/2 away-2",
        "message 2 0 js/end end",
        "done",
    ];
    assert_eq!(seen, expected);
}
