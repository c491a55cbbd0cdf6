//! How does a new store take its place at once, or not at all?
//!
//! It is made under a temporary name in the same directory, closed and synced, and gets its name last. A broker does not
//! start beside an unfinished one, and the next run throws it away.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hikyaku_blocking::{Blocking, StoreLock, sync_directory};
use hikyaku_traits::RecordStore;
use parking_lot::{Mutex, MutexGuard};

use super::Failure;
use super::address::Address;
use crate::spot::{judge, unfinished};

/// What a run that is interrupted takes away.
#[derive(Clone, Debug, Default)]
pub(super) struct Drafts(Arc<Mutex<Vec<PathBuf>>>);

impl Drafts {
    /// Removes what is unfinished. Nothing gets its name after this while the answer is held.
    pub fn remove(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        let list = self.0.lock();
        list.iter().for_each(|path| remove(path));
        list
    }
}

/// A file that gets its name when it is whole. Dropped before that, it is removed.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    target: PathBuf,
    drafts: Drafts,
}

impl Draft {
    /// Throws away what an earlier run left. Whoever calls this owns the target.
    pub fn begin(target: &Path, drafts: &Drafts) -> Self {
        let path = unfinished(target);
        remove(&path);
        drafts.0.lock().push(path.clone());
        Self { path, target: target.to_owned(), drafts: drafts.clone() }
    }

    /// Where it is made.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, durably. Blocks for the disk.
    pub fn publish(self) -> Result<(), Failure> {
        let list = self.drafts.0.lock();
        let renamed = File::open(&self.path)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.path, &self.target))
            .map_err(|error| Failure::io("give its name to", &self.target, &error, "look at the disk, and try again"));
        drop(list);
        renamed?;
        Ok(sync_directory(self.target.parent().unwrap_or(Path::new("")))?)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        remove(&self.path);
        self.drafts.0.lock().retain(|path| *path != self.path);
    }
}

/// Removes a file and what engines put beside it.
fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm", "-journal", ".lock"] {
        // What is not there need not go; what cannot be removed is found by the next who opens it.
        let _ = fs::remove_file(beside(path, ending));
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A place for a new store, owned while it is made.
pub(super) enum Target {
    /// There is no file.
    Absent(StoreLock),
    /// There is one, which is open.
    Present(Blocking),
}

impl Target {
    /// Takes the place. Blocks for the disk.
    pub fn take(address: &Address) -> Result<Self, Failure> {
        judge(&address.file)?;
        match fs::metadata(&address.file) {
            Ok(_) => Ok(Self::Present(address.open_existing()?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Absent(StoreLock::take(&address.file)?)),
            Err(error) => Err(Failure::io("write the store", &address.file, &error, "another directory")),
        }
    }

    /// What is there already.
    pub const fn store(&self) -> Option<&Blocking> {
        match self {
            Self::Absent(_) => None,
            Self::Present(store) => Some(store),
        }
    }

    /// Puts the finished store in its place.
    pub async fn replace(self, address: &Address, draft: Draft) -> Result<(), Failure> {
        let _lock = match self {
            Self::Absent(lock) => lock,
            Self::Present(store) => {
                store.close().await?;
                drop(store);
                // The engine has let the place go: nobody may have used it before it is taken again.
                let left = fingerprint(&address.file);
                let lock = StoreLock::take(&address.file)?;
                if fingerprint(&address.file) != left || beside(&address.file, "-wal").exists() {
                    let why = "somebody has opened it meanwhile";
                    return Err(Failure::new(format!("Cannot write the store {address}: {why}. Try: once more.")));
                }
                lock
            }
        };
        draft.publish()
    }
}

/// Changes whenever the file does.
fn fingerprint(path: &Path) -> Option<(u64, u64, i64, i64)> {
    fs::metadata(path).ok().map(|found| (found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}
