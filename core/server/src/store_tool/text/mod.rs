//! How is a store written as text that a person can read, and read again?
//!
//! One JSON object a line: the first has the versions, the last the counts and a checksum. docs/store.md has it all.

mod export;
mod import;
mod line;
mod lines;
mod values;

use std::collections::BTreeMap;

use hikyaku_traits::Table;
use sha2::{Digest, Sha256};

use line::End;

pub(super) use export::{ExportArgs, export};
pub(super) use import::{ImportArgs, import};

/// The version of the text that this build writes, and the newest that it reads.
const VERSION: u64 = 1;

/// The name that stands for stdin and stdout.
const DASH: &str = "-";

/// Count and checksum of the lines so far.
#[derive(Default)]
struct Tally {
    hash: Sha256,
    records: BTreeMap<String, u64>,
}

impl Tally {
    /// A line, its end included.
    fn line(&mut self, text: &[u8]) {
        self.hash.update(text);
    }

    /// The line was a record of that table.
    fn record(&mut self, table: Table, is_separate: bool) {
        let name = if is_separate && table == Table::Meta { "retained_meta" } else { table.name() };
        match self.records.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.records.insert(name.to_owned(), 1)),
        }
    }

    fn sum(&self) -> u64 {
        self.records.values().sum()
    }

    /// The last line.
    fn end(&self) -> End {
        let hash = self.hash.clone().finalize();
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        End { records: self.records.clone(), sha256 }
    }
}

#[cfg(test)]
mod tests;
