//! The harness of the tests that run the real broker: start it, kill it, talk to it.
//!
//! [`Broker`] is a running `hikyaku` with a directory and a port of its own,
//! [`Program`] any other process, [`tools`] the clients of other projects, and
//! [`raw`] an MQTT client that shares no code with the broker. Everything here
//! fails a test by panicking, waits for events with a deadline and cleans up by
//! process id. The tests themselves lie in `clients`, `restart` and
//! `conformance`; `tests/run` runs them all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a harness fails the test by panicking")]

mod broker;
mod command;
pub mod crowd;
pub mod fixture;
mod process;
pub mod queue;
pub mod raw;
mod small_disk;
pub mod stall;
pub mod syscalls;
pub mod tools;

pub use broker::{Broker, Options};
pub use command::tool;
pub use process::Program;
pub use small_disk::SmallDisk;
