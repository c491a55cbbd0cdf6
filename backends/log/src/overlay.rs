//! What does the log say that the store behind it does not say yet? Where the newest value of each key lies, and which keys
//! and ranges are gone.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use hikyaku_traits::Table;

use crate::key::{Short, at_least, long_bounds, short_bounds};
use crate::ranges::Ranges;
use crate::record::{Kind, RawOp};
use crate::shared::MARK;
use crate::short_map::{self, ShortMap};

/// Where a value lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the file.
    pub file: u32,
    pub offset: u32,
    pub len: u32,
}

impl Place {
    /// Stands for a key that is gone.
    const GONE: Self = Self { file: 0, offset: 0, len: u32::MAX };

    /// The place; `None`: the key is gone.
    fn value(self) -> Option<Self> {
        (self != Self::GONE).then_some(self)
    }
}

/// What a layer says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It has this value.
    Value(Place),
    /// It is gone.
    Gone,
    /// Nothing: the layer below knows.
    Nothing,
}

/// All that some files of the log say.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    tables: [Records; Table::ALL.len()],
    /// The number of the last batch in it.
    pub last: u64,
    /// The bytes of its files.
    pub bytes: u64,
    /// The numbers of its files.
    pub files: Vec<u32>,
}

/// From which key on nothing lies below, per table: what is put there and removed again leaves nothing to be told.
pub(crate) type Heights = [Box<[u8]>; Table::ALL.len()];

/// One table. Most keys are a number of eight bytes, and cost less as what they are.
#[derive(Debug, Default)]
struct Records {
    short: ShortMap<Place>,
    long: BTreeMap<Box<[u8]>, Place>,
    ranges: Ranges,
}

impl Layer {
    /// Takes an operation in. `file_at` is where the bytes lie, from which the operation was read.
    pub fn take(&mut self, op: &RawOp<'_>, file: u32, file_at: usize, heights: &Heights) {
        if op.table == Table::Meta && op.key == MARK && op.kind != Kind::DeleteRange {
            // The mark is the log's own. A copy of all records of another store brings that one's along.
            return;
        }
        let records = &mut self.tables[op.table as usize];
        let height = &heights[op.table as usize];
        match op.kind {
            Kind::Put => {
                let offset = (file_at + op.second_at) as u32;
                records.put(op.key, Place { file, offset, len: op.second.len() as u32 });
            }
            Kind::Delete => records.delete(op.key, op.key >= &**height),
            Kind::DeleteRange => records.delete_range(op.key, op.second, op.key >= &**height),
        }
    }

    /// What it says of a key.
    pub fn look_up(&self, table: Table, key: &[u8]) -> Said {
        let records = &self.tables[table as usize];
        match records.find(key).map(|place| place.value()) {
            Some(Some(place)) => Said::Value(place),
            Some(None) => Said::Gone,
            None if records.ranges.cover(key) => Said::Gone,
            None => Said::Nothing,
        }
    }

    /// Whether a range that is gone covers the key.
    pub fn covers(&self, table: Table, key: &[u8]) -> bool {
        self.tables[table as usize].ranges.cover(key)
    }

    /// The keys of a range in order; `None`: the key is gone.
    pub fn keys(&self, table: Table, from: &[u8], to: Bound<&[u8]>) -> Keys<'_> {
        self.tables[table as usize].keys(from, to)
    }

    /// The ranges that are gone.
    pub fn ranges(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.tables[table as usize].ranges.iter()
    }

    /// How many keys and ranges it remembers.
    pub fn entries(&self) -> usize {
        self.tables.iter().map(|records| records.short.len() + records.long.len() + records.ranges.len()).sum()
    }

    /// Raises the heights above all that this layer puts.
    pub fn raise(&self, heights: &mut Heights) {
        for (records, height) in self.tables.iter().zip(heights) {
            let short = records.short.last().map(AsRef::as_ref);
            let long = records.long.last_key_value().map(|(key, _)| &**key);
            if let Some(highest) = short.max(long).filter(|highest| *highest >= &**height) {
                *height = highest.iter().copied().chain([0]).collect();
            }
        }
    }
}

impl Records {
    fn find(&self, key: &[u8]) -> Option<Place> {
        match Short::of(key) {
            Some(short) => self.short.get(&short).copied(),
            None => self.long.get(key).copied(),
        }
    }

    fn put(&mut self, key: &[u8], place: Place) {
        if let Some(short) = Short::of(key) {
            self.short.insert(short, place);
        } else if let Some(old) = self.long.get_mut(key) {
            *old = place;
        } else {
            self.long.insert(key.into(), place);
        }
    }

    fn delete(&mut self, key: &[u8], nothing_below: bool) {
        if !nothing_below {
            return self.put(key, Place::GONE);
        }
        if let Some(short) = Short::of(key) {
            self.short.remove(&short);
        } else {
            self.long.remove(key);
        }
    }

    fn delete_range(&mut self, from: &[u8], to: &[u8], nothing_below: bool) {
        if from >= to {
            return;
        }
        if let Some(bounds) = short_bounds(from, Bound::Excluded(to)) {
            let gone: Vec<Short> = self.short.range(bounds).map(|(key, _)| *key).collect();
            for key in &gone {
                self.short.remove(key);
            }
        }
        let gone: Vec<Box<[u8]>> =
            self.long.range::<[u8], _>(long_bounds(from, Bound::Excluded(to))).map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.long.remove(key);
        }
        if !nothing_below {
            self.ranges.insert(from, to);
        }
    }

    fn keys(&self, from: &[u8], to: Bound<&[u8]>) -> Keys<'_> {
        let short = short_bounds(from, to).map(|bounds| self.short.range(bounds).peekable());
        let long = at_least(from, to).then(|| self.long.range::<[u8], _>(long_bounds(from, to)).peekable());
        Keys { short, long }
    }
}

type LongRange<'a> = Peekable<std::collections::btree_map::Range<'a, Box<[u8]>, Place>>;

/// The keys of a layer's table in order.
pub(crate) struct Keys<'a> {
    short: Option<Peekable<short_map::Range<'a, Place>>>,
    long: Option<LongRange<'a>>,
}

impl<'a> Iterator for Keys<'a> {
    type Item = (&'a [u8], Option<Place>);

    fn next(&mut self) -> Option<Self::Item> {
        let short = self.short.as_mut().and_then(Peekable::peek).map(|(key, _)| key.as_ref());
        let long = self.long.as_mut().and_then(Peekable::peek).map(|(key, _)| &***key);
        match (short, long) {
            (Some(short), long) if long.is_none_or(|long| short < long) => {
                self.short.as_mut()?.next().map(|(key, place)| (key.as_ref(), place.value()))
            }
            _ => self.long.as_mut()?.next().map(|(key, place)| (&**key, place.value())),
        }
    }
}
