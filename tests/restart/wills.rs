//! Wills of clients whose broker died.

use crate::with_backends;
use hikyaku_tests::raw::{Client, Connect, Publish, prop};
use hikyaku_tests::{Broker, Options};

/// A broker with a durable watcher of `will`, and the CONNECT by which it comes back.
fn watched(backend: &str) -> (Broker, Connect) {
    let broker = Options::backend(backend).start();
    let watcher = Connect::v5("watcher").durable();
    watcher.ok(&broker).subscribe("will", 1);
    (broker, watcher)
}

/// What the watcher has got up to now.
fn wills(broker: &Broker, watcher: &mut Client) -> Vec<String> {
    Connect::v311("end").ok(broker).publish(Publish::new("will", "end", 1));
    watcher.texts_until("end")
}

/// The client was connected and did not come back: its will is published after the restart, once.
fn will_is_published_after_kill_9(backend: &str) {
    let (mut broker, watcher) = watched(backend);
    let _v311 = Connect::v311("clean").will(Publish::new("will", "of v3.1.1", 1)).ok(&broker);
    let delayed = Publish::new("will", "of v5", 1).prop(prop::WILL_DELAY, 1);
    let _v5 = Connect::v5("delayed").durable().will(delayed).ok(&broker);
    broker.kill9();
    broker.restart();
    let mut watcher = watcher.resume(&broker);
    assert_eq!(watcher.message().text(), "of v3.1.1");
    assert_eq!(watcher.message().text(), "of v5");
    assert_eq!(wills(&broker, &mut watcher), Vec::<String>::new());
}

/// The client comes back before its delay is over: no will [MQTT-3.1.3-9].
fn client_that_comes_back_in_time_has_no_will(backend: &str) {
    let (mut broker, watcher) = watched(backend);
    let will = Publish::new("will", "too early", 1).prop(prop::WILL_DELAY, 600);
    let comes_back = Connect::v5("back").durable().will(will);
    let _lost = comes_back.ok(&broker);
    broker.kill9();
    broker.restart();
    comes_back.resume(&broker).leave();
    assert_eq!(wills(&broker, &mut watcher.resume(&broker)), Vec::<String>::new());
}

/// A client that took its leave has none, whatever happens to the broker.
fn client_that_disconnected_has_no_will(backend: &str) {
    let (mut broker, watcher) = watched(backend);
    Connect::v311("left").durable().will(Publish::new("will", "left", 1)).ok(&broker).leave();
    broker.kill9();
    broker.restart();
    assert_eq!(wills(&broker, &mut watcher.resume(&broker)), Vec::<String>::new());
}

/// A session that expires while its client is away ends its delayed will's wait:
/// the will shows that expiry goes on after a restart.
fn session_expiry_goes_on_after_kill_9(backend: &str) {
    let (mut broker, watcher) = watched(backend);
    let will = Publish::new("will", "session ended", 1).prop(prop::WILL_DELAY, 600);
    let session = Connect::v5("short").clean(false).prop(prop::SESSION_EXPIRY, 1);
    session.clone().will(will).ok(&broker).vanish();
    broker.kill9();
    broker.restart();
    assert_eq!(watcher.resume(&broker).message().text(), "session ended");
    let (_, connack) = session.open(&broker);
    assert_eq!(connack.flags, 0, "the session has expired");
}

/// SIGTERM publishes no will by itself; after the next start they fall due like after a kill.
fn will_is_published_after_sigterm(backend: &str) {
    let (mut broker, watcher) = watched(backend);
    let _client = Connect::v311("clean").will(Publish::new("will", "lost", 1)).ok(&broker);
    broker.term();
    broker.restart();
    let mut watcher = watcher.resume(&broker);
    assert_eq!(watcher.message().text(), "lost");
    assert_eq!(wills(&broker, &mut watcher), Vec::<String>::new());
}

with_backends! {
    will_is_published_after_kill_9
    client_that_comes_back_in_time_has_no_will
    client_that_disconnected_has_no_will
    session_expiry_goes_on_after_kill_9
    will_is_published_after_sigterm
}
