//! What does a client do that keeps to the standard? It draws its next deed, and answers what it gets.

pub mod deeds;
mod ears;

use std::collections::{BTreeMap, VecDeque};

use hikyaku_protocol::AckKind;
use hikyaku_types::{ProtocolVersion, Qos};

use crate::history::{Fate, History, Moment, Testament};
use crate::random::Random;
use crate::wire::{self, Greeting, Said};

/// What does not change about a client.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The dialect.
    pub version: ProtocolVersion,
    /// How long its sessions outlive their connections; 0: not at all.
    pub expiry_secs: u32,
    /// Receive Maximum.
    pub receive_maximum: u16,
    /// Maximum Packet Size.
    pub packet_size_max: Option<u32>,
    /// Topic Alias Maximum.
    pub alias_maximum: u16,
    /// How often it leaves a Will, of a hundred.
    pub wills: usize,
    /// How often it wants no session that was, or none that outlives its connection, of a hundred.
    pub fickle: usize,
    /// How often it does nothing better than to send again what was not answered, of a hundred.
    pub nervous: usize,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Without a connection.
    Away,
    /// CONNECT was sent.
    Connecting,
    /// CONNACK has come.
    Connected,
    /// DISCONNECT was sent, with that reason.
    Leaving(u8),
}

/// What it knows of its session at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// There is none.
    No,
    /// There may be one.
    Maybe,
    /// There is one, unless it has expired.
    Yes,
}

/// A message that waits for its acknowledgement.
#[derive(Clone, Copy, Debug)]
pub struct Outbound {
    /// Its packet id.
    pub id: u16,
    /// Which message.
    pub message: usize,
    /// PUBREC has come.
    pub released: bool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its number; the client id is made of it.
    pub number: usize,
    /// What does not change.
    pub profile: Profile,
    /// How far it is.
    pub phase: Phase,
    /// What it knows of its session.
    pub known: Known,
    /// Counts its sessions.
    pub instance: u32,
    /// The session outlives connections.
    pub stored: bool,
    /// Bytes for the broker.
    pub out: Vec<u8>,
    /// Messages that were sent just now: packet id, message, when.
    pub sent: Vec<(u16, usize, u64)>,
    /// Waiting for acknowledgement, in order.
    pub outbound: Vec<Outbound>,
    /// SUBSCRIBE packets without SUBACK, and which subscription they are.
    pub subscribing: BTreeMap<u16, usize>,
    /// UNSUBSCRIBE packets without UNSUBACK, their filters, and when they were sent.
    pub unsubscribing: BTreeMap<u16, (String, u64)>,
    /// QoS 2 packet ids whose message has reached the application.
    pub taken: BTreeMap<u16, String>,
    /// Messages of this connection that are not acknowledged in full.
    pub in_flight: BTreeMap<u16, Qos>,
    /// Acknowledgements that are still to be sent.
    pub acks: VecDeque<(AckKind, u16)>,
    /// It wants no session that was.
    pub must_clean: bool,
    /// The Will of the connection.
    pub will: Option<usize>,
    clean: bool,
    expiry_now: u32,
    /// When it was last connected.
    alive: Moment,
    /// It has sent CONNECT since, and no CONNACK has come.
    tried: bool,
    /// When it sent CONNECT.
    connected: Moment,
    inbox: Vec<u8>,
    aliases: BTreeMap<u16, String>,
    told_to_go: bool,
    /// DISCONNECT ends the session.
    gives_up: bool,
}

/// A packet in a few words.
pub fn shown(said: &Said) -> String {
    match said {
        Said::Publish { dup, qos, retain, id, topic, alias, payload } => {
            let payload = payload.split(';').next().unwrap_or_default();
            format!("PUBLISH {payload} {topic} {qos:?} id {id} dup {dup} retain {retain} alias {alias:?}")
        }
        other => format!("{other:?}"),
    }
}

impl Client {
    /// A client that has never connected.
    pub fn new(number: usize, profile: Profile) -> Self {
        Self {
            number,
            profile,
            phase: Phase::Away,
            known: Known::No,
            instance: 0,
            stored: false,
            out: Vec::new(),
            sent: Vec::new(),
            outbound: Vec::new(),
            subscribing: BTreeMap::new(),
            unsubscribing: BTreeMap::new(),
            taken: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            acks: VecDeque::new(),
            must_clean: false,
            will: None,
            clean: false,
            expiry_now: 0,
            alive: Moment::default(),
            tried: false,
            connected: Moment::default(),
            inbox: Vec::new(),
            aliases: BTreeMap::new(),
            told_to_go: false,
            gives_up: false,
        }
    }

    /// Whether it waits for nothing.
    pub fn is_settled(&self) -> bool {
        self.outbound.is_empty()
            && self.taken.is_empty()
            && self.in_flight.is_empty()
            && self.acks.is_empty()
            && self.subscribing.is_empty()
            && self.unsubscribing.is_empty()
    }

    /// Forgets its session, as one does with Clean Start.
    fn forget(&mut self) {
        self.instance += 1;
        self.outbound.clear();
        self.taken.clear();
    }

