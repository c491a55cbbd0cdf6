//! Who may enter, and who may do what?
//!
//! A chain of [`Auth`] implementations is asked in order; the first that does not abstain decides; the end of the chain is
//! deny; an error or a timeout is deny.

use std::net::SocketAddr;

use async_trait::async_trait;
use hikyaku_types::{ProtocolVersion, Qos, ReasonCode};

/// What a client brings with CONNECT.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthRequest {
    /// The client identifier, after assignment of one where it was empty.
    pub client_id: String,
    /// User name, if the client sent one.
    pub user_name: Option<String>,
    /// Password, if the client sent one; any bytes.
    pub password: Option<Vec<u8>>,
    /// Authentication Method of MQTT 5.0 with its data, section 4.12.
    pub method: Option<(String, Vec<u8>)>,
    /// Where the client comes from; `None` for one without a socket.
    pub peer: Option<SocketAddr>,
    /// The dialect it speaks.
    pub version: ProtocolVersion,
}

impl AuthRequest {
    /// A request of a client that brought nothing but its name.
    #[must_use]
    pub fn new(client_id: String, version: ProtocolVersion) -> Self {
        Self { client_id, user_name: None, password: None, method: None, peer: None, version }
    }
}

/// The answer to a CONNECT, or to one more step of an extended authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authentication {
    /// The client may enter.
    Allow,
    /// It may not; the code goes into CONNACK.
    Deny(ReasonCode),
    /// Somebody else in the chain decides.
    Abstain,
    /// One more round: AUTH with this data goes to the client.
    Continue(Vec<u8>),
}

/// What a client wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish to a topic name.
    Publish {
        /// At this QoS.
        qos: Qos,
        /// With the RETAIN flag.
        retain: bool,
    },
    /// Subscribe to a topic filter (as the client wrote it, `$share` included).
    Subscribe {
        /// At this QoS.
        qos: Qos,
    },
}

/// A question of permission.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Access<'a> {
    /// Who.
    pub client_id: &'a str,
    /// Under which user name.
    pub user_name: Option<&'a str>,
    /// What.
    pub action: Action,
    /// Topic name or filter.
    pub topic: &'a str,
}

impl<'a> Access<'a> {
    /// A question.
    #[must_use]
    pub fn new(client_id: &'a str, user_name: Option<&'a str>, action: Action, topic: &'a str) -> Self {
        Self { client_id, user_name, action, topic }
    }
}

/// The answer to a question of permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authorization {
    /// It may.
    Allow,
    /// It may not.
    Deny,
    /// Somebody else in the chain decides.
    Abstain,
    /// Ask [`Auth::authorize_later`]: the answer needs time. Only this client waits.
    Later,
}

/// Decides who may enter and who may do what.
#[async_trait]
pub trait Auth: Send + Sync {
    /// Judges a CONNECT. May wait; only this client waits with it, up to the broker's deadline.
    async fn authenticate(&self, request: &AuthRequest) -> Authentication;

    /// Judges an AUTH packet of an extended authentication, section 4.12, with the data that it brought.
    async fn continue_auth(&self, request: &AuthRequest, data: &[u8]) -> Authentication;

    /// Judges a publish or a subscribe at once, on a worker of the broker: it must not block.
    fn authorize(&self, access: &Access<'_>) -> Authorization;

    /// Judges what [`Auth::authorize`] put off.
    async fn authorize_later(&self, access: &Access<'_>) -> Authorization;
}
