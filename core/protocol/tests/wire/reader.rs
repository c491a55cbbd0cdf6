//! A reader of what a server sends, written for these tests alone: it shares nothing with the crate.

use hikyaku_types::ProtocolVersion;

pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }

    pub(crate) fn number(&mut self, len: usize) -> u64 {
        self.take(len).iter().fold(0, |number, byte| number * 256 + u64::from(*byte))
    }

    pub(crate) fn varint(&mut self) -> usize {
        let mut value = 0;
        for power in 0..4 {
            let byte = self.take(1)[0];
            value += usize::from(byte % 128) * 128_usize.pow(power);
            if byte < 128 {
                return value;
            }
        }
        panic!("five bytes");
    }

    pub(crate) fn field(&mut self) -> &'a [u8] {
        let len = self.number(2) as usize;
        self.take(len)
    }

    pub(crate) fn properties(&mut self) -> Vec<(u8, Vec<u8>)> {
        let len = self.varint();
        block(self.take(len))
    }
}

/// Identifier and contents of each property, in their order; a pair as `key=value`.
pub(crate) fn block(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut block = Reader(bytes);
    let mut found = Vec::new();
    while !block.0.is_empty() {
        let id = block.take(1)[0];
        let value = match id {
            1 | 36 | 37 | 40..=42 => block.take(1).to_vec(),
            19 | 33 | 34 | 35 => block.take(2).to_vec(),
            2 | 17 | 39 => block.take(4).to_vec(),
            11 => (block.varint() as u32).to_be_bytes().to_vec(),
            38 => [block.field(), b"=", block.field()].concat(),
            3 | 8 | 9 | 18 | 21 | 22 | 26 | 28 | 31 => block.field().to_vec(),
            other => panic!("property {other}"),
        };
        found.push((id, value));
    }
    found
}

/// The first byte and the body of one whole packet.
pub(crate) fn open(bytes: &[u8]) -> (u8, Reader<'_>) {
    let mut reader = Reader(bytes);
    let byte1 = reader.take(1)[0];
    let len = reader.varint();
    assert_eq!(reader.0.len(), len, "the remaining length of {bytes:02x?}");
    (byte1, reader)
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) byte1: u8,
    pub(crate) topic: Vec<u8>,
    pub(crate) packet_id: Option<u16>,
    pub(crate) properties: Vec<(u8, Vec<u8>)>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn published(bytes: &[u8], version: ProtocolVersion) -> Published {
    let (byte1, mut body) = open(bytes);
    assert_eq!(byte1 & 0xF0, 0x30);
    let topic = body.field().to_vec();
    let packet_id = (byte1 & 6 != 0).then(|| body.number(2) as u16);
    let properties = if version == ProtocolVersion::V5 { body.properties() } else { Vec::new() };
    Published { byte1, topic, packet_id, properties, payload: body.0.to_vec() }
}
