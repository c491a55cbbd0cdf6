//! What does the log say after a crash? All batches behind the mark of the store, up to the first that is not whole.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hikyaku_blocking::{Blocking, complain};
use hikyaku_traits::{Decision, RecordStore, Scan, StoreError, Table};
use parking_lot::{Condvar, Mutex, RwLock};

use crate::checkpoint::Checkpoints;
use crate::directory::Directory;
use crate::overlay::{Heights, Layer};
use crate::reader::LogReader;
use crate::record::{FILE_HEAD, FileHead, Record};
use crate::shared::{File, Layers, Shared, file_name, read_mark};
use crate::wait::wait;
use crate::writer::LogWriter;

/// How large the log may become.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// From how many bytes on the log goes into the store. It may have three times as many: what is on its way into the store,
    /// and what comes meanwhile.
    pub bytes_max: u64,
    /// The same for the keys that it remembers, at about 20 bytes of memory each.
    pub entries_max: usize,
}

impl Options {
    /// So much at a time, but no more than a quarter of what the log may have.
    pub(crate) fn portion(self, bytes: usize) -> usize {
        usize::try_from(self.bytes_max / 4).unwrap_or(bytes).min(bytes)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes_max: 256 << 20, entries_max: 400_000 }
    }
}

/// Opens a store with its log in front. `below` is the store; from here on nothing else writes to it. A log is made with the
/// first batch. Blocks for the disk: the log is read whole.
///
/// # Errors
/// What the store or the directory says; [`Decision::Corrupt`] if the log is damaged or of another store.
pub fn open(
    below: impl RecordStore + 'static,
    directory: impl Directory,
    options: Options,
) -> Result<Blocking, StoreError> {
    let (below, directory): (Box<dyn RecordStore>, Box<dyn Directory>) = (Box::new(below), Box::new(directory));
    // On a thread of its own: one that drives futures would wait for itself.
    std::thread::scope(|scope| scope.spawn(|| prepare(below, directory, options)).join()).unwrap_or_else(|_| {
        Err(StoreError::new(Decision::Poisoned, "Cannot open the log: the thread that read it panicked."))
    })
}

fn prepare(
    below: Box<dyn RecordStore>,
    directory: Box<dyn Directory>,
    options: Options,
) -> Result<Blocking, StoreError> {
    let mark = read_mark(&*below, directory.path())?;
    let (id, done) = mark.unwrap_or_else(|| (new_id(), 0));
    let heights = heights(&*below)?;
    let layers = Layers { active: Layer::default(), frozen: None, files: BTreeMap::new(), heights };
    let shared = Arc::new(Shared {
        below,
        directory,
        id,
        options,
        layers: RwLock::new(layers),
        moving: RwLock::new(()),
        failed: OnceLock::new(),
        ended: (Mutex::new(()), Condvar::new()),
    });
    let mut replay = Replay { shared: &shared, last: done, files: numbers(&shared)? };
    if mark.is_none() {
        if !replay.files.is_empty() {
            let why = "it is the log of another store than the one it lies beside";
            return Err(replay.corrupt(why, "bring back the store's file that belongs to it, or remove the log"));
        }
        shared.mark(0, Vec::new())?;
    } else if !replay.files.is_empty() {
        // The mark may have been read from the system's cache. No file goes before it is on the disk.
        shared.mark(done, Vec::new())?;
    }
    let next_file = replay.files.last().map_or(1, |last| last + 1);
    replay.run(done)?;
    let last = replay.last;
    shared.layers.write().active.last = last;
    let checkpoints = Checkpoints::start(Arc::clone(&shared))?;
    let reader = LogReader::new(Arc::clone(&shared));
    Blocking::start("log", LogWriter::new(shared, checkpoints, last, next_file), reader)
}

/// A number that nobody can guess.
fn new_id() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// The numbers of the log's files, rising. What has another name is left alone.
fn numbers(shared: &Shared) -> Result<Vec<u32>, StoreError> {
    let names = shared.directory.list().map_err(|error| shared.fault("read the directory", &error))?;
    let numbers = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse().ok());
    let mut numbers: Vec<u32> = numbers.filter(|number| names.contains(&file_name(*number))).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the files of a log.
struct Replay<'a> {
    shared: &'a Shared,
    /// The last batch that was found.
    last: u64,
    files: Vec<u32>,
}

