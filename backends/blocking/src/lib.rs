//! A synchronous engine on threads of its own, shown as the async record store.
//!
//! An author of a backend writes [`Engine`] and [`Reader`], both plain synchronous code, and gets the rest from
//! [`Blocking::start`]: a thread that writes, a thread that reads (so that a resume never waits behind a sync), bounded
//! queues, panics that become errors, an orderly end. Beside it lies what every engine with files needs: [`StoreLock`],
//! the decision about an [`io::Error`](std::io::Error), and directories that survive a power cut.
//!
//! It holds no records and knows no format. Whoever opens a backend calls it, once per store.
//!
//! ```
//! use hikyaku_blocking::{Blocking, Engine, Reader};
//! use hikyaku_traits::{Batch, Durability, Keys, Page, Scan, StoreError, Table};
//!
//! struct Nothing;
//! impl Engine for Nothing {
//!     fn apply(&mut self, _: &Batch, _: Durability) -> Result<(), StoreError> { Ok(()) }
//!     fn close(&mut self) -> Result<(), StoreError> { Ok(()) }
//! }
//! impl Reader for Nothing {
//!     fn scan(&mut self, _: &Scan) -> Result<Page, StoreError> { Ok(Page::default()) }
//!     fn get(&mut self, _: Table, _: &Keys) -> Result<Page, StoreError> { Ok(Page::default()) }
//! }
//! let store = Blocking::start("nothing", Nothing, Nothing)?;
//! # drop(store);
//! # Ok::<(), StoreError>(())
//! ```

mod disk;
mod engine;
mod lock;
mod maintenance;
mod store;
mod worker;

pub use disk::{PageBuilder, complain, decide, forget_cache, make_directory, replace, sync_directory, weigh};
pub use engine::{Engine, Reader};
pub use lock::StoreLock;
pub use maintenance::{Compacted, FileInfo, file_bytes};
pub use store::{Blocking, READS_MAX};
pub use worker::Joined;
