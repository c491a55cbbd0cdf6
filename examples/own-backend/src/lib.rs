//! A store of records from scratch: the records in memory, a log of the batches on disk. See `docs/backends.md`.
use std::collections::BTreeMap;
use std::fs::{File, read};
use std::io::{Error, ErrorKind, Result as Answer, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hikyaku_blocking::{Blocking, Engine, PageBuilder, Reader, StoreLock, complain, decide, replace, weigh};
use hikyaku_traits::{Batch, Durability, Keys, Op, Page, Scan, StoreError, Table};
use parking_lot::RwLock;
use serde_bytes::ByteBuf;

const FORMAT: &[u8] = b"own log 1";
type Records = BTreeMap<ByteBuf, ByteBuf>; // of all tables: the number of its table stands in front of a key
type Change = (bool, ByteBuf, ByteBuf); // a record that is put (`true`), or the bounds of those that go

/// Opens the store in the file `path`, or makes it. Blocks for the disk. What is there is durable when this returns.
pub fn open(path: &Path) -> Result<Blocking, StoreError> {
    let lock = StoreLock::take(path)?;
    let opened = replay(path).and_then(|records| Ok((Log::create(path, &records)?, Arc::new(RwLock::new(records)))));
    let (log, records) = opened.map_err(|error| told(path, &error))?;
    let engine = OwnEngine { log, records: records.clone(), path: path.into(), _lock: lock };
    Blocking::start("own", engine, OwnReader(records))
}

fn told(path: &Path, error: &Error) -> StoreError {
    hikyaku_blocking::forget_cache(path); // it may be newer than the disk
    complain(decide(error), "use the store", path, error, "make room, look at the disk's health, or take a backup")
}

struct OwnEngine {
    log: Log,
    records: Arc<RwLock<Records>>,
    path: PathBuf,
    _lock: StoreLock, // the last to go: who has it may open the file
}

impl Engine for OwnEngine {
    fn apply(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        weigh(batch, &self.path)?; // refuses what is not known before anything is written
        let (changes, told) = (changes(batch), |error| told(&self.path, &error));
        if self.log.len > self.log.long {
            self.log = Log::create(&self.path, &self.records.read()).map_err(told)?;
        }
        self.log.append(&changes, durability).map_err(told)?;
        play(&mut self.records.write(), changes); // under one lock: no reader sees half a batch
        Ok(())
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.log.file.sync_data().map_err(|error| told(&self.path, &error))
    }
}

struct OwnReader(Arc<RwLock<Records>>);

impl Reader for OwnReader {
    fn scan(&mut self, Scan { table, from, to, bytes_max }: &Scan) -> Result<Page, StoreError> {
        let (to, records) =
            (to.as_ref().map_or(ByteBuf::from([*table as u8 + 1]), |to| place(*table, to)), self.0.read());
        let rows = range(&records, place(*table, from), to).map(|(key, value)| (&key[1..], value));
        Ok(PageBuilder::page(*bytes_max, rows))
    }

    fn get(&mut self, table: Table, keys: &Keys) -> Result<Page, StoreError> {
        let records = self.0.read();
        Ok(PageBuilder::page(usize::MAX, keys.iter().filter_map(|key| Some((key, records.get(&place(table, key))?)))))
    }
}

fn place(table: Table, key: &[u8]) -> ByteBuf {
    ByteBuf::from([&[table as u8], key].concat())
}

/// The records with `from <= key < to`; none if the bounds are crossed.
fn range(records: &Records, from: ByteBuf, to: ByteBuf) -> impl Iterator<Item = (&ByteBuf, &ByteBuf)> {
    records.range(from..).take_while(move |(key, _)| *key < &to)
}

fn changes(batch: &Batch) -> Vec<Change> {
    let change = |op| match op {
        Op::Put { table, key, value } => Some((true, place(table, key), ByteBuf::from(value))),
        Op::Delete { table, key } => Some((false, place(table, key), place(table, &[key, &[0]].concat()))),
        Op::DeleteRange { table, from, to } => Some((false, place(table, from), place(table, to))),
        _ => None, // was refused
    };
    batch.iter().flatten().filter_map(change).collect()
}

fn play(records: &mut Records, changes: Vec<Change>) {
    for (is_put, first, second) in changes {
        if is_put {
            records.insert(first, second);
        } else {
            let keys: Vec<_> = range(records, first, second).map(|(key, _)| key.clone()).collect();
            keys.iter().for_each(|key| drop(records.remove(key)));
        }
    }
}

struct Log {
    file: File,
    len: usize,
    long: usize, // beyond this length it is mostly garbage
    synced: bool,
}

impl Log {
    /// Writes a log of these records under another name; whole, it takes the place of the one that is there.
    fn create(path: &Path, records: &Records) -> Answer<Self> {
        let new = path.with_extension("new");
        let mut log = Self { file: File::create(&new)?, len: 0, long: 0, synced: false };
        log.file.write_all(FORMAT)?;
        log.append(&records.iter().map(|(key, value)| (true, key, value)).collect::<Vec<_>>(), Durability::Synced)?;
        replace(path, &new)?;
        Ok(Self { long: 2 * log.len + (4 << 20), ..log })
    }

    fn append(&mut self, changes: &impl serde::Serialize, durability: Durability) -> Answer<()> {
        let mut frame = postcard::to_stdvec(&(self.synced, changes)).map_err(Error::other)?;
        frame.extend(crc32fast::hash(&frame).to_le_bytes());
        self.file.write_all(&frame)?;
        (self.len, self.synced) = (self.len + frame.len(), durability == Durability::Synced);
        if self.synced {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

/// Plays the log, if there is one. What is torn at its end does not count.
fn replay(path: &Path) -> Answer<Records> {
    let log = if path.exists() { read(path)? } else { FORMAT.to_vec() };
    let (mut rest, mut records) = (log.strip_prefix(FORMAT).ok_or(ErrorKind::InvalidData)?, Records::new());
    while let Some((_, changes, behind)) = frame(rest) {
        play(&mut records, changes);
        rest = behind;
    }
    // A torn batch was not synced, unless a later one says that all before it was.
    let is_damaged = (1..rest.len()).filter_map(|at| frame(&rest[at..])).any(|(synced, ..)| synced);
    (!is_damaged).then_some(records).ok_or(ErrorKind::InvalidData.into())
}

/// The batch at the front: whether all before it was synced, its changes, what is behind it. `None`: it is not whole.
fn frame(bytes: &[u8]) -> Option<(bool, Vec<Change>, &[u8])> {
    let ((synced, changes), rest) = postcard::take_from_bytes(bytes).ok()?;
    let (sum, behind) = rest.split_first_chunk()?;
    (crc32fast::hash(&bytes[..bytes.len() - rest.len()]).to_le_bytes() == *sum).then_some((synced, changes, behind))
}
