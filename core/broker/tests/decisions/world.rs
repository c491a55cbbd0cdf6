//! A hub, a store, a journal that moves when a test says so, and words for what clients do.

use std::sync::Arc;
use std::task::Waker;

use async_trait::async_trait;
use hikyaku_broker::ledger::{Body, Ledger, Recovery, body_keys, message_keys, read_message};
use hikyaku_broker::{
    AttachRequest, Attached, Close, Departure, Ending, Hub, HubConfig, Limits, PageItem, Sealed, Session, Step, Turn,
};
use hikyaku_memory::Forgetful;
use hikyaku_protocol::{Ack, AckKind, Disconnect, Packet, Publish, Subscribe, Unsubscribe};
use hikyaku_traits::{
    Access, Auth, AuthRequest, Authentication, Authorization, Durability, Lost, Scan, Table, Will, WillDecision,
};
use hikyaku_types::{Now, ProtocolVersion, Qos, ReasonCode, RetainHandling, SubscriptionOptions};

use crate::wire;

pub const Q0: Qos = Qos::AtMostOnce;
pub const Q1: Qos = Qos::AtLeastOnce;
pub const Q2: Qos = Qos::ExactlyOnce;
pub const LOST: Ending = Ending::Lost(Lost::Connection);

/// Everybody may do everything, but for what is about `denied`; what is about `later` takes time.
struct Guard;

#[async_trait]
impl Auth for Guard {
    async fn authenticate(&self, _: &AuthRequest) -> Authentication {
        Authentication::Allow
    }
    async fn continue_auth(&self, _: &AuthRequest, _: &[u8]) -> Authentication {
        Authentication::Deny(ReasonCode::NOT_AUTHORIZED)
    }
    fn authorize(&self, access: &Access<'_>) -> Authorization {
        match access.topic {
            "denied" => Authorization::Deny,
            "later" => Authorization::Later,
            _ => Authorization::Allow,
        }
    }
    async fn authorize_later(&self, _: &Access<'_>) -> Authorization {
        Authorization::Allow
    }
}

/// A broker without sockets.
pub struct World {
    pub hub: Hub,
    pub now: Now,
    pub store: Forgetful,
    ledger: Ledger,
    pub turn: Turn,
}

/// A connected client: the broker's side of it.
pub struct Client {
    pub session: Box<Session>,
    pub out: Vec<u8>,
    next_id: u16,
}

impl Client {
    pub fn of(session: Box<Session>) -> Self {
        Self { session, out: Vec::new(), next_id: 100 }
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        Self {
            hub: Hub::new(HubConfig { limits, seeds: [1, 2, 3, 4], auth: Arc::new(Guard) }),
            now: Now { mono_ms: 0, wall_ms: 1_700_000_000_000 },
            store: Forgetful::new(),
            ledger: Ledger::default(),
            turn: Turn::new(),
        }
    }

