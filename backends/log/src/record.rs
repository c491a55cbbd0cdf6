//! How does a batch stand in the log?
//!
//! ```text
//! file    "HIKYLOG1", the log's id (8), number of the first batch (8), checksum of these (4)
//! record  the log's id (8), length of the operations (4), checksum of the id and all that follows (4), number of the
//!         batch (8), number of the last batch that was synced before (8), operations
//! op      kind (1), table (1), length of the key (4), length of the second part (4), key, second part
//! ```
//!
//! Numbers are little-endian, checksums CRC-32. No client knows the log's id: what a client sends must not pass for a
//! record, nor make a search for records stop at it. Batches are numbered without gaps, so that a file that is missing is seen.

use hikyaku_traits::{Batch, Op, Table};

/// The bytes in front of a file's records.
pub(crate) const FILE_HEAD: usize = 28;
/// The bytes in front of a record's operations.
const RECORD_HEAD: usize = 32;
const OP_HEAD: usize = 10;
const FILE_MARK: &[u8; 8] = b"HIKYLOG1";

/// What a batch may have in bytes, heads included.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 30;

/// A file's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHead {
    /// Of which log it is.
    pub id: u64,
    /// The number of its first batch.
    pub first: u64,
}

impl FileHead {
    pub fn encode(self) -> [u8; FILE_HEAD] {
        let mut bytes = [0; FILE_HEAD];
        bytes[..8].copy_from_slice(FILE_MARK);
        bytes[8..16].copy_from_slice(&self.id.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None`: it is not whole.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..FILE_HEAD)?;
        let whole = head.starts_with(FILE_MARK) && crc32fast::hash(&head[..24]) == number4(&head[24..])?;
        whole.then_some(())?;
        Some(Self { id: number8(&head[8..])?, first: number8(&head[16..])? })
    }

    /// Whether another version of the log has written the file.
    pub fn is_of_another_version(bytes: &[u8]) -> bool {
        bytes.starts_with(&FILE_MARK[..7]) && !bytes.starts_with(FILE_MARK)
    }
}

/// Appends a record to `out`. The batch has been weighed: all its operations are known.
pub(crate) fn encode(batch: &Batch, id: u64, number: u64, synced: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&synced.to_le_bytes());
    for op in batch.iter().flatten() {
        match op {
            Op::Put { table, key, value } => encode_op(out, Kind::Put, table, key, value),
            Op::Delete { table, key } => encode_op(out, Kind::Delete, table, key, b""),
            Op::DeleteRange { table, from, to } => encode_op(out, Kind::DeleteRange, table, from, to),
            _ => {}
        }
    }
    let length = (out.len() - start - RECORD_HEAD) as u32;
    out[start + 8..start + 12].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(id, &out[start + 16..]);
    out[start + 12..start + 16].copy_from_slice(&sum.to_le_bytes());
}

fn checksum(id: u64, bytes: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&id.to_le_bytes());
    sum.update(bytes);
    sum.finalize()
}

fn encode_op(out: &mut Vec<u8>, kind: Kind, table: Table, key: &[u8], second: &[u8]) {
    out.extend_from_slice(&[kind as u8, table as u8]);
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(&(second.len() as u32).to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(second);
}

/// A record, not copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub number: u64,
    pub synced: u64,
    /// Where its operations begin in the bytes it was read from.
    pub ops_at: usize,
    ops: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record that begins there; `None` if it is not whole.
    pub fn decode(bytes: &'a [u8], at: usize, id: u64) -> Option<Self> {
        let record = bytes.get(at..)?;
        record.starts_with(&id.to_le_bytes()).then_some(())?;
        let length = number4(record.get(8..)?)? as usize;
        let record = record.get(..RECORD_HEAD.checked_add(length)?)?;
        (checksum(id, &record[16..]) == number4(&record[12..])?).then_some(())?;
        let (number, synced) = (number8(&record[16..])?, number8(&record[24..])?);
        Some(Self { number, synced, ops_at: at + RECORD_HEAD, ops: &record[RECORD_HEAD..] })
    }

    /// The operations of a record that stands alone and was just written.
    pub fn decode_own(bytes: &'a [u8]) -> Option<Vec<RawOp<'a>>> {
        let ops = bytes.get(RECORD_HEAD..)?;
        Self { number: 0, synced: 0, ops_at: RECORD_HEAD, ops }.ops()
    }

    /// Where the next record begins.
    pub fn end(&self) -> usize {
        self.ops_at + self.ops.len()
    }

    /// Its operations in order; one of an unknown kind or table ends them with `None`.
    pub fn ops(&self) -> Option<Vec<RawOp<'a>>> {
        let (mut ops, mut at) = (Vec::new(), 0);
        while at < self.ops.len() {
            let op = RawOp::decode(self.ops, at, self.ops_at)?;
            at += OP_HEAD + op.key.len() + op.second.len();
            ops.push(op);
        }
        Some(ops)
    }

    /// Whether a whole record somewhere behind `at` says that batch `number` had been synced.
    pub fn proves_synced(bytes: &[u8], at: usize, id: u64, number: u64) -> bool {
        let behind = bytes.get(at..).unwrap_or_default();
        let mark = id.to_le_bytes();
        let starts = behind.windows(mark.len()).enumerate().filter(|(_, bytes)| *bytes == mark);
        let mut records = starts.filter_map(|(offset, _)| Record::decode(bytes, at + offset, id));
        records.any(|record| record.synced >= number)
    }
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Put = 1,
    Delete = 2,
    DeleteRange = 3,
}

/// An operation as it stands in a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawOp<'a> {
    pub kind: Kind,
    pub table: Table,
    pub key: &'a [u8],
    /// The value, or the end of a range.
    pub second: &'a [u8],
    /// Where the second part begins, from where the record was read.
    pub second_at: usize,
}

impl<'a> RawOp<'a> {
    fn decode(ops: &'a [u8], at: usize, base: usize) -> Option<Self> {
        let head = ops.get(at..at + OP_HEAD)?;
        let kind = match head[0] {
            1 => Kind::Put,
            2 => Kind::Delete,
            3 => Kind::DeleteRange,
            _ => return None,
        };
        let table = *Table::ALL.get(usize::from(head[1]))?;
        let (key, second) = (number4(&head[2..])? as usize, number4(&head[6..])? as usize);
        let key_at = at + OP_HEAD;
        let (key, rest) = ops.get(key_at..)?.split_at_checked(key)?;
        Some(Self { kind, table, key, second: rest.get(..second)?, second_at: base + key_at + key.len() })
    }
}

fn number4(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.first_chunk()?))
}

fn number8(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Two;

    impl hikyaku_traits::Ops for Two {
        fn len(&self) -> usize {
            3
        }
        fn op(&self, i: usize) -> Option<Op<'_>> {
            Some(match i {
                0 => Op::Put { table: Table::Will, key: b"k", value: b"value" },
                1 => Op::Delete { table: Table::Body, key: b"" },
                _ => Op::DeleteRange { table: Table::Message, from: b"a", to: b"b" },
            })
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut bytes = b"front".to_vec();
        encode(&Batch::new(Two), 1, 7, 6, &mut bytes);
        let record = Record::decode(&bytes, 5, 1).unwrap();
        assert_eq!((record.number, record.synced, record.end()), (7, 6, bytes.len()));
        let ops = record.ops().unwrap();
        let shown: Vec<_> = ops.iter().map(|op| (op.kind, op.table, op.key, op.second)).collect();
        assert_eq!(
            shown,
            [
                (Kind::Put, Table::Will, b"k".as_slice(), b"value".as_slice()),
                (Kind::Delete, Table::Body, b"", b""),
                (Kind::DeleteRange, Table::Message, b"a", b"b"),
            ]
        );
        assert_eq!(&bytes[ops[0].second_at..][..5], b"value");
        let head = FileHead { id: 9, first: 3 };
        assert_eq!(FileHead::decode(&head.encode()), Some(head));
    }

    #[test]
    fn what_is_not_whole_is_no_record() {
        let mut bytes = Vec::new();
        encode(&Batch::new(Two), 1, 7, 6, &mut bytes);
        for at in 0..bytes.len() {
            assert!(Record::decode(&bytes[..at], 0, 1).is_none());
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(Record::decode(&damaged, 0, 1).is_none(), "byte {at}");
        }
        assert!(Record::decode(&bytes, 0, 2).is_none(), "of another log");
        let mut head = FileHead { id: 9, first: 3 }.encode();
        head[9] ^= 1;
        assert_eq!(FileHead::decode(&head), None);
    }

    #[test]
    fn a_later_record_proves_that_an_earlier_one_was_synced() {
        let mut bytes = b"torn".to_vec();
        encode(&Batch::new(Two), 1, 8, 6, &mut bytes);
        assert!(Record::proves_synced(&bytes, 0, 1, 6));
        assert!(!Record::proves_synced(&bytes, 0, 1, 7));
    }

    /// As many records as fit, each of which would be as long as what follows: their checksums would take minutes.
    #[test]
    fn what_a_client_makes_up_does_not_hold_up_the_search() {
        const BYTES: usize = 8 << 20;
        let mut bytes = Vec::new();
        while bytes.len() < BYTES {
            bytes.extend_from_slice(b"HkR1");
            let rest = (BYTES - bytes.len()).saturating_sub(2 * RECORD_HEAD) as u32;
            bytes.extend_from_slice(&rest.to_le_bytes());
            bytes.extend_from_slice(&[0xFF; 20]);
        }
        assert!(!Record::proves_synced(&bytes, 0, 0x7B3D_9F42_11AC_58E6, 7));
    }
}
