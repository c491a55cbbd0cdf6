//! Many sessions that are away, with or without messages that wait for them.

use crate::Broker;
use crate::raw::{Client, Connect, Kind, Publish, Version, ack, disconnect, subscribe};
use std::ops::Range;
use std::thread;

/// Connections that [`Crowd::park`] and [`Crowd::resume`] have open in one thread.
const AT_ONCE: usize = 250;

/// Sessions that are away: `crowd-0`, `crowd-1` and so on.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// How many.
    pub sessions: usize,
    /// Whether each hears a topic of its own, or all hear one.
    pub own_topics: bool,
    /// How many messages wait for each.
    pub each: usize,
}

impl Crowd {
    /// Lets these of them connect, subscribe and leave. `as_it_connects` may say more of how it connects.
    pub fn park(&self, broker: &Broker, numbers: Range<usize>, as_it_connects: impl Fn(Connect) -> Connect + Sync) {
        in_groups(numbers, |numbers| {
            let mut clients: Vec<_> = numbers
                .map(|number| {
                    let connect = as_it_connects(self.connect(number));
                    let mut packets = connect.encode();
                    packets.extend(subscribe(connect.version, 1, &[(&self.topic(number), 1)], &[]));
                    let mut client = Client::tcp(broker.addr(), connect.version).untraced();
                    client.send(&packets);
                    client
                })
                .collect();
            for client in &mut clients {
                assert_eq!(client.expect(Kind::Connack).code(), 0, "a session is let in");
                assert_eq!(client.expect(Kind::Suback).code(), 1, "its subscription is granted");
                client.send(&disconnect(Version::V5, 0, &[]));
            }
            clients.into_iter().for_each(|mut client| assert_eq!(client.closed(), None, "it has left"));
        });
    }

    /// Publishes what is to wait for them: the first message of each, the second of each, and so on.
    pub fn fill(&self, broker: &Broker) {
        let per_round = if self.own_topics { self.sessions } else { 1 };
        let messages = per_round * self.each;
        let mut publisher = Connect::v311("filler").ok(broker).untraced();
        let (mut sent, mut acknowledged, window) = (0, 0, if self.own_topics { 500 } else { 2 });
        while acknowledged < messages {
            let mut burst = Vec::new();
            while sent < messages && sent - acknowledged < window {
                let (round, number) = (sent / per_round, sent % per_round);
                let message = Publish::new(&self.topic(number), self.payload(number, round), 1);
                burst.extend(message.id((sent % 65_535 + 1) as u16).encode(Version::V311));
                sent += 1;
            }
            publisher.send(&burst);
            assert_eq!(usize::from(publisher.expect(Kind::Puback).id), acknowledged % 65_535 + 1);
            acknowledged += 1;
        }
        publisher.leave();
    }

    /// Resumes the first sessions, all at once, and takes what waits for each: all of it, in order.
    ///
    /// # Panics
    /// When a session, or a message of it, is lost, doubled or out of order.
    pub fn resume(&self, broker: &Broker, sessions: usize) {
        let mut clients: Vec<_> = (0..sessions)
            .map(|number| {
                let mut client = Client::tcp(broker.addr(), Version::V5).untraced();
                client.send(&self.connect(number).encode());
                client
            })
            .collect();
        for (number, client) in clients.iter_mut().enumerate() {
            let connack = client.expect(Kind::Connack);
            assert_eq!((connack.code(), connack.flags), (0, 1), "session {number} is there");
            for round in 0..self.each {
                let message = client.expect(Kind::Publish);
                assert_eq!(message.text(), self.payload(number, round), "message {round} of session {number}");
                client.send(&ack(Kind::Puback, message.id));
            }
            client.send(&disconnect(Version::V5, 0, &[]));
        }
        clients.into_iter().for_each(|mut client| assert_eq!(client.closed(), None, "it has left"));
    }

    /// How one of them connects.
    #[must_use]
    pub fn connect(&self, number: usize) -> Connect {
        Connect::v5(&format!("crowd-{number}")).durable()
    }

    fn topic(&self, number: usize) -> String {
        if self.own_topics { format!("crowd/{number}") } else { "crowd".into() }
    }

    /// About 64 bytes that say which message this is.
    fn payload(&self, number: usize, round: usize) -> String {
        format!("message {round:010} of {:010} {}", if self.own_topics { number } else { 0 }, "x".repeat(30))
    }
}

/// Splits the numbers into groups and works through them in two threads.
fn in_groups(numbers: Range<usize>, work: impl Fn(Range<usize>) + Sync) {
    let middle = numbers.start.midpoint(numbers.end);
    thread::scope(|scope| {
        for half in [numbers.start..middle, middle..numbers.end] {
            let work = &work;
            scope.spawn(move || {
                for from in half.clone().step_by(AT_ONCE) {
                    work(from..half.end.min(from + AT_ONCE));
                }
            });
        }
    });
}
