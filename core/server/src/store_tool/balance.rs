//! Do the records of a store fit each other?
//!
//! What the next start of a broker would sweep is a note. What it would refuse, lose or keep for ever is a problem.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use hikyaku_broker::ledger::{MessageRecord, PayloadRecord, Record, meta_name};
use hikyaku_broker::{Phase, Receipt};

/// Takes records in, sessions before what is theirs and messages behind that, and notes what does not fit.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// What is wrong, for people.
    pub problems: Vec<String>,
    next_session: Option<u64>,
    ids_reserved: Option<u64>,
    sessions: BTreeMap<u64, Known>,
    /// Session, position and message of each exchange that waits for its message's PUBREC.
    sent: HashSet<(u64, u64, u64)>,
    /// The large payloads that messages have, and how long they are.
    bodies: BTreeMap<u64, usize>,
    retained_bodies: BTreeMap<Box<str>, usize>,
    /// How many receivers belong to sessions that have ended, and how many messages have no other ones.
    ended: u64,
    orphans: u64,
}

/// What is known of a session.
#[derive(Debug, Default)]
struct Known {
    low: u64,
    done: Vec<(u64, u64)>,
    positions: Vec<u64>,
}

impl Known {
    fn is_done(&self, position: u64) -> bool {
        position < self.low || self.done.iter().any(|run| run.0 <= position && position <= run.1)
    }
}

impl Balance {
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Meta { name, number } if &*name == meta_name::NEXT_SESSION_NUMBER => {
                self.next_session = Some(number)
            }
            Record::Meta { name, number } if &*name == meta_name::MESSAGE_ID_RESERVED => {
                self.ids_reserved = Some(number)
            }
            Record::Meta { .. } => {}
            Record::Session(session) => {
                let (number, client_id) = (session.number, session.client_id);
                if self.next_session.is_none_or(|next| number >= next) {
                    self.problem(format!("session {number} of {client_id:?} is not below next_session_number"));
                }
                if self.sessions.insert(number, Known::default()).is_some() {
                    self.problem(format!("session {number} of {client_id:?} has the number of another session"));
                }
            }
            Record::Subscription { session, filter, .. } => {
                self.owner(session, || format!("the subscription to {filter:?}"));
            }
            Record::Progress { session, low, done, .. } => {
                self.owner(session, || "the progress".to_owned());
                if let Some(known) = self.sessions.get_mut(&session) {
                    (known.low, known.done) = (low, done);
                }
            }
            Record::Received { session, packet_id } => {
                self.owner(session, || format!("the received packet id {packet_id}"));
            }
            Record::Outbound { session, packet_id, position, message_id, phase } => {
                self.owner(session, || format!("the sent packet id {packet_id}"));
                self.reserved(message_id);
                if phase == Phase::Sent {
                    self.sent.insert((session, position, message_id));
                }
            }
            Record::Will { session, .. } => self.owner(session, || "the Will".to_owned()),
            Record::Message { message, receivers } => self.message(&message, &receivers),
            Record::Body { message_id, payload } => {
                let expected = self.bodies.remove(&message_id);
                self.body(&format!("message {message_id}"), expected, payload.len());
            }
            Record::Retained(message) => {
                if let PayloadRecord::Apart(len) = message.payload {
                    self.retained_bodies.insert(message.topic, len);
                }
            }
            Record::RetainedBody { topic, payload } => {
                let expected = self.retained_bodies.remove(&topic);
                self.body(&format!("the retained message of {topic:?}"), expected, payload.len());
            }
        }
    }

    fn problem(&mut self, what: String) {
        self.problems.push(what);
    }

    fn owner(&mut self, session: u64, what: impl FnOnce() -> String) {
        if !self.sessions.contains_key(&session) {
            self.problem(format!("{} belongs to session {session}, which is not there", what()));
        }
    }

    fn reserved(&mut self, message_id: u64) {
        if message_id > 0 && self.ids_reserved.is_none_or(|reserved| message_id >= reserved) {
            self.problem(format!("message {message_id} is not below message_id_reserved"));
        }
    }

    fn message(&mut self, message: &MessageRecord, receivers: &[Receipt]) {
        let id = message.id;
        self.reserved(id);
        let mut waiting = false;
        for &Receipt { session, position, .. } in receivers {
            self.sent.remove(&(session, position, id));
            match self.sessions.get_mut(&session) {
                Some(known) => {
                    waiting |= !known.is_done(position);
                    known.positions.push(position);
                }
                None if self.next_session.is_some_and(|next| session < next) => self.ended += 1,
                None => self.problem(format!("message {id} waits for session {session}, which has never been there")),
            }
        }
        self.orphans += u64::from(!waiting);
        if let PayloadRecord::Apart(len) = message.payload {
            self.bodies.insert(id, len);
        }
    }

    fn body(&mut self, whose: &str, expected: Option<usize>, len: usize) {
        match expected {
            Some(expected) if expected == len => {}
            Some(expected) => {
                self.problem(format!("{whose} says that its payload has {expected} bytes, but it has {len}"))
            }
            None => self.problem(format!("there is a payload of {len} bytes of {whose}, which does not say so")),
        }
    }

    /// What can be said once all has been read.
    pub fn finish(mut self) -> Self {
        for (session, position, id) in std::mem::take(&mut self.sent).into_iter().collect::<BTreeSet<_>>() {
            self.problem(format!(
                "message {id} was sent to session {session} at position {position}, and does not wait for it"
            ));
        }
        for (id, len) in std::mem::take(&mut self.bodies) {
            self.problem(format!("message {id} has lost its payload of {len} bytes"));
        }
        for (topic, len) in std::mem::take(&mut self.retained_bodies) {
            self.problem(format!("the retained message of {topic:?} has lost its payload of {len} bytes"));
        }
        for (session, mut known) in std::mem::take(&mut self.sessions) {
            known.positions.sort_unstable();
            for pair in known.positions.windows(2).filter(|pair| pair[0] == pair[1]) {
                self.problem(format!("position {} of session {session} has more than one message", pair[0]));
            }
        }
        self
    }

    /// What the next start sets right.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ended > 0 {
            notes.push(format!("{} receivers belong to sessions that have ended", self.ended));
        }
        if self.orphans > 0 {
            notes.push(format!("{} messages wait for nobody; the next start sweeps them", self.orphans));
        }
        notes
    }
}

#[cfg(test)]
mod tests;
