//! What happens next? One thread, one clock, one source of chance: a client does something, bytes arrive, a task has its
//! turn, the journal goes a step, time passes, the broker dies and starts again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hikyaku_broker::{Hub, HubConfig, Limits, Turn, use_packet_ids};
use hikyaku_traits::{Access, Auth, AuthRequest, Authentication, Authorization};
use hikyaku_types::{Now, Qos, ReasonCode, SubscriptionOptions};

use crate::client::{Client, Phase};
use crate::disk::Disk;
use crate::draw::{limits, observer, profile};
use crate::flaw::Flaw;
use crate::history::{History, Log, Moment};
use crate::random::Random;
use crate::shell::{Connection, Shell, standard};

/// The client that sees all Wills.
pub const OBSERVER: usize = 0;
/// 2023.
const START_MS: u64 = 1_700_000_000_000;

/// Everybody may do everything.
struct Everybody;

#[async_trait]
impl Auth for Everybody {
    async fn authenticate(&self, _: &AuthRequest) -> Authentication {
        Authentication::Allow
    }
    async fn continue_auth(&self, _: &AuthRequest, _: &[u8]) -> Authentication {
        Authentication::Deny(ReasonCode::NOT_AUTHORIZED)
    }
    fn authorize(&self, _: &Access<'_>) -> Authorization {
        Authorization::Allow
    }
    async fn authorize_later(&self, _: &Access<'_>) -> Authorization {
        Authorization::Allow
    }
}

/// Everything.
pub struct World {
    /// Chance.
    pub random: Random,
    /// What the clients have seen.
    pub history: History,
    /// The model clients.
    pub clients: Vec<Client>,
    /// The stores and the way to them.
    pub disk: Disk,
    /// The broker.
    pub hub: Hub,
    /// The time.
    pub now: Now,
    /// By number.
    pub connections: BTreeMap<usize, Connection>,
    /// Client to connection.
    links: BTreeMap<usize, usize>,
    next_connection: usize,
    turn: Turn,
    limits: Limits,
    /// Of ten thousand steps.
    crashes: usize,
    /// How often time passes, of a hundred times that it could.
    passing: usize,
    /// How much the clock of the machine is behind.
    slow_ms: u64,
    /// How often a turn is left between two steps, of a hundred.
    pauses: usize,
}

impl World {
    /// The world of a seed, before anything has happened.
    pub fn new(seed: u64, flaw: Flaw, log: Log) -> Self {
        let mut random = Random::new(seed);
        // What is rare has a chance of its own: other worlds stay as they are.
        let mut rare = Random::new(!seed);
        let limits = limits(&mut random, &mut rare);
        let mut history = History::new(log, Moment { wall_ms: START_MS, real_ms: 0 });
        history.wide = limits.inflight_messages_max >= 1000;
        history.inflight_messages_max = limits.inflight_messages_max;
        history.queue_messages_max = limits.queue_messages_max;
        let disk = Disk::new(random.chance(25), flaw, random.chance(25), random.pick(&[0, 0, 2, 20]));
        let count = 3 + random.below(3);
        let mut clients = vec![Client::new(OBSERVER, observer())];
        clients.extend((1..=count).map(|number| Client::new(number, profile(&mut random, &mut rare))));
        use_packet_ids(random.pick(&[4, 16, 65_535, 65_535]));
        Self {
            history,
            clients,
            disk,
            hub: Hub::new(HubConfig { limits: limits.clone(), seeds: random.seeds(), auth: Arc::new(Everybody) }),
            now: Now { mono_ms: 0, wall_ms: START_MS },
            connections: BTreeMap::new(),
            links: BTreeMap::new(),
            next_connection: 0,
            turn: Turn::new(),
            limits,
            crashes: random.pick(&[0, 10, 40]),
            passing: random.pick(&[10, 50, 100]),
            slow_ms: 0,
            pauses: random.pick(&[0, 10, 50]),
            random,
        }
    }

