//! What does another client feel while the broker has much to do?

use crate::crowd::Crowd;
use crate::queue::fill_one;
use crate::raw::{Client, Connect, Kind, Publish, ack, prop};
use crate::{Broker, Options};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Between two pings, and between two publishes.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest waits of two clients that had nothing to do with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Felt {
    /// Of one that pinged.
    pub ping: Duration,
    /// Of one that published at QoS 1 for a session that is away, and waited for each PUBACK.
    pub publish: Duration,
    /// How often they did.
    pub pings: usize,
    /// How often they did.
    pub publishes: usize,
    /// How long all took.
    pub took: Duration,
}

impl fmt::Display for Felt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ping, publish, pings, publishes, took } = self;
        write!(f, "longest ping {ping:.1?} of {pings}, longest publish {publish:.1?} of {publishes}, in {took:.1?}")
    }
}

/// Lets so many sessions, with a message each, expire within a second.
#[must_use]
pub fn many_sessions_expire(backend: &str, sessions: usize) -> Felt {
    let broker = Options::backend(backend).start();
    let mut watcher = Connect::v5("watcher").ok(&broker).untraced();
    watcher.subscribe("over", 1);
    let crowd = Crowd { sessions, own_topics: true, each: 1 };
    let begin = Instant::now();
    let expires = Duration::from_secs(15 + sessions as u64 / 1_500);
    let expiring = |more: u64| {
        let left = expires.saturating_sub(begin.elapsed()).as_secs() + more;
        move |mut connect: Connect| {
            connect.props.clear();
            connect.prop(prop::SESSION_EXPIRY, left as u32)
        }
    };
    crowd.park(&broker, 0..sessions, |connect| expiring(1)(connect));
    crowd.fill(&broker);
    // The end of the last session shows in its Will, which waits for nothing else.
    let will = Publish::new("over", "over", 1).prop(prop::WILL_DELAY, 3600);
    expiring(3)(Connect::v5("last").clean(false)).will(will).ok(&broker).vanish();
    let left = expires.checked_sub(begin.elapsed()).expect("all sessions are parked before the first expires");
    sleep(left.saturating_sub(Duration::from_secs(1)));
    let felt = beside(&broker, || {
        assert_eq!(watcher.message().text(), "over");
        settle(&broker);
    });
    let (_, connack) = crowd.connect(sessions / 2).open(&broker);
    assert_eq!((connack.code(), connack.flags), (0, 0), "the sessions have expired");
    felt
}

/// Drops one session for which so many messages wait, by a clean start.
#[must_use]
pub fn long_queue_is_dropped(backend: &str, messages: usize) -> Felt {
    let broker = Options::backend(backend).start();
    let (sleeper, _) = fill_one(&broker, "sleeper", messages, 100);
    beside(&broker, || {
        let (client, connack) = sleeper.clean(true).open(&broker);
        assert_eq!((connack.code(), connack.flags), (0, 0), "a clean start");
        settle(&broker);
        client.leave();
    })
}

/// Lets so many sessions resume at once, each with ten messages that wait for it.
#[must_use]
pub fn many_sessions_resume(backend: &str, sessions: usize) -> Felt {
    let mut broker = Options::backend(backend).start();
    let crowd = Crowd { sessions, own_topics: true, each: 10 };
    crowd.park(&broker, 0..sessions, |connect| connect);
    crowd.fill(&broker);
    broker.kill9();
    broker.restart();
    beside(&broker, || crowd.resume(&broker, sessions))
}

/// Measures what two clients feel from before the work begins until it is done.
fn beside(broker: &Broker, work: impl FnOnce()) -> Felt {
    let witness = Connect::v311("witness").durable();
    let mut client = witness.ok(broker);
    client.subscribe("witness", 1);
    client.leave();
    let pinger = Connect::v311("pinger").ok(broker).untraced();
    let publisher = Connect::v311("publisher").ok(broker).untraced();
    let done = AtomicBool::new(false);
    let begin = Instant::now();
    thread::scope(|scope| {
        let pings = scope.spawn(|| again_and_again(pinger, &done, |client, _| client.ping()));
        let publishes = scope.spawn(|| {
            again_and_again(publisher, &done, |client, number| {
                client.publish(Publish::new("witness", number.to_string(), 1));
            })
        });
        sleep(20 * PAUSE);
        work();
        done.store(true, Ordering::Relaxed);
        let (pings, ping) = pings.join().expect("pings");
        let (publishes, publish) = publishes.join().expect("publishes");
        let felt = Felt { ping, publish, pings, publishes, took: begin.elapsed() };
        let mut client = witness.resume(broker).untraced();
        for number in 0..publishes {
            let message = client.expect(Kind::Publish);
            assert_eq!(message.text(), number.to_string(), "what was published meanwhile is there, in order");
            client.send(&ack(Kind::Puback, message.id));
        }
        felt
    })
}

/// How often it was done until the end, and how long it took at most.
fn again_and_again(
    mut client: Client,
    done: &AtomicBool,
    mut what: impl FnMut(&mut Client, usize),
) -> (usize, Duration) {
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let begin = Instant::now();
        what(&mut client, count);
        longest = longest.max(begin.elapsed());
        count += 1;
        sleep(PAUSE);
    }
    (count, longest)
}

/// Waits until the broker has used little of a processor for a second: what it did in the background is done.
fn settle(broker: &Broker) {
    const WINDOW: Duration = Duration::from_millis(250);
    let deadline = Instant::now() + Duration::from_secs(120);
    let (mut used, mut quiet) = (broker.cpu_time(), 0);
    while quiet < 4 {
        sleep(WINDOW);
        let now = broker.cpu_time();
        quiet = if now - used < WINDOW / 6 { quiet + 1 } else { 0 };
        used = now;
        assert!(Instant::now() < deadline, "the broker is still busy");
    }
}
