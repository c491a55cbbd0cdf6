//! Which retained messages match a filter?

mod order;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::collections::btree_set::{BTreeSet, Range};
use std::ops::Bound;
use std::sync::Arc;

use crate::{Message, NOT_APPENDED};

use order::{ByExpiry, ByTopic, Named};
use scan::{Scan, Verdict};

/// How many tombstones that are not durable are looked at before those behind them have to wait for the next batch.
const TOMBSTONES_AT_ONCE: usize = 64;

/// How many topics a page may look at for each message that it may find.
const LOOKS_PER_MESSAGE: usize = 32;

/// The retained messages, whole, in the order of their topics.
///
/// One set holds them, with no key beside the message itself. A filter is answered by leaping in it: from one topic that
/// cannot match to the first behind it that can.
///
/// A message with an empty payload clears its topic [MQTT-3.3.1-6]. It stays in the set as a tombstone, seen by nobody,
/// until it is durable, so that the next message of the topic can supersede it.
#[derive(Debug, Default)]
pub struct Retained {
    messages: BTreeSet<ByTopic>,
    /// Visible ones that expire.
    expiring: BTreeSet<ByExpiry>,
    tombstones: VecDeque<Arc<Message>>,
    len: usize,
    bytes: usize,
}

impl Retained {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a message in the place of the one of its topic, which is superseded [MQTT-3.3.1-5]. Returns that one, if it was
    /// to be seen.
    pub fn set(&mut self, message: Arc<Message>) -> Option<Arc<Message>> {
        let old = self.messages.replace(ByTopic(Arc::clone(&message))).map(|old| old.0);
        let old = old.inspect(|old| old.supersede()).filter(|old| is_visible(old));
        if let Some(old) = &old {
            self.discount(old);
        }
        if is_visible(&message) {
            self.len += 1;
            self.bytes += message.size();
            if message.expires_at().is_some() {
                self.expiring.insert(ByExpiry(message));
            }
        } else {
            self.tombstones.push_back(message);
        }
        old
    }

    /// Drops the tombstones that are durable: no crash can bring back what they cleared.
    pub fn forget_tombstones(&mut self, durable_batch: u64) {
        let mut waiting = 0;
        for _ in 0..self.tombstones.len() {
            let Some(tombstone) = self.tombstones.pop_front() else { return };
            let batch = tombstone.batch();
            if tombstone.is_superseded() {
                continue;
            }
            if batch != NOT_APPENDED && batch <= durable_batch {
                self.messages.remove(&tombstone.topic() as &dyn Named);
                continue;
            }
            self.tombstones.push_back(tombstone);
            waiting += 1;
            if waiting == TOMBSTONES_AT_ONCE {
                return;
            }
        }
    }

    /// The retained message of a topic, which may have expired. No tombstone.
    #[must_use]
    pub fn get(&self, topic: &str) -> Option<&Arc<Message>> {
        self.messages.get(&topic as &dyn Named).map(|found| &found.0).filter(|message| is_visible(message))
    }

    /// Appends to `out` the messages whose topics match, in the order of their levels' bytes: at most `limit`, behind the
    /// topic `after`, none with an id above `id_max`. Some may have expired.
    ///
    /// Returns the `after` of the next call; `None`: there are no more. A call looks at a bounded number of topics for each
    /// message of `limit`, so it may find fewer, even none, before the end.
    #[must_use = "without it the rest is not found"]
    pub fn matching(
        &self,
        filter: &str,
        after: Option<&str>,
        limit: usize,
        id_max: u64,
        out: &mut Vec<Arc<Message>>,
    ) -> Option<Box<str>> {
        let mut scan = Scan::new(filter);
        let mut topics = self.topics_from(after.as_ref().map_or(Bound::Unbounded, Bound::Excluded));
        let mut last = after;
        let mut looks = limit.saturating_mul(LOOKS_PER_MESSAGE);
        let end = out.len().saturating_add(limit);
        while out.len() < end && looks > 0 {
            let ByTopic(message) = topics.next()?;
            match scan.judge(message.topic()) {
                Verdict::Matches if is_visible(message) && message.id <= id_max => out.push(Arc::clone(message)),
                Verdict::Matches | Verdict::Next => {}
                Verdict::Leap(to) => topics = self.topics_from(Bound::Included(&to)),
                Verdict::End => return None,
            }
            last = Some(message.topic());
            looks -= 1;
        }
        last.map(Box::from)
    }

    /// Removes what has expired at that time of the wall clock, the earliest first, at most `budget`. Returns it.
    pub fn expire(&mut self, wall_ms: u64, budget: usize) -> Vec<Arc<Message>> {
        let mut expired = Vec::new();
        while expired.len() < budget && self.next_expiry_ms().is_some_and(|at| at <= wall_ms) {
            let Some(ByExpiry(message)) = self.expiring.pop_first() else { break };
            self.messages.remove(&message.topic() as &dyn Named);
            self.discount(&message);
            expired.push(message);
        }
        expired
    }

    /// When the next one expires, in milliseconds of the wall clock.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.expiring.first().map(|first| first.0.expires_at_ms)
    }

    /// How many messages there are; tombstones are none.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The size of all of them, see [`Message::size`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn topics_from(&self, bound: Bound<&&str>) -> Range<'_, ByTopic> {
        let bound = bound.map(|topic| topic as &dyn Named);
        self.messages.range::<dyn Named, _>((bound, Bound::Unbounded))
    }

    /// Counts a visible message no more.
    fn discount(&mut self, message: &Arc<Message>) {
        self.len -= 1;
        self.bytes -= message.size();
        if message.expires_at().is_some() {
            self.expiring.remove(&ByExpiry(Arc::clone(message)));
        }
    }
}

fn is_visible(message: &Message) -> bool {
    !message.payload().is_empty()
}
