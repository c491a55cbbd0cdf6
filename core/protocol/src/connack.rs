//! What does a client learn when it is let in, or turned away? Section 3.2 of the standard.

use hikyaku_types::ReasonCode;

/// The answer to CONNECT. What is `None`, or a topic alias maximum of 0, is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnAck {
    /// The server goes on with a session that it kept. Not sent in 3.1, nor with a refusal.
    pub session_present: bool,
    /// Success or why not; 3.x gets the nearest of its return codes.
    pub reason: ReasonCode,
    /// The session's expiry, if it is not what the client asked for.
    pub session_expiry_secs: Option<u32>,
    /// How many QoS 1 and 2 messages the server takes at once.
    pub receive_maximum: Option<u16>,
    /// The largest packet that the server takes.
    pub packet_size_max: Option<u32>,
    /// The name that the server gave to a client without one.
    pub assigned_client_id: Option<String>,
    /// How many topic aliases the server keeps; 0 for none.
    pub topic_alias_maximum: u16,
    /// For the client's log. Left out if it does not fit its length of 16 bits, as are all texts.
    pub reason_string: Option<String>,
    /// The keep alive that counts, if it is not what the client asked for.
    pub server_keep_alive_secs: Option<u16>,
    /// The start of the topics that the client may use for responses.
    pub response_information: Option<String>,
    /// The method of CONNECT, after an enhanced authentication [MQTT-4.12.0-5].
    pub authentication_method: Option<String>,
    /// The last thing that the method says; empty if it says nothing.
    pub authentication_data: Vec<u8>,
}

impl Default for ConnAck {
    /// Success, a new session, and nothing that differs from what the standard says.
    fn default() -> Self {
        Self {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            session_expiry_secs: None,
            receive_maximum: None,
            packet_size_max: None,
            assigned_client_id: None,
            topic_alias_maximum: 0,
            reason_string: None,
            server_keep_alive_secs: None,
            response_information: None,
            authentication_method: None,
            authentication_data: Vec::new(),
        }
    }
}
