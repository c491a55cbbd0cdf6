//! What does a failure of the disk mean, how is it told, and how does a page end?

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;

use hikyaku_traits::{Batch, Decision, Op, Page, Row, StoreError, Table};

/// The decision about an I/O failure under way: no room is [`Decision::Full`], bytes that were not written so are
/// [`Decision::Corrupt`], all else leaves the outcome unknown.
#[must_use]
pub fn decide(error: &io::Error) -> Decision {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Decision::Full,
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Decision::Corrupt,
        _ => Decision::Poisoned,
    }
}

/// An error for people: what was tried, on which path, why it failed, what to try.
pub fn complain(decision: Decision, what: &str, path: &Path, why: &dyn Display, advice: &str) -> StoreError {
    let why = why.to_string();
    let why = why.trim_end_matches('.');
    StoreError::new(decision, format!("Cannot {what} {}: {why}. Try: {advice}.", path.display()))
}

/// Makes a directory and those above it, each durable in its parent when this returns. Blocks for the disk.
pub fn make_directory(path: &Path) -> Result<(), StoreError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    make_directory(parent)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let decision = if decide(&error) == Decision::Full { Decision::Full } else { Decision::Away };
            let advice = "make it and give it to the user that the broker runs as, or set another storage path";
            Err(complain(decision, "make the directory", path, &error, advice))
        }
        _ => sync_directory(parent),
    }
}

/// Makes the names in a directory durable, so that a file that was made in it is there after a power cut. Blocks.
pub fn sync_directory(path: &Path) -> Result<(), StoreError> {
    sync_names(path)
        .map_err(|error| complain(decide(&error), "sync the directory", path, &error, "look at the health of the disk"))
}

/// Gives a file that was written and synced under another name its own, in place of the one that has it. Durable when this
/// returns; a crash leaves the one or the other, whole. Blocks for the disk.
pub fn replace(file: &Path, new: &Path) -> io::Result<()> {
    std::fs::rename(new, file)?;
    sync_names(file.parent().unwrap_or(Path::new("")))
}

fn sync_names(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    if cfg!(unix) { std::fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Drops what the kernel holds of a file in its cache. After a failed write or sync that may be newer than what is on disk,
/// and must not be what the file is judged by when it is opened again. Where it cannot be done it is left undone.
pub fn forget_cache(path: &Path) {
    #[cfg(target_os = "linux")]
    if let Ok(file) = std::fs::File::open(path) {
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = path;
}

/// The bytes of all keys and values of a batch. One with an operation or a table that is not known is refused with
/// [`Decision::Unsupported`]; call it before anything is written.
pub fn weigh(batch: &Batch, path: &Path) -> Result<usize, StoreError> {
    batch.iter().try_fold(0, |bytes, op| {
        let (table, more) = match op {
            Some(Op::Put { table, key, value }) => (table, key.len() + value.len()),
            Some(Op::Delete { table, key }) => (table, key.len()),
            Some(Op::DeleteRange { table, from, to }) => (table, from.len() + to.len()),
            _ => return Err(unknown("an operation", path)),
        };
        if table as usize >= Table::ALL.len() {
            return Err(unknown("a table", path));
        }
        Ok(bytes + more)
    })
}

fn unknown(what: &str, path: &Path) -> StoreError {
    let why = format!("it has {what} that this build does not know, and nothing of it was written");
    complain(Decision::Unsupported, "apply a batch to", path, &why, "a build of the broker and its store that fit")
}

/// A page while it fills.
#[derive(Debug)]
pub struct PageBuilder {
    page: Page,
    bytes: usize,
    bytes_max: usize,
}

impl PageBuilder {
    /// An empty page that is full once its keys and values hold `bytes_max`, and takes one row in any case.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { page: Page::default(), bytes: 0, bytes_max }
    }

    /// Takes the next row. `false`: the page was full, so the row is not in it, and the page says that there is more.
    #[must_use]
    pub fn take(&mut self, key: &[u8], value: &[u8]) -> bool {
        if !self.page.rows.is_empty() && self.bytes >= self.bytes_max {
            self.page.more = true;
            return false;
        }
        self.bytes += key.len() + value.len();
        self.page.rows.push(Row { key: key.into(), value: value.into() });
        true
    }

    /// A page of the first of these rows.
    #[must_use]
    pub fn page(bytes_max: usize, rows: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>) -> Page {
        let mut page = Self::new(bytes_max);
        let _ = rows.into_iter().all(|(key, value)| page.take(key.as_ref(), value.as_ref()));
        page.done()
    }

    /// The page.
    #[must_use]
    pub fn done(self) -> Page {
        self.page
    }
}
