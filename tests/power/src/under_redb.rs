//! How does the disk come under redb? As its storage.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use redb::StorageBackend;

use crate::disk::{Disk, FileNumber};

/// A file of the disk, as redb uses one.
#[derive(Debug)]
pub(crate) struct Storage {
    disk: Arc<Disk>,
    number: FileNumber,
    file: File,
}

impl Storage {
    /// Opens the file of that name, or makes it.
    pub(crate) fn open(disk: &Arc<Disk>, name: &str) -> io::Result<Self> {
        let number = disk.open(name)?;
        let path = disk.directory().join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Self { disk: Arc::clone(disk), number, file })
    }
}

impl StorageBackend for Storage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.disk.set_length(self.number, length, || self.file.set_len(length))?
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(self.disk.sync(self.number, false)?)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(self.number, offset, data, || self.file.write_all_at(data, offset))?
    }
}
