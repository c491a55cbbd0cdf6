//! Where `mqttbytes` does the work, and how is it kept from its known defects? The only file that names it: nothing
//! reaches it that has not been checked, and no type of its leaves.
//!
//! What it gets wrong, and the rule that fences it (each has a test that fails when the crate changes):
//!
//! - A CONNACK of 5.0 without properties lacks their length: it always gets properties.
//! - A DISCONNECT of 5.0 with empty properties loses its reason: it never gets empty ones.
//! - A CONNECT knows no `MQIsdp`, only text as password, and no difference between absent and empty: it gets a copy
//!   named `MQTT`, without the login.
//! - An UNSUBSCRIBE of 5.0 is printed to the terminal: it is read as one of 3.1.1.
//! - Texts of more than 65,535 bytes are written with a wrong length: they are left out.
//! - PUBLISH, acknowledgements, AUTH, DISCONNECT from clients and topic matching never reach it.

use bytes::{BufMut, Bytes, BytesMut};
use hikyaku_types::{ProtocolVersion, Qos, ReasonCode, RetainHandling, SubscriptionOptions};
use mqttbytes::{FixedHeader, QoS, v4, v5};

use crate::connack::ConnAck;
use crate::connect::{Connect, ConnectWill};
use crate::error::{ProtocolError, Result};
use crate::subscribe::{Subscribe, Unsubscribe};

/// Cannot happen: the packet has been checked. The fuzz test watches it.
const LOST: ProtocolError =
    ProtocolError::new(ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR, "a valid packet could not be read");

/// A fixed header of two bytes, whose length nobody looks at but the reader of UNSUBSCRIBE, and the packet behind it.
fn packet(byte1: u8, body: impl FnOnce(&mut BytesMut), capacity: usize) -> (FixedHeader, Bytes) {
    let mut buffer = BytesMut::with_capacity(2 + capacity);
    buffer.put_slice(&[byte1, 0]);
    body(&mut buffer);
    (FixedHeader::new(byte1, 1, buffer.len() - 2), buffer.freeze())
}

fn qos(qos: QoS) -> Qos {
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
        QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}

/// Reads a checked CONNECT from the keep alive to the Will, which comes without properties. The login is the caller's.
pub(crate) fn connect(version: ProtocolVersion, flags: u8, head: &[u8]) -> Result<Connect> {
    let level = if version.is_v5() { 5 } else { 4 };
    let write = |buffer: &mut BytesMut| {
        buffer.put_slice(b"\0\x04MQTT");
        buffer.put_slice(&[level, flags]);
        buffer.put_slice(head);
    };
    let (header, bytes) = packet(0x10, write, 8 + head.len());
    if version.is_v5() {
        v5::Connect::read(header, bytes).map(connect_v5).map_err(|_| LOST)
    } else {
        v4::Connect::read(header, bytes).map(|connect| connect_v3(version, connect)).map_err(|_| LOST)
    }
}

fn connect_v3(version: ProtocolVersion, connect: v4::Connect) -> Connect {
    Connect {
        will: connect.last_will.map(|will| ConnectWill {
            topic: will.topic,
            payload: will.message.to_vec(),
            qos: qos(will.qos),
            retain: will.retain,
            delay_secs: 0,
            expiry_secs: None,
            properties: Vec::new(),
        }),
        session_expiry_secs: if connect.clean_session { 0 } else { u32::MAX },
        ..plain(version, connect.clean_session, connect.keep_alive, connect.client_id)
    }
}

