//! What can be done with a store while no broker has it open? `hikyaku store ...`.
//!
//! A store that is made appears whole or not at all (`draft`). A source is only read. What a row says is known by the
//! ledger's `Record` alone; copying moves rows as they are.

mod address;
mod balance;
mod copy;
mod draft;
mod inspect;
mod pages;
mod progress;
mod text;
mod verify;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use hikyaku_broker::ledger::LedgerError;
use hikyaku_traits::StoreError;
use tokio::signal::unix::{SignalKind, signal};

pub use address::Address;

use address::{Chosen, Stores};
use draft::Drafts;

use crate::config::{self, Config, ConfigErrors, Flags};

/// It did not work, or `verify` has found something.
const EXIT_FAILED: u8 = 1;

/// What is to be done with a store.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum StoreCommand {
    /// Copy a store into another one, of either engine, or only its retained messages
    Copy(copy::CopyArgs),
    /// Write a store as text that a person can read
    Export(text::ExportArgs),
    /// Make a store of what an export has written
    Import(text::ImportArgs),
    /// Tell what a store holds: engine, format, sizes, sessions, messages
    Info(Chosen),
    /// Check a store: the file, every record, and how they fit each other
    Verify(Chosen),
    /// Give what is free in the files of a store back to the disk
    Compact(Chosen),
}

/// Why a command did not do what it was asked for: what was tried, where, why it failed, what to try.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    fn new(message: String) -> Self {
        Self(message)
    }

    fn io(what: &str, path: &Path, error: &std::io::Error, advice: &str) -> Self {
        Self(format!("Cannot {what} {}: {error}. Try: {advice}.", path.display()))
    }

    fn ledger(file: &Path, error: &LedgerError) -> Self {
        Self(format!("Cannot use the store {}: {error}.", file.display()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error.message)
    }
}

/// A command that is ready to run.
#[derive(Debug)]
pub struct Job {
    command: StoreCommand,
    /// Where the command itself names no store.
    configured: Option<Config>,
}

impl Job {
    /// Reads the configuration where the command needs it.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(command: &StoreCommand, flags: &Flags) -> Result<Self, ConfigErrors> {
        let configured = if command.names_its_store() { None } else { Some(config::load(flags)?.config) };
        Ok(Self { command: command.clone(), configured })
    }

    /// Does it and says how it went. Blocks.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("Cannot start the worker thread: {error}");
                return ExitCode::from(EXIT_FAILED);
            }
        };
        let drafts = Drafts::default();
        let watched = drafts.clone();
        let outcome = runtime.block_on(async {
            tokio::spawn(end_when_interrupted(watched));
            self.work(&drafts).await
        });
        match outcome {
            Ok(said) => {
                print!("{said}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                eprintln!("{}", failure.0);
                ExitCode::from(EXIT_FAILED)
            }
        }
    }

    async fn work(&self, drafts: &Drafts) -> Result<String, Failure> {
        let stores = |chosen| Stores::of(chosen, self.configured.as_ref());
        match &self.command {
            StoreCommand::Copy(asked) => copy::copy(asked, drafts).await,
            StoreCommand::Export(asked) => text::export(asked, &stores(&asked.chosen)?, drafts).await,
            StoreCommand::Import(asked) => text::import(asked, &stores(&asked.chosen)?, drafts).await,
            StoreCommand::Info(chosen) => inspect::info(&stores(chosen)?).await,
            StoreCommand::Verify(chosen) => verify::verify(&stores(chosen)?).await,
            StoreCommand::Compact(chosen) => inspect::compact(&stores(chosen)?).await,
        }
    }
}

impl StoreCommand {
    fn names_its_store(&self) -> bool {
        let chosen = match self {
            Self::Copy(_) => return true,
            Self::Export(asked) => &asked.chosen,
            Self::Import(asked) => &asked.chosen,
            Self::Info(chosen) | Self::Verify(chosen) | Self::Compact(chosen) => chosen,
        };
        chosen.store.is_some()
    }
}

/// Ends the process at SIGINT and SIGTERM, and takes away what is unfinished. Without it they would end it too, and the next
/// run would do that.
async fn end_when_interrupted(drafts: Drafts) {
    let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return;
    };
    let code = tokio::select! {
        _ = int.recv() => 130,
        _ = term.recv() => 143,
    };
    let _nothing_is_published = drafts.remove();
    eprintln!("Interrupted: what was unfinished is removed.");
    std::process::exit(code);
}
