//! How does a batch become one commit of redb?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hikyaku_blocking::{Engine, StoreLock, forget_cache, weigh};
use hikyaku_traits::{Batch, Durability, Op, StoreError, Table};
use redb::{Database, Durability as Commit, Error, WriteTransaction};

use crate::definition;
use crate::fault::fault;

/// How many bytes of batches may be buffered: redb keeps them in memory and reuses no page of the file until it syncs.
const BUFFERED_BYTES_MAX: usize = 64 << 20;

/// The writing side.
pub(crate) struct RedbWriter {
    /// Gone once closed.
    database: Option<Arc<Database>>,
    path: PathBuf,
    /// What was committed since the last sync; an empty batch counts as a byte.
    buffered_bytes: usize,
    /// What failed: then nothing more is written with this handle, and this is the answer to all that comes.
    failed: Option<StoreError>,
    // Behind the database: who has the lock may open the file.
    _lock: StoreLock,
}

impl RedbWriter {
    pub(crate) fn new(database: Arc<Database>, path: &Path, lock: StoreLock) -> Self {
        Self { database: Some(database), path: path.to_owned(), buffered_bytes: 0, failed: None, _lock: lock }
    }

    fn commit(&mut self, batch: Option<&Batch>, durability: Commit) -> Result<(), StoreError> {
        let Some(database) = &self.database else { return Ok(()) };
        let result =
            commit(database, batch, durability).map_err(|error| fault("write to the store", &self.path, &error));
        if let Err(error) = &result {
            self.failed.get_or_insert_with(|| error.clone());
        }
        result
    }
}

impl Engine for RedbWriter {
    fn apply(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let bytes = weigh(batch, &self.path)?.max(1);
        let sync = durability == Durability::Synced || self.buffered_bytes + bytes > BUFFERED_BYTES_MAX;
        if sync && batch.is_empty() && self.buffered_bytes == 0 {
            return Ok(());
        }
        self.commit(Some(batch), if sync { Commit::Immediate } else { Commit::None })?;
        self.buffered_bytes = if sync { 0 } else { self.buffered_bytes + bytes };
        Ok(())
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if let Some(error) = self.failed.clone() {
            return Err(error);
        }
        if self.buffered_bytes > 0 {
            self.commit(None, Commit::Immediate)?;
        }
        let Some(database) = self.database.take().and_then(Arc::into_inner) else { return Ok(()) };
        database.close().map_err(|error| {
            let error = fault("close the store", &self.path, &error.into());
            self.failed.insert(error).clone()
        })
    }
}

impl Drop for RedbWriter {
    fn drop(&mut self) {
        drop(self.database.take());
        if self.failed.is_some() {
            forget_cache(&self.path);
        }
    }
}

/// Commits a batch in one transaction; without one, only syncs what was committed before.
fn commit(database: &Database, batch: Option<&Batch>, durability: Commit) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(durability)?;
    if let Some(batch) = batch {
        write(&transaction, batch)?;
    }
    Ok(transaction.commit()?)
}

/// Does the operations in order; each table is opened once.
fn write(transaction: &WriteTransaction, batch: &Batch) -> Result<(), Error> {
    let mut tables = [const { None }; Table::ALL.len()];
    for op in batch.iter().flatten() {
        let (Op::Put { table, .. } | Op::Delete { table, .. } | Op::DeleteRange { table, .. }) = op else { continue };
        let slot = &mut tables[table as usize];
        let records = match slot {
            Some(records) => records,
            None => slot.insert(transaction.open_table(definition(table))?),
        };
        match op {
            Op::Put { key, value, .. } => drop(records.insert(key, value)?),
            Op::Delete { key, .. } => drop(records.remove(key)?),
            Op::DeleteRange { from, to, .. } if from < to => records.retain_in(from..to, |_, _| false)?,
            _ => {}
        }
    }
    Ok(())
}