fn connect_v5(connect: v5::Connect) -> Connect {
    let plain = plain(ProtocolVersion::V5, connect.clean_session, connect.keep_alive, connect.client_id);
    let plain = Connect { will: connect.last_will.map(will_v5), ..plain };
    let Some(properties) = connect.properties else { return plain };
    Connect {
        session_expiry_secs: properties.session_expiry_interval.unwrap_or(0),
        receive_maximum: properties.receive_maximum.unwrap_or(u16::MAX),
        packet_size_max: properties.max_packet_size.unwrap_or(u32::MAX),
        topic_alias_maximum: properties.topic_alias_max.unwrap_or(0),
        request_response_information: properties.request_response_info == Some(1),
        request_problem_information: properties.request_problem_info != Some(0),
        authentication_method: properties.authentication_method,
        authentication_data: properties.authentication_data.map(|data| data.to_vec()).unwrap_or_default(),
        ..plain
    }
}

/// A CONNECT without Will, login and properties: what section 3.1.2.11 says of each that is absent.
fn plain(version: ProtocolVersion, clean_start: bool, keep_alive_secs: u16, client_id: String) -> Connect {
    Connect {
        version,
        clean_start,
        keep_alive_secs,
        client_id,
        will: None,
        user_name: None,
        password: None,
        session_expiry_secs: 0,
        receive_maximum: u16::MAX,
        packet_size_max: u32::MAX,
        topic_alias_maximum: 0, // [MQTT-3.1.2-27]
        request_response_information: false,
        request_problem_information: true,
        authentication_method: None,
        authentication_data: Vec::new(),
    }
}

fn will_v5(will: v5::LastWill) -> ConnectWill {
    let (delay, expiry) = will.properties.map_or((None, None), |of| (of.delay_interval, of.message_expiry_interval));
    ConnectWill {
        topic: will.topic,
        payload: will.message.to_vec(),
        qos: qos(will.qos),
        retain: will.retain,
        delay_secs: delay.unwrap_or(0), // section 3.1.3.2.2
        expiry_secs: expiry,
        properties: Vec::new(),
    }
}

/// Reads a checked SUBSCRIBE.
pub(crate) fn subscribe(body: &[u8], version: ProtocolVersion) -> Result<Subscribe> {
    let (header, bytes) = packet(0x82, |buffer| buffer.put_slice(body), body.len());
    if !version.is_v5() {
        let packet = v4::Subscribe::read(header, bytes).map_err(|_| LOST)?;
        let filters = packet.filters.into_iter();
        let filters = filters.map(|filter| (filter.path, SubscriptionOptions::qos(qos(filter.qos)))).collect();
        return Ok(Subscribe { packet_id: packet.pkid, subscription_id: None, filters });
    }
    let packet = v5::Subscribe::read(header, bytes).map_err(|_| LOST)?;
    let subscription_id = packet.properties.and_then(|properties| properties.id).map(|id| id as u32);
    let filters = packet.filters.into_iter().map(filter_v5).collect();
    Ok(Subscribe { packet_id: packet.pkid, subscription_id, filters })
}

fn filter_v5(filter: v5::SubscribeFilter) -> (String, SubscriptionOptions) {
    let options = SubscriptionOptions {
        qos: qos(filter.qos),
        no_local: filter.nolocal,
        retain_as_published: filter.preserve_retain,
        retain_handling: match filter.retain_forward_rule {
            v5::RetainForwardRule::OnEverySubscribe => RetainHandling::Always,
            v5::RetainForwardRule::OnNewSubscribe => RetainHandling::IfNew,
            v5::RetainForwardRule::Never => RetainHandling::Never,
        },
    };
    (filter.path, options)
}

/// Reads the checked list of filters of an UNSUBSCRIBE, as 3.1.1 has it: without properties.
pub(crate) fn unsubscribe(packet_id: u16, list: &[u8]) -> Result<Unsubscribe> {
    let write = |buffer: &mut BytesMut| {
        buffer.put_u16(packet_id);
        buffer.put_slice(list);
    };
    let (header, bytes) = packet(0xA2, write, 2 + list.len());
    let packet = v4::Unsubscribe::read(header, bytes).map_err(|_| LOST)?;
    Ok(Unsubscribe { packet_id: packet.pkid, filters: packet.topics })
}

