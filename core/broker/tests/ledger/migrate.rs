//! Stores of older formats become stores of today's; a crash anywhere on the way loses nothing and doubles nothing.

use hikyaku_broker::ledger::migrate::{Becomes, Migration, Next, Step};
use hikyaku_broker::ledger::{FORMAT, LedgerError, Place, format_of};
use hikyaku_traits::{Row, Table};

use crate::damage::full;
use crate::old;
use crate::world::*;

fn rows(store: &Store) -> Vec<(Table, Row)> {
    let row = |((table, key), value): (&(Table, Vec<u8>), &Vec<u8>)| {
        (*table, Row { key: key.as_slice().into(), value: value.as_slice().into() })
    };
    store.0.iter().map(row).collect()
}

fn store(rows: Vec<(Table, Row)>) -> Store {
    Store(rows.into_iter().map(|(table, row)| ((table, row.key.into()), row.value.into())).collect())
}

/// A store with rows in all tables and a few hundred messages, and the same in the format before.
fn stores() -> (Store, Store) {
    let mut world = full();
    let many: Vec<_> = (100..300).map(|id| publish(id, &[(1, id), (2, id)])).collect();
    world.commit(&many);
    let aged = old::age(&rows(&world.store), |row| u64::from(row.value[1]));
    (world.store, store(aged))
}

/// Runs until it is done, or so many batches have been applied; gives how many were.
fn run(store: &mut Store, steps: &[Step], page_bytes: usize, batches_max: usize) -> Result<usize, LedgerError> {
    let mut migration = Migration::new(steps, |_| true, page_bytes);
    let mut batches = 0;
    loop {
        match migration.next() {
            Next::Scan(scan) => migration.page(&store.scan(&scan))?,
            Next::Apply(_) if batches == batches_max => return Ok(batches),
            Next::Apply(batch) => {
                store.apply(&batch);
                store.apply(&batch); // as after a failure of which nobody knows how it ended
                batches += 1;
                migration.applied();
            }
            Next::Done => return Ok(batches),
        }
    }
}

#[test]
fn a_store_of_an_older_format_becomes_one_of_todays() {
    let (today, mut aged) = stores();
    assert!(
        rows(&aged)
            .iter()
            .all(|row| !rows(&today).contains(row) || !matches!(row.0, Table::Session | Table::Message | Table::Body))
    );
    assert_eq!(run(&mut aged, old::STEPS, 1 << 20, usize::MAX), Ok(2), "a page of each table");
    assert_eq!(aged, today);
    let recovered = World { store: aged, ..World::new() }.reopen();
    assert_eq!(recovered.sessions.iter().map(|session| session.queue.len()).collect::<Vec<_>>(), [202, 203]);
}

/// The crash comes before and after each batch; the next start goes on there.
#[test]
fn a_crash_between_any_two_batches_loses_and_doubles_nothing() {
    let (today, aged) = stores();
    for page_bytes in [1, 150, 4000] {
        let all = run(&mut aged.clone(), old::STEPS, page_bytes, usize::MAX).unwrap();
        assert!(all > 2 + 4 * usize::from(page_bytes < 4000), "{all} batches");
        for crash_after in (0..=all).step_by(if page_bytes == 1 { 7 } else { 1 }) {
            let mut store = aged.clone();
            run(&mut store, old::STEPS, page_bytes, crash_after).unwrap();
            let rest = run(&mut store, old::STEPS, page_bytes, usize::MAX).unwrap();
            assert_eq!(rest, all - crash_after, "it does not begin anew");
            assert_eq!(store, today, "after batch {crash_after} of {all}, pages of {page_bytes}");
        }
    }
}

#[test]
fn a_crash_after_every_single_batch_comes_to_the_end() {
    let (today, mut aged) = stores();
    let mut batches = 0;
    while run(&mut aged, old::STEPS, 1, 1).unwrap() == 1 {
        batches += 1;
    }
    assert_eq!(aged, today);
    assert_eq!(batches, 2 + 203, "one for each row");
}

/// Nobody takes a store for whole that is not: neither this build without the steps, nor one that knows the old format only.
#[test]
fn a_store_on_its_way_is_refused_by_who_does_not_know_the_way() {
    let (_, aged) = stores();
    let all = run(&mut aged.clone(), old::STEPS, 150, usize::MAX).unwrap();
    let unmigrated = LedgerError::Unmigrated { known: FORMAT };
    for batches in 0..=all {
        let mut store = aged.clone();
        run(&mut store, old::STEPS, 150, batches).unwrap();
        let expected = (batches < all).then(|| unmigrated.clone());
        assert_eq!(recover(&store, &store, 100).err(), expected, "after {batches} of {all}");
        assert_eq!(format_of(&store.rows(Table::Meta)).err(), expected);
        let format = store.get(Table::Meta, b"format").unwrap();
        assert_eq!(format, [1, u8::from(batches > 0)], "the format rises with the first batch");
    }
    assert!(unmigrated.to_string().contains("Try: start the broker on the store"), "{unmigrated}");
}

