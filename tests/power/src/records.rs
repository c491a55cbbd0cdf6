//! What is written? Batches by chance over several tables.

use fastrand::Rng;
use hikyaku_suite::{Write, batch};
use hikyaku_traits::{Batch, Table};

const TABLES: [Table; 4] = [Table::Message, Table::Body, Table::Progress, Table::Retained];

/// How many keys a table may have.
const KEYS: u64 = 150;

/// The longest value, in bytes.
const VALUE_BYTES_MAX: usize = 20 << 10;

/// Makes batches.
#[derive(Debug)]
pub(crate) struct Records {
    /// Whether batches are large, so that a log of SQLite's is soon long enough for a checkpoint.
    is_heavy: bool,
}

impl Records {
    pub(crate) fn new(random: &mut Rng) -> Self {
        Self { is_heavy: random.u8(..4) == 0 }
    }

    pub(crate) fn batch(&mut self, random: &mut Rng) -> Batch {
        let count = if self.is_heavy { random.usize(20..60) } else { random.usize(1..12) };
        batch((0..count).map(|_| self.write(random)).collect::<Vec<_>>())
    }

    fn write(&self, random: &mut Rng) -> Write {
        let table = TABLES[random.usize(..TABLES.len())];
        let key = random.u64(..KEYS);
        match random.u8(..20) {
            0 => {
                let to = key + random.u64(..20);
                Write::DeleteRange(table, key.to_be_bytes().into(), to.to_be_bytes().into())
            }
            1..=4 => Write::Delete(table, key.to_be_bytes().into()),
            _ => Write::Put(table, key.to_be_bytes().into(), self.value(random)),
        }
    }

    fn value(&self, random: &mut Rng) -> Vec<u8> {
        let bytes_max = match random.u8(..10) {
            _ if self.is_heavy => VALUE_BYTES_MAX,
            0..=4 => 100,
            5..=7 => 2_000,
            _ => VALUE_BYTES_MAX,
        };
        let mut value = vec![0; random.usize(..=bytes_max)];
        random.fill(&mut value);
        value
    }
}
