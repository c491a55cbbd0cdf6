//! What does one message to many sessions cost?

use hikyaku_broker::Change;
use hikyaku_traits::{Op, Table};

use crate::world::*;

const SESSIONS: u64 = 10_000;

/// Commits the changes; gives each row that was written as its table and its bytes, and the keys that were removed.
fn commit(world: &mut World, changes: &[Change]) -> (Vec<(Table, usize)>, Vec<Table>) {
    let encoded = world.ledger.encode(changes, world.wall_ms, false);
    let (mut written, mut removed) = (Vec::new(), Vec::new());
    let batch = encoded.sessions.unwrap();
    for op in batch.iter() {
        match op.unwrap() {
            Op::Put { table, key, value } => written.push((table, key.len() + value.len())),
            Op::Delete { table, .. } => removed.push(table),
            _ => panic!("nothing else is needed"),
        }
    }
    world.store.apply(&batch);
    (written, removed)
}

/// Its body is stored once, and each session costs less than 64 bytes. A session that drains rewrites one small row a
/// commit; with the last one everything goes.
#[test]
fn one_message_to_ten_thousand_sessions_is_stored_once() {
    let numbers: Vec<u64> = (1..=SESSIONS).collect();
    let mut world = World::with_sessions(&numbers);
    let body = vec![b'x'; 2_000];
    let receivers: Vec<(u64, u64)> = numbers.iter().map(|number| (*number, 1_000_000 + number)).collect();
    let (written, _) = commit(&mut world, &[publish_of(message(1, "to/all", &body), &receivers)]);
    let bytes: usize = written.iter().map(|row| row.1).sum();
    assert_eq!(written.iter().filter(|row| row.0 == Table::Message).count(), 1);
    assert!(bytes - body.len() < 64 * SESSIONS as usize, "{bytes} bytes for {SESSIONS} sessions");
    for number in numbers {
        let position = 1_000_000 + number;
        let (written, removed) = commit(&mut world, &[done(number, position, 1, position + 1)]);
        if number < SESSIONS {
            assert_eq!(removed, []);
            assert!(matches!(written[..], [(Table::Progress, bytes)] if bytes < 64), "{written:?}");
        } else {
            assert_eq!((written, removed), (vec![], vec![Table::Message]));
        }
    }
    assert_eq!(world.store.count(Table::Message), 0);
}
