//! How does a thread serve calls, survive a panic, and end?

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};

use hikyaku_traits::{Batch, Decision, Durability, Keys, Page, Scan, StoreError, Table};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::{Engine, Reader};

/// Where the answer to a call goes. Nobody may be there any more to take it.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// The error after which nothing is asked of the engine any more; set once, seen by both threads.
pub(crate) type Poison = Arc<OnceLock<StoreError>>;

/// A call for the writer's thread.
pub(crate) enum Write {
    Apply(Batch, Durability, Answer<()>),
    Close(Answer<()>),
}

/// A call for the reader's thread.
pub(crate) enum Read {
    Scan(Scan, Answer<Page>),
    Get(Table, Keys, Answer<Page>),
    Close(Answer<()>),
}

/// A thread that is waited for when this is dropped.
#[derive(Debug)]
pub struct Joined(Option<JoinHandle<()>>);

impl Joined {
    /// Starts a thread with a name (Linux shows the first 15 bytes).
    pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<Self, StoreError> {
        let thread = Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
            let why = format!("Cannot start the thread {name} of the store: {error}. Try: raise the limit of threads.");
            StoreError::new(Decision::Away, why)
        })?;
        Ok(Self(Some(thread)))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic of the thread has been answered already, or there was nobody to be answered.
            let _ = thread.join();
        }
    }
}

/// Serves writes until the store is closed or dropped.
pub(crate) fn write(mut engine: impl Engine, mut calls: mpsc::Receiver<Write>, poison: &Poison) {
    while let Some(call) = next(&mut engine, &mut calls, poison) {
        match call {
            Write::Apply(batch, durability, answer) => {
                let result = guarded(poison, "apply a batch", || engine.apply(&batch, durability));
                drop(batch);
                let _ = answer.send(result);
            }
            Write::Close(answer) => {
                let result = caught("close the store", || engine.close());
                discard(engine);
                drop(calls);
                let _ = answer.send(poison.get().cloned().map_or(result, Err));
                return;
            }
        }
    }
    discard(engine);
}

/// Waits for the next call. As long as there is none, the engine may tidy up.
fn next(engine: &mut impl Engine, calls: &mut mpsc::Receiver<Write>, poison: &Poison) -> Option<Write> {
    loop {
        match calls.try_recv() {
            Ok(call) => return Some(call),
            Err(TryRecvError::Empty) if guarded(poison, "tidy the store up", || Ok(engine.tidy())) == Ok(true) => {}
            Err(_) => return calls.blocking_recv(),
        }
    }
}

/// Serves reads until the store is closed or dropped.
pub(crate) fn read(mut reader: impl Reader, mut calls: mpsc::Receiver<Read>, poison: &Poison) {
    while let Some(call) = calls.blocking_recv() {
        match call {
            Read::Scan(scan, answer) => {
                let _ = answer.send(guarded(poison, "scan records", || reader.scan(&scan)));
            }
            Read::Get(table, keys, answer) => {
                let _ = answer.send(guarded(poison, "look records up", || reader.get(table, &keys)));
            }
            Read::Close(answer) => {
                discard(reader);
                drop(calls);
                let _ = answer.send(Ok(()));
                return;
            }
        }
    }
    discard(reader);
}

/// Runs a call unless the engine is poisoned, and remembers the answer if it poisons.
fn guarded<T>(poison: &Poison, what: &str, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    if let Some(error) = poison.get() {
        return Err(error.clone());
    }
    let result = caught(what, call);
    if let Err(error) = &result
        && error.decision == Decision::Poisoned
    {
        // The first one stays: it says what began it.
        let _ = poison.set(error.clone());
    }
    result
}

/// Runs a call and makes an error of a panic.
fn caught<T>(what: &str, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let why = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let why = why.unwrap_or("no reason given");
        let why = format!("Cannot {what}: the engine panicked: {why}. The store has to be opened again.");
        Err(StoreError::new(Decision::Poisoned, why))
    })
}

/// Drops a side of the engine; a panic in its drop has nobody who could do anything about it.
fn discard<T>(side: T) {
    let _ = catch_unwind(AssertUnwindSafe(move || drop(side)));
}
