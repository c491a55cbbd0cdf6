//! Which counters must never go back?

use hikyaku_traits::Table;

use super::FORMAT;
use super::batch::Builder;
use super::codec::{Reader, Write};
use super::key;
use super::recover::Place;

/// How many message ids are reserved at a time.
const MESSAGE_IDS_RESERVED: u64 = 1 << 16;

/// How often the clock is noted, at most.
const CLOCK_STEP_MS: u64 = 1000;

/// The version of the values.
const VERSION: u8 = 1;

/// What the meta table holds. Ids of messages are reserved in steps, so that not each of them writes its counter.
#[derive(Clone, Debug, Default)]
pub(super) struct Meta {
    /// The store has told, or been told, its format.
    pub has_format: [bool; 2],
    pub clock_ms: u64,
    pub next_session: u64,
    pub reserved_message: u64,
    next_session_changed: bool,
    reserved_message_changed: bool,
}

impl Meta {
    /// A session of that number is written.
    pub fn note_session(&mut self, number: u64) {
        if number >= self.next_session {
            self.next_session = number.saturating_add(1);
            self.next_session_changed = true;
        }
    }

    /// A message of that id is written.
    pub fn note_message(&mut self, id: u64) {
        if id >= self.reserved_message {
            self.reserved_message = (id / MESSAGE_IDS_RESERVED + 1).saturating_mul(MESSAGE_IDS_RESERVED);
            self.reserved_message_changed = true;
        }
    }

    /// Writes the counters that have changed, in front of what is written anyway.
    pub fn write_counters(&mut self, batch: &mut Builder) {
        if std::mem::take(&mut self.next_session_changed) {
            put(batch, key::NEXT_SESSION_NUMBER, self.next_session);
        }
        if std::mem::take(&mut self.reserved_message_changed) {
            put(batch, key::MESSAGE_ID_RESERVED, self.reserved_message);
        }
    }

    /// Writes the format and the clock into a batch that is written anyway.
    pub fn write_along(&mut self, place: Place, batch: &mut Builder, wall_ms: u64) {
        if batch.len() == 0 {
            return;
        }
        if !std::mem::replace(&mut self.has_format[place as usize], true) {
            put(batch, key::FORMAT, FORMAT);
        }
        if wall_ms >= self.clock_ms.saturating_add(CLOCK_STEP_MS) {
            self.clock_ms = wall_ms;
            put(batch, key::CLOCK, wall_ms);
        }
    }

    /// Takes a row in, of whichever place: the highest counts. `None` if it is corrupt, a number if it is the format.
    /// Names that are not known are left alone.
    pub fn read(&mut self, place: Place, key: &[u8], value: &[u8]) -> Option<Option<u64>> {
        let counter = match key {
            key::FORMAT => {
                self.has_format[place as usize] = true;
                return number(value).map(Some);
            }
            key::CLOCK => &mut self.clock_ms,
            key::NEXT_SESSION_NUMBER => &mut self.next_session,
            key::MESSAGE_ID_RESERVED => &mut self.reserved_message,
            _ => return Some(None),
        };
        *counter = (*counter).max(number(value)?);
        Some(None)
    }
}

fn put(batch: &mut Builder, key: &[u8], number: u64) {
    batch.put(Table::Meta, &[key], |value| write_number(value, number));
}

/// Writes the value of a row that is a number, as all are.
pub(super) fn write_number(value: &mut Vec<u8>, number: u64) {
    value.push(VERSION);
    value.number(number);
}

/// Reads what [`write_number`] wrote.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    let mut reader = Reader::of_version(value, VERSION)?;
    let number = reader.number()?;
    reader.end(number)
}
