//! Which messages are in flight to a client?
//!
//! A ring indexed by position. The packet id follows from the position, 1 + position mod 65,535, so that a message keeps
//! its id over a crash at no cost [MQTT-4.4.0-1], and two messages in the ring never share one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::change::Position;
use crate::message::Message;
use crate::planted::{Bug, has, packet_ids};
use crate::seat::Item;

/// How far one message is.
#[derive(Debug)]
pub(crate) enum Slot {
    /// Finished, or never sent.
    Done,
    /// Was in flight over an earlier connection and has not been sent again yet.
    Waiting,
    /// On its way: QoS 1 until PUBACK, QoS 2 until PUBREC.
    Sent(Item),
    /// QoS 2: PUBREC has come; until PUBCOMP.
    Released,
    /// The same, over an earlier connection: of this connection's Receive Maximum it costs nothing.
    Owed,
}

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Window {
    base: Position,
    slots: VecDeque<Slot>,
    in_flight: usize,
    bytes: usize,
}

/// The packet id of a position [MQTT-2.2.1-4].
pub(crate) fn packet_id(position: Position) -> u16 {
    u16::try_from(position % packet_ids()).unwrap_or(0) + 1
}

impl Window {
    /// Messages in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Bytes in flight.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All positions below this one are done, as far as the window knows; 0 if nothing is in it.
    pub fn low(&self) -> Position {
        self.base
    }

    /// Whether a message of that position may be put in: its packet id is free.
    pub fn accepts(&self, position: Position) -> bool {
        self.slots.is_empty() || position.saturating_sub(self.base) < packet_ids() || has(Bug::PacketIdInUse)
    }

    fn make_room(&mut self, position: Position) {
        if self.slots.is_empty() {
            self.base = position;
        }
        while self.base + (self.slots.len() as u64) < position {
            // a gap: messages that were dropped or were done before a restart
            self.slots.push_back(Slot::Done);
        }
    }

    /// A session resumes: which positions will be sent again, and which have come as far as PUBREC. `low` is the position
    /// below which all is done.
    pub fn restore(&mut self, low: Position, waiting: impl Iterator<Item = Position>, released: &[Position]) {
        let mut all: Vec<(Position, bool)> = waiting.map(|position| (position, false)).collect();
        all.extend(released.iter().map(|&position| (position, true)));
        all.sort_unstable();
        self.base = all.first().map_or(low, |first| first.0);
        for (position, is_released) in all {
            self.make_room(position);
            self.slots.push_back(if is_released { Slot::Owed } else { Slot::Waiting });
        }
    }

    /// Puts a message in that is about to be sent. Positions rise, but for those that [`Window::restore`] has seen.
    pub fn insert(&mut self, item: Item) {
        self.in_flight += 1;
        self.bytes += item.size as usize;
        self.place(item.position, Slot::Sent(item));
    }

    /// A message will not be sent.
    pub fn skip(&mut self, position: Position) {
        self.place(position, Slot::Done);
        self.trim();
    }

    fn place(&mut self, position: Position, slot: Slot) {
        let known = position.checked_sub(self.base).and_then(|index| usize::try_from(index).ok());
        match known.and_then(|index| self.slots.get_mut(index)) {
            Some(old) => *old = slot,
            None => {
                self.make_room(position);
                self.slots.push_back(slot);
            }
        }
    }

    fn index_of(&self, id: u16) -> Option<usize> {
        let want = u64::from(id.checked_sub(1)?);
        let ids = packet_ids();
        let offset = (want + ids - self.base % ids) % ids;
        let index = usize::try_from(offset).ok()?;
        (index < self.slots.len()).then_some(index)
    }

    /// The slot of a packet id, with its position.
    pub fn get(&self, id: u16) -> Option<(Position, &Slot)> {
        let index = self.index_of(id)?;
        Some((self.base + index as u64, &self.slots[index]))
    }

    /// Ends an exchange; gives back its message if it had one still.
    pub fn finish(&mut self, id: u16) -> Option<Item> {
        let index = self.index_of(id)?;
        let old = std::mem::replace(&mut self.slots[index], Slot::Done);
        let item = match old {
            Slot::Done => return None,
            Slot::Waiting => {
                self.slots[index] = Slot::Waiting; // it was sent over an earlier connection, and will be sent again
                return None;
            }
            Slot::Owed => {
                self.trim();
                return None;
            }
            Slot::Released => None,
            Slot::Sent(item) => Some(item),
        };
        self.in_flight -= 1;
        self.bytes -= item.as_ref().map_or(0, |item| item.size as usize);
        self.trim();
        item
    }

    /// PUBREC has come: the message itself is not needed any more.
    pub fn release(&mut self, id: u16) -> Option<Item> {
        let index = self.index_of(id)?;
        if !matches!(self.slots[index], Slot::Sent(_)) {
            return None;
        }
        let Slot::Sent(item) = std::mem::replace(&mut self.slots[index], Slot::Released) else { return None };
        self.bytes -= item.size as usize;
        Some(item)
    }

    /// The PUBLISH has been written: from now on it carries DUP [MQTT-3.3.1-1].
    pub fn mark_sent(&mut self, id: u16) {
        if let Some(Slot::Sent(item)) = self.index_of(id).and_then(|index| self.slots.get_mut(index)) {
            item.dup = true;
        }
    }

    /// The message that a packet id stands for.
    pub fn message(&self, id: u16) -> Option<&Arc<Message>> {
        match self.get(id)?.1 {
            Slot::Sent(item) => item.body.as_ref(),
            _ => None,
        }
    }

    fn trim(&mut self) {
        while matches!(self.slots.front(), Some(Slot::Done)) {
            self.slots.pop_front();
            self.base += 1;
        }
        if self.slots.is_empty() && self.slots.capacity() > 128 {
            self.slots = VecDeque::new();
        }
    }

    /// Empties the ring: messages that were sent and not answered, in order, and the positions that were released.
    pub fn unload(&mut self) -> (Vec<Item>, Vec<Position>) {
        let (mut sent, mut released) = (Vec::new(), Vec::new());
        for (index, slot) in std::mem::take(&mut self.slots).into_iter().enumerate() {
            match slot {
                Slot::Done | Slot::Waiting => {}
                Slot::Sent(item) => sent.push(item),
                Slot::Released | Slot::Owed => released.push(self.base + index as u64),
            }
        }
        (self.in_flight, self.bytes) = (0, 0);
        (sent, released)
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
