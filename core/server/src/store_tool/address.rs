//! Which store is meant? `redb:PATH`, or what the configuration names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hikyaku_blocking::{Blocking, Compacted, FileInfo};
use hikyaku_log::{Folder, log_of};
use hikyaku_traits::StoreError;

use super::Failure;
use crate::config::{Backend, Config};
use crate::spot::{Spot, judge};

/// The endings of a path that is a store's file and not its directory.
const FILE_ENDINGS: [&str; 3] = ["redb", "sqlite", "db"];

/// An engine that keeps records in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Redb,
    Sqlite,
}

/// The file of a store, and its engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(super) engine: Engine,
    pub(super) file: PathBuf,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "Write the engine in front of the path, such as redb:./data or sqlite:/var/lib/hikyaku";
        let (engine, path) = text.split_once(':').ok_or(example)?;
        let engine = match engine {
            "redb" => Engine::Redb,
            "sqlite" => Engine::Sqlite,
            "memory" => return Err("memory keeps nothing on disk; there are redb: and sqlite:".to_owned()),
            _ => return Err(format!("there is no engine '{engine}', only redb and sqlite. {example}")),
        };
        if path.is_empty() {
            return Err(format!("the path is missing. {example}"));
        }
        Ok(Self::new(engine, Path::new(path)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.engine.name(), self.file.display())
    }
}

impl Address {
    /// The store of an engine in a directory, or in that file.
    pub(super) fn new(engine: Engine, path: &Path) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let is_file = FILE_ENDINGS.contains(&ending) && !path.is_dir();
        let file = if is_file { path.to_owned() } else { Spot::new(engine.backend(), path.to_owned()).file() };
        Self { engine, file }
    }

    /// Makes a store, or opens what only the engine has of one. Blocks for the disk.
    pub(super) fn make(&self) -> Result<Blocking, StoreError> {
        match self.engine {
            Engine::Redb => hikyaku_redb::open(&self.file, &Default::default()),
            Engine::Sqlite => hikyaku_sqlite::open(&self.file, &Default::default()),
        }
    }

    /// Opens a store that must be there, with its log. Blocks for the disk.
    pub(super) fn open_existing(&self) -> Result<Blocking, Failure> {
        judge(&self.file)?;
        match std::fs::metadata(&self.file) {
            Ok(_) => Ok(hikyaku_log::open(self.make()?, Folder::new(log_of(&self.file)), Default::default())?),
            Err(error) => Err(self.missing(&error.to_string())),
        }
    }

    fn missing(&self, why: &str) -> Failure {
        let advice = "the directory that storage.path names, or the file in it";
        Failure::new(format!("Cannot open the store {self}: {why}. Try: {advice}."))
    }

    /// The sizes of its files, those of the log in front included.
    pub(super) fn info(&self) -> Result<FileInfo, StoreError> {
        let mut info = match self.engine {
            Engine::Redb => hikyaku_redb::info(&self.file),
            Engine::Sqlite => hikyaku_sqlite::info(&self.file),
        }?;
        let files = std::fs::read_dir(log_of(&self.file)).into_iter().flatten().flatten();
        let log_bytes: u64 = files.filter_map(|file| file.metadata().ok()).map(|found| found.len()).sum();
        info.bytes += log_bytes;
        info.log_bytes += log_bytes;
        Ok(info)
    }

    pub(super) fn verify(&self) -> Result<(), StoreError> {
        match self.engine {
            Engine::Redb => hikyaku_redb::verify(&self.file),
            Engine::Sqlite => hikyaku_sqlite::verify(&self.file),
        }
    }

    pub(super) fn compact(&self) -> Result<Compacted, StoreError> {
        match self.engine {
            Engine::Redb => hikyaku_redb::compact(&self.file),
            Engine::Sqlite => hikyaku_sqlite::compact(&self.file),
        }
    }
}

/// Which store a command is for.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Chosen {
    /// This store, and not what the configuration names
    #[arg(long, value_name = "ENGINE:PATH")]
    pub(super) store: Option<Address>,
}

/// The stores of a broker.
#[derive(Clone, Debug)]
pub(super) struct Stores {
    /// That of the sessions.
    pub main: Address,
    /// That of retained messages, if it is another one and has files.
    pub retained: Option<Address>,
}

impl Stores {
    /// What was chosen, else what the configuration names.
    pub fn of(chosen: &Chosen, config: Option<&Config>) -> Result<Self, Failure> {
        if let Some(main) = &chosen.store {
            return Ok(Self { main: main.clone(), retained: None });
        }
        let storage = config.map(|config| &config.storage);
        let address = |backend, path: &Path| Engine::of(backend).map(|engine| Address::new(engine, path));
        let Some(main) = storage.and_then(|storage| address(storage.backend, &storage.path)) else {
            let why = "the configuration keeps the records in memory, where nothing is left to look at";
            return Err(Failure::new(format!("Cannot find the store: {why}. Try: --store redb:PATH.")));
        };
        let retained = storage.and_then(|storage| storage.retained.as_ref());
        Ok(Self { main, retained: retained.and_then(|retained| address(retained.backend, &retained.path)) })
    }

    /// One or both.
    pub fn each(&self) -> impl Iterator<Item = &Address> {
        std::iter::once(&self.main).chain(&self.retained)
    }
}

impl fmt::Display for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.main.fmt(f)?;
        self.retained.as_ref().map_or(Ok(()), |retained| write!(f, " and {retained}"))
    }
}

impl Engine {
    pub(super) const fn of(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Redb => Some(Self::Redb),
            Backend::Sqlite => Some(Self::Sqlite),
            Backend::Memory => None,
        }
    }

    const fn backend(self) -> Backend {
        match self {
            Self::Redb => Backend::Redb,
            Self::Sqlite => Backend::Sqlite,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_directory_or_the_file_in_it() {
        let file = |text: &str| text.parse::<Address>().map(|address| address.file);
        assert_eq!(file("redb:data"), Ok("data/hikyaku.redb".into()));
        assert_eq!(file("sqlite:/var/a:b"), Ok("/var/a:b/hikyaku.sqlite".into()));
        assert_eq!(file("sqlite:x/copy.db"), Ok("x/copy.db".into()));
        assert_eq!(file("redb:x/hikyaku.redb"), Ok("x/hikyaku.redb".into()));
    }

    #[test]
    fn what_is_no_store_is_refused_with_an_example() {
        for text in ["data", "redb:", "lmdb:data"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains("redb:./data"), "{error}");
        }
        assert!("memory:x".parse::<Address>().unwrap_err().contains("nothing on disk"));
    }
}
