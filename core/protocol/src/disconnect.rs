//! How does a client say goodbye? Section 3.14 of the standard.

use hikyaku_types::{ProtocolVersion, ReasonCode};

use crate::cursor::Cursor;
use crate::error::{ProtocolError, Result};
use crate::packet::DecodeLimits;
use crate::validate::{id, place, properties};

/// DISCONNECT from a client. Reason string and user properties are checked, and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// Success in 3.x, where it is not sent: the Will is not published then [MQTT-3.14.4-3].
    pub reason: ReasonCode,
    /// A new expiry for the session. Whether it may be other than zero is for the caller to judge (section 3.14.2.2.2).
    pub session_expiry_secs: Option<u32>,
}

pub(crate) fn decode(body: &[u8], version: ProtocolVersion, limits: &DecodeLimits) -> Result<Disconnect> {
    let mut cursor = Cursor::new(body);
    let mut packet = Disconnect { reason: ReasonCode::SUCCESS, session_expiry_secs: None };
    if version.is_v5() && !cursor.is_empty() {
        packet.reason = ReasonCode(cursor.u8()?);
        if !allowed(packet.reason) {
            return Err(ProtocolError::protocol("a reason code that a client cannot disconnect with"));
        }
        if !cursor.is_empty() {
            let found = properties(&mut cursor, place::DISCONNECT, limits.user_properties_max)?;
            let mut expiry = found.iter().filter(|property| property.id == id::SESSION_EXPIRY_INTERVAL);
            packet.session_expiry_secs = expiry.next().map(|property| property.number());
        }
    }
    cursor.end()?;
    Ok(packet)
}

/// The codes of table 3-10 that a client may send [MQTT-3.14.2-1].
const fn allowed(reason: ReasonCode) -> bool {
    matches!(reason.0, 0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
}
