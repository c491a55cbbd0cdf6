//! Keep alive: lost after one and a half of it, and not before [MQTT-3.1.2-22].

use crate::VERSIONS;
use hikyaku_tests::raw::{Connect, Event, Kind, Version};
use hikyaku_tests::{Broker, Options};
use std::time::{Duration, Instant};

/// Waits until the broker has dropped the client and says after how long.
fn dropped_after(broker: &Broker, connect: &Connect) -> Duration {
    let mut client = connect.ok(broker);
    let begin = Instant::now();
    match connect.version {
        Version::V5 => client.disconnected(0x8d),
        _ => assert_eq!(client.closed(), None),
    }
    begin.elapsed()
}

#[test]
fn silent_client_is_dropped_after_one_and_a_half_keep_alives() {
    let broker = Broker::memory();
    for version in VERSIONS {
        let took = dropped_after(&broker, &Connect::new(version, "silent").keep_alive(1));
        assert!(took > Duration::from_millis(1_400), "{version:?}: dropped after {took:?} of 1.5 s");
        assert!(took < Duration::from_secs(6), "{version:?}: dropped after {took:?} of 1.5 s");
    }
}

/// The client must use the server's keep alive, so it holds for who asked for none or for more.
#[test]
fn server_keep_alive_is_enforced() {
    let broker = Options::backend("memory").config("limits:\n  keep_alive_max: 1s").start();
    let took = dropped_after(&broker, &Connect::v5("silent").keep_alive(600));
    assert!(took < Duration::from_secs(6), "dropped after {took:?} of 1.5 s");
}

/// Any packet is a sign of life, and zero turns the keep alive off.
#[test]
fn sign_of_life_and_zero_keep_the_connection() {
    let broker = Broker::memory();
    let mut off = Connect::v5("off").ok(&broker);
    let mut pings = Connect::v5("pings").keep_alive(1).ok(&broker);
    for _ in 0..5 {
        // Time is what is tested: nothing is waited for, the ping comes after 0.6 s of silence.
        assert_eq!(pings.poll(Duration::from_millis(600)), Event::Silence);
        pings.send(&[0xc0, 0]);
        pings.expect(Kind::Pingresp);
    }
    off.ping();
}
