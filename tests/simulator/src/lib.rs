//! Does the broker keep its promise, whatever happens in whatever order?
//!
//! A simulator of the core: one thread, a clock that it sets, and one seed that decides everything. Model clients connect,
//! publish, subscribe, lose their connections and take them over; bytes arrive cut anywhere; the journal goes step by step;
//! the broker dies between any two steps and comes back from a store that has forgotten what was not synced. Checkers that
//! have seen only the clients' packets judge what came of it.
//!
//! `tests/simulation SEED` plays a seed again and shows its last events; `tests/simulation --seeds N` plays new ones. That
//! the checkers see what they are there for is shown by planted bugs: each of [`FLAWS`] is found.

mod check;
mod client;
mod disk;
mod draw;
mod flaw;
mod history;
mod life;
mod random;
mod rest;
mod shell;
mod wire;
mod world;

pub use flaw::{FLAWS, Flaw};
pub use history::Log;
pub use life::{Failure, find, play};
