//! How is a file looked into without changing a byte of it, although redb repairs what it opens?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

const PAGE_BYTES: usize = 4096;

/// A file to read from, and in memory what was written since: a few pages, unless the file is badly damaged.
#[derive(Debug)]
pub(crate) struct Untouched(Mutex<Pages>);

#[derive(Debug)]
struct Pages {
    file: File,
    /// How much of the file still shows.
    file_bytes: u64,
    bytes: u64,
    written: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
}

impl Untouched {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self(Mutex::new(Pages { file, file_bytes: bytes, bytes, written: BTreeMap::new() })))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages().bytes == 0
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Untouched {
    fn len(&self) -> io::Result<u64> {
        Ok(self.pages().bytes)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.pages().read(offset, out)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.pages().set_len(bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.pages().write(offset, data)
    }
}

impl Pages {
    fn read(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + out.len() as u64 > self.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let from_file = usize::try_from(self.file_bytes.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (shows, zeros) = out.split_at_mut(from_file);
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(shows)?;
        zeros.fill(0);
        for (page, from, to) in parts(offset, out.len()) {
            if let Some(written) = self.written.get(&page) {
                let at = (page * PAGE_BYTES as u64 + from as u64 - offset) as usize;
                out[at..at + to - from].copy_from_slice(&written[from..to]);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset + data.len() as u64;
        if end > self.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        for (page, from, to) in parts(offset, data.len()) {
            if !self.written.contains_key(&page) {
                let mut now = Box::new([0; PAGE_BYTES]);
                let start = page * PAGE_BYTES as u64;
                let there = (self.bytes - start).min(PAGE_BYTES as u64) as usize;
                self.read(start, &mut now[..there])?;
                self.written.insert(page, now);
            }
            if let Some(now) = self.written.get_mut(&page) {
                let at = (page * PAGE_BYTES as u64 + from as u64 - offset) as usize;
                now[from..to].copy_from_slice(&data[at..at + to - from]);
            }
        }
        Ok(())
    }

    /// What is cut off does not come back: there are zeros when it grows again.
    fn set_len(&mut self, bytes: u64) {
        if bytes < self.bytes {
            self.file_bytes = self.file_bytes.min(bytes);
            let (page, rest) = (bytes / PAGE_BYTES as u64, (bytes % PAGE_BYTES as u64) as usize);
            self.written.split_off(&(page + 1));
            if let Some(last) = self.written.get_mut(&page) {
                last[rest..].fill(0);
            }
        }
        self.bytes = bytes;
    }
}

/// The parts of a range of bytes that lie in one page each: the page, and from where to where in it.
fn parts(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let (end, size) = (offset + bytes as u64, PAGE_BYTES as u64);
    (offset / size..end.div_ceil(size)).map(move |page| {
        let start = page * size;
        (page, (offset.max(start) - start) as usize, (end.min(start + size) - start) as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same writes, cuts and growths in a file of memory and over a file of the disk: the same is read, and the file of the
    /// disk is as it was.
    #[test]
    fn it_behaves_like_the_file_and_leaves_it_alone() {
        let path = std::env::temp_dir().join(format!("hikyaku-untouched-{}", std::process::id()));
        let begin: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
        std::fs::write(&path, &begin).unwrap();
        let (storage, mut model) = (Untouched::open(&path).unwrap(), begin.clone());
        let mut chance = 1_u64;
        let mut next = |below: usize| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (chance >> 33) as usize % below
        };
        for step in 0..2_000 {
            if step % 10 == 0 {
                let bytes = next(40_000);
                storage.set_len(bytes as u64).unwrap();
                model.resize(bytes, 0);
            }
            let from = next(model.len() + 1);
            let data = vec![step as u8; next(9_000).min(model.len() - from)];
            storage.write(from as u64, &data).unwrap();
            model[from..from + data.len()].copy_from_slice(&data);
            let mut all = vec![0; storage.len().unwrap() as usize];
            storage.read(0, &mut all).unwrap();
            assert!(all == model, "step {step}");
            let from = next(model.len() + 1);
            let mut some = vec![0; next(9_000).min(model.len() - from)];
            storage.read(from as u64, &mut some).unwrap();
            assert!(some == model[from..from + some.len()], "step {step}");
        }
        assert!(storage.read(storage.len().unwrap(), &mut [0]).is_err());
        assert!(std::fs::read(&path).unwrap() == begin);
        std::fs::remove_file(path).unwrap();
    }
}