/// Appends what `write` writes. It can only fail for more than 256 MiB, which no answer reaches.
fn append(out: &mut Vec<u8>, write: impl FnOnce(&mut BytesMut) -> std::result::Result<usize, mqttbytes::Error>) {
    let mut buffer = BytesMut::new();
    if write(&mut buffer).is_ok() {
        out.extend_from_slice(&buffer);
    }
}

/// The text, if its length can be written.
fn text(text: Option<&str>) -> Option<String> {
    text.filter(|text| u16::try_from(text.len()).is_ok()).map(str::to_owned)
}

/// Appends CONNACK. 3.x gets the nearest of its return codes; 5.0 gets 0x80 for a code that CONNACK cannot have.
pub fn encode_connack(out: &mut Vec<u8>, version: ProtocolVersion, connack: &ConnAck) {
    let session_present = connack.session_present
        && connack.reason == ReasonCode::SUCCESS // [MQTT-3.2.2-6]
        && version != ProtocolVersion::V31;
    if !version.is_v5() {
        let code = match connack.reason.v3_connack() {
            0 => v4::ConnectReturnCode::Success,
            1 => v4::ConnectReturnCode::RefusedProtocolVersion,
            2 => v4::ConnectReturnCode::BadClientId,
            4 => v4::ConnectReturnCode::BadUserNamePassword,
            5 => v4::ConnectReturnCode::NotAuthorized,
            _ => v4::ConnectReturnCode::ServiceUnavailable,
        };
        return append(out, |buffer| v4::ConnAck::new(code, session_present).write(buffer));
    }
    let properties = v5::ConnAckProperties {
        session_expiry_interval: connack.session_expiry_secs,
        receive_max: connack.receive_maximum,
        max_packet_size: connack.packet_size_max,
        assigned_client_identifier: text(connack.assigned_client_id.as_deref()),
        topic_alias_max: Some(connack.topic_alias_maximum).filter(|&maximum| maximum > 0),
        reason_string: text(connack.reason_string.as_deref()),
        server_keep_alive: connack.server_keep_alive_secs,
        response_information: text(connack.response_information.as_deref()),
        authentication_method: text(connack.authentication_method.as_deref()),
        authentication_data: Some(&connack.authentication_data)
            .filter(|data| !data.is_empty() && u16::try_from(data.len()).is_ok())
            .map(|data| Bytes::copy_from_slice(data)),
        ..v5::ConnAckProperties::new()
    };
    let code = connack_code(connack.reason);
    append(out, |buffer| v5::ConnAck { session_present, code, properties: Some(properties) }.write(buffer));
}

/// Table 3-1 [MQTT-3.2.2-8]. A server that shuts down says that it is unavailable.
fn connack_code(reason: ReasonCode) -> v5::ConnectReturnCode {
    use v5::ConnectReturnCode as Code;
    match reason {
        ReasonCode::SUCCESS => Code::Success,
        ReasonCode::MALFORMED_PACKET => Code::MalformedPacket,
        ReasonCode::PROTOCOL_ERROR => Code::ProtocolError,
        ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR => Code::ImplementationSpecificError,
        ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => Code::UnsupportedProtocolVersion,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID => Code::ClientIdentifierNotValid,
        ReasonCode::BAD_USER_NAME_OR_PASSWORD => Code::BadUserNamePassword,
        ReasonCode::NOT_AUTHORIZED => Code::NotAuthorized,
        ReasonCode::SERVER_UNAVAILABLE | ReasonCode::SERVER_SHUTTING_DOWN => Code::ServerUnavailable,
        ReasonCode::SERVER_BUSY => Code::ServerBusy,
        ReasonCode::BANNED => Code::Banned,
        ReasonCode::BAD_AUTHENTICATION_METHOD => Code::BadAuthenticationMethod,
        ReasonCode::TOPIC_NAME_INVALID => Code::TopicNameInvalid,
        ReasonCode::PACKET_TOO_LARGE => Code::PacketTooLarge,
        ReasonCode::QUOTA_EXCEEDED => Code::QuotaExceeded,
        ReasonCode::PAYLOAD_FORMAT_INVALID => Code::PayloadFormatInvalid,
        ReasonCode::RETAIN_NOT_SUPPORTED => Code::RetainNotSupported,
        ReasonCode::QOS_NOT_SUPPORTED => Code::QoSNotSupported,
        ReasonCode::USE_ANOTHER_SERVER => Code::UseAnotherServer,
        ReasonCode::SERVER_MOVED => Code::ServerMoved,
        ReasonCode::CONNECTION_RATE_EXCEEDED => Code::ConnectionRateExceeded,
        _ => Code::UnspecifiedError,
    }
}

