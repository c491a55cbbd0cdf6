//! Is all that was acknowledged there when the power has gone?
//!
//! redb and SQLite, with and without the log in front, run in the code of their backends on a disk that remembers what was
//! synced. At any step of theirs the power goes: what was not synced arrives or not, each sector of 512 bytes by itself and
//! in any order, lengths of files and their names likewise. Then the store is opened again on what is left: every batch that
//! was acknowledged must be there whole, and of those behind it the first so many, each of them wholly or not at all. Now and
//! then a write or a sync fails instead: the store must say so, and all must be well once it is opened again.
//!
//! Not in the model: a sector that is neither old nor new but garbage, and pages that change without being written.
//!
//! `cargo run --release -p hikyaku-power -- --help` tells how to play many rounds, or one again.

mod disk;
mod image;
mod machine;
mod model;
mod names;
mod records;
mod report;
mod round;
mod tally;
mod under_log;
mod under_redb;
mod under_sqlite;

pub use machine::Backend;
pub use report::{Report, command, find, play_all};
pub use round::{Flaw, play};
pub use tally::Tally;
