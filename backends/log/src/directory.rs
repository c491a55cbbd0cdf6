//! Where do the files of the log lie? In a directory; behind a trait, so that a test can cut the power of its disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hikyaku_blocking::{forget_cache, make_directory, sync_directory};
use hikyaku_traits::{Decision, StoreError};

/// The directory of a log. All calls block for the disk.
pub trait Directory: Send + Sync + 'static {
    /// The names of all files; none if the directory is not there.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file, and the directory if that is missing. The name is durable after [`Self::sync`].
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    /// Opens a file to be read.
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    /// Removes a file. It may be there again after a power cut.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names of the files durable.
    fn sync(&self) -> io::Result<()>;
    /// Nothing is in it: it may go, until a file is made again.
    fn leave(&self);
    /// The path, for messages.
    fn path(&self) -> &Path;
}

/// A file of the log. All calls block for the disk.
pub trait LogFile: Send + Sync {
    /// How long it is.
    fn size(&self) -> io::Result<u64>;
    /// Fills `bytes` from there on; [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all bytes from there on.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
    /// What is in memory of the file may be newer than what is on disk: it is to be read from the disk again.
    fn forget_cache(&self);
}

/// A directory of the file system.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The directory; it is made when the first file is.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Directory for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        make_directory(&self.0).map_err(as_io)?;
        let path = self.0.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Box::new(Opened { file, path }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.0.join(name);
        Ok(Box::new(Opened { file: File::open(&path)?, path }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        sync_directory(&self.0).map_err(as_io)
    }

    fn leave(&self) {
        // One that is not empty stays, and so does one of somebody else's.
        let _ = std::fs::remove_dir(&self.0);
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

/// Keeps what there is to do about it.
fn as_io(error: StoreError) -> io::Error {
    let kind = match error.decision {
        Decision::Full => io::ErrorKind::StorageFull,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.message)
}

struct Opened {
    file: File,
    path: PathBuf,
}

impl LogFile for Opened {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn forget_cache(&self) {
        forget_cache(&self.path);
    }
}