/// Appends SUBACK, one reason for each filter [MQTT-3.8.4-6] and in their order [MQTT-3.9.3-1]. 3.x gets 0x80 for every
/// failure; 5.0 gets it for a code that SUBACK cannot have [MQTT-3.9.3-2].
pub fn encode_suback(out: &mut Vec<u8>, version: ProtocolVersion, packet_id: u16, reasons: &[ReasonCode]) {
    if version.is_v5() {
        use v5::SubscribeReasonCode as Code;
        let codes = reasons.iter().map(|reason| Code::try_from(reason.0).unwrap_or(Code::Unspecified)).collect();
        return append(out, |buffer| v5::SubAck::new(packet_id, codes).write(buffer));
    }
    use v4::SubscribeReasonCode as Code;
    let codes = reasons.iter().map(|reason| Code::try_from(reason.0).unwrap_or(Code::Failure)).collect();
    append(out, |buffer| v4::SubAck::new(packet_id, codes).write(buffer));
}

/// Appends UNSUBACK, one reason for each filter and in their order [MQTT-3.11.3-1]. 3.x has no reasons; 5.0 gets 0x80
/// for a code that UNSUBACK cannot have [MQTT-3.11.3-2].
pub fn encode_unsuback(out: &mut Vec<u8>, version: ProtocolVersion, packet_id: u16, reasons: &[ReasonCode]) {
    if !version.is_v5() {
        return append(out, |buffer| v4::UnsubAck::new(packet_id).write(buffer));
    }
    let reasons = reasons.iter().map(|&reason| unsuback_code(reason)).collect();
    append(out, |buffer| v5::UnsubAck { pkid: packet_id, reasons, properties: None }.write(buffer));
}

fn unsuback_code(reason: ReasonCode) -> v5::UnsubAckReason {
    use v5::UnsubAckReason as Code;
    match reason {
        ReasonCode::SUCCESS => Code::Success,
        ReasonCode::NO_SUBSCRIPTION_EXISTED => Code::NoSubscriptionExisted,
        ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR => Code::ImplementationSpecificError,
        ReasonCode::NOT_AUTHORIZED => Code::NotAuthorized,
        ReasonCode::TOPIC_FILTER_INVALID => Code::TopicFilterInvalid,
        ReasonCode::PACKET_IDENTIFIER_IN_USE => Code::PacketIdentifierInUse,
        _ => Code::UnspecifiedError,
    }
}

/// Appends DISCONNECT, which a server sends in 5.0 only. 0x80 stands for a code that DISCONNECT cannot have
/// [MQTT-3.14.2-1].
pub fn encode_disconnect(out: &mut Vec<u8>, reason: ReasonCode, reason_string: Option<&str>) {
    use v5::DisconnectReasonCode as Code;
    let reason_code = Code::try_from(reason.0).unwrap_or(Code::UnspecifiedError);
    let properties = text(reason_string)
        .map(|reason| v5::DisconnectProperties { reason_string: Some(reason), ..v5::DisconnectProperties::new() });
    append(out, |buffer| v5::Disconnect { reason_code, properties }.write(buffer));
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