    /// The broker dies, and another one starts with what was committed.
    pub fn restart(&mut self) {
        let mut recovery = Recovery::new([1, 2, 3, 4], 1 << 20);
        while let Some((place, scan)) = recovery.next_scan() {
            recovery.page(place, self.store.scan_now(&scan)).unwrap();
        }
        let (ledger, recovered) = recovery.finish().unwrap();
        self.ledger = ledger;
        let limits = self.hub.limits.clone();
        self.hub = Hub::new(HubConfig { limits, seeds: [1, 2, 3, 4], auth: Arc::new(Guard) });
        self.turn = Turn::new();
        self.hub.restore(recovered, self.now, &mut self.turn);
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    pub fn attach(&mut self, request: &AttachRequest) -> Attached {
        self.hub.attach(request, self.now, Waker::noop(), &mut self.turn)
    }

    /// Connects, and waits for CONNACK; says whether the session was present.
    pub fn connect_to(&mut self, request: &AttachRequest) -> (Client, bool) {
        let Attached::Ready { session, present, ticket } = self.attach(request) else { panic!("not ready") };
        self.commit();
        assert!(ticket <= self.hub.watermark(), "CONNACK waits for what was appended, and for no more");
        (Client::of(session), present)
    }

    pub fn connect(&mut self, request: &AttachRequest) -> Client {
        self.connect_to(request).0
    }

    /// A client of 5.0 with a stored session that has subscribed to a filter and heard so.
    pub fn subscriber(&mut self, client_id: &str, filter: &str, qos: Qos) -> Client {
        let mut client = self.connect(&persistent(client_id));
        self.subscribe(&mut client, filter, options(qos));
        client
    }

    /// The same with a clean session.
    pub fn clean_subscriber(&mut self, client_id: &str, filter: &str, qos: Qos) -> Client {
        let mut client = self.connect(&clean(client_id));
        self.subscribe(&mut client, filter, options(qos));
        client
    }

    /// Subscribes and waits for SUBACK; what else has come is lost.
    pub fn subscribe(&mut self, client: &mut Client, filter: &str, options: SubscriptionOptions) {
        let said = self.subscribe_as(client, filter, options, None);
        assert!(said.iter().any(|line| line.starts_with("suback")), "{said:?}");
    }

    /// Subscribes with an identifier; gives all that comes, retained messages too.
    pub fn subscribe_as(
        &mut self,
        client: &mut Client,
        filter: &str,
        options: SubscriptionOptions,
        subscription_id: Option<u32>,
    ) -> Vec<String> {
        self.ask(client, &subscribe_packet(1, &[(filter, options)], subscription_id)).unwrap();
        self.settle(client)
    }

    /// One packet, one turn.
    pub fn ask(&mut self, client: &mut Client, packet: &Packet<'_>) -> Result<Step, Close> {
        let outcome = client.session.on_packet(&self.hub, packet, self.now, &mut self.turn);
        self.hub.finish(&mut self.turn, Some(&mut client.session), self.now);
        outcome
    }

    pub fn publish(&mut self, client: &mut Client, publish: Publish<'_>) -> Result<Step, Close> {
        self.turn.pressed = false;
        self.ask(client, &Packet::Publish(publish))
    }

    /// Publishes these payloads, each in its own turn; nothing is committed, and answers are not looked at.
    pub fn send(&mut self, client: &mut Client, qos: Qos, topic: &str, payloads: &[&str]) {
        for payload in payloads {
            client.next_id += u16::from(qos != Q0);
            let id = if qos == Q0 { 0 } else { client.next_id };
            assert_eq!(self.publish(client, publish(qos, id, topic, payload)), Ok(Step::Next));
        }
    }

    pub fn ack(&mut self, client: &mut Client, kind: AckKind, packet_id: u16) {
        self.ack_with(client, kind, packet_id, ReasonCode::SUCCESS);
    }

    pub fn ack_with(&mut self, client: &mut Client, kind: AckKind, packet_id: u16, reason: ReasonCode) {
        assert_eq!(self.ask(client, &Packet::Ack(Ack { kind, packet_id, reason })), Ok(Step::Next));
    }

    /// What the broker sends without anything being committed.
    pub fn hear(&mut self, client: &mut Client) -> Vec<String> {
        let Self { hub, turn, now, .. } = self;
        let session = &mut client.session;
        loop {
            let len = client.out.len();
            session.on_durable(hub, *now, &mut client.out);
            if session.is_pumping(hub) {
                session.pump(hub, turn, *now);
            }
            session.deliver(hub, *now, turn, &mut client.out);
            let staged = !turn.is_empty();
            hub.finish(turn, Some(session), *now);
            session.on_durable(hub, *now, &mut client.out);
            let ids = session.fetch();
            if !ids.is_empty() {
                session.on_page(hub, Some(read_page(&self.store, session.seat().number(), &ids)), turn);
            } else if client.out.len() == len && !staged {
                break;
            }
        }
        wire::read(&std::mem::take(&mut client.out), session.version().is_v5())
    }

    /// What the broker sends while everything is committed.
    pub fn settle(&mut self, client: &mut Client) -> Vec<String> {
        let mut said = self.hear(client);
        while let Some(sealed) = self.hub.seal() {
            self.apply(sealed);
            said.extend(self.hear(client));
        }
        said
    }

    /// Writes all that has gathered, and what follows from it; gives how many records were written.
    pub fn commit(&mut self) -> usize {
        let mut ops = 0;
        while let Some(sealed) = self.hub.seal() {
            ops += self.apply(sealed);
        }
        ops
    }

    pub fn apply(&mut self, sealed: Sealed) -> usize {
        let encoded = self.ledger.encode(&sealed.changes, self.now.wall_ms, false);
        if let Some(batch) = &encoded.sessions {
            self.store.apply_now(batch, Durability::Synced).unwrap();
        }
        self.hub.committed(sealed);
        encoded.ops
    }

    /// Rows of a table.
    pub fn rows(&self, table: Table) -> usize {
        let scan = Scan { table, from: Box::default(), to: None, bytes_max: usize::MAX };
        self.store.scan_now(&scan).rows.len()
    }

    pub fn leave(&mut self, client: Client, ending: Ending) -> Departure {
        let will = client.session.will().filter(|_| ending != Ending::Normal);
        let decision = will.map(|will| WillDecision::PublishAt(self.now.wall_ms + u64::from(will.delay_secs) * 1000));
        self.hub.detach(client.session, ending, decision, self.now, &mut self.turn)
    }

    /// DISCONNECT with that reason, and what the shell does then.
    pub fn disconnect(&mut self, mut client: Client, reason: ReasonCode, expiry_secs: Option<u32>) -> Departure {
        let packet = Packet::Disconnect(Disconnect { reason, session_expiry_secs: expiry_secs });
        assert_eq!(self.ask(&mut client, &packet), Ok(Step::Goodbye));
        let ending = if client.session.asked_for_will() { Ending::Lost(Lost::Asked) } else { Ending::Normal };
        self.leave(client, ending)
    }

    /// Does all that is due.
    pub fn tick(&mut self) {
        while self.hub.on_timeout(self.now, 100, &mut self.turn).is_some_and(|next| next <= self.now.wall_ms) {}
    }
}

fn read_page(store: &Forgetful, session: u64, ids: &[u64]) -> Vec<PageItem> {
    let mut items = Vec::new();
    for row in &store.get_now(Table::Message, &message_keys(ids)).rows {
        let stored = read_message(row, session).unwrap();
        let message = match stored.body {
            Body::Whole(message) => message,
            Body::Elsewhere(partial) => {
                let bodies = store.get_now(Table::Body, &body_keys(&[stored.message_id]));
                partial.complete(&bodies.rows[0].value)
            }
        };
        items.extend(PageItem::each(&message, stored.receipts));
    }
    items
}

/// CONNECT of a client of 5.0 whose session outlives its connection by an hour.
pub fn persistent(client_id: &str) -> AttachRequest {
    AttachRequest {
        client_id: client_id.into(),
        user_name: None,
        version: ProtocolVersion::V5,
        clean_start: false,
        expiry_secs: 3600,
        will: None,
        receive_maximum: u16::MAX,
        packet_size_max: u32::MAX,
        topic_alias_maximum: 0,
    }
}

/// CONNECT of a client of 5.0 with nothing to remember.
pub fn clean(client_id: &str) -> AttachRequest {
    AttachRequest { clean_start: true, expiry_secs: 0, ..persistent(client_id) }
}

/// A Will of QoS 1 to `will`, with this delay.
pub fn will(payload: &str, delay_secs: u32) -> Option<Arc<Will>> {
    Some(Arc::new(Will {
        topic: "will".into(),
        payload: payload.into(),
        qos: Q1,
        retain: false,
        delay_secs,
        expiry_secs: None,
        properties: Vec::new(),
    }))
}

pub fn publish<'a>(qos: Qos, packet_id: u16, topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish {
        dup: false,
        qos,
        retain: false,
        packet_id,
        topic,
        topic_alias: None,
        message_expiry_secs: None,
        properties: &[],
        travels_verbatim: true,
        payload: payload.as_bytes(),
    }
}

/// A PUBLISH of QoS 0 with RETAIN.
pub fn retained<'a>(topic: &'a str, payload: &'a str) -> Publish<'a> {
    Publish { retain: true, ..publish(Q0, 0, topic, payload) }
}

pub fn options(qos: Qos) -> SubscriptionOptions {
    SubscriptionOptions::qos(qos)
}

pub fn handling(qos: Qos, retain_handling: RetainHandling) -> SubscriptionOptions {
    SubscriptionOptions { retain_handling, ..options(qos) }
}

pub fn subscribe_packet(
    packet_id: u16,
    filters: &[(&str, SubscriptionOptions)],
    subscription_id: Option<u32>,
) -> Packet<'static> {
    let filters = filters.iter().map(|(filter, options)| ((*filter).to_owned(), *options)).collect();
    Packet::Subscribe(Box::new(Subscribe { packet_id, subscription_id, filters }))
}

pub fn unsubscribe_packet(packet_id: u16, filter: &str) -> Packet<'static> {
    Packet::Unsubscribe(Box::new(Unsubscribe { packet_id, filters: vec![filter.to_owned()] }))
}
