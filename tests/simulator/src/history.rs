//! What have the clients seen? Packets, and nothing of the broker's inside.

use std::collections::{BTreeMap, VecDeque};

use hikyaku_types::{Qos, topic};

/// How many events a failure shows.
const SHOWN: usize = 60;

/// How long a queue is at most that is called short.
const SHORT_QUEUE: usize = 20;

/// For how many steps after an acknowledgement the broker dies more often: what it takes back then is missed.
pub const HEAT: usize = 6;

/// A moment by two clocks: the broker's, which may go back at a restart, and one that nobody sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970, as the broker believes.
    pub wall_ms: u64,
    /// Milliseconds that have passed.
    pub real_ms: u64,
}

impl Moment {
    /// So many milliseconds have passed since then, by whatever clock.
    pub fn at_most_since(self, then: Self) -> u64 {
        self.wall_ms.saturating_sub(then.wall_ms).max(self.real_ms - then.real_ms)
    }

    /// The broker has started again, and its clock says that.
    pub fn restarted(&mut self, wall_ms: u64) {
        self.wall_ms = self.wall_ms.min(wall_ms);
    }
}

/// A message that a client has published.
#[derive(Debug)]
pub struct Sent {
    /// By which client.
    pub publisher: usize,
    /// To which topic.
    pub topic: String,
    /// At which QoS.
    pub qos: Qos,
    /// With RETAIN.
    pub retain: bool,
    /// How much there is behind the number in its payload.
    pub large: usize,
    /// How long it is worth delivering.
    pub expiry_secs: Option<u32>,
    /// Without payload, it clears the topic.
    pub clears: bool,
    /// When it was first sent.
    pub at: u64,
    /// All times that it was sent.
    pub transmissions: Vec<u64>,
    /// When the first success was on the wire: PUBACK or PUBREC.
    pub acked_at: Option<u64>,
    /// The newest transmission that was certainly handled.
    pub handled: Option<u64>,
    /// The broker has refused it at least once: sent again, it is new.
    pub refused: bool,
    /// It has reached the broker by this time, if it was sent once.
    pub received_by: Option<Moment>,
}

/// A subscription of one session of a client.
#[derive(Debug)]
pub struct Sub {
    /// Whose.
    pub client: usize,
    /// Which of its sessions.
    pub instance: u32,
    /// The filter.
    pub filter: String,
    /// The highest QoS.
    pub qos: Qos,
    /// No Local.
    pub no_local: bool,
    /// It brings what is retained, whatever was before.
    pub retained: bool,
    /// When SUBSCRIBE was sent.
    pub asked_at: u64,
    /// When SUBACK came.
    pub from: Option<u64>,
    /// When its end, or its replacement, was asked for.
    pub until: Option<u64>,
    /// When UNSUBACK came.
    pub ended: Option<u64>,
}

/// What was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An ordinary message.
    Message(usize),
    /// A Will.
    Will(usize),
}

/// A message that has reached the application of a client.
#[derive(Debug)]
pub struct Delivery {
    /// Whose.
    pub client: usize,
    /// Which of its sessions.
    pub instance: u32,
    /// Whether that session outlives its connections.
    pub stored: bool,
    /// What.
    pub what: What,
    /// The effective QoS.
    pub qos: Qos,
    /// RETAIN.
    pub retain: bool,
    /// DUP.
    pub dup: bool,
    /// When.
    pub at: u64,
    /// In which life of the broker.
    pub epoch: u32,
}

/// What must become of a Will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody can tell: it is published once or not at all.
    Open,
    /// It is published once.
    Due,
    /// It is published once if the client stays away.
    DueIfAway,
    /// The client tries to come back.
    Returning,
    /// It is not published.
    Cleared,
}

/// A Will that a client has left.
#[derive(Debug)]
pub struct Testament {
    /// Whose.
    pub client: usize,
    /// At which QoS.
    pub qos: Qos,
    /// Its delay in seconds.
    pub delay_secs: u32,
    /// When its client was lost.
    pub lost: Option<Moment>,
    /// Its session may have ended with the connection, or with the next one.
    pub may_end: bool,
    /// What must become of it.
    pub fate: Fate,
}

/// A time in which no connection had the session of a client.
#[derive(Clone, Copy, Debug)]
pub struct Absence {
    /// Whose.
    pub client: usize,
    /// When the last one had gone.
    pub from: u64,
    /// When the next one had it.
    pub to: u64,
}

/// How many of the events are kept to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// None: it is the fastest.
    #[default]
    None,
    /// The last ones.
    Last,
    /// All.
    All,
}

