//! How does a connection become a session? CONNECT, authentication, the hub, CONNACK (section 3.1.4).

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;

use hikyaku_broker::{AttachRequest, Attached, Hub, Session, Turn};
use hikyaku_protocol::{ConnAck, Connect, ConnectAnswer, encode_connack, frame};
use hikyaku_traits::{AuthRequest, Authentication, Will};
use hikyaku_types::{ProtocolVersion, ReasonCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Connection;
use crate::shared::{LINGER, PLUGIN_DEADLINE, Shared};

/// A CONNECT and the bytes that came behind it.
struct Received {
    connect: Connect,
    rest: Vec<u8>,
}

/// Why nothing came of it.
enum Refusal {
    /// Close without a word.
    Silent(String),
    /// CONNACK with this code, then close. The last is the largest packet that the client takes.
    Said(ProtocolVersion, ReasonCode, String, usize),
}

/// Takes a connection as far as CONNACK. `None`: it was refused, and that has been logged and answered.
pub(super) async fn handshake<S>(
    shared: Arc<Shared>,
    mut stream: S,
    peer: Option<SocketAddr>,
) -> Option<Box<Connection<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let shown = peer.map_or_else(|| "?".to_owned(), |peer| peer.to_string());
    let read = tokio::time::timeout(shared.connect_timeout, read_connect(&shared, &mut stream)).await;
    let received = match read {
        Ok(Ok(received)) => received,
        Ok(Err(refusal)) => {
            refuse(&mut stream, &shown, refusal).await;
            return None;
        }
        Err(_) => {
            tracing::info!(peer = %shown, "no CONNECT within {:?}: closed", shared.connect_timeout);
            return None;
        }
    };
    match admit(&shared, received, peer).await {
        Ok((session, accepted)) => Some(open(shared, stream, peer, session, accepted)),
        Err(refusal) => {
            refuse(&mut stream, &shown, refusal).await;
            None
        }
    }
}

async fn read_connect<S: AsyncRead + Unpin>(shared: &Shared, stream: &mut S) -> Result<Received, Refusal> {
    let mut buffer = Vec::with_capacity(512);
    loop {
        let found = frame(&buffer, None, shared.hub.limits.packet_size_max);
        match found {
            Ok(Some(frame)) => {
                let connect = hikyaku_protocol::decode_connect(frame, &buffer).map_err(|error| {
                    let text = error.error.to_string();
                    match error.answer {
                        ConnectAnswer::Silence => Refusal::Silent(text),
                        ConnectAnswer::V3(_) => {
                            Refusal::Said(ProtocolVersion::V311, error.error.reason, text, usize::MAX)
                        }
                        ConnectAnswer::V5 => Refusal::Said(ProtocolVersion::V5, error.error.reason, text, usize::MAX),
                    }
                })?;
                buffer.drain(..frame.len);
                return Ok(Received { connect, rest: buffer });
            }
            Ok(None) => {}
            Err(error) => return Err(Refusal::Silent(error.to_string())), // [MQTT-3.1.0-1]
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return Err(Refusal::Silent("the connection ended before CONNECT".into())),
            Ok(_) => {}
            Err(error) => return Err(Refusal::Silent(error.to_string())),
        }
    }
}

/// What the client is told in CONNACK.
struct Accepted {
    connack: ConnAck,
    keep_alive_secs: u16,
    user_name: Option<String>,
    rest: Vec<u8>,
}

async fn admit(
    shared: &Arc<Shared>,
    received: Received,
    peer: Option<SocketAddr>,
) -> Result<(Box<Session>, Accepted), Refusal> {
    let Received { mut connect, rest } = received;
    let version = connect.version;
    let packet_size_max = connect.packet_size_max as usize;
    let refused = |reason, text: String| Refusal::Said(version, reason, text, packet_size_max);
    let assigned =
        name(shared, &mut connect).map_err(|text| refused(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, text.to_owned()))?;
    authenticate(shared, &mut connect, peer)
        .await
        .map_err(|reason| refused(reason, format!("client {}: {reason}", connect.client_id)))?;
    let limits = &shared.hub.limits;
    let expiry_secs = connect.session_expiry_secs.min(limits.session_expiry_max_secs.unwrap_or(u32::MAX));
    let keep_alive_secs = match limits.keep_alive_max_secs {
        Some(max) if version.is_v5() && (connect.keep_alive_secs == 0 || connect.keep_alive_secs > max) => max,
        _ => connect.keep_alive_secs,
    };
    let request = AttachRequest {
        client_id: connect.client_id.as_str().into(),
        user_name: connect.user_name.clone(),
        version,
        clean_start: connect.clean_start,
        expiry_secs,
        will: connect.will.take().map(|will| {
            Arc::new(Will {
                topic: will.topic,
                payload: will.payload,
                qos: will.qos,
                retain: will.retain,
                delay_secs: will.delay_secs,
                expiry_secs: will.expiry_secs,
                properties: will.properties,
            })
        }),
        receive_maximum: connect.receive_maximum,
        packet_size_max: connect.packet_size_max,
        topic_alias_maximum: connect.topic_alias_maximum,
    };
    let (session, present) =
        attach(shared, &request).await.map_err(|reason| refused(reason, "the session cannot be opened".to_owned()))?;
    let connack = ConnAck {
        session_present: present,
        session_expiry_secs: (expiry_secs != connect.session_expiry_secs).then_some(expiry_secs), // section 3.2.2.3.2
        receive_maximum: Some(limits.receive_maximum),
        packet_size_max: u32::try_from(limits.packet_size_max).ok(),
        assigned_client_id: assigned.then(|| connect.client_id.clone()), // [MQTT-3.2.2-16]
        topic_alias_maximum: limits.topic_alias_maximum,
        server_keep_alive_secs: (keep_alive_secs != connect.keep_alive_secs).then_some(keep_alive_secs), // [MQTT-3.2.2-21]
        ..ConnAck::default()
    };
    Ok((session, Accepted { connack, keep_alive_secs, user_name: connect.user_name, rest }))
}

