//! Who owns a store that lies in files?

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hikyaku_traits::{Decision, StoreError};

use crate::disk::{complain, make_directory};

/// The longest text that is read from a lock file: a process id fits.
const PID_BYTES_MAX: u64 = 32;

/// The ownership of a store's file, held until it is dropped or the process ends in whatever way.
///
/// It is a lock of the operating system on `<file>.lock` beside the store's file, which holds the owner's process id for
/// people. The lock file stays when the lock is gone: nothing has to be cleaned up after a crash.
#[derive(Debug)]
pub struct StoreLock {
    // Closing the file releases the lock.
    _file: File,
}

impl StoreLock {
    /// [`StoreLock::take`] of a file that must be there: neither it nor its directory is made. Else that is
    /// [`Decision::Away`].
    pub fn take_existing(store: &Path) -> Result<Self, StoreError> {
        if store.is_file() {
            return Self::take(store);
        }
        let why = if store.exists() { "it is not a file" } else { "there is no such file" };
        Err(complain(Decision::Away, "open the store", store, &why, "the path of the store's file"))
    }

    /// Takes the ownership of `store`, a file that need not be there yet, and makes its directory if that is missing.
    /// Does not wait for another owner: that is [`Decision::Fenced`], and the message names its process.
    pub fn take(store: &Path) -> Result<Self, StoreError> {
        if let Some(directory) = store.parent() {
            make_directory(directory)?;
        }
        let path = lock_path(store);
        let cannot = |error| complain(Decision::Away, "lock the store", store, &error, TRY_RIGHTS);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {
                // The process id is a courtesy: a disk without room for it must not keep a store closed.
                let _ = sign(&mut file);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(in_use(store, &path, &mut file)),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}

/// What to try when a file of the store cannot be opened.
const TRY_RIGHTS: &str = "give the directory to the user that the broker runs as, or set another storage path";

fn lock_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Writes the process id over what was there, so that a full disk is asked for no new block.
fn sign(file: &mut File) -> std::io::Result<()> {
    let pid = format!("{}\n", std::process::id());
    file.seek(SeekFrom::Start(0))?;
    file.write_all(pid.as_bytes())?;
    file.set_len(pid.len() as u64)
}

fn in_use(store: &Path, lock: &Path, file: &mut File) -> StoreError {
    let mut pid = String::new();
    let _ = file.take(PID_BYTES_MAX).read_to_string(&mut pid);
    let why = match pid.trim().parse::<u32>() {
        Ok(pid) if pid == std::process::id() => {
            format!("this process (pid {pid}) has it open already")
        }
        Ok(pid) => format!("another broker, process {pid}, has it open (it holds {})", lock.display()),
        Err(_) => format!("another process has it open (it holds {})", lock.display()),
    };
    complain(Decision::Fenced, "open the store", store, &why, "stop that broker, or set another storage path")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two locks in one process: the second is refused and names the process; a dropped one makes room.
    #[test]
    fn second_owner_is_fenced_and_told_the_process() {
        let directory = std::env::temp_dir().join(format!("hikyaku-lock-{}", std::process::id()));
        let store = directory.join("deep").join("records");
        let first = StoreLock::take(&store).unwrap();
        let refused = StoreLock::take(&store).unwrap_err();
        assert_eq!(refused.decision, Decision::Fenced);
        assert!(refused.message.contains(&std::process::id().to_string()), "{refused}");
        assert!(refused.message.contains("records"), "{refused}");
        drop(first);
        StoreLock::take(&store).unwrap();
        std::fs::remove_dir_all(directory).unwrap();
    }

    /// A store that must be there is not made, nor its directory, nor a lock beside it.
    #[test]
    fn absent_store_is_refused_and_nothing_is_made() {
        let directory = std::env::temp_dir().join(format!("hikyaku-absent-{}", std::process::id()));
        let refused = StoreLock::take_existing(&directory.join("records")).unwrap_err();
        assert!(refused.message.contains("no such file"), "{refused}");
        assert!(!directory.exists());
        std::fs::create_dir(&directory).unwrap();
        assert!(StoreLock::take_existing(&directory).unwrap_err().message.contains("not a file"));
        std::fs::remove_dir(directory).unwrap();
    }
}
