//! What does one connection do? Wait for one thing, give it to the session, drain all that the session has to say, write
//! once, wait again.
//!
//! It knows sockets and deadlines and no rule of MQTT beyond the order of CONNECT and CONNACK; the rules are the session's.

mod farewell;
mod handshake;
mod looping;
mod scratch;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hikyaku_broker::{Close, PageItem, Session};
use hikyaku_traits::{Lost, StoreError};
use hikyaku_types::ReasonCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

pub(crate) use handshake::durable;

use crate::shared::Shared;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client said goodbye.
    Goodbye,
    /// The socket ended.
    Lost,
    /// Nothing came in time.
    KeepAlive,
    /// Another connection has the client id now.
    TakenOver,
    /// The client broke a rule, or must go for another reason.
    Closed(Close),
    /// The broker stops.
    Shutdown,
}

impl End {
    /// The reason code of the DISCONNECT that 5.0 clients get; `None`: none is sent.
    fn reason(self) -> Option<(ReasonCode, Option<&'static str>)> {
        match self {
            Self::Goodbye | Self::Lost => None,
            Self::KeepAlive => Some((ReasonCode::KEEP_ALIVE_TIMEOUT, None)),
            Self::TakenOver => Some((ReasonCode::SESSION_TAKEN_OVER, None)), // [MQTT-3.1.4-3]
            Self::Closed(close) => Some((close.reason, Some(close.what))),
            Self::Shutdown => Some((ReasonCode::SERVER_SHUTTING_DOWN, None)),
        }
    }

    fn lost(self, asked_for_will: bool) -> Option<Lost> {
        match self {
            Self::Goodbye if asked_for_will => Some(Lost::Asked),
            Self::Goodbye | Self::Shutdown => None,
            Self::Lost => Some(Lost::Connection),
            Self::KeepAlive => Some(Lost::KeepAlive),
            Self::TakenOver => Some(Lost::Takeover),
            Self::Closed(_) => Some(Lost::Protocol),
        }
    }
}

/// A question to the store that is under way.
type Fetch = Pin<Box<dyn Future<Output = Result<Vec<PageItem>, StoreError>> + Send>>;
/// A question to the auth chain that is under way.
type Ask = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A connection whose CONNECT was accepted.
pub(crate) struct Connection<S> {
    shared: Arc<Shared>,
    stream: S,
    peer: Option<SocketAddr>,
    user_name: Option<String>,
    session: Box<Session>,
    /// Received and not yet handled: an unfinished packet, or what waits for an answer. From `tail_at` on.
    tail: Vec<u8>,
    tail_at: usize,
    /// Encoded and not yet written, from `out_at` on.
    out: Vec<u8>,
    out_at: usize,
    /// One and a half times the keep alive in milliseconds; 0: none [MQTT-3.1.2-22].
    silence_max_ms: u64,
    heard_at_ms: u64,
    alarm: Option<Pin<Box<Sleep>>>,
    /// The receivers cannot follow: nothing is read before this.
    slowed: Option<Pin<Box<Sleep>>>,
    fetch: Option<Fetch>,
    ask: Option<Ask>,
    /// A drain was put off for the sake of gathering.
    deferred: bool,
    /// Another connection wants the session.
    wanted: bool,
    /// Something was not done in this turn because a buffer was full.
    blocked: bool,
    ended: Option<End>,
}

/// Serves one connection to its end.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: Arc<Shared>,
    stream: S,
    peer: Option<SocketAddr>,
) {
    // In a box of its own, so that what a CONNECT needs is not carried by the connection for the rest of its life.
    let connection = Box::pin(handshake::handshake(shared.clone(), stream, peer)).await;
    if let Some(mut connection) = connection {
        shared.serving.fetch_add(1, Ordering::Relaxed);
        let end = std::future::poll_fn(|cx| connection.poll(cx)).await;
        Box::pin(connection.farewell(end)).await;
        shared.serving.fetch_sub(1, Ordering::Relaxed);
    }
    shared.connections.fetch_sub(1, Ordering::Relaxed);
}
