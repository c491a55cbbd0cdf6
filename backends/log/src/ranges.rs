//! Which ranges of keys are gone? They are kept apart from each other: what touches is one.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Ranges from one key up to another, which is not in it.
#[derive(Debug, Default)]
pub(crate) struct Ranges(BTreeMap<Box<[u8]>, Box<[u8]>>);

impl Ranges {
    /// Adds a range that is not empty.
    pub fn insert(&mut self, from: &[u8], to: &[u8]) {
        let (mut from, mut to): (Box<[u8]>, Box<[u8]>) = (from.into(), to.into());
        if let Some((before, end)) = self.before(&from).filter(|(_, end)| **end >= *from) {
            from = before.into();
            to = to.max(end.into());
        }
        while let Some((next, end)) = self.0.range::<[u8], _>((Bound::Included(&*from), Bound::Included(&*to))).next() {
            let next = next.clone();
            to = to.max(end.clone());
            self.0.remove(&next);
        }
        self.0.insert(from, to);
    }

    /// Whether the key is in one.
    pub fn cover(&self, key: &[u8]) -> bool {
        self.before(key).is_some_and(|(_, end)| key < end)
    }

    /// The last range that does not begin behind the key.
    fn before(&self, key: &[u8]) -> Option<(&[u8], &[u8])> {
        let (from, to) = self.0.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        Some((from, to))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(from, to)| (&**from, &**to))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut ranges = Ranges::default();
        for (from, to) in [("d", "f"), ("a", "b"), ("j", "k"), ("b", "c"), ("c", "e"), ("m", "n"), ("ea", "jj")] {
            ranges.insert(from.as_bytes(), to.as_bytes());
        }
        let all: Vec<_> = ranges.iter().collect();
        assert_eq!(all, [(b"a".as_slice(), b"k".as_slice()), (b"m", b"n")]);
        assert!(ranges.cover(b"a") && ranges.cover(b"gzz") && ranges.cover(b"m"));
        assert!(!ranges.cover(b"k") && !ranges.cover(b"A") && !ranges.cover(b"n"));
    }
}
