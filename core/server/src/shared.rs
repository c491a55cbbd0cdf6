//! What do all tasks of the broker share?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use hikyaku_broker::Hub;
use hikyaku_protocol::DecodeLimits;
use hikyaku_traits::{Auth, WillDispatch};

use crate::clock::Clock;
use crate::store::Stores;

/// How long auth and will dispatch may take for one question; then the answer is no, or the standard's.
pub(crate) const PLUGIN_DEADLINE: Duration = Duration::from_secs(10);

/// How long the last bytes may take to leave when a connection is closed.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Shared by every connection.
pub(crate) struct Shared {
    pub hub: Arc<Hub>,
    pub stores: Arc<Stores>,
    pub clock: Clock,
    pub auth: Arc<dyn Auth>,
    pub will_dispatch: Arc<dyn WillDispatch>,
    pub decode_limits: DecodeLimits,
    pub connect_timeout: Duration,
    pub client_id_bytes_max: usize,
    pub connections: AtomicUsize,
    pub connections_max: usize,
    /// Connections that have a session: those whom a stop waits for.
    pub serving: AtomicUsize,
    /// Log each packet.
    pub verbose: bool,
    /// The broker stops: connections end.
    pub stopping: AtomicBool,
    /// For client ids that we assign.
    pub assigned_ids: crate::names::Names,
}
