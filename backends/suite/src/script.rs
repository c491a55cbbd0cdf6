//! What is done to a store that is to be broken off, and what may be left of it?

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::{Duration, Instant};

use hikyaku_traits::{Durability, Table};

use crate::Store;
use crate::cases::{Ask, Record, Write, batch, difference};

/// How long the store has worked on a batch, or on its close, when it is broken off.
pub(crate) const WORKED: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1)];

/// How many batches there are.
const BATCHES: usize = 6;

/// Where the life of a store is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When so many batches have been applied, and before the next.
    Between(usize),
    /// While the batch of this number is applied.
    Inside(usize, Duration),
    /// All batches have been applied, and it is being closed.
    Closing(Duration),
    /// It has been closed.
    Closed,
}

/// All of them, in the order of a life.
pub(crate) fn moments() -> Vec<Moment> {
    let inside = |number| WORKED.map(|worked| Moment::Inside(number, worked));
    let steps = (0..BATCHES).flat_map(|number| [Moment::Between(number)].into_iter().chain(inside(number)));
    let end = WORKED.map(Moment::Closing);
    steps.chain([Moment::Between(BATCHES)]).chain(end).chain([Moment::Closed]).collect()
}

/// Empties the store and applies the batches up to that moment; `returned` is called after each.
pub(crate) async fn live(store: &dyn Store, moment: Moment, mut returned: impl FnMut()) {
    let all = Table::ALL.map(|table| Write::DeleteRange(table, vec![], vec![0xff]));
    store.write(all).await.unwrap();
    for number in 0..BATCHES {
        if moment == Moment::Between(number) {
            return;
        }
        let (writes, durability) = step(number);
        let apply = store.apply(batch(writes), durability);
        if let Moment::Inside(broken, worked) = moment
            && broken == number
        {
            return break_off(apply, worked).await;
        }
        apply.await.unwrap();
        returned();
    }
    match moment {
        Moment::Closing(worked) => break_off(store.close(), worked).await,
        Moment::Closed => store.close().await.unwrap(),
        _ => {}
    }
}

/// Lets the store work on a call for a while, and leaves the call.
pub(crate) async fn break_off<T>(call: impl Future<Output = T>, worked: Duration) {
    let mut call = std::pin::pin!(call);
    // Asked once, it is under way.
    std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await;
    let began = Instant::now();
    while began.elapsed() < worked {
        std::hint::spin_loop();
    }
}

/// Judges what is left when `returned` batches were applied before that moment, and goes on from there: what was not
/// acknowledged is applied again, as the broker does.
pub(crate) async fn judge(store: &dyn Store, moment: Moment, returned: usize) {
    let begun = match moment {
        Moment::Between(number) => number,
        Moment::Inside(number, _) => number + 1,
        Moment::Closing(_) | Moment::Closed => BATCHES,
    };
    let is_synced = |number: &usize| moment == Moment::Closed || step(*number).1 == Durability::Synced;
    let acknowledged = (0..returned).rev().find(is_synced).map_or(0, |number| number + 1);
    let found = everything(store).await;
    let differences: Vec<_> = (acknowledged..=begun).map(|batches| different(&found, &after(batches))).collect();
    if differences.iter().all(Option::is_some) {
        let each =
            differences.iter().flatten().zip(acknowledged..).map(|(why, batches)| format!("\n  {batches}: {why}"));
        panic!(
            "after a break at {moment:?} the records are none of those that may be. {begun} batches were begun, the first \
             {acknowledged} of them acknowledged as synced, so the store must hold {acknowledged} to {begun} whole \
             batches. Compared with so many:{}",
            each.collect::<String>()
        );
    }
    for number in acknowledged..BATCHES {
        store.write(step(number).0).await.unwrap();
    }
    let wrong = different(&everything(store).await, &after(BATCHES));
    assert!(wrong.is_none(), "after a break at {moment:?} and all batches again: {}", wrong.unwrap_or_default());
}

/// A batch of the script: it puts small and large records, and takes and replaces some of those before it.
fn step(number: usize) -> (Vec<Write>, Durability) {
    let key = |number: usize, i: usize| format!("{number:02}/{i:02}");
    let mut writes: Vec<_> = (0..40).map(|i| Write::put(key(number, i), format!("{number} {i}"))).collect();
    writes.push(Write::Put(Table::Meta, b"newest".to_vec(), number.to_string().into()));
    if number.is_multiple_of(2) {
        writes.push(Write::Put(Table::Body, key(number, 0).into(), vec![number as u8; 200_000]));
    }
    if let Some(before) = number.checked_sub(1) {
        writes.push(Write::delete(key(before, 7)));
        writes.push(Write::delete_range(key(before, 20), key(before, 30)));
        writes.push(Write::put(key(before, 25), "again"));
        writes.push(Write::Delete(Table::Body, key(before, 0).into()));
    }
    let durability = if number.is_multiple_of(3) { Durability::Synced } else { Durability::Buffered };
    (writes, durability)
}

/// The records after the first batches.
fn after(batches: usize) -> BTreeMap<Table, Vec<Record>> {
    let mut tables: BTreeMap<_, BTreeMap<_, _>> = Table::ALL.map(|table| (table, BTreeMap::new())).into();
    for write in (0..batches).flat_map(|number| step(number).0) {
        let (Write::Put(table, ..) | Write::Delete(table, ..) | Write::DeleteRange(table, ..)) = write else {
            continue;
        };
        let records = tables.entry(table).or_default();
        match write {
            Write::Put(_, key, value) => drop(records.insert(key, value)),
            Write::Delete(_, key) => drop(records.remove(&key)),
            Write::DeleteRange(_, from, to) => records.retain(|key, _| *key < from || *key >= to),
            Write::Unknown => {}
        }
    }
    tables.into_iter().map(|(table, records)| (table, records.into_iter().collect())).collect()
}

async fn everything(store: &dyn Store) -> BTreeMap<Table, Vec<Record>> {
    let mut tables = BTreeMap::new();
    for table in Table::ALL {
        tables.insert(table, store.all_of(table).await);
    }
    tables
}

/// The first difference of any table.
fn different(found: &BTreeMap<Table, Vec<Record>>, expected: &BTreeMap<Table, Vec<Record>>) -> Option<String> {
    let of =
        |table: Table| difference(&found[&table], &expected[&table]).map(|why| format!("in {}, {why}", table.name()));
    Table::ALL.into_iter().find_map(of)
}