    /// Sends CONNECT over a new connection. `calm`: without whims.
    pub fn connect(&mut self, history: &mut History, random: &mut Random, calm: bool) {
        let (v5, lasting) = (self.profile.version.is_v5(), self.profile.expiry_secs > 0);
        let whim = |random: &mut Random, percent| !calm && random.chance(percent);
        // It may have expired, and the last CONNECT may have made a new one.
        self.must_clean |= self.tried && self.known == Known::Yes && !self.lives(history);
        self.tried = true;
        self.clean = self.must_clean || !lasting && (!v5 || random.chance(50)) || whim(random, self.profile.fickle);
        self.expiry_now = self.profile.expiry_secs;
        if !v5 && self.clean || v5 && whim(random, self.profile.fickle) {
            self.expiry_now = 0;
        }
        if self.clean {
            self.forget();
            self.must_clean = true;
        }
        for will in history.wills.iter_mut().filter(|will| will.client == self.number) {
            will.may_end |= self.clean;
            if will.fate == Fate::DueIfAway {
                will.fate = Fate::Returning;
            } else if will.fate == Fate::Returning {
                will.fate = Fate::Open;
            }
        }
        self.connected = history.now;
        let will = (!calm && random.chance(self.profile.wills)).then(|| self.testament(history, random));
        self.will = will.as_ref().map(|_| history.wills.len() - 1);
        let greeting = Greeting {
            version: self.profile.version,
            client_id: format!("c{}", self.number),
            clean: self.clean,
            expiry_secs: self.expiry_now,
            receive_maximum: self.profile.receive_maximum,
            packet_size_max: self.profile.packet_size_max,
            alias_maximum: self.profile.alias_maximum,
            will,
        };
        history.tick();
        history.note(|| format!("c{} connects: {greeting:?}", self.number));
        wire::connect(&mut self.out, &greeting);
        self.phase = Phase::Connecting;
    }

    fn testament(&self, history: &mut History, random: &mut Random) -> (String, String, Qos, u32) {
        let qos = random.pick(&[Qos::AtLeastOnce, Qos::ExactlyOnce]);
        let delay_secs = if self.profile.version.is_v5() && random.chance(40) { 1 + random.below(3) as u32 } else { 0 };
        let number = history.wills.len();
        let may_end = self.expiry_now == 0;
        history.wills.push(Testament { client: self.number, qos, delay_secs, lost: None, may_end, fate: Fate::Open });
        (format!("w/{}", self.number), format!("w{number};"), qos, delay_secs)
    }

    /// The connection has ended: at the broker's side (`graceful`), or torn. `left`: when the broker ended it, if it has.
    pub fn closed(&mut self, history: &mut History, graceful: bool, left: Option<Moment>) {
        history.tick();
        history.note(|| format!("c{}: the connection has ended, graceful {graceful}, {:?}", self.number, self.phase));
        let left = left.unwrap_or(history.now);
        let polite = graceful && !self.told_to_go && (self.profile.version.is_v5() || !history.store_failed);
        if let Some(will) = self.will.take().and_then(|number| history.wills.get_mut(number)) {
            let due = if will.delay_secs == 0 { Fate::Due } else { Fate::DueIfAway };
            will.lost = Some(left);
            will.may_end |= self.gives_up;
            will.fate = match self.phase {
                Phase::Away | Phase::Connecting => Fate::Open,
                Phase::Connected => due,
                Phase::Leaving(0) if polite => Fate::Cleared,
                Phase::Leaving(4) if polite => due,
                Phase::Leaving(_) => Fate::Open,
            };
        }
        if matches!(self.phase, Phase::Connected | Phase::Leaving(_)) {
            self.alive = left;
        }
        if self.expiry_now == 0 {
            match self.phase {
                // Whether the broker has taken that in is not known.
                Phase::Connecting if self.known == Known::Yes => (self.known, self.must_clean) = (Known::Maybe, true),
                Phase::Connecting | Phase::Away => {}
                Phase::Connected | Phase::Leaving(_) => self.ended(),
            }
        } else if self.gives_up {
            if polite {
                self.ended();
            } else {
                (self.known, self.must_clean) = (Known::Maybe, true);
            }
        } else if self.phase == Phase::Connecting && self.known == Known::No {
            self.known = Known::Maybe;
        }
        self.phase = Phase::Away;
        for leftover in [&mut self.inbox, &mut self.out] {
            leftover.clear();
        }
        self.sent.clear();
        self.in_flight.clear();
        self.acks.clear();
        self.subscribing.clear();
        self.unsubscribing.clear();
        self.aliases.clear();
        (self.told_to_go, self.gives_up) = (false, false);
    }

    /// The broker has started again, and its clock says that.
    pub fn restarted(&mut self, wall_ms: u64) {
        self.alive.restarted(wall_ms);
    }

    /// Whether its session, if it had one, cannot have expired.
    fn lives(&self, history: &History) -> bool {
        let secs = self.profile.expiry_secs;
        secs == u32::MAX || history.now.at_most_since(self.alive) < u64::from(secs) * 1000
    }

    fn ended(&mut self) {
        self.known = Known::No;
        self.forget();
    }

    /// Leaves with DISCONNECT.
    pub fn disconnect(&mut self, history: &mut History, random: &mut Random) {
        let v5 = self.profile.version.is_v5();
        let reason = if v5 && random.chance(20) { 4 } else { 0 };
        let expiry = (v5 && random.chance(10)).then_some(0);
        self.gives_up = expiry.is_some();
        history.tick();
        history.note(|| format!("c{} disconnects with {reason}, expiry {expiry:?}", self.number));
        wire::disconnect(&mut self.out, self.profile.version, reason, expiry);
        self.phase = Phase::Leaving(reason);
    }
}
