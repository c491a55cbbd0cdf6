//! Mosquitto's own command line clients.

use hikyaku_tests::Broker;
use hikyaku_tests::tools::{MESSAGE, mosquitto_pub, mosquitto_sub};

/// The first thing that anybody tries.
#[test]
fn what_is_published_arrives() {
    let broker = Broker::memory();
    let mut sub = mosquitto_sub(&broker, "-t test");
    mosquitto_pub(&broker, "-t test -m abc");
    assert_eq!(sub.expect(MESSAGE), "0 0 test abc");
}

/// Each of the nine combinations, in each version: the lower QoS of the two is what arrives.
#[test]
fn the_lower_quality_of_service_arrives() {
    let broker = Broker::memory();
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        let mut subs = [0, 1, 2].map(|qos| (qos, mosquitto_sub(&broker, &format!("-t test -V {version} -q {qos}"))));
        for sent in [0, 1, 2] {
            mosquitto_pub(&broker, &format!("-t test -V {version} -m sent-{sent} -q {sent}"));
            for (granted, sub) in &mut subs {
                assert_eq!(sub.expect(MESSAGE), format!("{} 0 test sent-{sent}", sent.min(*granted)));
            }
        }
    }
}

/// A publisher and subscribers of different versions meet.
#[test]
fn versions_mix() {
    let broker = Broker::memory();
    let versions = ["mqttv31", "mqttv311", "mqttv5"];
    let mut subs = versions.map(|version| mosquitto_sub(&broker, &format!("-t mix/# -V {version} -q 2")));
    for from in versions {
        mosquitto_pub(&broker, &format!("-t mix/{from} -V {from} -m abc -q 2"));
        for sub in &mut subs {
            assert_eq!(sub.expect(MESSAGE), format!("2 0 mix/{from} abc"));
        }
    }
}
