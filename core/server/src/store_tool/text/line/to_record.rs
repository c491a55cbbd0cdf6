//! Which record does a line say?

use hikyaku_broker::ledger::{MessageRecord, PayloadRecord, Record};
use hikyaku_broker::{Phase, Receipt, SessionRecord};
use hikyaku_traits::Will;
use hikyaku_types::{ProtocolVersion, Qos, RetainHandling, SubscriptionOptions};

use super::{
    Body, Bytes, End, Handling, Line, Message, Meta, Outbound, Payload, PhaseName, Progress, Property, Protocol,
    Received, Receiver, RetainedBody, Session, Subscription, WillLine,
};

/// What a line says.
pub enum Said {
    /// A record, and whether it is of a separate store of retained messages.
    Record(Record, bool),
    /// This was all.
    End(End),
}

impl Line {
    /// What it says, or what is wrong with it.
    pub fn said(self) -> Result<Said, String> {
        let mut is_separate = false;
        let record = match self {
            Self::End(end) => return Ok(Said::End(end)),
            Self::Meta(Meta { name, number }) => Record::Meta { name, number },
            Self::RetainedMeta(Meta { name, number }) => {
                is_separate = true;
                Record::Meta { name, number }
            }
            Self::Session(session) => Record::Session(session.record()),
            Self::Subscription(subscription) => subscription.record()?,
            Self::Message(mut message) => {
                let receivers = message.receivers.take().ok_or("missing field `receivers`")?;
                Record::Message {
                    message: message.record()?,
                    receivers: receivers.into_iter().map(Receiver::receipt).collect::<Result<_, _>>()?,
                }
            }
            Self::Body(Body { message_id, payload }) => Record::Body { message_id, payload: payload.bytes()? },
            Self::Progress(Progress { session, low, sent_mark, done }) => {
                Record::Progress { session, low, sent_mark, done }
            }
            Self::Received(Received { session, packet_id }) => Record::Received { session, packet_id },
            Self::Outbound(Outbound { session, packet_id, position, message_id, phase }) => {
                let phase = if matches!(phase, PhaseName::Sent) { Phase::Sent } else { Phase::Released };
                Record::Outbound { session, packet_id, position, message_id, phase }
            }
            Self::Will(will) => will.record()?,
            Self::Retained(message) if message.receivers.is_some() => {
                return Err("a retained message has no receivers".to_owned());
            }
            Self::Retained(message) => Record::Retained(message.record()?),
            Self::RetainedBody(RetainedBody { topic, payload }) => {
                Record::RetainedBody { topic, payload: payload.bytes()? }
            }
        };
        Ok(Said::Record(record, is_separate))
    }
}

fn qos(bits: u8) -> Result<Qos, String> {
    Qos::from_bits(bits).ok_or_else(|| format!("there is no QoS {bits}"))
}

impl Session {
    fn record(self) -> SessionRecord {
        SessionRecord {
            number: self.number,
            client_id: self.client_id.into(),
            epoch: self.epoch,
            protocol: match self.protocol {
                Protocol::V31 => ProtocolVersion::V31,
                Protocol::V311 => ProtocolVersion::V311,
                Protocol::V5 => ProtocolVersion::V5,
            },
            expiry_secs: self.expiry_secs,
            parked_since_ms: self.parked_since.map(|time| time.0),
        }
    }
}

impl Subscription {
    fn record(self) -> Result<Record, String> {
        let options = SubscriptionOptions {
            qos: qos(self.qos)?,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: match self.retain_handling {
                Handling::Always => RetainHandling::Always,
                Handling::IfNew => RetainHandling::IfNew,
                Handling::Never => RetainHandling::Never,
            },
        };
        let (session, filter, subscription_id) = (self.session, self.filter, self.identifier);
        Ok(Record::Subscription { session, filter, options, subscription_id })
    }
}

impl Message {
    fn record(self) -> Result<MessageRecord, String> {
        Ok(MessageRecord {
            id: self.id,
            qos: qos(self.qos)?,
            retain: self.retain,
            expires_at_ms: self.expires_at.map(|time| time.0),
            topic: self.topic,
            properties: Property::block(self.properties)?,
            payload: match self.payload {
                Payload::Text(text) => PayloadRecord::Here(Bytes::Text(text).bytes()?),
                Payload::Base64(text) => PayloadRecord::Here(Bytes::Base64(text).bytes()?),
                Payload::ApartBytes(bytes) => PayloadRecord::Apart(bytes),
            },
        })
    }
}

impl Receiver {
    fn receipt(self) -> Result<Receipt, String> {
        let (session, position, retain) = (self.session, self.position, self.retain);
        Ok(Receipt { session, position, qos: qos(self.qos)?, retain, subscription_ids: self.identifiers.into() })
    }
}

impl WillLine {
    fn record(self) -> Result<Record, String> {
        let will = Will {
            topic: self.topic,
            payload: self.payload.bytes()?.into(),
            qos: qos(self.qos)?,
            retain: self.retain,
            delay_secs: self.delay_secs,
            expiry_secs: self.expiry_secs,
            properties: Property::block(self.properties)?.into(),
        };
        let due_at_ms = self.due_at.map(|time| time.0);
        Ok(Record::Will { session: self.session, will: Box::new(will), due_at_ms })
    }
}
