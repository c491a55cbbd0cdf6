//! The connection of a raw client.

use super::packet::{Connect, Kind, Packet, Publish, Version, ack, disconnect, subscribe, unsubscribe};
use super::wire::Value;
use crate::Broker;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub const WAIT: Duration = Duration::from_secs(30);

/// What a wait ended with.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A packet came.
    Packet(Packet),
    /// The broker closed the connection.
    Closed,
    /// Neither, for as long as the test would wait.
    Silence,
}

/// One connection. When a test fails, dropping it prints what went over it.
pub struct Client {
    /// The socket, for tests that misuse it.
    pub stream: TcpStream,
    version: Version,
    name: String,
    unread: Vec<u8>,
    unread_from: usize,
    traced: bool,
    held: VecDeque<Packet>,
    next_id: u16,
    trace: VecDeque<String>,
}

impl Connect {
    /// Connects and returns the client with its CONNACK, whatever that says.
    pub fn open(&self, broker: &Broker) -> (Client, Packet) {
        let mut client = Client::tcp(broker.addr(), self.version);
        client.name.clone_from(&self.client_id);
        client.send(&self.encode());
        let connack = client.packet();
        assert_eq!(connack.kind, Kind::Connack, "the first packet from the broker is a CONNACK [MQTT-3.2.0-1]");
        (client, connack)
    }

    /// Connects; anything but success fails the test.
    pub fn ok(&self, broker: &Broker) -> Client {
        let (client, connack) = self.open(broker);
        assert_eq!(connack.code(), 0, "CONNECT of {} is accepted", self.client_id);
        client
    }

    /// Connects to a session that must be there still.
    pub fn resume(&self, broker: &Broker) -> Client {
        let (client, connack) = self.open(broker);
        assert_eq!((connack.code(), connack.flags), (0, 1), "the session of {} is there", self.client_id);
        client
    }
}

impl Client {
    /// A connection over which nothing has been sent.
    #[must_use]
    pub fn tcp(addr: SocketAddr, version: Version) -> Self {
        Self::try_tcp(addr, version).expect("the broker accepts connections")
    }

