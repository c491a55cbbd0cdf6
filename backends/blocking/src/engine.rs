//! What does a synchronous engine have to do?

use hikyaku_traits::{Batch, Durability, Keys, Page, Scan, StoreError, Table};

/// The writing side of an engine. It lives on the writer's thread and is dropped there.
///
/// An answer with [`Decision::Poisoned`](hikyaku_traits::Decision::Poisoned), or a panic, is the last: it is given
/// to every later call, and the engine is asked for nothing more but to close.
pub trait Engine: Send + 'static {
    /// Applies a batch in order, all or nothing. Blocks until it is on disk, synced, if `durability` says so. Must refuse a
    /// batch with an operation or a table that it does not know, and then have written nothing.
    fn apply(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError>;

    /// Does a small step of what can wait, such as giving room back to the disk, and says whether there is more to do at once.
    /// Called after the answer to a batch and once at the start, while no call waits: one that comes waits for the end of this
    /// step. What fails for good is remembered and told by the next [`Engine::apply`]. By default there is nothing to do.
    fn tidy(&mut self) -> bool {
        false
    }

    /// Syncs all that was applied. Called at most once, as the last call, when the reader is gone already; also after a
    /// failure, and then it must not write to what may be damaged. The engine is dropped right after.
    fn close(&mut self) -> Result<(), StoreError>;
}

/// The reading side of an engine. It lives on the reader's thread, sees what has been applied, and never waits for a
/// sync.
pub trait Reader: Send + 'static {
    /// Reads a page of a range in key order. Blocks for the disk.
    fn scan(&mut self, scan: &Scan) -> Result<Page, StoreError>;

    /// Looks keys up, in the order in which they are asked for; absent ones are left out. Blocks for the disk.
    fn get(&mut self, table: Table, keys: &Keys) -> Result<Page, StoreError>;
}
