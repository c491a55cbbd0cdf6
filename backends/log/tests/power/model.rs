//! What must the records be? Batches, and the records after any number of them.

use std::collections::BTreeMap;

use hikyaku_log::Options;
use hikyaku_suite::{Ask, Store, Write};
use hikyaku_traits::{Durability, Scan, StoreError, Table};

use crate::random::Random;

/// So small that files and checkpoints come all the time.
pub fn tiny(random: &mut Random) -> Options {
    Options { bytes_max: random.pick(&[400, 1_500, 6_000, 40_000]), entries_max: random.pick(&[5, 20, 100]) }
}

/// Why a life ends.
#[derive(Debug)]
pub enum Stop {
    /// The store says so.
    Store(#[allow(dead_code, reason = "shown")] StoreError),
    /// The store is wrong.
    Wrong(#[allow(dead_code, reason = "shown")] String),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Stop {
    pub fn wrong<T>(why: impl Into<String>) -> Result<T, Self> {
        Err(Self::Wrong(why.into()))
    }
}

/// All records.
pub type Records = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Applies a batch to records.
pub fn apply(records: &mut Records, batch: &[Write]) {
    for write in batch {
        match write {
            Write::Put(table, key, value) => drop(records.insert((*table, key.clone()), value.clone())),
            Write::Delete(table, key) => drop(records.remove(&(*table, key.clone()))),
            Write::DeleteRange(table, from, to) => {
                records.retain(|(other, key), _| other != table || key < from || key >= to);
            }
            Write::Unknown => unreachable!("the tests make none"),
        }
    }
}

/// Reads all tables.
pub async fn everything(store: &dyn Store) -> Result<Records, StoreError> {
    let mut records = Records::new();
    for table in Table::ALL {
        let scan = Scan { table, from: [].into(), to: None, bytes_max: usize::MAX };
        let page = store.scan(scan).await?;
        records.extend(page.rows.into_iter().map(|row| ((table, row.key.to_vec()), row.value.to_vec())));
    }
    Ok(records)
}

/// What was done since what is durable for certain.
#[derive(Clone, Debug, Default)]
pub struct Model {
    durable: Records,
    later: Vec<Vec<Write>>,
    /// How many of them have returned without an error.
    returned: usize,
    /// The records after all that have returned.
    pub now: Records,
    count: u64,
}

impl Model {
    /// A batch by chance. The last operation makes the records different from all that were before.
    pub fn batch(&mut self, random: &mut Random) -> Vec<Write> {
        self.count += 1;
        let operations = 1 + random.below(6);
        let mut batch: Vec<Write> = (0..operations).map(|_| self.operation(random)).collect();
        batch.push(Write::Put(Table::Meta, b"count".to_vec(), self.count.to_be_bytes().to_vec()));
        batch
    }

    fn operation(&self, random: &mut Random) -> Write {
        let newest = self.count * 8;
        let old = |random: &mut Random| newest.saturating_sub(random.below(200) as u64).to_be_bytes().to_vec();
        match random.below(12) {
            0..=2 => {
                let id = newest + random.below(8) as u64;
                Write::Put(Table::Message, id.to_be_bytes().to_vec(), value(random))
            }
            3 => Write::Put(Table::Message, old(random), value(random)),
            4 | 5 => Write::Delete(Table::Message, old(random)),
            6 => Write::DeleteRange(Table::Message, old(random), old(random)),
            7 => Write::DeleteRange(Table::Meta, vec![], vec![0xFF]),
            8 => Write::DeleteRange(Table::Retained, key(random), key(random)),
            9 => Write::Delete(Table::Retained, key(random)),
            _ => Write::Put(Table::Retained, key(random), value(random)),
        }
    }

    /// The batch is about to be applied.
    pub fn begin(&mut self, batch: Vec<Write>) {
        self.later.push(batch);
    }

    /// It has returned.
    pub fn end(&mut self, durability: Durability) {
        self.returned = self.later.len();
        if let Some(batch) = self.later.last() {
            apply(&mut self.now, batch);
        }
        if durability == Durability::Synced {
            self.all_is_durable();
        }
    }

    /// An empty synced batch, or a close, has returned.
    pub fn all_is_durable(&mut self) {
        self.later.drain(..).for_each(|batch| apply(&mut self.durable, &batch));
        self.returned = 0;
    }

    /// Whether the batch that was begun last has not returned.
    pub fn under_way(&self) -> Option<Vec<Write>> {
        self.later.get(self.returned).cloned()
    }

    /// Judges what is found after a crash, and goes on from there. All that has returned must be there if the cache of the
    /// system is still there.
    pub fn judge(&mut self, found: &Records, with_power: bool) -> Result<(), Stop> {
        let least = if with_power { self.returned } else { 0 };
        let mut records = self.durable.clone();
        for number in 0..=self.later.len() {
            if number > 0 {
                apply(&mut records, &self.later[number - 1]);
            }
            if number >= least && records == *found {
                self.later.truncate(number);
                self.returned = number;
                self.now = records;
                if !with_power {
                    self.all_is_durable();
                }
                return Ok(());
            }
        }
        let count = |records: &Records| records.get(&(Table::Meta, b"count".to_vec())).map(|bytes| bytes[7]);
        Stop::wrong(format!(
            "the records are none of those that may be: found batch {:?}, {} records; durable is batch {:?}, {} records; \
             {} batches later, {least} of them must be there",
            count(found),
            found.len(),
            count(&self.durable),
            self.durable.len(),
            self.later.len()
        ))
    }
}

/// A key of any length, out of few.
pub fn key(random: &mut Random) -> Vec<u8> {
    let length = random.pick(&[0, 1, 1, 2, 7, 8, 8, 8, 9, 12]);
    (0..length).map(|place| if place < 7 { random.pick(b"\0a") } else { random.pick(b"\0ab\xFF") }).collect()
}

fn value(random: &mut Random) -> Vec<u8> {
    let length = match random.below(20) {
        0 => 3_000,
        1..=3 => 600,
        4..=7 => 0,
        _ => 30,
    };
    vec![random.next() as u8; length]
}

/// Compares a page of a range by chance with the model.
pub async fn compare_page(store: &dyn Store, now: &Records, random: &mut Random) -> Result<(), Stop> {
    let table = random.pick(&[Table::Retained, Table::Retained, Table::Meta, Table::Message]);
    let to = random.chance(60).then(|| key(random));
    let from = if random.chance(50) { key(random) } else { vec![] };
    let expected =
        now.iter().filter(|((other, key), _)| *other == table && *key >= from && to.as_ref().is_none_or(|to| key < to));
    let expected: Vec<_> = expected.map(|((_, key), value)| (key.clone(), value.clone())).collect();
    let bytes_max = random.pick(&[0, 1, 100, 1_000, 1 << 20]);
    let mut found = Vec::new();
    let mut next: Box<[u8]> = from.clone().into();
    loop {
        let scan = Scan { table, from: next, to: to.clone().map(Into::into), bytes_max };
        let page = store.scan(scan.clone()).await?;
        let rows = hikyaku_suite::rows(&page);
        let bytes: usize = rows.iter().rev().skip(1).map(|(key, value)| key.len() + value.len()).sum();
        if rows.len() > 1 && bytes >= bytes_max {
            return Stop::wrong(format!("a page of {scan:?} is too large: {bytes} bytes"));
        }
        found.extend(rows);
        if !page.more {
            break;
        }
        let Some(last) = page.rows.last() else {
            return Stop::wrong(format!("a page of {scan:?} is empty and has more"));
        };
        next = last.key.iter().copied().chain([0]).collect();
    }
    if found != expected {
        return Stop::wrong(format!(
            "{table:?} from {from:?} to {to:?} by {bytes_max}: found {found:?}, expected {expected:?}"
        ));
    }
    Ok(())
}

/// Asks for keys by chance, some of them twice, and compares with the model.
pub async fn compare_get(store: &dyn Store, now: &Records, random: &mut Random) -> Result<(), Stop> {
    let keys: Vec<Vec<u8>> = (0..random.below(6)).map(|_| key(random)).collect();
    let keys: Vec<Vec<u8>> = keys.iter().chain(keys.first()).cloned().collect();
    let asked = keys.iter().map(|key| key.clone().into()).collect();
    let page = store.get(Table::Retained, asked).await?;
    let row = |key: &Vec<u8>| Some((key.clone(), now.get(&(Table::Retained, key.clone()))?.clone()));
    let expected: Vec<_> = keys.iter().filter_map(row).collect();
    if hikyaku_suite::rows(&page) != expected {
        return Stop::wrong(format!("get of {keys:?}: found {:?}, expected {expected:?}", hikyaku_suite::rows(&page)));
    }
    Ok(())
}

/// Applies a batch; for a store as a trait object.
pub async fn write(store: &dyn Store, batch: &[Write], durability: Durability) -> Result<(), StoreError> {
    match durability {
        Durability::Synced => store.write(batch.to_vec()).await,
        Durability::Buffered => store.write_buffered(batch.to_vec()).await,
    }
}
