//! Malformed and forbidden packets: the packet vectors, sent to the running broker.

use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Event, Kind, Packet, Version, WAIT};
use hikyaku_tests::tools::here;

/// What the standard may answer to a packet that is not as it must be: malformed, protocol
/// error, and the more exact ones about filters, names, aliases and payload format.
const REFUSALS: [u8; 6] = [0x81, 0x82, 0x8f, 0x90, 0x94, 0x99];

/// Vectors for which the standard names one reason.
const NAMED: [(&str, u8); 14] = [
    ("C28", 0x82), // Authentication Data without Authentication Method (3.1.2.11.10)
    ("C23", 0x82), // a property twice
    ("C24", 0x82), // Receive Maximum 0
    ("C25", 0x82), // Maximum Packet Size 0
    ("U22", 0x94), // Topic Alias 0 (3.3.2.3.4)
    ("U23", 0x82), // a property twice
    ("U25", 0x82),
    ("U28", 0x82), // Subscription Identifier from a client [MQTT-3.3.4-6]
    ("S12", 0x82), // no filter at all (3.8.3)
    ("S14", 0x82), // Maximum QoS 3 (3.8.3.1)
    ("S22", 0x82), // Retain Handling 3 (3.8.3.1)
    ("S23", 0x82), // No Local on a shared subscription [MQTT-3.8.3-4]
    ("S26", 0x82), // Subscription Identifier 0 (3.8.2.1.2)
    ("N07", 0x82), // no filter at all (3.10.3)
];

struct Vector {
    id: String,
    version: Version,
    valid: bool,
    what: String,
    bytes: Vec<u8>,
}

