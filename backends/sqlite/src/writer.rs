//! How does a batch become one transaction of SQLite?

use std::path::{Path, PathBuf};

use hikyaku_blocking::{Engine, StoreLock, forget_cache, weigh};
use hikyaku_traits::{Batch, Decision, Durability, Op, StoreError, Table};
use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, Error};

use crate::checkpoint::{Checkpointer, empty_log};
use crate::connect::log_of;
use crate::fault::{fault, may_wait};
use crate::sql::{BEGIN_WRITE, COMMIT, Kind, MARK, Sql};
use crate::vacuum::Vacuum;

/// The writing side.
pub(crate) struct SqliteWriter {
    /// Both gone once closed; the checkpoints end first.
    open: Option<(Checkpointer, Connection)>,
    sql: Sql,
    path: PathBuf,
    /// What the connection is set to.
    durability: Durability,
    vacuum: Vacuum,
    /// Whether something was committed since the last sync.
    unsynced: bool,
    /// What failed: then nothing more is written with this handle, and this is the answer to all that comes.
    failed: Option<StoreError>,
    // Behind the connections: who has the lock may open the file.
    _lock: StoreLock,
}

impl SqliteWriter {
    pub(crate) fn new(
        connection: Connection,
        checkpoints: Checkpointer,
        path: &Path,
        lock: StoreLock,
    ) -> Result<Self, Error> {
        Ok(Self {
            vacuum: Vacuum::new(&connection)?,
            open: Some((checkpoints, connection)),
            sql: Sql::new(),
            path: path.to_owned(),
            durability: Durability::Synced,
            unsynced: false,
            failed: None,
            _lock: lock,
        })
    }

    /// Commits a batch; without one, only syncs what was committed before.
    fn commit(&mut self, batch: Option<&Batch>, durability: Durability) -> Result<(), Error> {
        let Some((checkpoints, connection)) = &mut self.open else { return Ok(()) };
        set(&mut self.durability, durability, connection)?;
        let mark = self.unsynced && durability == Durability::Synced;
        let result = transact(connection, &self.sql, batch, mark);
        if result.is_err() && !connection.is_autocommit() {
            // If that fails too, the first error says more.
            let _ = connection.execute_batch("ROLLBACK");
        }
        result?;
        self.unsynced = durability == Durability::Buffered;
        checkpoints.committed(connection)
    }

    /// Makes the log and the file a little shorter, and says whether there is more to do.
    fn give_back(&mut self) -> Result<bool, Error> {
        let Some((checkpoints, connection)) = &mut self.open else { return Ok(false) };
        checkpoints.move_rest(connection)?;
        if self.vacuum.is_due(connection)? {
            // No sync of its own: what it moved is whole on disk in either place.
            set(&mut self.durability, Durability::Buffered, connection)?;
            self.vacuum.step(connection)?;
            checkpoints.committed(connection)?;
            return Ok(true);
        }
        if self.vacuum.has_ended() {
            // Only a checkpoint cuts the file.
            checkpoints.soon();
        }
        Ok(false)
    }

    /// What failed, here or beside the commits.
    fn failed(&mut self) -> Option<&StoreError> {
        let failed = self.open.as_ref().and_then(|(checkpoints, _)| checkpoints.failed()).cloned();
        self.failed = self.failed.take().or(failed);
        self.failed.as_ref()
    }

    /// Makes an error of an answer, and remembers it unless the handle is still good.
    fn judge(&mut self, what: &str, result: Result<(), Error>) -> Result<(), StoreError> {
        result.map_err(|error| {
            let error = fault(what, &self.path, &error);
            if error.decision != Decision::Retry {
                self.failed.get_or_insert_with(|| error.clone());
            }
            error
        })
    }
}

impl Engine for SqliteWriter {
    fn apply(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        if let Some(error) = self.failed() {
            return Err(error.clone());
        }
        weigh(batch, &self.path)?;
        if batch.is_empty() && !(self.unsynced && durability == Durability::Synced) {
            return Ok(());
        }
        let result = self.commit(Some(batch), durability);
        self.judge("write to the store", result)
    }

    fn tidy(&mut self) -> bool {
        if self.failed().is_some() {
            return false;
        }
        match self.give_back() {
            Err(error) if !may_wait(&error) => self.judge("give room back from the store", Err(error)).is_ok(),
            given => given.unwrap_or(false),
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if let Some(error) = self.failed() {
            return Err(error.clone());
        }
        if self.unsynced {
            let result = self.commit(None, Durability::Synced);
            self.judge("write to the store", result)?;
        }
        let Some((checkpoints, connection)) = self.open.take() else { return Ok(()) };
        // The checkpoint that it is at may fail, and then a second one would pass for it.
        if let Some(error) = checkpoints.end() {
            return Err(self.failed.insert(error).clone());
        }
        let result = finish(connection);
        self.judge("close the store", result)
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        drop(self.open.take());
        if self.failed.is_some() {
            forget_cache(&self.path);
            forget_cache(&log_of(&self.path));
        }
    }
}

/// Sets the connection to a durability unless it is.
fn set(now: &mut Durability, durability: Durability, connection: &Connection) -> Result<(), Error> {
    if *now != durability {
        connection.pragma_update(None, "synchronous", level(durability))?;
        *now = durability;
    }
    Ok(())
}

/// NORMAL syncs at checkpoints only, which keeps the file whole; FULL at each commit as well.
fn level(durability: Durability) -> &'static str {
    match durability {
        Durability::Synced => "FULL",
        Durability::Buffered => "NORMAL",
    }
}

/// Does the operations in order and commits. With `mark` the commit syncs in any case.
fn transact(connection: &Connection, sql: &Sql, batch: Option<&Batch>, mark: bool) -> Result<(), Error> {
    connection.prepare_cached(BEGIN_WRITE)?.execute(())?;
    if let Some(batch) = batch {
        write(connection, sql, batch)?;
    }
    if mark {
        connection.prepare_cached(MARK)?.execute(())?;
    }
    connection.prepare_cached(COMMIT)?.execute(())?;
    Ok(())
}

/// Does the operations; each statement is looked up once.
fn write(connection: &Connection, sql: &Sql, batch: &Batch) -> Result<(), Error> {
    let mut prepared: [[Option<CachedStatement<'_>>; 3]; Table::ALL.len()] = Default::default();
    for op in batch.iter().flatten() {
        let (table, kind) = match op {
            Op::Put { table, .. } => (table, Kind::Put),
            Op::Delete { table, .. } => (table, Kind::Delete),
            Op::DeleteRange { table, .. } => (table, Kind::DeleteRange),
            _ => continue,
        };
        let slot = &mut prepared[table as usize][kind as usize];
        let statement = match slot {
            Some(statement) => statement,
            None => slot.insert(connection.prepare_cached(sql.of(table, kind))?),
        };
        match op {
            Op::Put { key, value, .. } => statement.execute((key, value))?,
            Op::Delete { key, .. } => statement.execute((key,))?,
            Op::DeleteRange { from, to, .. } => statement.execute((from, to))?,
            _ => 0,
        };
    }
    Ok(())
}

/// Moves the log into the file and ends the last connection, which removes the log.
fn finish(connection: Connection) -> Result<(), Error> {
    if !empty_log(&connection)? {
        // What is in the log is synced and stays there.
        return Ok(());
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    connection.close().map_err(|(_, error)| error)
}
