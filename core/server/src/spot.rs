//! Where does a built-in store lie, and what if its files are not what a store's files are?

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use hikyaku_blocking::{Blocking, StoreLock, complain, decide, sync_directory};
use hikyaku_log::{Folder, log_of};
use hikyaku_memory::Memory;
use hikyaku_traits::{Decision, RetainStore, SessionStore, StoreError};

use crate::closed::blocking;
use crate::config::Backend;
use crate::store::Open;

/// What the names of further files of a store end in: the log in front, SQLite's own log, and the index of that.
const BESIDE: [&str; 3] = ["-log", "-wal", "-shm"];

/// A store that is built in, and where it lies.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Which engine.
    backend: Backend,
    /// In which directory.
    path: PathBuf,
    /// What memory holds stays when it is opened again.
    memory: Arc<Memory>,
    log: hikyaku_log::Options,
}

impl Spot {
    /// The store of an engine in a directory.
    #[must_use]
    pub fn new(backend: Backend, path: PathBuf) -> Self {
        Self { backend, path, memory: Arc::default(), log: hikyaku_log::Options::default() }
    }

    /// The same with another `storage.log_bytes_max`.
    #[must_use]
    pub fn with_log(mut self, log_bytes_max: u64) -> Self {
        self.log.bytes_max = log_bytes_max;
        self
    }

    /// The file of the store, for messages.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        match self.backend {
            Backend::Redb => self.path.join("hikyaku.redb"),
            Backend::Sqlite => self.path.join("hikyaku.sqlite"),
            Backend::Memory => PathBuf::from("memory"),
        }
    }

    /// Opens the engine's file with its log in front. Blocks for the disk.
    fn open_files(&self) -> Result<Blocking, StoreError> {
        let file = self.file();
        may_open(&file)?;
        let engine = match self.backend {
            Backend::Redb => hikyaku_redb::open(&file, &Default::default()),
            Backend::Sqlite => hikyaku_sqlite::open(&file, &Default::default()),
            Backend::Memory => Err(StoreError::new(Decision::Unsupported, "Memory has no file.")),
        };
        hikyaku_log::open(engine?, Folder::new(log_of(&file)), self.log)
    }

    async fn put_aside(&self) -> Result<String, StoreError> {
        let file = self.file();
        if self.backend == Backend::Memory {
            return Err(StoreError::new(
                Decision::Unsupported,
                "Cannot put the store in memory aside: it has no files.",
            ));
        }
        blocking(move || put_aside(&file)).await.map(|aside| aside.display().to_string())
    }
}

macro_rules! open {
    ($store:ident) => {
        #[async_trait]
        impl Open<dyn $store> for Spot {
            async fn open(&self) -> Result<Arc<dyn $store>, StoreError> {
                if self.backend == Backend::Memory {
                    return Ok(self.memory.clone());
                }
                let spot = self.clone();
                Ok(Arc::new(blocking(move || spot.open_files()).await?))
            }

            fn place(&self) -> String {
                self.file().display().to_string()
            }

            fn address(&self) -> String {
                format!("{}:{}", self.backend, self.file().display())
            }

            async fn set_aside(&self) -> Result<String, StoreError> {
                self.put_aside().await
            }
        }
    };
}

open!(SessionStore);
open!(RetainStore);

/// Where a store is made that gets the name of this file when it is whole.
pub(crate) fn unfinished(file: &Path) -> PathBuf {
    with(file, ".unfinished")
}

/// Whether a broker may use the file: it is what it seems, and nothing is about to take its place.
fn may_open(file: &Path) -> Result<(), StoreError> {
    let draft = unfinished(file);
    if !draft.exists() {
        return judge(file);
    }
    let why = format!("a copy or an import is under way or was interrupted: {} lies beside it", draft.display());
    let advice = "run that again; or remove what it left, to go on with what there was before";
    Err(complain(Decision::Unsupported, "open the store", file, &why, advice))
}

/// Finds what the engines would take for a store that is new. It is not: a file that has lost all it had, or a log whose
/// file is gone.
pub(crate) fn judge(file: &Path) -> Result<(), StoreError> {
    let complain =
        |decision, path: &Path, why: &str, advice: &str| Err(complain(decision, "open the store", path, &why, advice));
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => {
            complain(Decision::Away, file, "a directory is in its place", "move it away, or set another storage path")
        }
        Ok(found) if found.is_file() && found.len() == 0 => {
            let advice = "a backup of the store; if the broker has never run with it, remove the file";
            complain(Decision::Corrupt, file, "the file is empty, and a store never is", advice)
        }
        // Before an engine sees it: SQLite opens what it may only read, and leaves a log beside it that nobody may write.
        Ok(found) if found.is_file() => match fs::OpenOptions::new().write(true).open(file) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let advice = "give the file to the user that the broker runs as, or set another storage path";
                complain(Decision::Away, file, &error.to_string(), advice)
            }
            _ => Ok(()),
        },
        Ok(_) => Ok(()),
        Err(_) => match BESIDE.iter().map(|end| with(file, end)).find(|beside| beside.exists()) {
            Some(beside) => {
                let why = format!("the file is not there, and {} is", beside.display());
                complain(Decision::Corrupt, file, &why, "bring the file back, or move what is left of the store away")
            }
            None => Ok(()),
        },
    }
}