    /// Everything that goes wrong, for so many steps. The observer has subscribed before.
    ///
    /// # Errors
    /// What went wrong that must not.
    pub fn storm(&mut self, steps: usize) -> Result<(), String> {
        self.open(OBSERVER, true);
        self.settle()?;
        let Self { clients, history, random, .. } = self;
        clients[OBSERVER].subscribe("w/#", SubscriptionOptions::qos(Qos::ExactlyOnce), history, random);
        self.settle()?;
        self.disk.trouble(true);
        for _ in 0..steps {
            self.step()?;
            if let Some(problem) = self.history.problems.first() {
                return Err(problem.clone());
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let hot = self.history.heat > 0 || self.disk.is_at_stake();
        self.history.heat = self.history.heat.saturating_sub(1);
        if self.random.below(10_000) < self.crashes * if hot { 4 } else { 1 } {
            return self.crash();
        }
        match self.random.below(100) {
            0..25 => {
                let number = self.random.below(self.clients.len());
                self.client_step(number);
            }
            25..45 => self.some_connection(|connection| connection.has_input(), |world, id| world.arrive(id, false)),
            45..62 => self.some_connection(
                |connection| connection.server_gone || !connection.to_client.is_empty(),
                |world, id| world.arrive_back(id, false),
            ),
            62..85 => self.some_connection(Connection::is_runnable, Self::turn),
            85..98 => self.journal_step(),
            _ if !self.random.chance(self.passing) => {}
            _ => {
                let ms = self.random.pick(&[1, 50, 50, 1000, 1000, 5000, 5000, 70_000]);
                self.pass(ms);
            }
        }
        Ok(())
    }

    fn some_connection(&mut self, fits: impl Fn(&Connection) -> bool, then: impl FnOnce(&mut Self, usize)) {
        let fitting: Vec<usize> =
            self.connections.iter().filter(|(_, connection)| fits(connection)).map(|(id, _)| *id).collect();
        if !fitting.is_empty() {
            let id = self.random.pick(&fitting);
            then(self, id);
        }
    }

    /// A client does its next thing.
    fn client_step(&mut self, number: usize) {
        let whim = self.random.below(100);
        match (self.clients[number].phase, whim) {
            (Phase::Away, 0..40) => self.open(number, number == OBSERVER),
            (Phase::Away, _) | (Phase::Connecting | Phase::Leaving(_), 3..) => {}
            (_, 0..3) => self.hang_up(number),
            (Phase::Connected, 3..5) if number != OBSERVER => {
                let Self { clients, history, random, .. } = self;
                clients[number].disconnect(history, random);
            }
            (Phase::Connected, 5..7) => {
                self.abandon(number);
                self.open(number, number == OBSERVER);
            }
            (Phase::Connected, _) => {
                let Self { clients, history, random, .. } = self;
                if number == OBSERVER {
                    clients[number].acknowledge(history, random);
                } else {
                    clients[number].act(history, random);
                }
            }
        }
        self.flush(number);
    }

    /// A client opens a connection. Not while the CONNECT of an earlier one might still be taken in, and change what this
    /// one finds: between connections there is no order. One that has not arrived is lost.
    pub fn open(&mut self, number: usize, calm: bool) {
        self.connections.retain(|_, connection| connection.client != number || !connection.is_unheard());
        let client = &self.clients[number];
        let waits = |connection: &&Connection| connection.client == number && connection.waits().is_some();
        let waiting: Vec<&Connection> = self.connections.values().filter(waits).collect();
        let harmless = client.profile.expiry_secs > 0 && !client.must_clean;
        if !waiting.iter().all(|connection| harmless && connection.waits() == Some(true)) {
            return;
        }
        let calm = calm || !waiting.is_empty();
        let id = self.next_connection;
        self.next_connection += 1;
        self.connections.insert(id, Connection::new(number, self.clients[number].profile.version));
        self.links.insert(number, id);
        self.clients[number].connect(&mut self.history, &mut self.random, calm);
        self.flush(number);
    }

    /// What a client has written is on its way.
    pub fn flush(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let Some(connection) = self.links.get(&number).and_then(|id| self.connections.get_mut(id)) else { return };
        connection.to_server.extend(client.out.drain(..));
        connection.sent.extend(client.sent.drain(..).map(|(id, message, at)| (id, (message, at))));
    }

    /// A client closes its connection: bytes are cut anywhere, both ways.
    pub fn hang_up(&mut self, number: usize) {
        let Some(id) = self.links.remove(&number) else { return };
        let mut left = None;
        if let Some(connection) = self.connections.get_mut(&id) {
            left = connection.left;
            let kept = self.random.below(connection.to_server.len() + 1);
            connection.to_server.truncate(kept);
            connection.to_client.clear();
            connection.client_gone = true;
            connection.arrive(0);
        }
        self.clients[number].closed(&mut self.history, false, left);
    }

    /// A client gives a connection up without closing it.
    fn abandon(&mut self, number: usize) {
        let Some(id) = self.links.remove(&number) else { return };
        let mut left = None;
        if let Some(connection) = self.connections.get_mut(&id) {
            left = connection.left;
            connection.to_client.clear();
            connection.abandoned = true;
        }
        self.clients[number].closed(&mut self.history, false, left);
    }

    /// Bytes arrive at the broker.
    pub fn arrive(&mut self, id: usize, all: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let most = connection.to_server.len();
        let count = if all || self.random.chance(50) { most } else { self.random.below(most + 1) };
        connection.arrive(count);
    }

    /// Bytes, or the end, arrive at the client.
    pub fn arrive_back(&mut self, id: usize, all: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let number = connection.client;
        if self.links.get(&number) != Some(&id) {
            if connection.is_over() {
                self.connections.remove(&id);
            }
            return;
        }
        let most = connection.to_client.len();
        let count = if all || self.random.chance(50) { most } else { self.random.below(most + 1) };
        let bytes: Vec<u8> = connection.to_client.drain(..count).collect();
        let is_end = connection.server_gone && connection.to_client.is_empty();
        let left = connection.left;
        self.clients[number].receive(&bytes, &mut self.history);
        self.flush(number);
        if is_end {
            self.links.remove(&number);
            self.connections.remove(&id);
            self.clients[number].closed(&mut self.history, true, left);
        }
    }

    /// A task has its turn.
    pub fn turn(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Self { hub, disk, now, random, history, turn, pauses, .. } = self;
        connection.step(&mut Shell { hub, disk, now: *now, random, history, turn, pauses: *pauses });
    }

    /// The journal goes a step.
    pub fn journal_step(&mut self) {
        let said = self.disk.step(&self.hub, self.now.wall_ms, &mut self.random);
        self.history.store_failed |= !self.hub.is_store_up();
        self.history.note(|| said);
    }

    /// Time passes, and what is due is done.
    pub fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.history.now.real_ms += ms;
        self.history.now.wall_ms = self.now.wall_ms;
        self.history.note(|| format!("{ms} ms pass"));
        let budget = 1 + self.random.below(20);
        self.hub.on_timeout(self.now, budget, &mut self.turn);
    }

    /// Some time has passed while the broker was away, and somebody may have set the clock of its machine back, or right
    /// again. It never starts before what its store remembers.
    fn restart_clock(&mut self, remembered_ms: u64) {
        self.history.now.real_ms += self.random.pick(&[0, 100, 2000]);
        if self.random.chance(30) {
            self.slow_ms = self.random.pick(&[0, 1000, 10_000, START_MS]);
        }
        let wall_ms = (START_MS + self.history.now.real_ms - self.slow_ms).max(remembered_ms);
        self.now = Now { mono_ms: 0, wall_ms };
        self.history.now.wall_ms = wall_ms;
        self.clients.iter_mut().for_each(|client| client.restarted(wall_ms));
        self.history.wills.iter_mut().filter_map(|will| will.lost.as_mut()).for_each(|lost| lost.restarted(wall_ms));
        self.history.note(|| format!("the clock says {wall_ms}"));
    }

    /// The broker dies, and starts again.
    ///
    /// # Errors
    /// It does not.
    pub fn crash(&mut self) -> Result<(), String> {
        self.history.tick();
        self.history.epoch += 1;
        self.history.note(|| "the broker dies".to_owned());
        self.history.dropped_queue_full += self.hub.counters.dropped_queue_full.get();
        (0..self.clients.len()).for_each(|number| self.history.parted(number));
        self.disk.crash(&mut self.random);
        let connections = std::mem::take(&mut self.connections);
        for (number, id) in std::mem::take(&mut self.links) {
            let left = connections.get(&id).and_then(|connection| connection.left);
            self.clients[number].closed(&mut self.history, false, left);
        }
        self.turn = Turn::new();
        let seeds = self.random.seeds();
        let recovered = self.disk.recover(seeds, self.random.pick(&[1, 100, 1 << 20]))?;
        self.restart_clock(recovered.clock_ms);
        self.history.note(|| format!("recovered {recovered:?}"));
        self.hub = Hub::new(HubConfig { limits: self.limits.clone(), seeds, auth: Arc::new(Everybody) });
        let (lost, _) = self.hub.restore(recovered, self.now, &mut self.turn);
        for lost in lost {
            let decision = standard(&lost.will, self.now);
            self.hub.decide_lost_will(lost, decision, self.now, &mut self.turn);
        }
        Ok(())
    }
}
