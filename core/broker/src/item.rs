//! What is a message on its way to one receiver?

use std::sync::Arc;

use hikyaku_types::Qos;
use smallvec::SmallVec;

use crate::change::{Position, Receipt};
use crate::message::{Message, NOT_APPENDED};
use crate::seat::Seat;
use crate::tree::Group;

/// A message on its way to one receiver.
#[derive(Clone, Debug)]
pub struct Item {
    /// The message; `None`: its body is in the store.
    pub body: Option<Arc<Message>>,
    /// Its id; 0 for one that is not stored.
    pub message_id: u64,
    /// Its place in the queue; 0 for QoS 0.
    pub position: Position,
    /// Bytes of it, as limits count.
    pub size: u32,
    /// The effective QoS.
    pub qos: Qos,
    /// The RETAIN flag that the receiver sees.
    pub retain: bool,
    /// It may have been sent before.
    pub dup: bool,
    /// It is QoS 2 and the store knows that it was sent: it neither expires nor moves.
    pub sent_durably: bool,
    /// The Subscription Identifiers that the receiver sees.
    pub subscription_ids: SmallVec<[u32; 1]>,
    /// The shared subscription that it came through.
    pub(crate) share: Option<Arc<Group<Arc<Seat>>>>,
}

/// A queued message whose body is on disk.
#[derive(Clone, Copy, Debug)]
pub struct StoredEntry {
    pub(crate) position: Position,
    pub(crate) message_id: u64,
    pub(crate) size: u32,
    pub(crate) qos: Qos,
    pub(crate) dup: bool,
}

impl StoredEntry {
    pub(crate) fn into_item(self) -> Item {
        Item {
            body: None,
            message_id: self.message_id,
            position: self.position,
            size: self.size,
            qos: self.qos,
            retain: false,
            dup: self.dup,
            sent_durably: false,
            subscription_ids: SmallVec::new(),
            share: None,
        }
    }
}

/// How a message reaches a receiver.
pub(crate) struct Delivery<'a> {
    pub message: &'a Arc<Message>,
    pub qos: Qos,
    pub retain: bool,
    pub subscription_ids: &'a [u32],
    pub share: Option<&'a Arc<Group<Arc<Seat>>>>,
}

/// What became of a delivery.
pub(crate) enum Pushed {
    /// It waits in memory only.
    Held,
    /// It waits, and the store must know.
    Stored(Receipt),
    /// No room, or nobody there.
    Refused,
}

pub(crate) fn item_of(delivery: &Delivery<'_>, position: Position, size: usize) -> Item {
    Item {
        body: Some(delivery.message.clone()),
        message_id: delivery.message.id,
        position,
        size: u32::try_from(size).unwrap_or(u32::MAX),
        qos: delivery.qos,
        retain: delivery.retain,
        dup: false,
        sent_durably: false,
        subscription_ids: SmallVec::from_slice(delivery.subscription_ids),
        share: delivery.share.cloned(),
    }
}

pub(crate) fn is_durable(message: &Message, watermark: u64) -> bool {
    let batch = message.batch();
    batch != NOT_APPENDED && batch <= watermark
}
