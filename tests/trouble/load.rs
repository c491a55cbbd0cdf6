//! Publishers and a durable subscriber who keep count of what was acknowledged while the store is in trouble.

use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Event, Kind, Packet, Publish, WAIT, ack};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long an answer is waited for that may not come.
const PATIENCE: Duration = Duration::from_millis(400);

/// No room, as PUBACK, PUBREC and SUBACK of 5.0 say it.
pub const QUOTA_EXCEEDED: u8 = 0x97;

/// The session for which everything is published.
pub fn sleeper() -> Connect {
    Connect::v5("sleeper").durable()
}

/// Lets the sleeper subscribe and leave.
pub fn lay_to_sleep(broker: &Broker) {
    let mut client = sleeper().ok(broker);
    client.subscribe("load", 2);
    client.leave();
}

/// A durable 5.0 publisher.
pub struct Load {
    client: Client,
    name: String,
    count: u32,
    /// Without an answer as yet, by packet id.
    waiting: HashMap<u16, String>,
    /// What was acknowledged, in order.
    pub acknowledged: Vec<String>,
    /// Answered with [`QUOTA_EXCEEDED`].
    pub refused: Vec<String>,
}

/// What came of a publish.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Acknowledged,
    Refused,
    Silence,
}

impl Load {
    /// Connects, with a session that stays.
    pub fn begin(broker: &Broker, name: &str) -> Self {
        Self::with(Connect::v5(name).durable().ok(broker), name)
    }

    /// Connects with a session that the store need not know.
    pub fn begin_clean(broker: &Broker, name: &str) -> Self {
        Self::with(Connect::v5(name).ok(broker), name)
    }

    fn with(client: Client, name: &str) -> Self {
        let client = client.untraced();
        let (waiting, acknowledged, refused) = Default::default();
        Self { client, name: name.into(), count: 0, waiting, acknowledged, refused }
    }

    /// Comes back to a broker that was killed, with a session of which nothing is left: its packet ids begin anew.
    pub fn reconnect(&mut self, broker: &Broker) {
        self.client = Connect::v5(&self.name).durable().clean(true).ok(broker).untraced();
    }

    /// Publishes one message, QoS 1 and 2 in turn, and waits for a moment what comes of it.
    pub fn publish(&mut self, bytes: usize) -> Outcome {
        self.publish_within(bytes, PATIENCE)
    }

    /// Publishes one message, of which this must come.
    pub fn must_be(&mut self, expected: Outcome, bytes: usize) {
        let within = if expected == Outcome::Silence { PATIENCE } else { WAIT };
        assert_eq!(self.publish_within(bytes, within), expected, "{}", self.name);
    }

    fn publish_within(&mut self, bytes: usize, within: Duration) -> Outcome {
        self.count += 1;
        let (text, qos) = (format!("{} {:05}", self.name, self.count), 1 + self.count % 2);
        let payload = format!("{text} {}", "x".repeat(bytes));
        let id = self.client.send_publish(Publish::new("load", payload, qos as u8));
        self.waiting.insert(id, text);
        let (acknowledged, refused) = (self.acknowledged.len(), self.refused.len());
        self.wait(id, within);
        match (self.acknowledged.len() > acknowledged, self.refused.len() > refused) {
            _ if self.waiting.contains_key(&id) => Outcome::Silence,
            (_, true) => Outcome::Refused,
            _ => Outcome::Acknowledged,
        }
    }

    /// Waits for all answers: what was appended gets one at last.
    pub fn settle(&mut self) {
        while let Some(id) = self.waiting.keys().next().copied() {
            self.wait(id, WAIT);
            assert!(!self.waiting.contains_key(&id), "{}: no answer to {:?}", self.name, self.waiting[&id]);
        }
    }

    /// Takes answers until there is one to this message, or for so long.
    fn wait(&mut self, id: u16, within: Duration) {
        let deadline = Instant::now() + within;
        while self.waiting.contains_key(&id) {
            match self.client.poll(deadline.saturating_duration_since(Instant::now())) {
                Event::Packet(packet) => self.on(&packet),
                Event::Silence => return,
                Event::Closed => panic!("{}: a 5.0 client is not disconnected for that", self.name),
            }
        }
    }

    fn on(&mut self, packet: &Packet) {
        match (packet.kind, packet.code()) {
            (Kind::Pubcomp, 0) => return,
            (Kind::Puback | Kind::Pubrec, 0) => {
                let text = self.waiting.remove(&packet.id).expect("an answer to what was sent");
                self.acknowledged.push(text);
            }
            (Kind::Puback | Kind::Pubrec, QUOTA_EXCEEDED) => {
                let text = self.waiting.remove(&packet.id).expect("an answer to what was sent");
                return self.refused.push(text);
            }
            _ => panic!("{}: {packet:?} was not to come", self.name),
        }
        if packet.kind == Kind::Pubrec {
            self.client.send(&ack(Kind::Pubrel, packet.id));
        }
    }
}

/// After a further kill everything acknowledged is there, in the order of each publisher, each once, and nothing else: not
/// what was refused. Only what has no answer may be there or not.
pub fn judge(broker: &mut Broker, loads: Vec<Load>) {
    broker.kill9();
    broker.restart();
    Connect::v5("end").ok(broker).publish(Publish::new("load", "end", 2));
    let texts = sleeper().resume(broker).untraced().texts_until("end");
    for load in loads {
        let of_it = texts.iter().filter(|text| text.starts_with(&format!("{} ", load.name)));
        let mut delivered: Vec<_> = of_it.map(|text| text[..load.name.len() + 6].to_owned()).collect();
        delivered.retain(|text| !load.waiting.values().any(|waiting| waiting == text));
        assert_eq!(delivered, load.acknowledged, "{}: delivered, and acknowledged", load.name);
        println!("{}: {} acknowledged, {} refused", load.name, load.acknowledged.len(), load.refused.len());
    }
}

/// Waits until the log has a line with these words behind its first `from` bytes; gives it.
pub fn logged(broker: &Broker, from: usize, words: &str) -> String {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(line) = broker.log()[from..].lines().find(|line| line.contains(words)) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no line with '{words}' in the log");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many lines of the log have these words.
pub fn count(broker: &Broker, words: &str) -> usize {
    broker.log().lines().filter(|line| line.contains(words)).count()
}