/// Renames the files of a store that nobody has open. Gives the new name of its main file. No file is overwritten; the
/// names are durable when this returns. A crash in between leaves a log without its file, which [`judge`] finds.
fn put_aside(file: &Path) -> Result<PathBuf, StoreError> {
    let _lock = StoreLock::take(file)?;
    let aside = free_name(file, SystemTime::now());
    for end in [""].iter().chain(&BESIDE) {
        let from = with(file, end);
        if from.symlink_metadata().is_err() {
            continue;
        }
        fs::rename(&from, with(&aside, end)).map_err(|error| {
            let advice = "move the files of the store away, or bring back a backup";
            complain(decide(&error), "put aside", &from, &error, advice)
        })?;
    }
    sync_directory(file.parent().unwrap_or(Path::new("")))?;
    Ok(aside)
}

/// `NAME.corrupt-20251125T161250Z`; with a number behind it if that name is taken.
fn free_name(file: &Path, now: SystemTime) -> PathBuf {
    let time = humantime::format_rfc3339_seconds(now).to_string().replace(['-', ':'], "");
    let first = with(file, &format!(".corrupt-{time}"));
    let names = std::iter::once(first.clone()).chain((2..).map(|number: u32| with(&first, &format!("-{number}"))));
    let is_free = |name: &PathBuf| [""].iter().chain(&BESIDE).all(|end| with(name, end).symlink_metadata().is_err());
    names.into_iter().find(is_free).unwrap_or(first)
}

fn with(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("hikyaku-spot-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn what_is_put_aside_has_the_time_in_its_name_and_overwrites_nothing() {
        let directory = scratch("names");
        let file = directory.join("hikyaku.sqlite");
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let first = directory.join("hikyaku.sqlite.corrupt-20231114T221320Z");
        assert_eq!(free_name(&file, at), first);
        fs::write(&first, "").unwrap();
        let second = directory.join("hikyaku.sqlite.corrupt-20231114T221320Z-2");
        assert_eq!(free_name(&file, at), second);
        fs::write(with(&second, "-wal"), "").unwrap();
        assert_eq!(free_name(&file, at), directory.join("hikyaku.sqlite.corrupt-20231114T221320Z-3"));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn all_files_of_a_store_go_together() {
        let directory = scratch("all");
        let file = directory.join("hikyaku.sqlite");
        for end in ["", "-wal", "-shm"] {
            fs::write(with(&file, end), format!("text{end}")).unwrap();
        }
        let aside = put_aside(&file).unwrap();
        for end in ["", "-wal", "-shm"] {
            assert!(!with(&file, end).exists());
            assert_eq!(fs::read_to_string(with(&aside, end)).unwrap(), format!("text{end}"));
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_store_that_somebody_has_open_is_not_put_aside() {
        let directory = scratch("open");
        let file = directory.join("hikyaku.redb");
        fs::write(&file, "text").unwrap();
        let lock = StoreLock::take(&file).unwrap();
        assert_eq!(put_aside(&file).unwrap_err().decision, Decision::Fenced);
        drop(lock);
        assert!(file.exists());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_broker_does_not_start_beside_an_unfinished_store() {
        let directory = scratch("unfinished");
        let file = directory.join("hikyaku.redb");
        may_open(&file).unwrap();
        fs::write(unfinished(&file), "text").unwrap();
        let error = may_open(&file).unwrap_err();
        assert_eq!(error.decision, Decision::Unsupported);
        assert!(error.message.contains("hikyaku.redb.unfinished"), "{error}");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_log_without_its_file_is_no_new_store() {
        let directory = scratch("log");
        let file = directory.join("hikyaku.sqlite");
        judge(&file).unwrap();
        fs::write(with(&file, "-wal"), "text").unwrap();
        let error = judge(&file).unwrap_err();
        assert_eq!(error.decision, Decision::Corrupt);
        assert!(
            error.message.contains("hikyaku.sqlite: the file is not there, and ") && error.message.contains("-wal is")
        );
        fs::remove_dir_all(directory).unwrap();
    }
}
