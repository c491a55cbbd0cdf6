//! A store below the log that loses what was not synced.

use async_trait::async_trait;
use hikyaku_memory::Forgetful;
use hikyaku_traits::{Batch, Decision, Durability, Keys, Page, RecordStore, Scan, StoreError, Table};

use crate::disk::Lie;
use crate::fuse::{Fuse, Step};

/// A clone is the same store.
#[derive(Clone, Debug)]
pub struct Below {
    pub records: Forgetful,
    pub fuse: Fuse,
    pub lie: Lie,
}

impl Below {
    /// Whether the call is to be made before it fails.
    fn step(&self) -> Result<bool, StoreError> {
        match self.fuse.step() {
            Step::Whole => Ok(true),
            Step::Part(part) if part >= 50 => Ok(false),
            _ => Err(self.error()),
        }
    }

    fn error(&self) -> StoreError {
        let error = self.fuse.error();
        StoreError::new(hikyaku_blocking::decide(&error), format!("Cannot use the store below: {error}."))
    }

    fn read<T>(&self, read: impl FnOnce() -> T) -> Result<T, StoreError> {
        if self.step()? { Ok(read()) } else { Err(self.error()) }
    }
}

#[async_trait]
impl RecordStore for Below {
    async fn apply(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        let whole = self.step()?;
        let durability = if self.lie == Lie::Below { Durability::Buffered } else { durability };
        self.records.apply_now(&batch, durability)?;
        if whole { Ok(()) } else { Err(self.error()) }
    }

    async fn scan(&self, scan: Scan) -> Result<Page, StoreError> {
        // The looks for the ends of the tables are so many that hardly anything else would be hit.
        if scan.bytes_max == 0 && !self.fuse.is_off() {
            return Ok(self.records.scan_now(&scan));
        }
        self.read(|| self.records.scan_now(&scan))
    }

    async fn get(&self, table: Table, keys: Keys) -> Result<Page, StoreError> {
        self.read(|| self.records.get_now(table, &keys))
    }

    async fn close(&self) -> Result<(), StoreError> {
        if !self.step()? {
            return Err(self.error());
        }
        if self.lie != Lie::Below {
            self.records.sync_now();
        }
        Ok(())
    }
}

/// The decision of an error of the system below.
pub fn decision(number: i32) -> Decision {
    hikyaku_blocking::decide(&std::io::Error::from_raw_os_error(number))
}
