//! Whatever happens in whatever order, a restart at any moment finds what a simple model says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hikyaku_broker::{Change, SessionRecord};
use hikyaku_traits::Table;

use crate::world::*;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// One of them, taken out.
    fn take<T: Copy + Ord>(&mut self, set: &mut BTreeSet<T>) -> Option<T> {
        let chosen = (!set.is_empty()).then(|| set.iter().nth(self.below(set.len())).copied())??;
        set.remove(&chosen);
        Some(chosen)
    }
}

/// What should be: sessions with their queues, and what is still to be swept.
struct Model {
    queues: BTreeMap<u64, BTreeSet<(u64, u64)>>,
    next_position: BTreeMap<u64, u64>,
    clients: BTreeMap<u64, Arc<str>>,
    to_sweep: BTreeSet<(u64, u64, u64)>,
    next_id: u64,
    highest_stored: u64,
    next_number: u64,
}

impl Model {
    fn publish(&mut self, dice: &mut Dice) -> Change {
        let id = self.next_id;
        self.next_id += 1 + dice.below(3) as u64;
        let mut receivers = Vec::new();
        for (number, queue) in &mut self.queues {
            if dice.below(2) == 0 {
                let position = self.next_position.get_mut(number).unwrap();
                queue.insert((*position, id));
                receivers.push((*number, *position));
                *position += 1;
            }
        }
        if !receivers.is_empty() {
            self.highest_stored = id;
        }
        let len = if dice.below(4) == 0 { 4000 } else { 10 };
        publish_of(message(id, "t", &vec![0; len]), &receivers)
    }

    fn done(&mut self, dice: &mut Dice) -> Option<Change> {
        let number = 1 + dice.below(self.next_number as usize) as u64;
        let queue = self.queues.get_mut(&number)?;
        let mut front: BTreeSet<_> = queue.iter().take(5).copied().collect();
        let (position, id) = dice.take(&mut front)?;
        queue.remove(&(position, id));
        let low = queue.first().map_or(self.next_position[&number], |first| first.0);
        Some(done(number, position, id, low))
    }

    fn drop_and_open(&mut self, dice: &mut Dice) -> Vec<Change> {
        let old = 1 + dice.below(self.next_number as usize) as u64;
        let number = self.next_number;
        self.next_number += 1;
        let mut client_id = record(number).client_id;
        let mut changes = Vec::new();
        if let Some(queue) = self.queues.remove(&old) {
            self.to_sweep.extend(queue.into_iter().map(|(position, id)| (old, position, id)));
            client_id = self.clients[&old].clone(); // the client begins anew
            changes.push(Change::SessionDrop { number: old, client_id: client_id.clone() });
        }
        self.clients.insert(number, client_id.clone());
        self.queues.insert(number, BTreeSet::new());
        self.next_position.insert(number, 1);
        changes.push(Change::Session(SessionRecord { client_id, ..record(number) }));
        changes
    }

    fn sweep(&mut self, dice: &mut Dice) -> Option<Change> {
        let (number, position, id) = dice.take(&mut self.to_sweep)?;
        Some(done(number, position, id, 0))
    }

    fn changes(&mut self, dice: &mut Dice) -> Vec<Change> {
        let mut changes = Vec::new();
        for _ in 0..dice.below(12) {
            match dice.below(10) {
                0 if dice.below(3) == 0 => changes.extend(self.drop_and_open(dice)),
                1..=4 => changes.push(self.publish(dice)),
                5 => changes.extend(self.sweep(dice)),
                _ => changes.extend(self.done(dice)),
            }
        }
        changes
    }
}

fn check(world: &mut World, model: &Model) -> Vec<u64> {
    let recovered = world.reopen();
    let queues: BTreeMap<_, BTreeSet<_>> = recovered
        .sessions
        .iter()
        .map(|session| (session.record.number, places(&session.queue).into_iter().collect()))
        .collect();
    assert_eq!(queues, model.queues);
    for session in &recovered.sessions {
        let first = session.queue.first().map_or(session.next_position, |first| first.position);
        assert_eq!(session.low, first);
        assert!(session.queue.last().is_none_or(|last| last.position < session.next_position));
    }
    let waiting: BTreeSet<_> = model.queues.values().flatten().map(|place| place.1).collect();
    let to_sweep: BTreeSet<_> = model.to_sweep.iter().map(|place| place.2).filter(|id| !waiting.contains(id)).collect();
    assert_eq!(recovered.orphans.iter().copied().collect::<BTreeSet<_>>(), to_sweep);
    assert_eq!(world.store.count(Table::Message), waiting.len() + to_sweep.len());
    assert!(recovered.next_message_id > model.highest_stored && recovered.next_session_number >= model.next_number);
    recovered.orphans
}

#[test]
fn a_restart_at_any_moment_finds_what_was_committed() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut world = World::with_sessions(&[1, 2, 3]);
        let mut model = Model {
            queues: (1..=3).map(|number| (number, BTreeSet::new())).collect(),
            next_position: (1..=3).map(|number| (number, 1)).collect(),
            clients: (1..=3).map(|number| (number, record(number).client_id)).collect(),
            to_sweep: BTreeSet::new(),
            next_id: 1,
            highest_stored: 0,
            next_number: 4,
        };
        for _ in 0..80 {
            world.commit(&model.changes(&mut dice));
            // A look at the store that nobody notices, or a restart: then the sweep begins anew, with the orphans.
            let mut copy = World { store: world.store.clone(), ..World::new() };
            let orphans = check(&mut copy, &model);
            if dice.below(5) == 0 {
                world = copy;
                model.to_sweep = orphans.into_iter().map(|id| (0, 0, id)).collect();
            }
        }
        while let Some(change) = model.sweep(&mut dice) {
            world.commit(&[change]);
        }
        for number in 1..model.next_number {
            while let Some((position, id)) = model.queues.get_mut(&number).and_then(BTreeSet::pop_first) {
                world.commit(&[done(number, position, id, position + 1)]);
            }
        }
        assert_eq!((world.store.count(Table::Message), world.store.count(Table::Body)), (0, 0), "seed {seed}");
    }
}
