//! How does a connection end? The session goes back to the hub first, so that nobody waits for a slow socket.

use hikyaku_broker::{Ending, Session, Turn};
use hikyaku_protocol::encode_disconnect;
use hikyaku_traits::WillDecision;
use hikyaku_types::Now;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::handshake::durable;
use super::{Connection, End};
use crate::shared::{LINGER, PLUGIN_DEADLINE, Shared};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Parks or ends the session, then says the last word and closes the socket.
    pub(super) async fn farewell(self: Box<Self>, end: End) {
        let shared = self.shared.clone();
        let (version, packet_size_max) = (self.session.version(), self.session.packet_size_max());
        self.log(end);
        let Connection { session, mut stream, mut out, out_at, .. } = *self;
        let (ending, decision) = decide(&shared, &session, end).await;
        let mut turn = Turn::new();
        let departure = shared.hub.detach(session, ending, decision, shared.clock.now(), &mut turn);
        if let (Some((reason, what)), true) = (end.reason(), version.is_v5()) {
            last_word(&mut out, packet_size_max, what, |out, what| encode_disconnect(out, reason, what)); // [MQTT-3.14.2-3]
        }
        if end == End::Goodbye {
            durable(&shared, departure.ticket).await; // the Will is cleared for good before the socket closes
        }
        if !matches!(end, End::Lost) {
            let _ = tokio::time::timeout(LINGER, stream.write_all(&out[out_at..])).await; // the client may be gone already
            linger(&mut stream).await;
        }
    }

    fn log(&self, end: End) {
        let client = self.session.seat().client_id();
        let peer = self.peer.map_or_else(|| "?".to_owned(), |peer| peer.to_string());
        match end {
            End::Goodbye => tracing::info!(%client, %peer, "disconnected"),
            End::Lost => tracing::info!(%client, %peer, "connection lost"),
            End::KeepAlive => {
                tracing::info!(%client, %peer, "nothing came for one and a half times the keep alive: closed")
            }
            End::TakenOver => tracing::info!(%client, %peer, "another connection has taken the client id: closed"),
            End::Closed(close) => tracing::warn!(%client, %peer, reason = %close.reason, "closed: {}", close.what),
            End::Shutdown => tracing::debug!(%client, %peer, "closed: the broker stops"),
        }
    }
}

/// What becomes of the Will. May wait for a plugin; nobody else waits with it.
async fn decide(shared: &Shared, session: &Session, end: End) -> (Ending, Option<WillDecision>) {
    let lost = match (end, end.lost(session.asked_for_will())) {
        (End::Shutdown, _) => return (Ending::Shutdown, None),
        (_, None) => return (Ending::Normal, None),
        (_, Some(lost)) => lost,
    };
    let Some(will) = session.will() else { return (Ending::Lost(lost), None) };
    let now: Now = shared.clock.now();
    let client_id = session.seat().client_id();
    let asked = shared.will_dispatch.dispatch(client_id, will, lost, now);
    let decision = tokio::time::timeout(PLUGIN_DEADLINE, asked).await;
    let standard = || WillDecision::PublishAt(now.wall_ms.saturating_add(u64::from(will.delay_secs) * 1000));
    (Ending::Lost(lost), Some(decision.unwrap_or_else(|_| standard())))
}

/// Appends a packet, without its Reason String if the client does not take as much, and not at all if that is not enough.
pub(super) fn last_word(
    out: &mut Vec<u8>,
    packet_size_max: usize,
    text: Option<&str>,
    encode: impl Fn(&mut Vec<u8>, Option<&str>),
) {
    let start = out.len();
    for text in [text, None] {
        encode(out, text);
        if out.len() - start <= packet_size_max {
            return;
        }
        out.truncate(start);
    }
}

/// Closes our side and lets the client read the last word: closing with unread input would reset the connection and take
/// the word with it. Bounded in time and bytes.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let drain = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut rest = [0; 1024];
        for _ in 0..1024 {
            match stream.read(&mut rest).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drain).await; // whoever has not read it by then does not want to
}
