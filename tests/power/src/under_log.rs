//! How does the disk come under the log in front of a store? As its directory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use hikyaku_log::{Directory, LogFile};

use crate::disk::{Disk, FileNumber};

/// The directory of the disk, as the log uses it: files of others in it are left alone.
pub(crate) struct LogDirectory(pub Arc<Disk>);

/// A file of the disk, as the log uses one.
struct Opened {
    disk: Arc<Disk>,
    number: FileNumber,
    file: File,
}

impl LogDirectory {
    fn opened(&self, number: FileNumber, file: File) -> Box<dyn LogFile> {
        Box::new(Opened { disk: Arc::clone(&self.0), number, file })
    }
}

impl Directory for LogDirectory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.names())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let number = self.0.open(name)?;
        let path = self.0.directory().join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        self.0.set_length(number, 0, || file.set_len(0))??;
        Ok(self.opened(number, file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let file = File::open(self.0.directory().join(name))?;
        Ok(self.opened(self.0.open(name)?, file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name, false, || std::fs::remove_file(self.0.directory().join(name)))?
    }

    fn sync(&self) -> io::Result<()> {
        Ok(self.0.sync_directory()?)
    }

    fn leave(&self) {}

    fn path(&self) -> &Path {
        self.0.directory()
    }
}

impl LogFile for Opened {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write(self.number, offset, bytes, || self.file.write_all_at(bytes, offset))?
    }

    fn sync(&self) -> io::Result<()> {
        Ok(self.disk.sync(self.number, false)?)
    }

    /// The rounds drop what is in memory themselves, with the file closed.
    fn forget_cache(&self) {}
}