impl Replay<'_> {
    fn run(&mut self, done: u64) -> Result<(), StoreError> {
        let numbers = self.files.clone();
        for number in &numbers {
            let file: File = self.on_file(self.shared.directory.open(&file_name(*number)))?.into();
            let size = self.on_file(file.size())?;
            let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
            self.on_file(file.read_at(&mut bytes, 0))?;
            if self.file(*number, &file, &bytes, done)? {
                // What was read may come from the system's cache, and what comes next stands on it.
                self.on_file(file.sync())?;
                self.shared.layers.write().active.bytes += size;
            } else {
                // The store has all of it, or it has nothing: then nothing is lost with it, whether it goes or stays.
                let _ = self.shared.directory.remove(&file_name(*number));
            }
        }
        Ok(())
    }

    /// Takes in what is in a file. `false`: nothing that the store has not.
    fn file(&mut self, number: u32, file: &File, bytes: &[u8], done: u64) -> Result<bool, StoreError> {
        let Some(head) = FileHead::decode(bytes) else {
            if FileHead::is_of_another_version(bytes) {
                let why = format!("a newer version of the broker wrote {}", file_name(number));
                let advice = "that version, or a newer one";
                return Err(complain(Decision::Unsupported, "open the log", self.path(), &why, advice));
            }
            // A file is durable with its head before a batch is written to it.
            return if bytes.len() <= FILE_HEAD { Ok(false) } else { Err(self.damaged(number, 0)) };
        };
        if head.id != self.shared.id {
            let why = format!("{} is of another log than the store's", file_name(number));
            return Err(self.corrupt(&why, "bring back the store's file and its log together"));
        }
        if head.first > self.last + 1 {
            let why = format!("the batches from {} on are missing before {}", self.last + 1, file_name(number));
            return Err(self.corrupt(&why, "bring back the store's file and its log together"));
        }
        let before = self.last;
        let mut at = FILE_HEAD;
        while let Some(record) = Record::decode(bytes, at, self.shared.id) {
            self.record(number, file, &record, done)?;
            at = record.end();
        }
        // What was written last may be torn. What was synced is not.
        if at < bytes.len() && Record::proves_synced(bytes, at, self.shared.id, self.last + 1) {
            return Err(self.damaged(number, at));
        }
        Ok(self.last > before)
    }

    fn record(&mut self, number: u32, file: &File, record: &Record<'_>, done: u64) -> Result<(), StoreError> {
        if record.number <= done {
            return Ok(());
        }
        let Some(ops) = record.ops().filter(|_| record.number == self.last + 1) else {
            return Err(self.damaged(number, record.ops_at));
        };
        self.last = record.number;
        let mut layers = self.shared.layers.write();
        let layers = &mut *layers;
        if layers.files.insert(number, Arc::clone(file)).is_none() {
            layers.active.files.push(number);
        }
        ops.iter().for_each(|op| layers.active.take(op, number, 0, &layers.heights));
        layers.active.last = self.last;
        Ok(())
    }

    fn damaged(&self, number: u32, at: usize) -> StoreError {
        let why = format!("{} is damaged at byte {at}", file_name(number));
        self.corrupt(&why, "keep a copy of the store's files and bring back a backup")
    }

    fn corrupt(&self, why: &str, advice: &str) -> StoreError {
        complain(Decision::Corrupt, "open the log", self.path(), &why, advice)
    }

    fn path(&self) -> &Path {
        self.shared.directory.path()
    }

    fn on_file<T>(&self, result: std::io::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| self.shared.fault("read the log in", &error))
    }
}

/// From which key on each table of the store is empty, by its first eight bytes.
fn heights(below: &dyn RecordStore) -> Result<Heights, StoreError> {
    let mut heights = Heights::default();
    for (table, height) in Table::ALL.into_iter().zip(&mut heights) {
        *height = find_height(below, table)?;
    }
    Ok(heights)
}

/// Halves the range in which the end of the table lies.
fn find_height(below: &dyn RecordStore, table: Table) -> Result<Box<[u8]>, StoreError> {
    let is_empty_from = |from: &[u8]| -> Result<bool, StoreError> {
        let scan = Scan { table, from: from.into(), to: None, bytes_max: 0 };
        Ok(wait(below.scan(scan))?.rows.is_empty())
    };
    if is_empty_from(b"")? {
        return Ok(Box::default());
    }
    // The table has a key from `low` on, and none from `high` on.
    let (mut low, mut high) = (0, u64::MAX);
    if !is_empty_from(&high.to_be_bytes())? {
        // No key is as high as this one: its first eight bytes are the highest there are, and it is the longest.
        return Ok([0xFF; 1 << 16].into());
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        *if is_empty_from(&middle.to_be_bytes())? { &mut high } else { &mut low } = middle;
    }
    Ok(high.to_be_bytes().into())
}
