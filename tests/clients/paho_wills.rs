//! Wills of Paho clients that end in every way a client can end.

use hikyaku_tests::raw::{Client, Connect, Publish};
use hikyaku_tests::tools::paho;
use hikyaku_tests::{Broker, Program};
use std::time::{Duration, Instant};

/// Longer than a will that comes at once may take, and far below every keep alive of 60 and 300 s.
const AT_ONCE: Duration = Duration::from_secs(15);

struct Stage {
    broker: Broker,
    watcher: Client,
}

/// A client that is connected with its will, and somebody who watches for that.
fn stage(major: u8, mode: &str) -> (Stage, Program) {
    let broker = Broker::memory();
    let mut watcher = Connect::v311("watcher").ok(&broker);
    watcher.subscribe("test", 0);
    let mut client = paho(major, &broker, "will.py", &[mode]);
    client.expect("connected");
    (Stage { broker, watcher }, client)
}

impl Stage {
    /// What the watcher has got up to now.
    fn wills(&mut self) -> Vec<String> {
        let mut end = Connect::v311("end").ok(&self.broker);
        end.publish(Publish::new("test", "end", 1));
        self.watcher.texts_until("end")
    }

    /// The will comes, once, and no later than this; returns after how long.
    fn one_will(&mut self, since: Instant, within: Duration) -> Duration {
        let (will, took) = (self.watcher.message(), since.elapsed());
        assert_eq!((will.topic.as_str(), will.text().as_str()), ("test", "will"));
        assert!(took < within, "the will came after {took:?}");
        assert_eq!(self.wills(), Vec::<String>::new(), "the will comes once");
        took
    }
}

fn none_after_disconnect(major: u8) {
    let (mut stage, client) = stage(major, "disconnect");
    client.finish();
    // The next of that name is let in once the broker is done with the first.
    Connect::v311("client05").ok(&stage.broker).leave();
    assert_eq!(stage.wills(), Vec::<String>::new());
}

fn one_after_the_process_ends_without_disconnect(major: u8) {
    let (mut stage, client) = stage(major, "exit");
    client.finish();
    stage.one_will(Instant::now(), AT_ONCE);
}

fn one_at_once_when_a_periodic_publisher_is_killed(major: u8) {
    let (mut stage, mut client) = stage(major, "periodic");
    for _ in 0..3 {
        client.expect("published");
    }
    let killed = Instant::now();
    client.kill9();
    stage.one_will(killed, AT_ONCE);
}

/// With a keep alive of 1 s, three answered pings are 3 s, twice the time after which a silent one is lost.
fn none_while_the_loop_answers(major: u8) {
    let (mut stage, mut client) = stage(major, "answering");
    for _ in 0..3 {
        client.expect("pong");
    }
    assert_eq!(stage.wills(), Vec::<String>::new());
}

/// With a keep alive of 2 s, a silent client is lost after 3 s: not before, and not long after.
fn one_after_a_silence_of_one_and_a_half_keep_alives(major: u8) {
    let (mut stage, _client) = stage(major, "silent");
    let took = stage.one_will(Instant::now(), Duration::from_secs(8));
    assert!(took > Duration::from_millis(2_800), "lost after {took:?} of 3 s");
}

macro_rules! with_both {
    ($($test:ident)*) => {
        mod paho_1 { $(#[test] fn $test() { super::$test(1); })* }
        mod paho_2 { $(#[test] fn $test() { super::$test(2); })* }
    };
}

with_both! {
    none_after_disconnect
    one_after_the_process_ends_without_disconnect
    one_at_once_when_a_periodic_publisher_is_killed
    none_while_the_loop_answers
    one_after_a_silence_of_one_and_a_half_keep_alives
}
