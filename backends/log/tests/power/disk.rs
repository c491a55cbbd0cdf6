//! A directory whose disk loses what was not synced: what was written, in any part and order of sectors, and names.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use hikyaku_log::{Directory, LogFile};
use parking_lot::Mutex;

use crate::fuse::{Fuse, Step};
use crate::random::Random;

const SECTOR_BYTES: usize = 512;

/// A clone is the same directory.
#[derive(Clone, Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
    fuse: Fuse,
    /// What it does not do although it says so.
    lie: Lie,
}

/// A disk that does not keep a promise. Tests that pass with one prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    None,
    /// The sync of a file does nothing.
    Files,
    /// The sync of the directory does nothing.
    Names,
    /// A sync of the store below does nothing: as if files were removed before the mark is durable.
    Below,
}

#[derive(Debug, Default)]
struct State {
    /// What the system shows: names and numbers of files.
    names: BTreeMap<String, usize>,
    /// The same on the disk, and the changes that are not there yet.
    durable: BTreeMap<String, usize>,
    changes: Vec<(String, Option<usize>)>,
    files: Vec<Bytes>,
}

/// A file.
#[derive(Clone, Debug, Default)]
struct Bytes {
    /// What the system shows.
    shown: Vec<u8>,
    /// What is on the disk.
    durable: Vec<u8>,
    /// What was written since the last sync, and where.
    writes: Vec<(usize, Vec<u8>)>,
}

impl Disk {
    pub fn new(fuse: Fuse, lie: Lie) -> Self {
        Self { state: Arc::default(), fuse, lie }
    }

    /// The power goes, and comes again: what was not synced is there in parts, or not.
    pub fn lose_power(&self, random: &mut Random) {
        let mut state = self.state.lock();
        let State { names, durable, changes, files } = &mut *state;
        let kept = random.pick(&[0, 0, 50, 90, 100]);
        for (name, file) in changes.drain(..) {
            if random.chance(kept) {
                change(durable, name, file);
            }
        }
        names.clone_from(durable);
        for file in files {
            file.lose(random.pick(&[0, 0, 10, 50, 95, 100]), random);
        }
    }

    /// The names of the files, without a call.
    pub fn names(&self) -> Vec<String> {
        self.state.lock().names.keys().cloned().collect()
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> usize {
        let state = self.state.lock();
        state.names.values().map(|file| state.files[*file].shown.len()).sum()
    }

    /// The bytes of a file, to be damaged; they are durable at once.
    pub fn damage(&self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state.lock();
        let number = state.names[name];
        let file = &mut state.files[number];
        how(&mut file.shown);
        file.durable.clone_from(&file.shown);
        file.writes.clear();
    }

    /// Removes a file, durably and without a call.
    pub fn lose(&self, name: &str) {
        let mut state = self.state.lock();
        state.names.remove(name);
        state.durable.remove(name);
    }

    fn part(&self) -> io::Result<usize> {
        match self.fuse.step() {
            Step::Whole => Ok(100),
            Step::Part(part) => Ok(part.min(99)),
            Step::Nothing => Err(self.fuse.error()),
        }
    }

    /// Does it, or not, and fails if the fuse says so.
    fn whole<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let part = self.part()?;
        if part == 100 {
            return act(&mut self.state.lock());
        }
        if part >= 50 {
            let _ = act(&mut self.state.lock());
        }
        Err(self.fuse.error())
    }
}

fn change(names: &mut BTreeMap<String, usize>, name: String, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

impl Bytes {
    fn write(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
        bytes.resize(bytes.len().max(at + what.len()), 0);
        bytes[at..at + what.len()].copy_from_slice(what);
    }

    /// Keeps about so many of a hundred sectors that were not synced.
    fn lose(&mut self, kept: usize, random: &mut Random) {
        for (at, what) in std::mem::take(&mut self.writes) {
            let mut done = 0;
            while done < what.len() {
                let sector = (SECTOR_BYTES - (at + done) % SECTOR_BYTES).min(what.len() - done);
                if random.chance(kept) {
                    Self::write(&mut self.durable, at + done, &what[done..done + sector]);
                }
                done += sector;
            }
        }
        // The length may be there before what was written.
        if random.chance(kept / 2) && self.durable.len() < self.shown.len() {
            self.durable.resize(self.shown.len(), 0);
        }
        self.shown.clone_from(&self.durable);
    }
}

impl Directory for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.whole(|state| Ok(state.names.keys().cloned().collect()))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.whole(|state| {
            let number = state.files.len();
            state.files.push(Bytes::default());
            state.names.insert(name.into(), number);
            state.changes.push((name.into(), Some(number)));
            Ok(Box::new(DiskFile { disk: self.clone(), number }) as _)
        })
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.whole(|state| {
            let number = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(DiskFile { disk: self.clone(), number }) as _)
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.whole(|state| {
            state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
            state.changes.push((name.into(), None));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.whole(|state| {
            if self.lie != Lie::Names {
                state.changes.clear();
                state.durable.clone_from(&state.names);
            }
            Ok(())
        })
    }

    fn leave(&self) {}

    fn path(&self) -> &Path {
        Path::new("the-log")
    }
}

struct DiskFile {
    disk: Disk,
    number: usize,
}

impl LogFile for DiskFile {
    fn size(&self) -> io::Result<u64> {
        self.disk.whole(|state| Ok(state.files[self.number].shown.len() as u64))
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.whole(|state| {
            let from = state.files[self.number].shown.get(offset as usize..).unwrap_or_default();
            bytes.copy_from_slice(from.get(..bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let part = self.disk.part()?;
        let written = &bytes[..bytes.len() * part / 100];
        let mut state = self.disk.state.lock();
        let file = &mut state.files[self.number];
        Bytes::write(&mut file.shown, offset as usize, written);
        file.writes.push((offset as usize, written.to_vec()));
        if part == 100 { Ok(()) } else { Err(self.disk.fuse.error()) }
    }

    /// One that fails leaves what was not written as if it had been: the next one has nothing to do. One that is broken off
    /// leaves it to the system.
    fn sync(&self) -> io::Result<()> {
        let part = self.disk.part()?;
        let mut state = self.disk.state.lock();
        let file = &mut state.files[self.number];
        if self.disk.lie != Lie::Files {
            let mut writes = std::mem::take(&mut file.writes);
            let later = writes.split_off(writes.len() * part / 100);
            writes.iter().for_each(|(at, what)| Bytes::write(&mut file.durable, *at, what));
            if self.disk.fuse.is_off() {
                file.writes = later;
            }
        }
        if part == 100 { Ok(()) } else { Err(self.disk.fuse.error()) }
    }

    fn forget_cache(&self) {
        let mut state = self.disk.state.lock();
        let file = &mut state.files[self.number];
        file.shown.clone_from(&file.durable);
        for (at, what) in &file.writes {
            Bytes::write(&mut file.shown, *at, what);
        }
    }
}
