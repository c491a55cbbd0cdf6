//! What was true before a restart is true after it: changes to records, records back to sessions.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

mod damage;
mod fan_out;
mod format;
mod messages;
mod migrate;
mod old;
mod random;
mod records;
mod retained;
mod sessions;
mod world;
