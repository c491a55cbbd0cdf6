//! `kill -9` at random moments under load: publishers of all qualities of service, subscribers
//! that are there, away or flapping, some of them sharing a subscription, retained values and
//! subscriptions that change, Wills. Now and then the store moves to the other engine before the
//! broker comes back.
//!
//! Every actor keeps the state that a client keeps and repeats what was not
//! acknowledged. What counts is only what the broker acknowledged.

mod keeper;
mod member;
mod mortal;
mod mover;
mod publisher;
mod subscriber;

use crate::with_backends;
use hikyaku_tests::raw::{Client, Connect, Event, Kind, Packet, Publish, WAIT};
use hikyaku_tests::{Broker, Options};
use keeper::Keeper;
use member::Member;
use mortal::Mortal;
use publisher::Publisher;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, SystemTime};
use subscriber::{Subscriber, judge_together};

/// A seeded source of chances (splitmix64).
pub struct Chance(u64);

impl Chance {
    /// A number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit
    }
}

/// The next packet, or `None` once the broker is gone: closed, or with a DISCONNECT before that.
pub fn next(client: &mut Client, name: &str) -> Option<Packet> {
    match client.poll(WAIT) {
        Event::Packet(packet) if packet.kind == Kind::Disconnect => {
            assert_eq!(packet.code(), 0x8b, "{name}: only \"server shutting down\" ends this: {packet:?}");
            None
        }
        Event::Packet(packet) => Some(packet),
        Event::Closed => None,
        Event::Silence => panic!("{name}: nothing came"),
    }
}

/// Connects to a broker that may die at any moment; `None` if it has, or is about to.
pub fn try_connect(addr: SocketAddr, connect: &Connect) -> Option<(Client, Packet)> {
    const UNAVAILABLE: [u8; 3] = [3, 0x88, 0x8b];
    let mut client = Client::try_tcp(addr, connect.version).ok()?.untraced();
    client.send(&connect.encode());
    let connack = next(&mut client, &connect.client_id)?;
    if UNAVAILABLE.contains(&connack.code()) {
        return None;
    }
    assert_eq!((connack.kind, connack.code()), (Kind::Connack, 0), "{} is let in", connect.client_id);
    Some((client, connack))
}

/// A session whose CONNACK was seen once is there ever after.
pub fn check_session(known: &mut bool, connack: &Packet, client_id: &str) {
    assert!(!*known || connack.flags == 1, "the acknowledged session of {client_id} is lost");
    *known = true;
}

struct Load {
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    /// They share one subscription.
    crew: Vec<Subscriber>,
    mortals: Vec<Mortal>,
    /// Hears of the Wills.
    watcher: Vec<Subscriber>,
    keeper: Keeper,
    member: Member,
}

impl Load {
    fn new(chance: &mut Chance, addr: SocketAddr) -> Self {
        let mut load = Self {
            publishers: (0..4).map(|number| Publisher::new(number, chance)).collect(),
            subscribers: (0..5).map(|number| Subscriber::new("load/#", number)).collect(),
            crew: (2..5).map(|number| Subscriber::new("$share/crew/load/#", number)).collect(),
            mortals: (0..3).map(|number| Mortal::new(number, chance)).collect(),
            watcher: vec![Subscriber::new("wills/#", 2)],
            keeper: Keeper::default(),
            member: Member::default(),
        };
        load.listeners().for_each(|subscriber| subscriber.join(addr));
        load
    }

    fn listeners(&mut self) -> impl Iterator<Item = &mut Subscriber> {
        self.subscribers.iter_mut().chain(&mut self.crew).chain(&mut self.watcher)
    }

    /// Runs everybody until the broker ends, which `end` brings about.
    fn run_until(&mut self, addr: SocketAddr, end: impl FnOnce()) {
        let Self { publishers, subscribers, crew, mortals, watcher, keeper, member } = self;
        let listeners = subscribers.iter_mut().chain(crew).chain(watcher);
        thread::scope(|scope| {
            publishers.iter_mut().for_each(|actor| drop(scope.spawn(move || actor.run(addr))));
            listeners.for_each(|actor| drop(scope.spawn(move || actor.run(addr))));
            mortals.iter_mut().for_each(|actor| drop(scope.spawn(move || actor.run(addr))));
            scope.spawn(|| keeper.run(addr));
            scope.spawn(|| member.run(addr));
            end();
        });
    }

    /// Lets everybody finish what is under way, then judges what the subscribers have. Returns the number of messages that
    /// were acknowledged, and of Wills.
    fn settle(&mut self, broker: &Broker) -> (usize, u64) {
        let addr = broker.addr();
        self.publishers.iter_mut().for_each(|publisher| publisher.finish(addr));
        let wills = self.mortals.iter_mut().map(|mortal| mortal.finish(addr)).sum();
        let mortals = &self.mortals;
        self.watcher[0].run_until(addr, |watcher| mortals.iter().all(|mortal| mortal.is_mourned(watcher)));
        Connect::v311("end").ok(broker).publish(Publish::new("end", "end", 2));
        thread::scope(|scope| {
            self.listeners().for_each(|actor| drop(scope.spawn(move || actor.run_until(addr, Subscriber::has_ended))));
        });
        for subscriber in &self.subscribers {
            subscriber.judge(&self.publishers);
        }
        judge_together(&self.crew, &self.publishers);
        self.mortals.iter().for_each(|mortal| mortal.judge(&self.watcher[0]));
        (self.publishers.iter().map(|publisher| publisher.accepted.len()).sum(), wills)
    }
}

/// Plays so many rounds, each ended by `end` at a random moment.
fn rounds(backend: &str, rounds: u32, end: fn(&mut Broker, &mut Chance)) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    let given = std::env::var("HIKYAKU_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(now.as_nanos() as u64);
    println!("HIKYAKU_TEST_SEED={seed} gives the same load and the same moments");
    let mut chance = Chance(seed);
    let mut broker = Options::backend(backend).start();
    let mut load = Load::new(&mut chance, broker.addr());
    for round in 0..rounds {
        load.listeners().for_each(|subscriber| subscriber.choose(&mut chance));
        let moment = Duration::from_millis(20 + chance.below(500));
        println!("round {round}: the end comes after {moment:?}");
        let addr = broker.addr();
        load.run_until(addr, || {
            thread::sleep(moment); // the random moment itself: nothing waits for it
            end(&mut broker, &mut chance);
        });
        broker.restart();
        load.keeper.judge(&broker);
        load.member.judge(&broker);
    }
    let (accepted, wills) = load.settle(&broker);
    println!("{accepted} acknowledged messages, {wills} Wills, {}, {}", load.keeper, load.member);
    assert!(accepted > 20 * rounds as usize, "there was hardly any load: {accepted} messages");
}

fn nothing_acknowledged_is_lost_or_doubled_by_kill_9(backend: &str) {
    let given = std::env::var("HIKYAKU_TEST_ROUNDS").ok().map(|rounds| rounds.parse().expect("a number of rounds"));
    rounds(backend, given.unwrap_or(25), |broker, chance| {
        broker.kill9();
        if chance.below(3) == 0 {
            let is_killed = mover::move_store(broker, chance);
            println!("the store moves to {}{}", broker.backend(), if is_killed { ", at the second try" } else { "" });
        }
    });
}

fn nothing_acknowledged_is_lost_or_doubled_by_sigterm(backend: &str) {
    rounds(backend, 5, |broker, _| broker.term());
}

with_backends! {
    nothing_acknowledged_is_lost_or_doubled_by_kill_9
    nothing_acknowledged_is_lost_or_doubled_by_sigterm
}
