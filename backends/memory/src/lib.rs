//! Records in memory: fast, and gone with the process.
//!
//! [`Memory`] is the store of a broker without persistence and of tests. [`Forgetful`] is for a simulator: it forgets at a
//! crash what was not synced, and has synchronous calls, so that it needs no runtime. Neither blocks on anything but a
//! short lock.

mod forgetful;
mod memory;
mod tables;

pub use forgetful::Forgetful;
pub use memory::Memory;
