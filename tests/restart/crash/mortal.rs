//! Clients with Wills, which die before the broker does, or with it.

use super::subscriber::Subscriber;
use super::{Chance, try_connect};
use hikyaku_tests::raw::{Client, Connect, Event, Publish, Version, disconnect, prop};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a life looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A clean session of 3.1.1: its Will is due when the connection is lost.
    Clean,
    /// Each life is a session of its own, whose Will is due a second after it was lost.
    Delayed,
    /// One session that always comes back in time: only the Will of the last life is due, when the session ends.
    Patient,
}

const NEVER: RangeInclusive<usize> = 0..=0;
const ONCE: RangeInclusive<usize> = 1..=1;
/// The broker ended before it had answered.
const IN_DOUBT: RangeInclusive<usize> = 0..=1;

/// Lives one life after the other, each with a Will of its own.
pub struct Mortal {
    kind: Kind,
    name: String,
    chance: Chance,
    lives: u64,
    /// How often the Will of each life is to be published.
    due: BTreeMap<u64, RangeInclusive<usize>>,
    /// Has sent its DISCONNECT, and does not know yet whether the connection ended for that or with the broker.
    leaving: Option<u64>,
}

impl Mortal {
    /// One of each kind in turn.
    pub fn new(number: usize, chance: &mut Chance) -> Self {
        Self {
            kind: [Kind::Clean, Kind::Delayed, Kind::Patient][number % 3],
            name: format!("mortal-{number}"),
            chance: Chance(chance.below(u64::MAX)),
            lives: 0,
            due: BTreeMap::new(),
            leaving: None,
        }
    }

    /// Lives until the broker is gone.
    pub fn run(&mut self, addr: SocketAddr) {
        self.leaving = None;
        while let Some(client) = self.be_born(addr) {
            if !self.live(client) {
                return;
            }
        }
    }

    /// Brings the last Will about: nobody is in doubt any more. Returns how many Wills there were.
    pub fn finish(&mut self, addr: SocketAddr) -> u64 {
        self.leaving = None;
        if let (Kind::Patient, Some(client)) = (self.kind, self.be_born(addr)) {
            client.vanish();
            let (client, _) = try_connect(addr, &Connect::v5(&self.name)).expect("the broker is there");
            client.leave(); // a clean start has ended the session
            self.due.insert(self.lives, ONCE);
        }
        self.lives
    }

    /// Whether all Wills that are surely due have come.
    pub fn is_mourned(&self, watcher: &Subscriber) -> bool {
        self.due.iter().all(|(life, due)| *due != ONCE || self.published(watcher, *life) > 0)
    }

    /// Each Will was published as often as it was due.
    pub fn judge(&self, watcher: &Subscriber) {
        for (life, due) in &self.due {
            let count = self.published(watcher, *life);
            assert!(due.contains(&count), "the Will of {} {life} came {count} times, due are {due:?}", self.name);
        }
    }

    fn published(&self, watcher: &Subscriber, life: u64) -> usize {
        watcher.count(&format!("{} {life}", self.name))
    }

    fn be_born(&mut self, addr: SocketAddr) -> Option<Client> {
        self.lives += 1;
        let life = self.lives;
        let will = Publish::new("wills/all", format!("{} {life}", self.name), 2);
        let connect = match self.kind {
            Kind::Clean => Connect::v311(&self.name).will(will),
            Kind::Delayed => {
                let connect = Connect::v5(&format!("{}-{life}", self.name)).clean(false);
                connect.prop(prop::SESSION_EXPIRY, 300).will(will.prop(prop::WILL_DELAY, 1))
            }
            Kind::Patient => Connect::v5(&self.name).durable().will(will.prop(prop::WILL_DELAY, 3600)),
        };
        self.due.insert(life, if self.kind == Kind::Patient { NEVER } else { IN_DOUBT });
        let (client, _) = try_connect(addr, &connect)?;
        if self.kind != Kind::Patient {
            self.due.insert(life, ONCE);
        }
        if let Some(left) = self.leaving.take() {
            self.due.insert(left, NEVER); // the broker lives: it had closed for the DISCONNECT, once that was stored
        }
        Some(client)
    }

    /// Dies after a while by leaving or by vanishing; false if the broker was gone before.
    fn live(&mut self, mut client: Client) -> bool {
        let leaves = self.chance.below(3) == 0;
        match client.poll(Duration::from_millis(1 + self.chance.below(80))) {
            Event::Silence if leaves => {
                if self.kind != Kind::Patient {
                    self.due.insert(self.lives, IN_DOUBT);
                    self.leaving = Some(self.lives);
                }
                let version = if self.kind == Kind::Clean { Version::V311 } else { Version::V5 };
                client.send(&disconnect(version, 0, &[]));
                client.closed();
                true
            }
            Event::Silence => {
                client.vanish();
                true
            }
            Event::Closed | Event::Packet(_) => false,
        }
    }
}
