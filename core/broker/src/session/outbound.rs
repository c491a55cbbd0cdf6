//! What does the client get next? Sections 4.3 to 4.6 and 4.9 of the standard.

use std::sync::Arc;

use hikyaku_protocol::PublishOut;
use hikyaku_types::{Now, Qos};
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::{PENDING, Session};
use crate::change::{Change, Phase, Position, Receipt};
use crate::hub::Hub;
use crate::journal::Entry;
use crate::message::Message;
use crate::planted::{Bug, has};
use crate::seat::Item;
use crate::turn::Turn;
use crate::window::{Slot, packet_id};

/// A message that was read from the store for a session.
#[derive(Clone, Debug)]
pub struct PageItem {
    /// Its place in the session's queue.
    pub position: Position,
    /// The message.
    pub message: Arc<Message>,
    /// The RETAIN flag that the receiver sees.
    pub retain: bool,
    /// The Subscription Identifiers that the receiver sees.
    pub subscription_ids: SmallVec<[u32; 1]>,
}

impl PageItem {
    /// A message as a session's receipts name it: one item for each. Overlapping shared and plain subscriptions make two.
    pub fn each(message: &Arc<Message>, receipts: Vec<Receipt>) -> impl Iterator<Item = Self> {
        receipts.into_iter().map(|receipt| Self {
            position: receipt.position,
            message: message.clone(),
            retain: receipt.retain,
            subscription_ids: receipt.subscription_ids,
        })
    }
}

/// Bytes of bodies that one page may bring.
const PAGE_BYTES: usize = 256 << 10;
/// What the Topic Alias property adds to a packet at most: itself, and a byte more for each of the two lengths around it.
const ALIAS_BYTES: usize = 5;
/// Messages of one page.
const PAGE_MESSAGES: usize = 512;

impl Session {
    /// Sends what waits, as far as the client's Receive Maximum and the out-buffer allow. What it appends is in `turn`.
    pub fn deliver(&mut self, hub: &Hub, now: Now, turn: &mut Turn, out: &mut Vec<u8>) {
        let room = self.room(hub);
        let mut qos0 = ThinVec::new();
        let looks_again;
        {
            let mut mail = self.seat.mail.lock();
            std::mem::swap(&mut qos0, &mut mail.qos0);
            mail.qos0_bytes = 0;
            if self.ready.is_empty() && self.page.is_empty() && room > 0 {
                mail.take(room.min(PAGE_MESSAGES), PAGE_BYTES, self.seat.stored, &mut self.ready, &mut self.page);
            }
            looks_again = self.seat.stored && mail.waits_for_append(self.pushed_unseen);
            if !mail.is_half_full(&hub.limits) {
                mail.slow_since_ms = None;
            }
        }
        if looks_again {
            hub.wake_at_commit(&self.seat);
        }
        for item in qos0.drain(..) {
            let Some(message) = &item.body else { continue };
            if message.is_expired(now.wall_ms) {
                hub.counters.dropped_expired.add(1);
                continue;
            }
            self.encode(hub, &item, message, 0, now, out);
        }
        self.give_back(qos0);
        while !self.ready.is_empty() && out.len() < hub.limits.output_buffer_bytes_max {
            if self.room(hub) == 0 {
                break;
            }
            let Some(item) = self.ready.pop_front() else { break };
            if !self.window.accepts(item.position) {
                self.ready.push_front(item); // its packet id is still in use, 65,535 positions ago
                break;
            }
            self.send_queued(hub, item, now, turn, out);
        }
    }

    /// Gives the emptied list of QoS 0 messages back to the mailbox, so that it need not grow anew each time.
    fn give_back(&self, list: ThinVec<Item>) {
        if list.capacity() == 0 || list.capacity() > 4096 {
            return;
        }
        let mut mail = self.seat.mail.lock();
        if mail.qos0.capacity() == 0 {
            mail.qos0 = list;
        }
    }

    /// How many messages of QoS 1 and 2 may be sent now [MQTT-3.3.4-9].
    fn room(&self, hub: &Hub) -> usize {
        if self.window.bytes() >= hub.limits.inflight_bytes_max {
            return 0;
        }
        self.receive_maximum.saturating_sub(self.window.in_flight())
    }

    fn send_queued(&mut self, hub: &Hub, item: Item, now: Now, turn: &mut Turn, out: &mut Vec<u8>) {
        let Some(message) = item.body.clone() else {
            self.window.skip(item.position);
            return;
        };
        if message.is_expired(now.wall_ms) && !item.sent_durably && !item.dup && !has(Bug::SendExpired) {
            hub.counters.dropped_expired.add(1); // [MQTT-3.3.2-5]
            return self.drop_queued(&item, turn);
        }
        if self.publish_out(&item, &message, packet_id(item.position), now).size() > self.packet_size_max {
            hub.counters.dropped_too_large.add(1); // [MQTT-3.1.2-25]
            return self.drop_queued(&item, turn);
        }
        let (position, waits) = (item.position, self.seat.stored && item.qos == Qos::ExactlyOnce && !item.sent_durably);
        let (qos, message_id) = (item.qos, item.message_id);
        let mut item = item;
        item.sent_durably |= waits;
        self.window.insert(item);
        if waits {
            let (session, packet_id, phase) = (self.seat.number, packet_id(position), Phase::Sent);
            turn.entries.push(Entry::Change(Change::Outbound { session, packet_id, position, message_id, phase }));
            turn.binds = true;
            self.gate.push_back((PENDING, position));
        } else if self.gate.is_empty() {
            self.encode_from_window(hub, position, now, out);
        } else {
            debug_assert!(qos != Qos::AtMostOnce, "QoS 0 has no position");
            self.gate.push_back((0, position)); // behind what waits for the disk: order is kept [MQTT-4.6.0-5]
        }
    }

