//! In which order do topics come? Level by level, each by its bytes: all that is below a topic follows right behind it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::Message;

/// Has a topic name: what the set is searched by, so that the messages themselves can be its keys.
pub(super) trait Named {
    fn name(&self) -> &[u8];
}

impl Named for &str {
    fn name(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Named + '_ {}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        by_levels(self.name(), other.name())
    }
}

/// A message, in the order of topics.
#[derive(Debug)]
pub(super) struct ByTopic(pub(super) Arc<Message>);

impl Named for ByTopic {
    fn name(&self) -> &[u8] {
        self.0.topic_bytes()
    }
}

impl<'a> Borrow<dyn Named + 'a> for ByTopic {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

impl PartialEq for ByTopic {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ByTopic {}

impl PartialOrd for ByTopic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByTopic {
    fn cmp(&self, other: &Self) -> Ordering {
        by_levels(self.name(), other.name())
    }
}

/// A message, in the order in which they expire; those of the same time in the order of topics.
#[derive(Debug)]
pub(super) struct ByExpiry(pub(super) Arc<Message>);

impl PartialEq for ByExpiry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for ByExpiry {}

impl PartialOrd for ByExpiry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByExpiry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_time = self.0.expires_at_ms.cmp(&other.0.expires_at_ms);
        by_time.then_with(|| by_levels(self.0.topic_bytes(), other.0.topic_bytes()))
    }
}

/// Compares topic names level by level. As a name holds no U+0000, that is to compare the bytes with `/` as the lowest.
pub(super) fn by_levels(one: &[u8], other: &[u8]) -> Ordering {
    let chunks = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let equal = chunks.take_while(|(one, other)| one == other).count() * 8;
    let (one, other) = (&one[equal..], &other[equal..]);
    let equal = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    one.get(equal).map(rank).cmp(&other.get(equal).map(rank))
}

fn rank(byte: &u8) -> u8 {
    if *byte == b'/' { 0 } else { *byte }
}
