//! What does a client do that keeps to the standard? It draws its next deed, and answers what it gets.

use std::collections::{BTreeMap, VecDeque};

use hikyaku_protocol::AckKind;
use hikyaku_types::{ProtocolVersion, Qos};

use crate::history::{Delivery, Fate, History, Testament, What, what};
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
    /// Topic Alias Maximum.
    pub alias_maximum: u16,
    /// How often it leaves a Will, of a hundred.
    pub wills: usize,
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
    alive_ms: u64,
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
            alive_ms: 0,
            inbox: Vec::new(),
            aliases: BTreeMap::new(),
            told_to_go: false,
            gives_up: false,
        }
    }

    /// Whether it waits for nothing.
    pub fn is_settled(&self) -> bool {
        self.outbound.is_empty() && self.taken.is_empty() && self.in_flight.is_empty() && self.acks.is_empty()
            && self.subscribing.is_empty() && self.unsubscribing.is_empty()
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
        self.clean = self.must_clean || !lasting && (!v5 || random.chance(50)) || whim(random, 4);
        self.expiry_now = self.profile.expiry_secs;
        if !v5 && self.clean || v5 && whim(random, 3) {
            self.expiry_now = 0;
        }
        if self.clean {
            self.forget();
            self.must_clean = true;
        }
        for will in history.wills.iter_mut().filter(|will| will.client == self.number && will.fate == Fate::DueIfAway) {
            will.fate = Fate::Open;
        }
        let will = (!calm && random.chance(self.profile.wills)).then(|| self.testament(history, random));
        self.will = will.as_ref().map(|_| history.wills.len() - 1);
        let greeting = Greeting {
            version: self.profile.version,
            client_id: format!("c{}", self.number),
            clean: self.clean,
            expiry_secs: self.expiry_now,
            receive_maximum: self.profile.receive_maximum,
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
        history.wills.push(Testament { client: self.number, qos, delay_secs, fate: Fate::Open });
        (format!("w/{}", self.number), format!("w{number};"), qos, delay_secs)
    }

    /// The connection has ended: at the broker's side (`graceful`), or torn.
    pub fn closed(&mut self, history: &mut History, wall_ms: u64, graceful: bool) {
        history.tick();
        history.note(|| format!("c{}: the connection has ended, graceful {graceful}, {:?}", self.number, self.phase));
        let polite = graceful && !self.told_to_go && (self.profile.version.is_v5() || !history.store_failed);
        if let Some(will) = self.will.take().and_then(|number| history.wills.get_mut(number)) {
            let due = if will.delay_secs == 0 { Fate::Due } else { Fate::DueIfAway };
            will.fate = match self.phase {
                Phase::Away | Phase::Connecting => Fate::Open,
                Phase::Connected => due,
                Phase::Leaving(0) if polite => Fate::Cleared,
                Phase::Leaving(4) if polite => due,
                Phase::Leaving(_) => Fate::Open,
            };
        }
        if matches!(self.phase, Phase::Connected | Phase::Leaving(_)) {
            self.alive_ms = wall_ms;
        }
        if self.expiry_now == 0 {
            match self.phase {
                Phase::Connecting if self.known == Known::Yes => self.known = Known::Maybe,
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

    /// Bytes have come.
    pub fn receive(&mut self, bytes: &[u8], history: &mut History, wall_ms: u64) {
        self.inbox.extend_from_slice(bytes);
        loop {
            let said = match wire::take(&mut self.inbox, self.profile.version) {
                Ok(Some(said)) => said,
                Ok(None) => return,
                Err(error) => return history.problem(error),
            };
            history.tick();
            history.note(|| format!("c{} gets {}", self.number, shown(&said)));
            if let Err(problem) = self.on_packet(said, history, wall_ms) {
                history.problem(format!("c{}: {problem}", self.number));
            }
        }
    }

    fn on_packet(&mut self, said: Said, history: &mut History, wall_ms: u64) -> Result<(), String> {
        match said {
            Said::ConnAck(present, 0) => self.on_connack(present, history, wall_ms),
            Said::ConnAck(..) => {
                self.told_to_go = true;
                Ok(())
            }
            Said::Publish { dup, qos, retain, id, topic, alias, payload } => {
                let topic = match alias {
                    Some(alias) if topic.is_empty() => self.aliases.get(&alias).cloned().ok_or("an alias that was not said")?,
                    Some(alias) => {
                        self.aliases.insert(alias, topic.clone());
                        topic
                    }
                    None => topic,
                };
                self.on_publish((dup, qos, retain, id), &topic, payload, history)
            }
            Said::Ack(kind, id, reason) => self.on_ack(kind, id, reason),
            Said::SubAck(id, reason) => {
                let sub = self.subscribing.remove(&id).ok_or("SUBACK for nothing")?;
                history.subs[sub].from = (reason < 0x80).then(|| history.tick());
                Ok(())
            }
            Said::UnsubAck(id, reason) => {
                let (filter, asked_at) = self.unsubscribing.remove(&id).ok_or("UNSUBACK for nothing")?;
                let at = history.tick();
                for sub in history.subs_of(self.number, self.instance, &filter).filter(|sub| sub.asked_at < asked_at && reason < 0x80) {
                    sub.ended.get_or_insert(at);
                }
                Ok(())
            }
            Said::Disconnect(_) => {
                self.told_to_go = true;
                Ok(())
            }
            Said::Pong => Ok(()),
        }
    }

    fn on_connack(&mut self, present: bool, history: &mut History, wall_ms: u64) -> Result<(), String> {
        if self.phase != Phase::Connecting {
            return Err("CONNACK for nothing".into());
        }
        let expires_at = self.alive_ms + u64::from(self.profile.expiry_secs) * 1000;
        let lives = self.known == Known::Yes && (self.profile.expiry_secs == u32::MAX || wall_ms < expires_at);
        if present && (self.clean || self.known == Known::No) {
            return Err("Session Present, but there is none".into());
        }
        if !present && !self.clean && lives {
            return Err("the session was lost".into());
        }
        if !present {
            if !self.clean {
                self.forget();
            }
            self.stored = self.expiry_now > 0;
        }
        (self.phase, self.known, self.must_clean) = (Phase::Connected, Known::Yes, false);
        self.resend(history);
        Ok(())
    }

    fn on_publish(&mut self, (dup, qos, retain, id): (bool, Qos, bool, u16), topic: &str, payload: String, history: &mut History) -> Result<(), String> {
        if qos != Qos::AtMostOnce {
            if let Some(old) = self.in_flight.insert(id, qos) {
                return Err(format!("packet id {id} is in use for {old:?}"));
            }
            if self.in_flight.len() > usize::from(self.profile.receive_maximum) {
                return Err("more in flight than Receive Maximum".into());
            }
            self.acks.push_back((if qos == Qos::AtLeastOnce { AckKind::PubAck } else { AckKind::PubRec }, id));
        }
        match self.taken.get(&id).filter(|_| qos != Qos::AtMostOnce) {
            Some(old) if *old != payload || qos == Qos::AtLeastOnce => return Err(format!("packet id {id} is still in use")),
            Some(_) if !dup => return Err(format!("packet id {id} comes again without DUP")),
            Some(_) => return Ok(()),
            None if qos == Qos::ExactlyOnce => drop(self.taken.insert(id, payload.clone())),
            None => {}
        }
        if payload.is_empty() {
            return Ok(()); // clears a retained topic
        }
        let what = what(&payload).ok_or("a payload that nobody has sent")?;
        let right_topic = match what {
            What::Message(number) => history.messages.get(number).is_some_and(|sent| sent.topic == topic),
            What::Will(number) => history.wills.get(number).is_some_and(|will| topic == format!("w/{}", will.client)),
        };
        if !right_topic {
            return Err(format!("{what:?} comes with topic {topic}"));
        }
        let (client, instance, stored, at, epoch) = (self.number, self.instance, self.stored, history.tick(), history.epoch);
        history.deliveries.push(Delivery { client, instance, stored, what, qos, retain, dup, at, epoch });
        Ok(())
    }

    fn on_ack(&mut self, kind: AckKind, id: u16, reason: u8) -> Result<(), String> {
        if kind == AckKind::PubRel {
            self.taken.remove(&id);
            self.acks.push_back((AckKind::PubComp, id));
            return if reason == 0 { Ok(()) } else { Err("the broker does not know its own exchange".into()) };
        }
        let at = self.outbound.iter().position(|out| out.id == id).ok_or_else(|| format!("{kind:?} {id} for nothing"))?;
        if kind == AckKind::PubRec && reason < 0x80 {
            self.outbound[at].released = true;
            self.answer(AckKind::PubRel, id);
        } else {
            self.outbound.remove(at);
        }
        Ok(())
    }
}
