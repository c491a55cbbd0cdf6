//! Under which key does a record lie?

use super::record::meta_name;
use crate::change::SessionNumber;

/// The format of the store.
pub(super) const FORMAT: &[u8] = meta_name::FORMAT.as_bytes();
/// The high-water mark of the wall clock.
pub(super) const CLOCK: &[u8] = meta_name::CLOCK.as_bytes();
/// The number of the next new session.
pub(super) const NEXT_SESSION_NUMBER: &[u8] = meta_name::NEXT_SESSION_NUMBER.as_bytes();
/// No message id at or above this one has been stored.
pub(super) const MESSAGE_ID_RESERVED: &[u8] = meta_name::MESSAGE_ID_RESERVED.as_bytes();
/// How far a store is on its way from one format to the next; only on the way.
pub(super) const MIGRATION: &[u8] = b"migration";

/// From whom a QoS 2 exchange comes; the number stands in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Direction {
    /// The client publishes.
    Inbound = 0,
    /// The broker publishes.
    Outbound = 1,
}

/// The key of a number, and the front part of those that begin with one.
pub(super) const fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The key of an inflight row.
pub(super) fn inflight(session: SessionNumber, direction: Direction, packet_id: u16) -> [u8; 11] {
    let mut key = [0; 11];
    key[..8].copy_from_slice(&number(session));
    key[8] = direction as u8;
    key[9..].copy_from_slice(&packet_id.to_be_bytes());
    key
}

/// What [`number`] has made; `None` if it is no such key.
pub(super) fn read_number(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// The number in front, and what is behind it.
pub(super) fn split_number(key: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = key.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// What [`inflight`] has made.
pub(super) fn read_inflight(key: &[u8]) -> Option<(SessionNumber, Direction, u16)> {
    let (session, rest) = split_number(key)?;
    let [direction, packet_id @ ..] = rest else { return None };
    let direction = match direction {
        0 => Direction::Inbound,
        1 => Direction::Outbound,
        _ => return None,
    };
    Some((session, direction, u16::from_be_bytes(packet_id.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_is_the_order_of_numbers() {
        let numbers = [0, 1, 255, 256, 65_535, 65_536, u64::MAX];
        assert!(numbers.windows(2).all(|pair| number(pair[0]) < number(pair[1])));
        assert!(inflight(1, Direction::Outbound, 9) < inflight(2, Direction::Inbound, 1));
        assert!(inflight(1, Direction::Inbound, 255) < inflight(1, Direction::Inbound, 256));
    }

    #[test]
    fn keys_are_read_as_they_were_made() {
        assert_eq!(read_number(&number(7)), Some(7));
        assert_eq!(read_inflight(&inflight(7, Direction::Outbound, 300)), Some((7, Direction::Outbound, 300)));
        assert_eq!(split_number(&[0, 0, 0, 0, 0, 0, 0, 7, b'x']), Some((7, b"x".as_slice())));
        assert_eq!(read_number(b"short"), None);
        assert_eq!(read_inflight(&[0; 10]), None);
        assert_eq!(read_inflight(&[2; 11]), None);
    }
}
