//! What comes between CONNECT and CONNACK when a password is not enough? Section 3.15 of MQTT 5.0.

use hikyaku_types::ReasonCode;

use crate::cursor::{Cursor, text};
use crate::error::{ProtocolError, Result};
use crate::frame::{put_varint, varint_len};
use crate::packet::DecodeLimits;
use crate::validate::{id, place, properties};

/// AUTH, in either direction. Reason string and user properties of clients are checked, and dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Continue or re-authenticate; success comes from servers only, which is for the caller to judge.
    pub reason: ReasonCode,
    /// The method of CONNECT [MQTT-4.12.0-5]. `None` only in the shortest form, which means success.
    pub method: Option<String>,
    /// What the method says; empty if it says nothing.
    pub data: Vec<u8>,
}

pub(crate) fn decode(body: &[u8], limits: &DecodeLimits) -> Result<Auth> {
    let mut packet = Auth { reason: ReasonCode::SUCCESS, method: None, data: Vec::new() };
    if body.is_empty() {
        return Ok(packet);
    }
    let mut cursor = Cursor::new(body);
    packet.reason = ReasonCode(cursor.u8()?);
    if !matches!(packet.reason.0, 0x00 | 0x18 | 0x19) {
        return Err(ProtocolError::protocol("a reason code that AUTH cannot have")); // [MQTT-3.15.2-1]
    }
    let found = properties(&mut cursor, place::AUTH, limits.user_properties_max)?;
    cursor.end()?;
    if !found.has(id::AUTHENTICATION_METHOD) {
        return Err(ProtocolError::protocol("AUTH without an authentication method")); // section 3.15.2.2.2
    }
    for property in found.iter() {
        match property.id {
            id::AUTHENTICATION_METHOD => packet.method = Some(text(property.value)?.to_owned()),
            id::AUTHENTICATION_DATA => packet.data = property.value.to_vec(),
            _ => {}
        }
    }
    Ok(packet)
}

/// Appends AUTH, which only 5.0 has. A method or data of more than 65,535 bytes does not fit, and is left out.
pub fn encode_auth(out: &mut Vec<u8>, auth: &Auth) {
    let method = auth.method.as_deref().map(str::as_bytes).filter(|method| u16::try_from(method.len()).is_ok());
    let data = Some(&auth.data[..]).filter(|data| !data.is_empty() && u16::try_from(data.len()).is_ok());
    let fields = [(id::AUTHENTICATION_METHOD, method), (id::AUTHENTICATION_DATA, data)];
    let properties_len: usize = fields.iter().filter_map(|(_, value)| value.map(|value| 3 + value.len())).sum();
    out.push(0xF0); // [MQTT-3.15.1-1]
    if auth.reason == ReasonCode::SUCCESS && properties_len == 0 {
        return out.push(0);
    }
    put_varint(out, 1 + varint_len(properties_len) + properties_len);
    out.push(auth.reason.0);
    put_varint(out, properties_len);
    for (id, value) in fields {
        let Some(value) = value else { continue };
        out.push(id);
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(value);
    }
}
