//! What does the core decide? A hub and sessions, driven by hand: every packet, commit and tick of the clock is a line of
//! the test, and what comes out is read by a reader of its own.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

mod wire;
mod world;

mod answers;
mod expiry;
mod journal;
mod limits_in;
mod limits_out;
mod resume;
mod retained;
mod sharing;
mod store_down;
mod wills;
