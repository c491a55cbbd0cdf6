//! What a finished configuration holds: every value typed, every unit in its name.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The whole configuration, checked and complete.
///
/// `Default` is what the broker runs with when nothing is configured, and what the
/// top-level `config.yaml` writes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Where clients connect. Never empty.
    pub listeners: Vec<Listener>,
    /// Where messages and sessions are kept.
    pub storage: Storage,
    /// What one client, one session and the whole broker may use.
    pub limits: Limits,
    /// What is written to stderr.
    pub log: Log,
}

/// One address that accepts MQTT, every version on the same port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Address and port; port 0 lets the system choose.
    pub bind: SocketAddr,
    /// What is written at the listener; see [`Listener::anonymous_allowed`] for what it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_anonymous: Option<bool>,
}

impl Listener {
    /// Whether clients without a name may enter: as written, else only on loopback.
    #[must_use]
    pub fn anonymous_allowed(&self) -> bool {
        self.allow_anonymous.unwrap_or(self.bind.ip().is_loopback())
    }
}

/// Where sessions, queues, subscriptions and retained messages are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// What keeps the records.
    pub backend: Backend,
    /// The data directory. Unused by the memory backend.
    pub path: PathBuf,
    /// When a write is on disk.
    pub durability: Durability,
    /// How long a write may wait for the disk; read only with [`Durability::Interval`].
    #[serde(rename = "sync_interval")]
    pub sync_interval_ms: u64,
    /// Bytes of the log in front of an engine, from which on what it says goes into the engine's file.
    pub log_bytes_max: u64,
    /// What a start does with a store that is damaged.
    pub on_corrupt: OnCorrupt,
    /// A place of their own for retained messages; `None` keeps them with the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained: Option<RetainedStorage>,
}

/// A separate place for retained messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedStorage {
    /// What keeps the records.
    pub backend: Backend,
    /// The data directory, never the one of [`Storage::path`]. Empty for the memory backend.
    #[serde(default)]
    pub path: PathBuf,
}

/// What keeps the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// One redb file.
    Redb,
    /// One SQLite file.
    Sqlite,
    /// Memory only: a restart forgets everything.
    Memory,
}

/// When a write is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Before the client gets its acknowledgement. Nothing acknowledged is ever lost.
    Always,
    /// At the latest [`Storage::sync_interval_ms`] after the acknowledgement.
    Interval,
    /// When the operating system likes.
    Never,
}

/// What a start does with a store that is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnCorrupt {
    /// The broker does not start.
    Refuse,
    /// The files get other names, and the broker starts with an empty store.
    SetAside,
}

/// Bounds; none is ever zero. `*_bytes_max` and `packet_size_max` count bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Network connections at the same time.
    pub connections_max: usize,
    /// Bytes of the largest packet that is accepted.
    pub packet_size_max: usize,
    /// How long a new connection may take to send CONNECT.
    #[serde(rename = "connect_timeout")]
    pub connect_timeout_ms: u64,
    /// Bytes of the longest client id.
    pub client_id_bytes_max: usize,
    /// QoS 1 and 2 messages that one client may have in flight towards the broker.
    pub receive_maximum: u16,
    /// QoS 1 and 2 messages in flight towards one client, whatever it asks for.
    pub inflight_messages_max: usize,
    /// Bytes in flight towards one client.
    pub inflight_bytes_max: usize,
    /// Messages that wait in one session.
    pub queue_messages_max: usize,
    /// Bytes that wait in one session.
    pub queue_bytes_max: u64,
    /// Messages held in memory for one connected client.
    pub mailbox_messages_max: usize,
    /// Bytes of message bodies held in memory for one connected client.
    pub mailbox_bytes_max: usize,
    /// Bytes that are encoded and wait for one client's socket.
    pub output_buffer_bytes_max: usize,
    /// Topic aliases that one MQTT 5 client may set.
    pub topic_alias_maximum: u16,
    /// Subscriptions of one client.
    pub subscriptions_max: usize,
    /// Topic filters in one SUBSCRIBE or UNSUBSCRIBE.
    pub filters_per_packet_max: usize,
    /// Levels (`a/b/c` has three) of a topic or topic filter.
    pub topic_levels_max: usize,
    /// User properties in one MQTT 5 packet.
    pub user_properties_max: usize,
    /// Retained messages in the whole broker.
    pub retained_messages_max: usize,
    /// Bytes of retained messages in the whole broker.
    pub retained_bytes_max: usize,
    /// The longest keep alive; `None` takes what the client asks for.
    #[serde(rename = "keep_alive_max", default, skip_serializing_if = "Option::is_none")]
    pub keep_alive_max_secs: Option<u16>,
    /// The longest session expiry; `None` takes what the client asks for.
    #[serde(rename = "session_expiry_max", default, skip_serializing_if = "Option::is_none")]
    pub session_expiry_max_secs: Option<u32>,
    /// Bytes of writes that wait for the disk before publishers are slowed.
    pub journal_bytes_max: usize,
}

/// What is written to stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// Write one line for each step in the life of a packet.
    pub verbose: bool,
}

/// The port that MQTT registered.
pub const MQTT_PORT: u16 = 1883;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

impl Default for Config {
    fn default() -> Self {
        let loopback = |ip| Listener { bind: SocketAddr::new(ip, MQTT_PORT), allow_anonymous: None };
        Self {
            listeners: vec![loopback(Ipv4Addr::LOCALHOST.into()), loopback(Ipv6Addr::LOCALHOST.into())],
            storage: Storage::default(),
            limits: Limits::default(),
            log: Log::default(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            backend: Backend::Redb,
            path: PathBuf::from("./data"),
            durability: Durability::Always,
            sync_interval_ms: 1_000,
            log_bytes_max: 256 * MIB,
            on_corrupt: OnCorrupt::Refuse,
            retained: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 100_000,
            packet_size_max: MIB as usize,
            connect_timeout_ms: 10_000,
            client_id_bytes_max: 1_024,
            receive_maximum: 1_000,
            inflight_messages_max: 1_000,
            inflight_bytes_max: (16 * MIB) as usize,
            queue_messages_max: 10_000_000,
            queue_bytes_max: 4 * GIB,
            mailbox_messages_max: 10_000,
            mailbox_bytes_max: (16 * MIB) as usize,
            output_buffer_bytes_max: MIB as usize,
            topic_alias_maximum: 16,
            subscriptions_max: 10_000,
            filters_per_packet_max: 10_000,
            topic_levels_max: 128,
            user_properties_max: 100,
            retained_messages_max: 10_000_000,
            retained_bytes_max: GIB as usize,
            keep_alive_max_secs: None,
            session_expiry_max_secs: None,
            journal_bytes_max: (32 * MIB) as usize,
        }
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
        })
    }
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Always => "always",
            Self::Interval => "interval",
            Self::Never => "never",
        })
    }
}
