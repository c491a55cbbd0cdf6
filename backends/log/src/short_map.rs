//! How do many keys of eight bytes cost little memory? In sorted blocks: most keys rise, so most blocks are full.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use crate::key::Short;

/// How many entries a block has at most.
const BLOCK_ENTRIES: usize = 256;

/// A sorted map.
#[derive(Debug)]
pub(crate) struct ShortMap<V> {
    /// By a key that is not above the first of the block and above the last of the block before. None is empty.
    blocks: BTreeMap<Short, Vec<(Short, V)>>,
    len: usize,
}

impl<V> Default for ShortMap<V> {
    fn default() -> Self {
        Self { blocks: BTreeMap::new(), len: 0 }
    }
}

impl<V> ShortMap<V> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    pub fn get(&self, key: &Short) -> Option<&V> {
        let (_, block) = self.blocks.range(..=*key).next_back()?;
        let at = block.binary_search_by_key(key, |entry| entry.0).ok()?;
        Some(&block[at].1)
    }

    /// The highest key.
    pub fn last(&self) -> Option<&Short> {
        self.blocks.last_key_value().and_then(|(_, block)| block.last()).map(|entry| &entry.0)
    }

    /// Puts a value in, in place of one that is there.
    pub fn insert(&mut self, key: Short, value: V) {
        let Some((_, block)) = self.blocks.range_mut(..=key).next_back() else { return self.begin(key, value) };
        match block.binary_search_by_key(&key, |entry| entry.0) {
            Ok(at) => {
                block[at].1 = value;
                return;
            }
            // Behind a full block a new one begins, so that rising keys fill theirs.
            Err(BLOCK_ENTRIES) => return self.begin(key, value),
            Err(at) if block.len() < BLOCK_ENTRIES => block.insert(at, (key, value)),
            Err(at) => {
                let mut upper = block.split_off(BLOCK_ENTRIES / 2);
                if at > block.len() {
                    upper.insert(at - block.len(), (key, value));
                } else {
                    block.insert(at, (key, value));
                }
                self.blocks.insert(upper[0].0, upper);
            }
        }
        self.len += 1;
    }

    fn begin(&mut self, key: Short, value: V) {
        // The last block is going to be full; one between others may stay small.
        let room = if self.last().is_none_or(|last| *last < key) { BLOCK_ENTRIES } else { 1 };
        let mut block = Vec::with_capacity(room);
        block.push((key, value));
        self.blocks.insert(key, block);
        self.len += 1;
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &Short) {
        let Some((name, block)) = self.blocks.range_mut(..=*key).next_back() else { return };
        let Ok(at) = block.binary_search_by_key(key, |entry| entry.0) else { return };
        block.remove(at);
        self.len -= 1;
        if block.is_empty() {
            let name = *name;
            self.blocks.remove(&name);
        }
    }

    /// The entries of a range in order.
    pub fn range(&self, bounds: (Bound<Short>, Bound<Short>)) -> Range<'_, V> {
        let (Bound::Included(from) | Bound::Excluded(from)) = bounds.0 else {
            return Range { blocks: self.blocks.range(..), block: [].iter(), to: bounds.1 };
        };
        let first = self.blocks.range(..=from).next_back().map_or(from, |(name, _)| *name);
        let mut blocks = self.blocks.range(first..);
        let block = blocks.next().map_or(&[][..], |(_, block)| {
            &block[block
                .partition_point(|entry| entry.0 < from || entry.0 == from && bounds.0 == Bound::Excluded(from))..]
        });
        Range { blocks, block: block.iter(), to: bounds.1 }
    }
}

/// The entries of a range in order.
pub(crate) struct Range<'a, V> {
    blocks: std::collections::btree_map::Range<'a, Short, Vec<(Short, V)>>,
    block: std::slice::Iter<'a, (Short, V)>,
    to: Bound<Short>,
}

impl<'a, V> Iterator for Range<'a, V> {
    type Item = (&'a Short, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.block.next() {
                return (Bound::Unbounded, self.to).contains(key).then_some((key, value));
            }
            self.block = self.blocks.next()?.1.iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(number: u64) -> Short {
        Short::of(&number.to_be_bytes()).unwrap()
    }

    /// Against the map of the standard library: rising keys, scattered keys, falling keys, and removals.
    #[test]
    fn it_is_the_map_that_it_stands_for() {
        let (mut map, mut model, mut random) = (ShortMap::default(), BTreeMap::new(), 1_u64);
        for step in 0..60_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let scattered = (random >> 33) % 5_000;
            let key = short(match step / 10_000 % 3 {
                0 => 10_000 + step,
                1 => scattered,
                _ => 100_000 - step,
            });
            if random >> 61 == 0 {
                map.remove(&short(scattered));
                model.remove(&short(scattered));
            }
            map.insert(key, step);
            model.insert(key, step);
            if step % 500 == 0 {
                let (from, to) = (short(scattered), short(scattered + (random >> 50)));
                for bounds in [
                    (Bound::Included(from), Bound::Excluded(to)),
                    (Bound::Excluded(from), Bound::Included(to)),
                    (Bound::Unbounded, Bound::Unbounded),
                ] {
                    assert!(map.range(bounds).eq(model.range(bounds)), "step {step}");
                }
                assert_eq!((map.len(), map.last()), (model.len(), model.keys().next_back()));
            }
            assert_eq!(map.get(&short(scattered)), model.get(&short(scattered)));
        }
        let all: Vec<Short> = model.keys().copied().collect();
        all.iter().for_each(|key| map.remove(key));
        assert_eq!((map.len(), map.last(), map.blocks.len()), (0, None, 0));
    }

    #[test]
    fn rising_keys_fill_their_blocks() {
        let mut map = ShortMap::default();
        (0..10_000).for_each(|number| map.insert(short(number), number));
        assert_eq!(map.blocks.len(), 10_000_usize.div_ceil(BLOCK_ENTRIES));
    }
}