/// The vectors for packets that a client sends.
fn vectors() -> Vec<Vector> {
    let path = here().parent().unwrap().join("core/protocol/tests/vectors/packets.tsv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut vectors = Vec::new();
    for line in text.lines().skip(1).filter(|line| line.contains("\tto_server\t")) {
        let fields: Vec<_> = line.split('\t').collect();
        let hex = fields[6].as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        vectors.push(Vector {
            id: fields[0].into(),
            version: match fields[1] {
                "3.1" => Version::V31,
                "3.1.1" => Version::V311,
                _ => Version::V5,
            },
            valid: fields[3] == "valid",
            what: line.into(),
            bytes: hex.map(byte).collect(),
        });
    }
    assert!(vectors.len() > 200, "only {} vectors in {}", vectors.len(), path.display());
    vectors
}

impl Vector {
    fn is_connect(&self) -> bool {
        self.bytes[0] >> 4 == 1
    }

    /// Sends it where it belongs: first, or after a CONNECT.
    fn send(&self, broker: &Broker) -> Client {
        let mut client = match self.is_connect() {
            true => Client::tcp(broker.addr(), self.version),
            false => Connect::new(self.version, "vector").ok(broker),
        };
        client.send(&self.bytes);
        client
    }

    /// How the refusal must look.
    fn check_refusal(&self, last: Option<&Packet>) {
        let code = last.map(Packet::code);
        let named = NAMED.iter().find(|(id, _)| *id == self.id).map(|(_, reason)| *reason);
        let reason_fits = |code| named.map_or(REFUSALS.contains(&code), |named| code == named);
        let fits = match (self.version, last.map(|packet| packet.kind)) {
            // A CONNECT may be refused without a word.
            (_, None) => self.is_connect() || self.version != Version::V5,
            (Version::V5, Some(Kind::Connack)) => self.is_connect() && reason_fits(code.unwrap_or(0)),
            (_, Some(Kind::Connack)) => self.is_connect() && code > Some(0),
            (Version::V5, Some(Kind::Disconnect)) => reason_fits(code.unwrap_or(0)),
            _ => false,
        };
        assert!(fits, "{}: answered by {last:02x?}", self.what);
    }
}

/// The last packet before the broker closes; a broker that answers a ping has not refused anything.
fn refusal(client: &mut Client) -> Option<Packet> {
    client.send(&[0xc0, 0]);
    let mut last = None;
    loop {
        match client.poll(WAIT) {
            Event::Closed => return last,
            Event::Packet(packet) if packet.kind != Kind::Pingresp => last = Some(packet),
            other => panic!("not refused: {other:?} after {last:?}"),
        }
    }
}

/// Each is refused and its connection closed; a bystander notices nothing.
#[test]
fn malformed_packets_are_refused_and_harm_nobody_else() {
    let broker = Broker::memory();
    let mut bystander = Connect::v5("bystander").ok(&broker);
    let mut wrong = Vec::new();
    for vector in vectors().iter().filter(|vector| !vector.valid) {
        let refused = std::panic::catch_unwind(|| {
            let mut client = vector.send(&broker);
            vector.check_refusal(refusal(&mut client).as_ref());
        });
        if refused.is_err() {
            wrong.push(vector.what.clone());
        }
        bystander.ping();
    }
    assert!(wrong.is_empty(), "{} vectors are not refused as they must be:\n{}", wrong.len(), wrong.join("\n"));
}

/// Each is served: the connection goes on, or ends as the packet asks.
#[test]
fn valid_packets_are_served() {
    let broker = Broker::memory();
    for vector in vectors().iter().filter(|vector| vector.valid) {
        let mut client = vector.send(&broker);
        match (vector.id.as_str(), vector.bytes[0] >> 4) {
            (_, 1) => assert_eq!(client.expect(Kind::Connack).code(), 0, "{}", vector.what),
            ("D04", _) => client.disconnected(0x82), // an expiry where CONNECT had none [MQTT-3.14.2-2]
            (_, 14) => assert_eq!(client.closed(), None, "{}", vector.what),
            // an alias that was never set, an AUTH without a method
            ("U21", _) | (_, 15) => {
                assert_eq!(client.closed().map(|packet| packet.kind), Some(Kind::Disconnect));
            }
            _ => client.ping(),
        }
    }
}

/// A packet that comes byte by byte is the same packet, and bytes that end in the middle are none.
#[test]
fn packets_in_pieces() {
    let broker = Broker::memory();
    let mut whole = Connect::v5("pieces").encode();
    whole.extend(hikyaku_tests::raw::subscribe(Version::V5, 1, &[("pieces", 1)], &[]));
    let mut client = Client::tcp(broker.addr(), Version::V5);
    for byte in &whole {
        client.send(&[*byte]);
    }
    assert_eq!(client.expect(Kind::Connack).code(), 0);
    assert_eq!(client.expect(Kind::Suback).codes, [1]);
    let mut half = Connect::v311("half").ok(&broker);
    half.send(&hikyaku_tests::raw::Publish::new("pieces", "half of it", 0).encode(Version::V311)[..10]);
    half.vanish();
    crate::end(&broker, "pieces");
    assert_eq!(client.texts_until("end"), Vec::<String>::new());
}

/// A client may send packets of every kind that answer nothing; the broker neither ends nor answers wrongly.
#[test]
fn answers_to_nothing_are_harmless() {
    use hikyaku_tests::raw::ack;
    let broker = Broker::memory();
    for version in [Version::V311, Version::V5] {
        let mut client = Connect::new(version, "stray").ok(&broker);
        for kind in [Kind::Puback, Kind::Pubcomp] {
            client.send(&ack(kind, 77));
        }
        client.send(&ack(Kind::Pubrel, 77));
        let pubcomp = match client.poll(WAIT) {
            Event::Packet(packet) => packet,
            other => panic!("{other:?}"),
        };
        assert_eq!((pubcomp.kind, pubcomp.id), (Kind::Pubcomp, 77));
        assert!([0, 0x92].contains(&pubcomp.code()), "success, or packet identifier not found: {pubcomp:?}");
        client.ping();
    }
}