#[test]
fn a_store_of_todays_format_and_an_empty_one_are_left_alone() {
    let (mut today, _) = stores();
    let before = today.clone();
    assert_eq!(run(&mut today, old::STEPS, 1, usize::MAX), Ok(0));
    assert_eq!(today, before);
    let mut empty = Store::default();
    assert_eq!(run(&mut empty, old::STEPS, 1, usize::MAX), Ok(0));
    assert_eq!(empty, Store::default());
}

#[test]
fn a_newer_format_and_one_without_a_way_are_refused() {
    let (today, _) = stores();
    let refused = |format: &[u8]| {
        let mut store = today.clone();
        store.put(Table::Meta, b"format", format);
        let before = store.clone();
        let error = run(&mut store, old::STEPS, 1, usize::MAX).unwrap_err();
        assert_eq!(store, before);
        error
    };
    assert_eq!(refused(&[1, 2]), LedgerError::Newer { found: 2, known: 1 });
    assert!(matches!(refused(&[9]), LedgerError::Corrupt { table: Table::Meta, .. }));
    let mut without_steps = today.clone();
    without_steps.put(Table::Meta, b"format", &[1, 0]);
    assert!(matches!(run(&mut without_steps, &[], 1, 9), Err(LedgerError::Corrupt { table: Table::Meta, .. })));
}

/// A row that is damaged ends it and is named; what was done before stays done.
#[test]
fn a_damaged_row_ends_the_way_and_is_named() {
    let (today, mut aged) = stores();
    let key = 200_u64.to_be_bytes();
    let whole = aged.get(Table::Message, &key).unwrap().to_vec();
    aged.put(Table::Message, &key, &[0, 0]);
    let named = LedgerError::Corrupt { table: Table::Message, key: "00000000000000c8".into() };
    assert_eq!(run(&mut aged, old::STEPS, 1, usize::MAX), Err(named.clone()));
    assert_eq!(run(&mut aged, old::STEPS, 1, usize::MAX), Err(named));
    aged.put(Table::Message, &key, &whole);
    run(&mut aged, old::STEPS, 1, usize::MAX).unwrap();
    assert_eq!(aged, today);
}

#[test]
fn a_mark_that_cannot_be_read_is_corrupt() {
    let (_, mut aged) = stores();
    run(&mut aged, old::STEPS, 1, 3).unwrap();
    for mark in [&[][..], &[1], &[2, 1], &[1, Table::Will as u8]] {
        aged.put(Table::Meta, b"migration", mark);
        let error = run(&mut aged, old::STEPS, 1, usize::MAX).unwrap_err();
        assert!(matches!(error, LedgerError::Corrupt { table: Table::Meta, .. }), "{mark:?}: {error}");
    }
}

/// Each step finds what the one before it has left, also if the crash comes between them.
#[test]
fn steps_follow_each_other() {
    fn next(_: Table, row: &Row, old: u8) -> Option<Becomes> {
        let (version, rest) = row.value.split_first()?;
        if *version == old + 1 {
            return Some(Becomes::Same);
        }
        let mut key = row.key.clone();
        key.reverse();
        let value = [&[old + 1], rest].concat().into();
        (*version == old).then(|| Becomes::Rows(vec![(Table::Will, Row { key, value })]))
    }
    const STEPS: &[Step] = &[
        Step { from: 1, tables: &[Table::Will], row: |table, row| next(table, row, 1) },
        Step { from: 2, tables: &[], row: |_, _| None },
        Step { from: 3, tables: &[Table::Body, Table::Will], row: |table, row| next(table, row, 2) },
    ];
    let mut before = Store::default();
    before.put(Table::Meta, b"format", &[1, 1]);
    for number in 1..100_u64 {
        before.put(Table::Will, &(number << 8).to_be_bytes(), &[1, number as u8]);
    }
    let mut after = before.clone();
    after.0.iter_mut().filter(|row| row.0.0 == Table::Will).for_each(|(_, value)| value[0] = 3);
    after.put(Table::Meta, b"format", &[1, 4]);
    let all = run(&mut before.clone(), STEPS, 20, usize::MAX).unwrap();
    for crash_after in 0..=all {
        let mut store = before.clone();
        run(&mut store, STEPS, 20, crash_after).unwrap();
        run(&mut store, STEPS, 20, usize::MAX).unwrap();
        assert_eq!(store, after, "after batch {crash_after} of {all}");
    }
}

/// Two stores go their ways apart: none is asked for a table that it does not have.
#[test]
fn each_of_two_stores_is_asked_for_its_own_tables() {
    let (_, aged) = stores();
    for (place, holds) in [
        (Place::Sessions, (|table| Place::Sessions.holds(table)) as fn(Table) -> bool),
        (Place::Retained, |table| Place::Retained.holds(table)),
    ] {
        let mut store = aged.clone();
        store.0.retain(|(table, _), _| place.holds(*table));
        let mut migration = Migration::new(old::STEPS, holds, 100);
        loop {
            match migration.next() {
                Next::Scan(scan) => {
                    assert!(place.holds(scan.table), "{place:?} is asked for {:?}", scan.table);
                    migration.page(&store.scan(&scan)).unwrap();
                }
                Next::Apply(batch) => {
                    store.apply(&batch);
                    migration.applied();
                }
                Next::Done => break,
            }
        }
        assert_eq!(store.get(Table::Meta, b"format"), Some([1, 1].as_slice()), "{place:?}");
    }
}
