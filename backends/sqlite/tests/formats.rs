//! Files of every layout open with all that is in them, and an old one becomes a new one whatever ends the process meanwhile.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use hikyaku_sqlite::{Options, compact, info, open, verify};
use hikyaku_suite::{Ask, Place, Store, Write, boxed, run};
use hikyaku_traits::Table;

/// What each fixture holds: in every table keys that look like numbers, an empty one, one that is not UTF-8, and one value
/// that fills more than a page.
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

fn opened(path: &Path) -> Box<dyn Store> {
    boxed(open(path, &Options::default()).unwrap())
}

/// A copy of a fixture in a place of its own.
fn copied(place: &Place, fixture: &str) -> PathBuf {
    let path = place.path().join("records");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture), &path).unwrap();
    path
}

/// Opens a file that holds the records of the fixtures and closes it again.
fn assert_whole(path: &Path) {
    run(async {
        let store = opened(path);
        for table in Table::ALL {
            assert_eq!(store.all_of(table).await, records(table), "{}", table.name());
        }
        store.close().await.unwrap();
    });
    verify(path).unwrap();
}

fn layout(path: &Path) -> String {
    info(path).unwrap().engine.split_once("layout ").unwrap().1.to_owned()
}

/// A file of the layout that is written today.
#[test]
fn file_of_layout_2_opens() {
    let place = Place::new();
    let path = copied(&place, "layout_2.sqlite");
    assert_eq!(layout(&path), "2");
    assert_whole(&path);
}

/// A file of the first layout has all its records, and the newest layout once it was open.
#[test]
fn file_of_layout_1_opens_and_is_renewed() {
    let place = Place::new();
    let path = copied(&place, "layout_1.sqlite");
    assert_eq!(layout(&path), "1");
    assert_whole(&path);
    assert_eq!(layout(&path), "2");
    assert_whole(&path);
}

/// Too much to write anew at a start: the file keeps its layout and is used as it is. It is renewed by a compaction, or at the
/// start after it has drained, which then gives the room back too.
#[test]
fn large_file_of_layout_1_is_used_as_it_is() {
    const LARGE: i64 = 130 << 20;
    let place = Place::new();
    let path = copied(&place, "layout_1.sqlite");
    run(async {
        let store = rusqlite::Connection::open(&path).unwrap();
        store.execute("INSERT INTO message VALUES (x'ff', zeroblob(?1))", (LARGE,)).unwrap();
        drop(store);
        assert!(opened(&path).keys().await.contains(&vec![0xff]));
        assert_eq!(layout(&path), "1");
        let copy = place.path().join("copy");
        std::fs::copy(&path, &copy).unwrap();
        compact(&copy).unwrap();
        assert_eq!(layout(&copy), "2");
        let store = opened(&path);
        store.write([Write::delete([0xff])]).await.unwrap();
        store.close().await.unwrap();
    });
    assert_whole(&path);
    assert_eq!(layout(&path), "2");
    assert!(info(&path).unwrap().bytes < 1 << 20);
}

/// The name of the variable by which a test tells the process that it starts which file to open.
const CHILD: &str = "HIKYAKU_TEST_OPEN";

/// A process that renews a file is killed by the system when a file of it grows beyond a limit, which is set a little higher
/// each time until it gets through: whatever was written by then, the records are whole.
#[test]
fn renewal_may_be_killed_at_any_write() {
    if let Ok(path) = std::env::var(CHILD) {
        drop(open(path.as_ref(), &Options::default()));
        return;
    }
    let mut killed = 0;
    for limit_kib in (0..).step_by(4) {
        let place = Place::new();
        let path = copied(&place, "layout_1.sqlite");
        let status = Command::new("sh")
            .args(["-c", "ulimit -c 0; ulimit -f $0; exec \"$@\""])
            .arg((limit_kib * 2).to_string())
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "renewal_may_be_killed_at_any_write"])
            .env(CHILD, &path)
            .output()
            .unwrap()
            .status;
        if status.success() {
            assert_eq!(layout(&path), "2");
            break;
        }
        killed += 1;
        assert_whole(&path);
        assert_eq!(layout(&path), "2");
    }
    assert!(killed > 10, "killed {killed} times");
}
