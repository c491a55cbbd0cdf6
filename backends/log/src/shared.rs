//! What do the writer, the reader and the checkpoints share?

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hikyaku_blocking::{complain, decide};
use hikyaku_traits::{Batch, Decision, Durability, Keys, Op, Ops, Page, RecordStore, Row, Scan, StoreError, Table};
use parking_lot::{Condvar, Mutex, RwLock};

use crate::Options;
use crate::directory::{Directory, LogFile};
use crate::overlay::{Heights, Layer, Place, Said};
use crate::wait::wait;

/// The record of the store behind the log that says which batches it has; hidden from who reads through the log.
pub(crate) const MARK: &[u8] = b"\0log";
/// The first key behind it.
pub(crate) const BEHIND_MARK: &[u8] = b"\0log\0";

/// The number in the name of a file, and its name.
pub(crate) fn file_name(number: u32) -> String {
    format!("{number:010}.log")
}

/// A file of the log that is open.
pub(crate) type File = Arc<dyn LogFile>;

/// Shared.
pub(crate) struct Shared {
    /// The store behind the log.
    pub below: Box<dyn RecordStore>,
    pub directory: Box<dyn Directory>,
    /// The log's own number, in every file and in the mark.
    pub id: u64,
    pub options: Options,
    pub layers: RwLock<Layers>,
    /// Held by a read over all that it asks, and taken whole when a layer begins or ends: so a read sees all of a batch or
    /// nothing, wherever its records are just then.
    pub moving: RwLock<()>,
    /// What failed behind the log; nothing goes on after it.
    pub failed: OnceLock<StoreError>,
    /// Rings when a checkpoint has ended, in whatever way.
    pub ended: (Mutex<()>, Condvar),
}

/// The layers over the store: what comes now, and what is on its way into the store.
pub(crate) struct Layers {
    pub active: Layer,
    pub frozen: Option<Arc<Layer>>,
    pub files: BTreeMap<u32, File>,
    pub heights: Heights,
}

impl Layers {
    /// What the log says of a key.
    pub fn look_up(&self, table: Table, key: &[u8]) -> Said {
        match (self.active.look_up(table, key), &self.frozen) {
            (Said::Nothing, Some(frozen)) => frozen.look_up(table, key),
            (said, _) => said,
        }
    }
}

impl Shared {
    /// An error of a file of the log.
    pub fn fault(&self, what: &str, error: &io::Error) -> StoreError {
        let decision = match error.kind() {
            io::ErrorKind::UnexpectedEof => Decision::Corrupt,
            _ => decide(error),
        };
        let advice = match decision {
            Decision::Full => "make room on the disk; the broker opens the store again by itself",
            Decision::Corrupt => "keep a copy of the store's files and bring back a backup",
            _ => "look at the health of the disk; the broker opens the store again by itself",
        };
        complain(decision, what, self.directory.path(), error, advice)
    }

    /// What failed behind the log, if something did.
    pub fn check(&self) -> Result<(), StoreError> {
        self.failed.get().cloned().map_or(Ok(()), Err)
    }

    /// Writes the mark with what goes along, synced: the store has all batches up to that one.
    pub fn mark(&self, last: u64, along: Vec<Write>) -> Result<(), StoreError> {
        let value: Vec<u8> = self.id.to_le_bytes().into_iter().chain(last.to_le_bytes()).collect();
        let mut writes = along;
        writes.push(Write::Put(Table::Meta, MARK.into(), value.into()));
        wait(self.below.apply(Batch::new(Writes(writes)), Durability::Synced))
    }
}

/// The mark of a store: the log's id, and the last batch that the store has.
pub(crate) fn read_mark(below: &dyn RecordStore, path: &std::path::Path) -> Result<Option<(u64, u64)>, StoreError> {
    let page = wait(below.get(Table::Meta, vec![MARK.into()]))?;
    let Some(row) = page.rows.first() else { return Ok(None) };
    let read = || Some((*row.value.first_chunk::<8>()?, *row.value.get(8..)?.first_chunk::<8>()?));
    let Some((id, last)) = read() else {
        let why = "the store's record of its log is not what was written";
        return Err(complain(
            Decision::Corrupt,
            "open the log",
            path,
            &why,
            "bring back a backup of the store's files",
        ));
    };
    Ok(Some((u64::from_le_bytes(id), u64::from_le_bytes(last))))
}

/// An operation that owns what it writes.
pub(crate) enum Write {
    Put(Table, Box<[u8]>, Box<[u8]>),
    Delete(Table, Box<[u8]>),
    DeleteRange(Table, Box<[u8]>, Box<[u8]>),
}

/// A batch for the store behind the log.
pub(crate) struct Writes(pub Vec<Write>);

impl Ops for Writes {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn op(&self, i: usize) -> Option<Op<'_>> {
        Some(match self.0.get(i)? {
            Write::Put(table, key, value) => Op::Put { table: *table, key, value },
            Write::Delete(table, key) => Op::Delete { table: *table, key },
            Write::DeleteRange(table, from, to) => Op::DeleteRange { table: *table, from, to },
        })
    }
}

/// Reads values from the log, a stretch at a time: what is asked for next mostly lies behind.
#[derive(Default)]
pub(crate) struct Values {
    file: Option<(u32, File)>,
    start: u64,
    bytes: Vec<u8>,
    stretch_bytes: usize,
}

impl Values {
    /// From here on at least so much is read at a time.
    pub fn begin(&mut self, stretch_bytes: usize) {
        self.stretch_bytes = stretch_bytes;
    }

    /// Lets the file go, which may have been removed.
    pub fn end(&mut self) {
        self.file = None;
        self.bytes.clear();
    }

    /// The value at a place.
    pub fn read(&mut self, files: impl Fn(u32) -> Option<File>, place: Place) -> io::Result<&[u8]> {
        let (offset, len) = (u64::from(place.offset), place.len as usize);
        let same = self.file.as_ref().is_some_and(|(number, _)| *number == place.file);
        if !same {
            let file = files(place.file).ok_or(io::ErrorKind::NotFound)?;
            self.file = Some((place.file, file));
            self.bytes.clear();
        }
        let inside = offset >= self.start && offset + len as u64 <= self.start + self.bytes.len() as u64;
        if !inside && let Some((_, file)) = &self.file {
            let there = file.size()?.saturating_sub(offset);
            let stretch = len.max(self.stretch_bytes.min(usize::try_from(there).unwrap_or(len)));
            self.bytes.clear();
            self.bytes.resize(stretch, 0);
            self.start = offset;
            file.read_at(&mut self.bytes, offset)?;
        }
        let at = (offset - self.start) as usize;
        Ok(&self.bytes[at..at + len])
    }
}

/// A page of rows that hides the mark.
pub(crate) fn without_mark(table: Table, mut page: Page) -> Page {
    if table == Table::Meta {
        page.rows.retain(|row| &*row.key != MARK);
    }
    page
}

/// Rows that the store behind the log has.
pub(crate) fn scan_below(shared: &Shared, scan: Scan) -> Result<Page, StoreError> {
    wait(shared.below.scan(scan))
}

/// Keys that the store behind the log is asked for.
pub(crate) fn get_below(shared: &Shared, table: Table, keys: Keys) -> Result<Vec<Row>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(without_mark(table, wait(shared.below.get(table, keys))?).rows)
}

/// The directory of the log of a store's file: `<file>-log`.
#[must_use]
pub fn log_of(store: &std::path::Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push("-log");
    path.into()
}