    /// The same with a broker that may be gone.
    ///
    /// # Errors
    /// When nobody accepts.
    pub fn try_tcp(addr: SocketAddr, version: Version) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, WAIT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WAIT))?;
        Ok(Self {
            stream,
            version,
            name: String::from("raw"),
            unread: Vec::new(),
            unread_from: 0,
            traced: true,
            held: VecDeque::new(),
            next_id: 0,
            trace: VecDeque::new(),
        })
    }

    /// Sends bytes as they are; a broker that has closed is found out by reading.
    pub fn send(&mut self, bytes: &[u8]) {
        self.note(|| format!("-> {:02x?}", &bytes[..bytes.len().min(48)]));
        let _ = self.stream.write_all(bytes);
    }

    /// Waits for the next packet, the held ones first.
    pub fn poll(&mut self, within: Duration) -> Event {
        match self.held.pop_front() {
            Some(packet) => Event::Packet(packet),
            None => self.read(within),
        }
    }

    /// The next packet, which must come.
    pub fn packet(&mut self) -> Packet {
        match self.poll(WAIT) {
            Event::Packet(packet) => packet,
            other => panic!("{}: a packet was to come, but: {other:?}", self.name),
        }
    }

    /// The next packet, which must be of this kind.
    pub fn expect(&mut self, kind: Kind) -> Packet {
        let packet = self.packet();
        assert_eq!(packet.kind, kind, "{}: {kind:?} was to come, but: {packet:?}", self.name);
        packet
    }

    /// The first packet of this kind; others that come before it are held for later.
    pub fn wait(&mut self, kind: Kind) -> Packet {
        if let Some(at) = self.held.iter().position(|packet| packet.kind == kind) {
            return self.held.remove(at).expect("it was just found");
        }
        loop {
            match self.read(WAIT) {
                Event::Packet(packet) if packet.kind == kind => return packet,
                Event::Packet(packet) => self.held.push_back(packet),
                other => panic!("{}: {kind:?} was to come, but: {other:?}", self.name),
            }
        }
    }

    /// Reads until the broker closes; returns the last packet before that.
    pub fn closed(&mut self) -> Option<Packet> {
        let mut last = None;
        loop {
            match self.poll(WAIT) {
                Event::Packet(packet) => last = Some(packet),
                Event::Closed => return last,
                Event::Silence => panic!("{}: the broker was to close the connection; last came {last:?}", self.name),
            }
        }
    }

    /// The broker says why in a DISCONNECT and closes.
    pub fn disconnected(&mut self, reason: u8) {
        let last = self.closed();
        let seen = last.as_ref().filter(|packet| packet.kind == Kind::Disconnect).map(Packet::code);
        assert_eq!(seen, Some(reason), "{}: DISCONNECT {reason:#x} was to come, but last came {last:?}", self.name);
    }

    /// PINGREQ and its answer: the broker has read all that went before.
    pub fn ping(&mut self) {
        self.send(&[0xc0, 0]);
        self.wait(Kind::Pingresp);
    }

    /// The next packet id of this client.
    pub fn id(&mut self) -> u16 {
        self.next_id = self.next_id % 65_535 + 1;
        self.next_id
    }

    /// Subscribes with a quality of service (or an option byte); it must be granted.
    pub fn subscribe(&mut self, filter: &str, options: u8) {
        let suback = self.subscribe_many(&[(filter, options)], &[]);
        assert!(suback.code() <= 2, "{}: subscription to {filter} is granted: {suback:?}", self.name);
    }

    /// Subscribes to several filters with properties; returns the SUBACK.
    pub fn subscribe_many(&mut self, filters: &[(&str, u8)], props: &[(u8, Value)]) -> Packet {
        let id = self.id();
        self.send(&subscribe(self.version, id, filters, props));
        let suback = self.wait(Kind::Suback);
        assert_eq!((suback.id, suback.codes.len()), (id, filters.len()), "SUBACK answers each filter: {suback:?}");
        suback
    }

    /// Unsubscribes; returns the UNSUBACK.
    pub fn unsubscribe(&mut self, filter: &str) -> Packet {
        let id = self.id();
        self.send(&unsubscribe(self.version, id, &[filter]));
        let unsuback = self.wait(Kind::Unsuback);
        assert_eq!(unsuback.id, id);
        unsuback
    }

    /// Sends a PUBLISH and nothing else; returns its packet id.
    pub fn send_publish(&mut self, mut publish: Publish) -> u16 {
        if publish.qos > 0 && publish.id == 0 {
            publish.id = self.id();
        }
        self.send(&publish.encode(self.version));
        publish.id
    }

    /// Publishes through the whole handshake; returns the reason code.
    pub fn publish(&mut self, publish: Publish) -> u8 {
        let qos = publish.qos;
        let id = self.send_publish(publish);
        match qos {
            0 => 0,
            1 => self.answer(Kind::Puback, id),
            _ => match self.answer(Kind::Pubrec, id) {
                code if code >= 0x80 => code,
                code => {
                    self.send(&ack(Kind::Pubrel, id));
                    self.answer(Kind::Pubcomp, id).max(code)
                }
            },
        }
    }

    /// Waits for the answer to this packet id; returns its reason code.
    pub fn answer(&mut self, kind: Kind, id: u16) -> u8 {
        let packet = self.wait(kind);
        assert_eq!(packet.id, id, "{}: answers carry the id that they answer: {packet:?}", self.name);
        packet.code()
    }

    /// The next packet, which must be a PUBLISH; acknowledges it to the end.
    pub fn message(&mut self) -> Packet {
        let packet = self.expect(Kind::Publish);
        self.acknowledge(&packet);
        packet
    }

    /// Takes a PUBLISH through its handshake.
    pub fn acknowledge(&mut self, packet: &Packet) {
        match packet.qos() {
            0 => {}
            1 => self.send(&ack(Kind::Puback, packet.id)),
            _ => {
                self.send(&ack(Kind::Pubrec, packet.id));
                self.answer(Kind::Pubrel, packet.id);
                self.send(&ack(Kind::Pubcomp, packet.id));
            }
        }
    }

    /// All messages up to the one with this payload, which marks the end and is left out.
    pub fn messages_until(&mut self, end: &str) -> Vec<Packet> {
        let mut messages = Vec::new();
        loop {
            let packet = self.message();
            if packet.payload == end.as_bytes() {
                return messages;
            }
            messages.push(packet);
        }
    }

    /// The payloads of all messages up to the one that marks the end.
    pub fn texts_until(&mut self, end: &str) -> Vec<String> {
        self.messages_until(end).iter().map(Packet::text).collect()
    }

    /// DISCONNECT, and waits until the broker has closed: all that was sent is handled.
    pub fn leave(self) {
        self.leave_with(0, &[]);
    }

    /// DISCONNECT with a reason and properties.
    pub fn leave_with(mut self, reason: u8, props: &[(u8, Value)]) {
        self.send(&disconnect(self.version, reason, props));
        self.closed();
    }

    /// Closes the socket without a DISCONNECT.
    pub fn vanish(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Keeps no trace from here: for tests that count messages by the ten thousand.
    #[must_use]
    pub fn untraced(mut self) -> Self {
        self.traced = false;
        self
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if !self.traced {
            return;
        }
        if self.trace.len() == 40 {
            self.trace.pop_front();
        }
        self.trace.push_back(line());
    }

    fn read(&mut self, within: Duration) -> Event {
        let deadline = Instant::now() + within;
        loop {
            if let Some(packet) = self.whole_packet() {
                self.note(|| format!("<- {packet:02x?}"));
                return Event::Packet(packet);
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).expect("a read timeout");
            self.unread.drain(..std::mem::take(&mut self.unread_from));
            let mut chunk = [0; 16_384];
            match self.stream.read(&mut chunk) {
                Ok(0) => return self.end(Event::Closed),
                Ok(count) => self.unread.extend(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.end(Event::Silence);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.end(Event::Closed),
            }
        }
    }

    fn end(&mut self, event: Event) -> Event {
        self.note(|| format!("<- {event:?}"));
        event
    }

    fn whole_packet(&mut self) -> Option<Packet> {
        let unread = &self.unread[self.unread_from..];
        let (mut length, mut at) = (0, 1);
        loop {
            let byte = *unread.get(at)?;
            length |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte < 0x80 {
                break;
            }
            assert!(at < 5, "the broker sent a remaining length of more than four bytes");
        }
        let packet = Packet::decode(self.version, unread[0], unread.get(at..at + length)?);
        self.unread_from += at + length;
        Some(packet)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let trace: Vec<_> = self.trace.iter().map(String::as_str).collect();
            eprintln!("--- last packets of client {}:\n{}", self.name, trace.join("\n"));
        }
    }
}
