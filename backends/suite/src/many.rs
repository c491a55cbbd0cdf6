//! Is a store still quick when it holds much?

use std::time::{Duration, Instant};

use hikyaku_traits::{Scan, Table};

use crate::Store;
use crate::cases::{Ask, Record, Write, row, rows, same};

/// How many records a batch brings.
const BATCH: usize = 10_000;

/// 100,000 records in one table: all come back in pages, any of them by its key, and half of them go in one range.
pub async fn hundred_thousand_records_in_a_table(open: impl AsyncFn() -> Box<dyn Store>) {
    const RECORDS: usize = 100_000;
    let key = |i: usize| (i as u32).to_be_bytes();
    let value = |i: usize| [&key(i)[..], &vec![b'v'; i % 100]].concat();
    let store = open().await;
    fill(&*store, RECORDS, |i| Write::put(key(i), value(i))).await;
    assert_eq!(walk(&*store, Table::Message, |i, found| assert_eq!(found, row(key(i), value(i)))).await, RECORDS);
    let wanted: Vec<usize> = (0..RECORDS).step_by(997).rev().collect();
    let page = store.get(Table::Message, wanted.iter().map(|&i| key(i).into()).collect()).await.unwrap();
    same(rows(&page), wanted.iter().map(|&i| row(key(i), value(i))).collect::<Vec<_>>());
    store.write([Write::delete_range(key(0), key(RECORDS / 2))]).await.unwrap();
    let rest = |i: usize, found| assert_eq!(found, row(key(i + RECORDS / 2), value(i + RECORDS / 2)));
    assert_eq!(walk(&*store, Table::Message, rest).await, RECORDS / 2);
}

/// A million retained topics `site/room/sensor`. `+/042/#` looks into 1,000 narrow ranges, and 1,000 topics are looked up
/// one by one. All of that together takes less time than reading everything 20 times: a store that looks through its table
/// for each of these 2,000 questions would need it 2,000 times.
pub async fn a_million_topics_are_looked_up_in_place(open: impl AsyncFn() -> Box<dyn Store>) {
    const SITES: usize = 1_000;
    const ROOMS: usize = 100;
    const SENSORS: usize = 10;
    let topic = |site, room, sensor| format!("{site:03}/{room:03}/{sensor}");
    let store = open().await;
    fill(&*store, SITES * ROOMS * SENSORS, |i| {
        let topic = topic(i / SENSORS / ROOMS, i / SENSORS % ROOMS, i % SENSORS);
        Write::Put(Table::Retained, topic.clone().into(), topic.into())
    })
    .await;

    let began = Instant::now();
    let all = walk(&*store, Table::Retained, |_, (topic, value)| assert_eq!(topic, value)).await;
    let whole = began.elapsed();
    assert_eq!(all, SITES * ROOMS * SENSORS);

    let began = Instant::now();
    for site in 0..SITES {
        let (from, to) = (format!("{site:03}/042/"), format!("{site:03}/0420"));
        let (from, to) = (from.into_bytes().into(), Some(to.into_bytes().into()));
        let page = store.scan(Scan { table: Table::Retained, from, to, bytes_max: 64 << 10 }).await.unwrap();
        same(rows(&page), std::array::from_fn::<_, SENSORS, _>(|sensor| pair(topic(site, 42, sensor))));
        assert!(!page.more, "a page with the whole range says that there is more");
        let one = topic(site, site % ROOMS, site % SENSORS);
        let page = store.get(Table::Retained, vec![one.as_bytes().into()]).await.unwrap();
        same(rows(&page), [pair(one)]);
    }
    let narrow = began.elapsed();
    assert!(
        narrow < whole * 20 + Duration::from_secs(1),
        "2,000 narrow questions took {narrow:?}, reading all {all} records once {whole:?}: does a range begin at its first \
         key, or does the store look through the table?"
    );
}

fn pair(topic: String) -> Record {
    row(&topic, &topic)
}

/// Puts so many records, in batches that are synced by the last one.
async fn fill(store: &dyn Store, records: usize, write: impl Fn(usize) -> Write) {
    for start in (0..records).step_by(BATCH) {
        store.write_buffered((start..records.min(start + BATCH)).map(&write)).await.unwrap();
    }
    store.write([]).await.unwrap();
}

/// Reads a table in pages, and says how many records there were.
async fn walk(store: &dyn Store, table: Table, mut each: impl FnMut(usize, Record)) -> usize {
    let (mut from, mut count) = (Vec::new(), 0);
    loop {
        let page = store.scan(Scan { table, from: from.into(), to: None, bytes_max: 256 << 10 }).await.unwrap();
        for found in rows(&page) {
            each(count, found);
            count += 1;
        }
        match page.rows.last() {
            Some(last) if page.more => from = [&last.key[..], &[0]].concat(),
            _ => return count,
        }
    }
}
