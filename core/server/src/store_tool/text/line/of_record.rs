//! What does the line of a record look like?

use hikyaku_broker::ledger::{MessageRecord, PayloadRecord, Record};
use hikyaku_broker::{Phase, Receipt, SessionRecord};
use hikyaku_traits::Will;
use hikyaku_types::{ProtocolVersion, RetainHandling};

use super::{
    Body, Bytes, Handling, Line, Message, Meta, Outbound, Payload, PhaseName, Progress, Property, Protocol, Received,
    Receiver, RetainedBody, Session, Subscription, Time, WillLine,
};

/// The line of a record; `is_separate`: it is of the store of retained messages, and that is another one.
pub fn line_of(record: Record, is_separate: bool) -> Line {
    match record {
        Record::Meta { name, number } if is_separate => Line::RetainedMeta(Meta { name, number }),
        Record::Meta { name, number } => Line::Meta(Meta { name, number }),
        Record::Session(session) => Line::Session(session_line(session)),
        Record::Subscription { session, filter, options, subscription_id } => Line::Subscription(Subscription {
            session,
            filter,
            qos: options.qos.bits(),
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            retain_handling: match options.retain_handling {
                RetainHandling::Always => Handling::Always,
                RetainHandling::IfNew => Handling::IfNew,
                RetainHandling::Never => Handling::Never,
            },
            identifier: subscription_id,
        }),
        Record::Message { message, receivers } => {
            let receivers = receivers.into_iter().map(receiver_line).collect();
            Line::Message(Message { receivers: Some(receivers), ..message_line(message) })
        }
        Record::Body { message_id, payload } => Line::Body(Body { message_id, payload: Bytes::of(&payload) }),
        Record::Progress { session, low, sent_mark, done } => {
            Line::Progress(Progress { session, low, sent_mark, done })
        }
        Record::Received { session, packet_id } => Line::Received(Received { session, packet_id }),
        Record::Outbound { session, packet_id, position, message_id, phase } => {
            let phase = if phase == Phase::Sent { PhaseName::Sent } else { PhaseName::Released };
            Line::Outbound(Outbound { session, packet_id, position, message_id, phase })
        }
        Record::Will { session, will, due_at_ms } => Line::Will(will_line(session, *will, due_at_ms)),
        Record::Retained(message) => Line::Retained(message_line(message)),
        Record::RetainedBody { topic, payload } => {
            Line::RetainedBody(RetainedBody { topic, payload: Bytes::of(&payload) })
        }
    }
}

fn session_line(session: SessionRecord) -> Session {
    Session {
        client_id: (*session.client_id).into(),
        number: session.number,
        epoch: session.epoch,
        protocol: match session.protocol {
            ProtocolVersion::V31 => Protocol::V31,
            ProtocolVersion::V311 => Protocol::V311,
            ProtocolVersion::V5 => Protocol::V5,
        },
        expiry_secs: session.expiry_secs,
        parked_since: session.parked_since_ms.map(Time),
    }
}

fn message_line(message: MessageRecord) -> Message {
    Message {
        id: message.id,
        topic: message.topic,
        qos: message.qos.bits(),
        retain: message.retain,
        expires_at: message.expires_at_ms.map(Time),
        properties: Property::all_of(&message.properties),
        receivers: None,
        payload: match message.payload {
            PayloadRecord::Here(payload) => match Bytes::of(&payload) {
                Bytes::Text(text) => Payload::Text(text),
                Bytes::Base64(text) => Payload::Base64(text),
            },
            PayloadRecord::Apart(bytes) => Payload::ApartBytes(bytes),
        },
    }
}

fn receiver_line(receipt: Receipt) -> Receiver {
    Receiver {
        session: receipt.session,
        position: receipt.position,
        qos: receipt.qos.bits(),
        retain: receipt.retain,
        identifiers: receipt.subscription_ids.into_vec(),
    }
}

fn will_line(session: u64, will: Will, due_at_ms: Option<u64>) -> WillLine {
    WillLine {
        session,
        topic: will.topic,
        qos: will.qos.bits(),
        retain: will.retain,
        delay_secs: will.delay_secs,
        expiry_secs: will.expiry_secs,
        due_at: due_at_ms.map(Time),
        properties: Property::all_of(&will.properties),
        payload: Bytes::of(&will.payload),
    }
}
