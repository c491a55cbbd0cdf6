//! Decisions to the world: the tokio shell around the core, its configuration, and the binary `hikyaku`.
//!
//! No rule of MQTT is here: sockets, deadlines, files and messages for people are. [`Server`] runs a broker inside another
//! program; the binary is a thin layer of command line over it.

mod auth;
pub mod banner;
pub mod cli;
mod clock;
mod closed;
pub mod config;
mod connection;
mod journal;
mod migrate;
mod names;
mod pages;
mod recover;
mod server;
mod shared;
mod spot;
pub mod startup;
mod store;
pub mod store_tool;
mod trace;

pub use migrate::migrate;
pub use server::{Server, ServerError};
pub use store::{Open, Retained, Sessions, Spot, Stores};
