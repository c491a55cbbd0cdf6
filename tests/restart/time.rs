//! What is due by the clock is due while the broker is down too, and also when the clock was set meanwhile.

use crate::with_backends;
use hikyaku_tests::raw::{Client, Connect, Publish, prop};
use hikyaku_tests::{Broker, Options};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What is short ends so many seconds after it began, and what is long does not end in a test.
const SHORT_SECS: u32 = 3;
const LONG_SECS: u32 = 600;

/// Sessions, messages, retained messages and a Will, each of a short and of a long time.
struct Lives {
    reader: Connect,
    watcher: Connect,
    short: Connect,
    long: Connect,
    began: Instant,
}

impl Lives {
    /// All of it is stored when this returns.
    fn begin(broker: &Broker) -> Self {
        let session = |name, secs: u32| Connect::v5(name).clean(false).prop(prop::SESSION_EXPIRY, secs);
        let lives = Self {
            reader: Connect::v5("reader").durable(),
            watcher: Connect::v5("watcher").durable(),
            short: session("short", SHORT_SECS),
            long: session("long", LONG_SECS),
            began: Instant::now(),
        };
        lives.watcher.ok(broker).subscribe("will", 1);
        lives.reader.ok(broker).subscribe("queue/#", 1);
        lives.long.ok(broker).leave();
        lives.short.ok(broker).leave();
        let mut publisher = Connect::v5("publisher").ok(broker);
        for (name, secs) in [("short", SHORT_SECS), ("long", LONG_SECS)] {
            for topic in ["queue", "kept"] {
                let message = Publish::new(&format!("{topic}/{name}"), name, 1).prop(prop::MESSAGE_EXPIRY, secs);
                publisher.publish(if topic == "kept" { message.retained() } else { message });
            }
        }
        for (name, delay) in [("later", LONG_SECS), ("soon", SHORT_SECS)] {
            let will = Publish::new("will", name, 1).prop(prop::WILL_DELAY, delay);
            let client = session(name, 2 * LONG_SECS).will(will).ok(broker);
            client.leave_with(0x04, &[]); // with its Will; the connection ends once that is stored
        }
        lives
    }

    /// The Will that is due soon is what began last: once it has come, all that is short is over, and nothing else is.
    fn judge(&self, broker: &Broker) {
        let mut watcher = self.watcher.resume(broker);
        assert_eq!(watcher.message().text(), "soon");
        assert_eq!(self.short.open(broker).1.flags, 0, "the short session is over");
        assert_eq!(self.long.open(broker).1.flags, 1, "the long session is there");
        let mut reader = self.reader.resume(broker);
        self.only_long(broker, &mut reader, "queue/end");
        reader.subscribe("kept/#", 1);
        self.only_long(broker, &mut reader, "kept/end");
        Connect::v5("end").ok(broker).publish(Publish::new("will", "end", 1));
        assert_eq!(watcher.texts_until("end"), Vec::<String>::new(), "the other Will waits");
    }

    /// The long message comes, with what is left of its time, and the short one does not.
    fn only_long(&self, broker: &Broker, reader: &mut Client, end: &str) {
        Connect::v5("end").ok(broker).publish(Publish::new(end, "end", 1));
        let messages = reader.messages_until("end");
        let texts: Vec<_> = messages.iter().map(|message| message.text()).collect();
        assert_eq!(texts, ["long"]);
        let left = messages[0].number(prop::MESSAGE_EXPIRY).expect("what is left of its time");
        let spent = LONG_SECS.checked_sub(left).expect("no more than it began with");
        let passed = self.began.elapsed().as_secs() as u32;
        assert!((SHORT_SECS - 1..=passed + 1).contains(&spent), "{spent} s of it are spent, {passed} s have passed");
    }
}

/// The broker was down when the short times ended: they are over at its start, not so long after it.
fn time_goes_on_while_the_broker_is_down(backend: &str) {
    let mut broker = Options::backend(backend).start();
    let gone = Connect::v5("gone").clean(false).prop(prop::SESSION_EXPIRY, SHORT_SECS);
    gone.ok(&broker).leave();
    let lives = Lives::begin(&broker);
    broker.kill9();
    sleep(Duration::from_secs(u64::from(SHORT_SECS))); // until the last of what is short has ended
    broker.restart();
    assert_eq!(gone.open(&broker).1.flags, 0, "a short session was over before the start");
    lives.judge(&broker);
}

/// The clock is a day behind at the second start: the broker's time goes on from where the store has it.
fn clock_that_was_set_back_prolongs_nothing(backend: &str) {
    let mut broker = Options::backend(backend).start();
    set_clock(&mut broker, 86_400);
    broker.restart();
    let lives = Lives::begin(&broker);
    broker.kill9();
    set_clock(&mut broker, 0);
    broker.restart();
    lives.judge(&broker);
}

/// Nor does a clock that was set forward: what ended by it has ended. This shows too that the clock can be set here.
fn clock_that_was_set_forward_ends_what_is_over(backend: &str) {
    let mut broker = Options::backend(backend).start();
    let session = |name, secs: u32| Connect::v5(name).clean(false).prop(prop::SESSION_EXPIRY, secs);
    let (hour, days) = (session("hour", 3_600), session("days", 3 * 86_400));
    hour.ok(&broker).leave();
    days.ok(&broker).leave();
    broker.kill9();
    set_clock(&mut broker, 86_400);
    broker.restart();
    assert_eq!(hour.open(&broker).1.flags, 0, "an hour is over");
    assert_eq!(days.open(&broker).1.flags, 1, "three days are not");
}

/// From the next start on, the broker's wall clock is so many seconds ahead. Its monotonic clock is left alone, as by
/// somebody who sets the clock of a machine.
fn set_clock(broker: &mut Broker, seconds: i64) {
    const SHIM: &str = r#"
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        int clock_gettime(clockid_t clock, struct timespec *now) {
            int failed = syscall(SYS_clock_gettime, clock, now);
            const char *ahead = getenv("TEST_SECONDS_AHEAD");
            if (!failed && ahead && clock == CLOCK_REALTIME) now->tv_sec += atol(ahead);
            return failed;
        }"#;
    let (source, library) = (broker.dir().join("clock.c"), broker.dir().join("clock.so"));
    std::fs::write(&source, SHIM).expect("the source of the clock");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.is_ok_and(|status| status.success()), "cc makes the clock; tests/run installs it");
    let preload = format!("LD_PRELOAD={}", library.display());
    broker.under(["env", &preload, &format!("TEST_SECONDS_AHEAD={seconds}")]);
}

with_backends! {
    time_goes_on_while_the_broker_is_down
    clock_that_was_set_back_prolongs_nothing
    clock_that_was_set_forward_ends_what_is_over
}
