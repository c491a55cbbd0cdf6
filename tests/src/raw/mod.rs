//! A small MQTT client on a plain socket. It does nothing by itself, so that a
//! test says which packet goes when; what it sent and saw is shown when a test fails.

mod client;
mod packet;
mod wire;

pub use client::{Client, Event, WAIT};
pub use packet::{Connect, Kind, Packet, Publish, Version, ack, disconnect, subscribe, unsubscribe};
pub use wire::{Props, Value, frame, prop, put_bytes, put_props, put_varint};
