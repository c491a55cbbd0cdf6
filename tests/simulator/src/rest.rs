//! How does the world come to rest? Nothing goes wrong any more, and all that is under way comes to its end.

use hikyaku_types::ProtocolVersion;

use crate::client::{Client, Phase, Profile};
use crate::shell::Connection;
use crate::world::World;

impl World {
    /// Nothing goes wrong any more: all that is under way comes to its end.
    ///
    /// # Errors
    /// It does not, or something is seen that must not be.
    pub fn settle(&mut self) -> Result<(), String> {
        self.disk.trouble(false);
        for _ in 0..5_000 {
            let mut busy = false;
            for id in self.connections.keys().copied().collect::<Vec<_>>() {
                busy |= self.settle_connection(id);
            }
            // Not until it rests: it may look again and again for what a turn is just about to append.
            for _ in 0..20 {
                if !self.disk.is_runnable() {
                    break;
                }
                let before = self.hub.watermark();
                self.journal_step();
                busy |= before != self.hub.watermark();
            }
            for number in 0..self.clients.len() {
                let Self { clients, history, random, .. } = self;
                busy |= !clients[number].acks.is_empty() || !clients[number].out.is_empty();
                while !clients[number].acks.is_empty() {
                    clients[number].acknowledge(history, random);
                }
                self.flush(number);
            }
            if self.hub.next_deadline().is_some_and(|at| at <= self.now.wall_ms) {
                busy = true;
                self.pass(1);
            }
            if let Some(problem) = self.history.problems.first() {
                return Err(problem.clone());
            }
            if !busy {
                return Ok(());
            }
        }
        let busy: Vec<String> =
            self.connections.values().filter(|connection| connection.is_runnable()).map(Connection::shown).collect();
        Err(format!("it does not come to rest: {busy:?}"))
    }

    fn settle_connection(&mut self, id: usize) -> bool {
        let Some(connection) = self.connections.get(&id) else { return false };
        let mut busy = false;
        if connection.has_input() {
            busy = true;
            self.arrive(id, true);
        }
        if self.connections.get(&id).is_some_and(Connection::is_runnable) {
            busy = true;
            self.turn(id);
        }
        if self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.server_gone || !connection.to_client.is_empty())
        {
            busy = true;
            self.arrive_back(id, true);
        }
        busy
    }

    /// All connections that are given up are closed, and all clients connect that have none.
    ///
    /// # Errors
    /// See [`Self::settle`].
    pub fn gather(&mut self) -> Result<(), String> {
        for connection in self.connections.values_mut().filter(|connection| connection.abandoned) {
            connection.client_gone = true;
            connection.arrive(0);
        }
        for _ in 0..20 {
            self.settle()?;
            let away: Vec<usize> =
                self.clients.iter().filter(|client| client.phase == Phase::Away).map(|client| client.number).collect();
            if away.is_empty() {
                break;
            }
            away.into_iter().for_each(|number| self.open(number, true));
        }
        match self.clients.iter().find(|client| client.phase != Phase::Connected || !client.is_settled()) {
            Some(client) => Err(format!("c{} waits for something that does not come: {client:?}", client.number)),
            None => Ok(()),
        }
    }

    /// Time passes, as much as any Will waits.
    ///
    /// # Errors
    /// See [`Self::settle`].
    pub fn wait_for_wills(&mut self) -> Result<(), String> {
        for _ in 0..5 {
            self.settle()?;
            self.pass(1000);
        }
        self.settle()
    }

    /// A new client without a past.
    pub fn newcomer(&mut self) -> usize {
        let number = self.clients.len();
        let version = ProtocolVersion::V5;
        let expiry_secs = self.random.pick(&[0, u32::MAX]);
        let profile = Profile {
            version,
            expiry_secs,
            receive_maximum: 100,
            packet_size_max: None,
            alias_maximum: 0,
            wills: 0,
            fickle: 0,
            nervous: 0,
        };
        self.clients.push(Client::new(number, profile));
        number
    }
}
