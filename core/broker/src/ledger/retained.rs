//! Which retained message of a topic counts?
//!
//! Messages get their ids in the order in which they take each other's place, but they may reach the ledger in another
//! one. So the ledger remembers the last of each topic, and writes a message only while it is that. Whether a message is
//! superseded in memory says less: the newer one may be in a later batch, and a crash between the two must not lose both.

use std::borrow::Borrow;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ahash::RandomState;
use hikyaku_traits::Table;

use super::batch::Builder;
use super::read::{is_body_apart, write_retained};
use crate::message::Message;

/// How many cleared topics are remembered: an older message that comes after so many others were cleared would be written.
const CLEARED_MAX: usize = 1 << 16;

/// The last message of each topic. The messages are those that the index of retained messages holds anyway.
#[derive(Debug)]
pub(super) struct Last {
    topics: HashSet<ByTopic, RandomState>,
    /// Messages that cleared a topic, oldest first.
    cleared: VecDeque<Arc<Message>>,
}

#[derive(Debug)]
struct ByTopic {
    message: Arc<Message>,
    /// An earlier message of the topic has left a large payload in the store.
    hides_body: bool,
}

impl Borrow<str> for ByTopic {
    fn borrow(&self) -> &str {
        self.message.topic()
    }
}

impl Hash for ByTopic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.message.topic().hash(state);
    }
}

impl PartialEq for ByTopic {
    fn eq(&self, other: &Self) -> bool {
        self.message.topic() == other.message.topic()
    }
}

impl Eq for ByTopic {}

impl Last {
    /// Remembers what the store has.
    #[expect(clippy::mutable_key_type, reason = "a topic does not change")]
    pub fn new(hasher: RandomState, stored: &[Arc<Message>]) -> Self {
        let mut topics = HashSet::with_capacity_and_hasher(stored.len(), hasher);
        topics.extend(stored.iter().map(|message| ByTopic { message: message.clone(), hides_body: false }));
        Self { topics, cleared: VecDeque::new() }
    }

    /// A message is in the batch: from now on it is the last of its topic, unless there is a newer one. All messages of
    /// a batch are noted before the first is written, so that only one of each topic is.
    pub fn note(&mut self, message: &Arc<Message>) {
        let old = self.topics.get(message.topic());
        if old.is_some_and(|old| age(&old.message) > age(message)) {
            return;
        }
        let hides_body = old.is_some_and(|old| old.hides_body || is_body_apart(&old.message));
        self.topics.replace(ByTopic { message: message.clone(), hides_body });
        if message.payload().is_empty() {
            self.cleared.push_back(message.clone());
        }
    }

    /// Writes a message that has been noted, if it is the last of its topic.
    pub fn write(&mut self, message: &Arc<Message>, batch: &mut Builder) {
        let Some(last) = self.topics.get(message.topic()).filter(|last| Arc::ptr_eq(&last.message, message)) else {
            return;
        };
        let topic = message.topic_bytes();
        if message.payload().is_empty() {
            batch.delete(Table::Retained, &[topic]); // [MQTT-3.3.1-6]
        } else {
            batch.put(Table::Retained, &[topic], |value| write_retained(value, message));
        }
        if is_body_apart(message) {
            batch.put_body(Table::RetainedBody, topic, message);
        } else if last.hides_body {
            batch.delete(Table::RetainedBody, &[topic]);
            self.topics.replace(ByTopic { message: message.clone(), hides_body: false });
        }
    }

    /// Forgets the oldest of the cleared topics. Between batches: what is to be written is remembered.
    pub fn forget_cleared(&mut self) {
        while self.cleared.len() > CLEARED_MAX {
            let Some(oldest) = self.cleared.pop_front() else { return };
            if self.topics.get(oldest.topic()).is_some_and(|last| Arc::ptr_eq(&last.message, &oldest)) {
                self.topics.remove(oldest.topic());
            }
        }
    }
}

/// What is not less takes the place. What clears an expired message has its id.
fn age(message: &Message) -> (u64, bool) {
    (message.id, message.payload().is_empty())
}