/// Judges the client id, or makes one. Gives whether it was made.
fn name(shared: &Shared, connect: &mut Connect) -> Result<bool, &'static str> {
    if connect.client_id.len() > shared.client_id_bytes_max {
        return Err("the client id is longer than limits.client_id_bytes_max");
    }
    if !connect.client_id.is_empty() {
        return Ok(false);
    }
    if connect.version == ProtocolVersion::V31 {
        return Err("MQTT 3.1 wants a client id of at least one character");
    }
    if connect.version == ProtocolVersion::V311 && !connect.clean_start {
        return Err("an empty client id needs clean session"); // [MQTT-3.1.3-8]
    }
    connect.client_id = shared.assigned_ids.next(); // [MQTT-3.1.3-6]
    Ok(true)
}

async fn authenticate(shared: &Shared, connect: &mut Connect, peer: Option<SocketAddr>) -> Result<(), ReasonCode> {
    let mut request = AuthRequest::new(connect.client_id.clone(), connect.version);
    request.user_name.clone_from(&connect.user_name);
    request.password = connect.password.take();
    request.method =
        connect.authentication_method.take().map(|method| (method, std::mem::take(&mut connect.authentication_data)));
    request.peer = peer;
    match tokio::time::timeout(PLUGIN_DEADLINE, shared.auth.authenticate(&request)).await {
        Ok(Authentication::Allow) => Ok(()),
        Ok(Authentication::Deny(reason)) => Err(reason),
        _ => Err(ReasonCode::NOT_AUTHORIZED), // the end of the chain, an error and a timeout are deny
    }
}

/// Waits for the session, and for its CONNACK to be allowed: what it says is on disk.
async fn attach(shared: &Shared, request: &AttachRequest) -> Result<(Box<Session>, bool), ReasonCode> {
    let hub = &shared.hub;
    let mut turn = Turn::new();
    let attached = std::future::poll_fn(|cx| match hub.attach(request, shared.clock.now(), cx.waker(), &mut turn) {
        Attached::Wait => Poll::Pending,
        ready => Poll::Ready(ready),
    })
    .await;
    let (session, present, ticket) = match attached {
        Attached::Ready { session, present, ticket } => (session, present, ticket),
        Attached::Refused(reason) => return Err(reason),
        Attached::Wait => return Err(ReasonCode::SERVER_UNAVAILABLE),
    };
    durable(shared, ticket).await;
    Ok((session, present))
}

/// Waits until a batch is on disk. Not on the session's seat: that is for its connection, and may have another by now.
pub(crate) async fn durable(shared: &Shared, ticket: u64) {
    let hub = &shared.hub;
    if hub.watermark() >= ticket {
        return;
    }
    let waiter = Hub::waiter();
    std::future::poll_fn(|cx| {
        waiter.listen(cx.waker());
        if hub.watermark() >= ticket {
            return Poll::Ready(());
        }
        hub.wake_at_commit(&waiter);
        Poll::Pending
    })
    .await;
}

fn open<S>(
    shared: Arc<Shared>,
    stream: S,
    peer: Option<SocketAddr>,
    session: Box<Session>,
    accepted: Accepted,
) -> Box<Connection<S>> {
    let mut out = Vec::new();
    encode_connack(&mut out, session.version(), &accepted.connack);
    let client = session.seat().client_id();
    tracing::info!(
        %client,
        peer = %peer.map_or_else(|| "?".to_owned(), |peer| peer.to_string()),
        version = %session.version(),
        present = accepted.connack.session_present,
        keep_alive = accepted.keep_alive_secs,
        "connected"
    );
    let silence_max_ms = u64::from(accepted.keep_alive_secs) * 1500;
    let heard_at_ms = shared.clock.now().mono_ms;
    Box::new(Connection {
        shared,
        stream,
        peer,
        user_name: accepted.user_name,
        session,
        tail: accepted.rest,
        tail_at: 0,
        out,
        out_at: 0,
        silence_max_ms,
        heard_at_ms,
        alarm: None,
        slowed: None,
        fetch: None,
        ask: None,
        deferred: false,
        wanted: false,
        blocked: false,
        ended: None,
    })
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, peer: &str, refusal: Refusal) {
    match refusal {
        Refusal::Silent(text) => tracing::info!(%peer, "closed before CONNACK: {text}"),
        Refusal::Said(version, reason, text, packet_size_max) => {
            tracing::info!(%peer, %reason, "CONNECT refused: {text}");
            let mut out = Vec::new();
            // [MQTT-3.2.2-19]
            super::farewell::last_word(&mut out, packet_size_max, Some(&text), |out, text| {
                let reason_string = text.map(str::to_owned);
                encode_connack(out, version, &ConnAck { reason, reason_string, ..ConnAck::default() });
            });
            let _ = tokio::time::timeout(LINGER, stream.write_all(&out)).await; // the client may be gone already
        }
    }
    super::farewell::linger(stream).await;
}