    /// A queued message will not be sent.
    fn drop_queued(&mut self, item: &Item, turn: &mut Turn) {
        self.window.skip(item.position);
        self.done(item, turn);
        if item.sent_durably && self.seat.stored {
            let (session, packet_id) = (self.seat.number, packet_id(item.position));
            turn.entries.push(Entry::Change(Change::Completed { session, packet_id }));
        }
    }

    /// Writes the PUBLISH of a position that is in the window.
    pub(super) fn encode_from_window(&mut self, hub: &Hub, position: Position, now: Now, out: &mut Vec<u8>) {
        let id = packet_id(position);
        let Some((_, Slot::Sent(item))) = self.window.get(id) else { return };
        let (item, Some(message)) = (item.clone(), self.window.message(id).cloned()) else { return };
        self.encode(hub, &item, &message, id, now, out);
        self.window.mark_sent(id);
    }

    fn encode(&mut self, hub: &Hub, item: &Item, message: &Message, packet_id: u16, now: Now, out: &mut Vec<u8>) {
        let mut packet = self.publish_out(item, message, packet_id, now);
        if packet.size() > self.packet_size_max {
            hub.counters.dropped_too_large.add(1);
            return;
        }
        if self.aliases_out_max > 0 {
            let known = self.aliases_out.get(message.topic()).copied();
            if known.is_some() {
                packet.topic = b"";
                packet.topic_alias = known;
                if packet.size() > self.packet_size_max {
                    (packet.topic, packet.topic_alias) = (message.topic_bytes(), None); // the alias is longer than the topic
                }
            } else if packet.size() + ALIAS_BYTES <= self.packet_size_max {
                packet.topic_alias = self.new_alias(message.topic());
            }
        }
        packet.encode(out);
        hub.counters.messages_sent.add(1);
    }

    fn new_alias(&mut self, topic: &str) -> Option<u16> {
        let next = u16::try_from(self.aliases_out.len()).ok()? + 1;
        if next > self.aliases_out_max || topic.len() < 3 {
            return None; // [MQTT-3.1.2-26]
        }
        self.aliases_out.insert(topic.into(), next);
        Some(next)
    }

    fn publish_out<'a>(&self, item: &'a Item, message: &'a Message, packet_id: u16, now: Now) -> PublishOut<'a> {
        let left = message.expires_at().map(|at| at.saturating_sub(now.wall_ms).div_ceil(1000)); // [MQTT-3.3.2-6]
        PublishOut {
            version: self.version,
            qos: item.qos,
            dup: item.dup && item.qos != Qos::AtMostOnce, // [MQTT-3.3.1-1] [MQTT-3.3.1-2]
            retain: item.retain,
            packet_id,
            topic: message.topic_bytes(),
            topic_alias: None,
            message_expiry_secs: left.map(|secs| u32::try_from(secs).unwrap_or(u32::MAX)),
            subscription_ids: &item.subscription_ids,
            properties: message.properties(),
            payload: message.payload(),
        }
    }

    /// The ids of messages whose bodies this session needs from the store; answer with [`Session::on_page`]. Empty: none,
    /// or a question is under way.
    pub fn fetch(&mut self) -> Vec<u64> {
        if self.fetching || self.page.is_empty() || !self.ready.is_empty() {
            return Vec::new();
        }
        self.fetching = true;
        self.page.iter().map(|item| item.message_id).collect()
    }

    /// The answer to [`Session::fetch`]; `None`: the store could not answer, ask again later.
    pub fn on_page(&mut self, hub: &Hub, page: Option<Vec<PageItem>>, turn: &mut Turn) {
        self.fetching = false;
        let Some(page) = page else { return };
        let mut found = page;
        found.sort_unstable_by_key(|row| row.position);
        for mut item in std::mem::take(&mut self.page) {
            match found.binary_search_by_key(&item.position, |row| row.position) {
                Ok(index) => {
                    let row = &found[index];
                    item.body = Some(row.message.clone());
                    item.retain = row.retain;
                    item.subscription_ids = row.subscription_ids.clone();
                    self.ready.push_back(item);
                }
                Err(_) => {
                    hub.counters.bodies_missing.add(1);
                    self.drop_queued(&item, turn);
                }
            }
        }
    }

    /// Whether there is something to send that nothing but the out-buffer holds back.
    #[must_use]
    pub fn can_send(&self, hub: &Hub) -> bool {
        let has_room = self.room(hub) > 0;
        if let Some(next) = self.ready.front() {
            return has_room && self.window.accepts(next.position);
        }
        let mail = self.seat.mail.lock();
        !mail.qos0.is_empty() || has_room && self.page.is_empty() && mail.has_next(self.seat.stored)
    }
}
