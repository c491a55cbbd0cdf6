//! How do many small operations become one batch?

use std::sync::Arc;

use hikyaku_traits::{Batch, Op, Ops, Table};

use crate::message::Message;

/// How much room a batch asks for at once, at most; it grows as it needs.
const ROOM_MAX: usize = 1 << 20;

/// Gathers operations. All small keys and values lie one behind the other in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Builder {
    bytes: Vec<u8>,
    ops: Vec<Part>,
    bodies: Vec<Arc<Message>>,
    bodies_len: usize,
}

/// Where an operation lies in the bytes.
#[derive(Clone, Copy, Debug)]
struct Part {
    kind: Kind,
    table: Table,
    start: usize,
    key_len: u32,
    /// The length of what is behind the key, or for [`Kind::PutBody`] the index of its message.
    second: u32,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Put,
    /// The value is the payload of a message, which is not copied.
    PutBody,
    Delete,
    DeleteRange,
}

impl Builder {
    /// A builder with room for about as much as the last batch had.
    pub fn with_room(ops: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes.min(ROOM_MAX)),
            ops: Vec::with_capacity(ops.min(ROOM_MAX / size_of::<Part>())),
            ..Self::default()
        }
    }

    /// Writes a row. The key comes in parts, the value is written by `value`.
    pub fn put(&mut self, table: Table, key: &[&[u8]], value: impl FnOnce(&mut Vec<u8>)) {
        let (start, key_len) = self.key(key);
        value(&mut self.bytes);
        let second = length(self.bytes.len() - start) - key_len;
        self.ops.push(Part { kind: Kind::Put, table, start, key_len, second });
    }

    /// Writes a row whose value is the payload of a message.
    pub fn put_body(&mut self, table: Table, key: &[u8], message: &Arc<Message>) {
        let (start, key_len) = self.key(&[key]);
        self.ops.push(Part { kind: Kind::PutBody, table, start, key_len, second: length(self.bodies.len()) });
        self.bodies_len += message.payload().len();
        self.bodies.push(message.clone());
    }

    /// Removes a row.
    pub fn delete(&mut self, table: Table, key: &[&[u8]]) {
        let (start, key_len) = self.key(key);
        self.ops.push(Part { kind: Kind::Delete, table, start, key_len, second: 0 });
    }

    /// Removes all rows from one key up to another.
    pub fn delete_range(&mut self, table: Table, from: &[u8], to: &[u8]) {
        let (start, key_len) = self.key(&[from]);
        self.bytes.extend_from_slice(to);
        self.ops.push(Part { kind: Kind::DeleteRange, table, start, key_len, second: length(to.len()) });
    }

    fn key(&mut self, parts: &[&[u8]]) -> (usize, u32) {
        let start = self.bytes.len();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        (start, length(self.bytes.len() - start))
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// How many bytes keys and values have.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.bodies_len
    }

    /// The batch; `None` if there is nothing to write.
    pub fn finish(self) -> Option<Batch> {
        (!self.ops.is_empty()).then(|| Batch::new(self))
    }
}

/// Keys and values come from packets, which have at most 256 MiB.
fn length(len: usize) -> u32 {
    debug_assert!(u32::try_from(len).is_ok());
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Ops for Builder {
    fn len(&self) -> usize {
        self.ops.len()
    }

    fn op(&self, i: usize) -> Option<Op<'_>> {
        let &Part { kind, table, start, key_len, second } = self.ops.get(i)?;
        let (key, behind) = self.bytes.get(start..)?.split_at_checked(key_len as usize)?;
        Some(match kind {
            Kind::Put => Op::Put { table, key, value: behind.get(..second as usize)? },
            Kind::PutBody => Op::Put { table, key, value: self.bodies.get(second as usize)?.payload() },
            Kind::Delete => Op::Delete { table, key },
            Kind::DeleteRange => Op::DeleteRange { table, from: key, to: behind.get(..second as usize)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use hikyaku_types::Qos;

    use super::*;
    use crate::message::MessageParts;

    #[test]
    fn operations_come_out_as_they_went_in() {
        let (topic, payload) = ("t", b"body".as_slice());
        let parts =
            MessageParts { topic, properties: b"", payload, qos: Qos::AtLeastOnce, retain: false, expires_at_ms: None };
        let mut builder = Builder::with_room(4, 100);
        builder.put(Table::Subscription, &[b"ab", b"c"], |value| value.extend_from_slice(b"value"));
        builder.delete(Table::Will, &[b"k"]);
        builder.put_body(Table::Body, b"id", &Arc::new(Message::new(1, &parts)));
        builder.delete_range(Table::Inflight, b"from", b"to");
        assert_eq!((builder.len(), builder.bytes()), (4, 3 + 5 + 1 + 2 + 4 + 4 + 2));
        let batch = builder.finish().unwrap();
        let ops: Vec<_> = batch.iter().map(Option::unwrap).collect();
        assert_eq!(
            ops,
            [
                Op::Put { table: Table::Subscription, key: b"abc", value: b"value" },
                Op::Delete { table: Table::Will, key: b"k" },
                Op::Put { table: Table::Body, key: b"id", value: b"body" },
                Op::DeleteRange { table: Table::Inflight, from: b"from", to: b"to" },
            ]
        );
        assert_eq!(batch.op(4), None);
        assert!(Builder::default().finish().is_none());
    }
}