/// All that has happened.
#[derive(Debug, Default)]
pub struct History {
    clock: u64,
    /// The lives of the broker so far.
    pub epoch: u32,
    /// The broker's window is larger than any queue.
    pub wide: bool,
    /// The broker's limit of what is in flight to one client.
    pub inflight_messages_max: usize,
    /// The broker's limit of what waits for one session.
    pub queue_messages_max: usize,
    /// So often the brokers that have died said that a queue was full.
    pub dropped_queue_full: u64,
    /// Those that are over, in the order of their ends.
    pub absences: Vec<Absence>,
    /// Since when clients are without a connection, as far as the broker knows.
    parted: BTreeMap<usize, u64>,
    /// The present.
    pub now: Moment,
    /// Steps for which an acknowledgement that has just left keeps everything at stake.
    pub heat: usize,
    /// The store has failed at least once, so that the broker may have closed connections for it.
    pub store_failed: bool,
    /// By number.
    pub messages: Vec<Sent>,
    /// In the order in which they were asked for.
    pub subs: Vec<Sub>,
    /// In the order in which they came.
    pub deliveries: Vec<Delivery>,
    /// By number.
    pub wills: Vec<Testament>,
    /// What a client saw that must not be.
    pub problems: Vec<String>,
    log: VecDeque<String>,
    wanted: Log,
}

impl History {
    /// An empty one, and how much of it is to be told later.
    pub fn new(wanted: Log, now: Moment) -> Self {
        Self { wanted, now, ..Self::default() }
    }

    /// Queues that some messages fill.
    pub fn has_short_queues(&self) -> bool {
        self.queue_messages_max <= SHORT_QUEUE
    }

    /// The next point in time.
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// No connection has the session of the client any more.
    pub fn parted(&mut self, client: usize) {
        let at = self.tick();
        self.parted.entry(client).or_insert(at);
    }

    /// A connection has got the session of the client, or a new one.
    pub fn rejoined(&mut self, client: usize) {
        let to = self.tick();
        self.absences.extend(self.parted.remove(&client).map(|from| Absence { client, from, to }));
    }

    /// Writes a line into the log.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        match self.wanted {
            Log::None => return,
            Log::Last if self.log.len() == SHOWN => drop(self.log.pop_front()),
            Log::Last | Log::All => {}
        }
        self.log.push_back(format!("{:>6} {}", self.clock, line()));
    }

    /// Something that must not be.
    pub fn problem(&mut self, what: String) {
        self.note(|| format!("!!! {what}"));
        self.problems.push(what);
    }

    /// The last lines of the log.
    pub fn log(&self) -> String {
        self.log.iter().map(|line| format!("{line}\n")).collect()
    }

    /// A success for a message is on the wire; it answers the transmission at that time.
    pub fn acked(&mut self, message: usize, transmission: u64) {
        let at = self.tick();
        let now = self.now;
        self.heat = HEAT;
        let sent = &mut self.messages[message];
        sent.acked_at.get_or_insert(at);
        sent.received_by.get_or_insert(now);
        // A repeat of QoS 2 has no effect, and which one was the first to arrive is not known.
        let handled = if sent.qos == Qos::ExactlyOnce { sent.at } else { transmission };
        sent.handled = sent.handled.max(Some(handled));
    }

    /// All that a session has had with a filter.
    pub fn subs_of<'a>(
        &'a mut self,
        client: usize,
        instance: u32,
        filter: &'a str,
    ) -> impl Iterator<Item = &'a mut Sub> {
        self.subs.iter_mut().filter(move |sub| (sub.client, sub.instance) == (client, instance) && sub.filter == filter)
    }

    /// Whether the session may get a message that was first sent, and handled for the last time, between these two.
    pub fn may_get(&self, delivery: &Delivery, topic: &str, (sent_at, gone_at): (u64, u64)) -> bool {
        self.subs.iter().any(|sub| {
            (sub.client, sub.instance) == (delivery.client, delivery.instance)
                && sub.asked_at < delivery.at.min(gone_at)
                && sub.ended.is_none_or(|ended| ended > sent_at)
                && topic::matches(&sub.filter, topic)
        })
    }
}

/// The payload of a message: its number, and now and then so much that it has a row of its own.
pub fn payload(number: usize, large: usize) -> String {
    format!("m{number};{}", "x".repeat(large))
}

/// What a payload stands for.
pub fn what(payload: &str) -> Option<What> {
    let (kind, rest) = payload.split_at_checked(1)?;
    let number = rest.split(';').next()?.parse().ok()?;
    match kind {
        "m" => Some(What::Message(number)),
        "w" => Some(What::Will(number)),
        _ => None,
    }
}
