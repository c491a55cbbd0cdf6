//! Files of every format open with all that is in them.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use hikyaku_redb::{Options, open, verify};
use hikyaku_suite::{Ask, Place, boxed, run};
use hikyaku_traits::Table;

/// What each fixture holds: in every table keys that look like numbers, empty ones, ones that are not UTF-8, and one value that
/// fills more than a page.
fn records(table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records = vec![
        (Vec::new(), b"empty key".to_vec()),
        (b"007".to_vec(), Vec::new()),
        (b"7".to_vec(), b"seven".to_vec()),
        (vec![0, 0xff, 0x80], vec![0xfe; 3]),
        (b"table".to_vec(), table.name().into()),
    ];
    if table == Table::Body {
        records.push((b"long".to_vec(), (0..6_000_u32).map(|n| n as u8).collect()));
    }
    records.sort();
    records
}

/// A copy of the fixture has all its records, and keeps them when it is closed and opened again.
#[test]
fn file_of_format_1_opens() {
    let place = Place::new();
    let path = place.path().join("records");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format_1.redb"), &path).unwrap();
    for _ in 0..2 {
        verify(&path).unwrap();
        run(async {
            let store = boxed(open(&path, &Options::default()).unwrap());
            for table in Table::ALL {
                assert_eq!(store.all_of(table).await, records(table), "{}", table.name());
            }
            store.close().await.unwrap();
        });
    }
}
