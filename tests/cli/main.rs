//! What the command `hikyaku` does besides running: with stores that a real broker has filled.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod interrupted;
mod life;
mod refusals;
mod retained;
mod rows;
mod store;
mod verify;
