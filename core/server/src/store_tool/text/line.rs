//! How does a record look on a line, and what does a line say?
//!
//! The names here are a format: docs/store.md has them, and a change of one is a new [`VERSION`](super::VERSION).

mod of_record;
mod to_record;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values::{Bytes, Property, Time};

pub(super) use of_record::line_of;
pub(super) use to_record::Said;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct First {
    pub hikyaku_export: Versions,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Versions {
    /// Of the text.
    pub version: u64,
    /// Of the store that it was written from.
    pub store_format: u64,
}

/// Every other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    Meta(Meta),
    /// Of the store of retained messages, if that is another one.
    RetainedMeta(Meta),
    Session(Session),
    Subscription(Subscription),
    Message(Message),
    Body(Body),
    Progress(Progress),
    Received(Received),
    Outbound(Outbound),
    Will(WillLine),
    Retained(Message),
    RetainedBody(RetainedBody),
    End(End),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    name: Box<str>,
    number: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    client_id: Box<str>,
    number: u64,
    epoch: u64,
    protocol: Protocol,
    expiry_secs: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parked_since: Option<Time>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscription {
    session: u64,
    filter: Box<str>,
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: Handling,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identifier: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    id: u64,
    topic: Box<str>,
    qos: u8,
    retain: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
    /// Of one that waits; a retained one has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receivers: Option<Vec<Receiver>>,
    payload: Payload,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receiver {
    session: u64,
    position: u64,
    qos: u8,
    retain: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    identifiers: Vec<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payload {
    Text(String),
    Base64(String),
    /// So many bytes on a line of their own.
    ApartBytes(usize),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    message_id: u64,
    payload: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    session: u64,
    low: u64,
    sent_mark: u64,
    done: Vec<(u64, u64)>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Received {
    session: u64,
    packet_id: u16,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outbound {
    session: u64,
    packet_id: u16,
    position: u64,
    message_id: u64,
    phase: PhaseName,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WillLine {
    session: u64,
    topic: String,
    qos: u8,
    retain: bool,
    delay_secs: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_secs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
    payload: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetainedBody {
    topic: Box<str>,
    payload: Bytes,
}

/// The last line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many lines of each table there are.
    pub records: BTreeMap<String, u64>,
    /// Of all lines above, in hexadecimal digits.
    pub sha256: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Protocol {
    #[serde(rename = "3.1")]
    V31,
    #[serde(rename = "3.1.1")]
    V311,
    #[serde(rename = "5.0")]
    V5,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Handling {
    Always,
    IfNew,
    Never,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PhaseName {
    Sent,
    Released,
}
