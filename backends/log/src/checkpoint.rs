//! How does what the log says come into the store behind it? Layer by layer, on a thread of its own.
//!
//! Only what has not been replaced or removed meanwhile is written, in large batches. The layer hides what is half done; a
//! crash loses nothing, for the log is read again from the last batch that the store's mark names.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use hikyaku_blocking::Joined;
use hikyaku_traits::{Batch, Decision, Durability, StoreError, Table};

use crate::overlay::Layer;
use crate::shared::{BEHIND_MARK, File, MARK, Shared, Values, Write, Writes, file_name};
use crate::wait::wait;

/// Bytes of keys and values that go to the store at a time.
const BATCH_BYTES: usize = 4 << 20;
/// What a write has beside them.
const WRITE_BYTES: usize = size_of::<Write>() + 16;
const STRETCH_BYTES: usize = 1 << 20;

/// The thread. Dropping it waits for the checkpoint under way.
pub(crate) struct Checkpoints {
    signal: SyncSender<()>,
    _thread: Joined,
}

impl Checkpoints {
    pub fn start(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (signal, signals) = sync_channel(1);
        let thread = Joined::start("log-checkpoint", move || serve(&shared, &signals))?;
        Ok(Self { signal, _thread: thread })
    }

    /// A layer is frozen.
    pub fn wake(&self) {
        // One that waits already is enough.
        let _ = self.signal.try_send(());
    }
}

fn serve(shared: &Shared, signals: &Receiver<()>) {
    while signals.recv().is_ok() {
        let frozen = shared.layers.read().frozen.clone();
        if let Some(layer) = frozen
            && let Err(mut error) = guarded(|| write_down(shared, &layer))
        {
            if error.decision == Decision::Retry {
                error.decision = Decision::Away; // the batch that meets this error was not tried
            }
            let _ = shared.failed.set(error);
        }
        let _ended = shared.ended.0.lock();
        shared.ended.1.notify_all();
    }
}

/// Makes an error of a panic: the writer waits for an end, in whatever way.
fn guarded(work: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let why = "Cannot write the log into the store: its thread panicked. The store has to be opened again.";
        Err(StoreError::new(Decision::Poisoned, why))
    })
}

/// Writes a frozen layer into the store, and lets its files go. Blocks for the disk; synced when this returns.
pub(crate) fn write_down(shared: &Shared, layer: &Layer) -> Result<(), StoreError> {
    let mut pile = Pile { shared, writes: Vec::new(), bytes: 0, values: Values::default() };
    pile.values.begin(STRETCH_BYTES);
    for table in Table::ALL {
        for (from, to) in layer.ranges(table) {
            for (from, to) in beside_mark(table, from, to) {
                pile.add(Write::DeleteRange(table, from.into(), to.into()), from.len() + to.len())?;
            }
        }
        for (key, place) in layer.keys(table, b"", Bound::Unbounded) {
            let Some(place) = place else {
                pile.add(Write::Delete(table, key.into()), key.len())?;
                continue;
            };
            let value = pile.value(place)?;
            let bytes = key.len() + value.len();
            pile.add(Write::Put(table, key.into(), value), bytes)?;
        }
    }
    let rest = std::mem::take(&mut pile.writes);
    shared.mark(layer.last, rest)?;
    drop(pile);
    // Who reads has the files open. One that cannot be removed says nothing that the store has not.
    layer.files.iter().for_each(|number| drop(shared.directory.remove(&file_name(*number))));
    let _ = shared.directory.sync();
    let _still = shared.moving.write();
    let mut layers = shared.layers.write();
    layers.frozen = None;
    layer.files.iter().for_each(|number| drop(layers.files.remove(number)));
    Ok(())
}

/// A range without the mark, which must be there at any time: a crash comes between two batches too.
fn beside_mark<'a>(table: Table, from: &'a [u8], to: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let has_mark = table == Table::Meta && from <= MARK && MARK < to;
    let parts = if has_mark { [(from, MARK), (BEHIND_MARK, to)] } else { [(from, to), (to, to)] };
    parts.into_iter().filter(|(from, to)| from < to)
}

/// Writes that gather until they are a batch.
struct Pile<'a> {
    shared: &'a Shared,
    writes: Vec<Write>,
    bytes: usize,
    values: Values,
}

impl Pile<'_> {
    fn add(&mut self, write: Write, bytes: usize) -> Result<(), StoreError> {
        self.writes.push(write);
        self.bytes += WRITE_BYTES + bytes;
        if self.bytes < self.shared.options.portion(BATCH_BYTES) {
            return Ok(());
        }
        self.bytes = 0;
        let batch = Batch::new(Writes(std::mem::take(&mut self.writes)));
        // Synced, for an engine may keep in memory what is not.
        wait(self.shared.below.apply(batch, Durability::Synced))
    }

    fn value(&mut self, place: crate::overlay::Place) -> Result<Box<[u8]>, StoreError> {
        let files = |number: u32| -> Option<File> { self.shared.layers.read().files.get(&number).cloned() };
        let value = self.values.read(files, place).map(Box::from);
        value.map_err(|error| self.shared.fault("read the log in", &error))
    }
}
