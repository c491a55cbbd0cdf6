//! Stores of each format that there ever was are opened with everything in them; those of a format that is yet to come are
//! refused.

use crate::{stocked, with_backends};
use hikyaku_tests::raw::Connect;
use hikyaku_tests::{Broker, Options, fixture, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The fixtures of a backend, one for each format.
fn fixtures(backend: &str) -> Vec<PathBuf> {
    let directory = tools::here().join("trouble/fixtures");
    let end = format!(".{backend}.tar.gz");
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.display().to_string().ends_with(&end));
    found.sort();
    found
}

fn every_format_is_opened_with_everything_in_it(backend: &str) {
    let fixtures = fixtures(backend);
    assert!(fixtures.len() >= 2, "after an orderly end, and after kill -9");
    for path in fixtures {
        println!("{}", path.display());
        let mut broker = Options::backend(backend).start();
        broker.kill9();
        fs::remove_dir_all(broker.data()).unwrap();
        fs::create_dir(broker.data()).unwrap();
        unpack(&path, &broker.data());
        broker.restart();
        fixture::check(&broker);
    }
}

fn unpack(from: &Path, to: &Path) {
    let status = Command::new("tar").args(["--extract", "--file"]).arg(from).arg("--directory").arg(to).status();
    assert!(status.unwrap().success());
}

/// Writes a row past the broker.
fn put(backend: &str, file: &Path, key: &[u8], value: &[u8]) {
    if backend == "redb" {
        let database = ::redb::Database::open(file).unwrap();
        let transaction = database.begin_write().unwrap();
        let table = ::redb::TableDefinition::<&[u8], &[u8]>::new("meta");
        transaction.open_table(table).unwrap().insert(key, value).unwrap();
        transaction.commit().unwrap();
    } else {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";
        rusqlite::Connection::open(file).unwrap().execute(sql, (key, value)).unwrap();
    }
}

/// Refused with what to do, also where damaged stores are put aside; afterwards the store is as it was.
fn is_refused(broker: &mut Broker, backend: &str, file: &Path) {
    put(backend, file, b"format", &[1, 2]);
    for set_aside in [false, true] {
        if set_aside {
            broker.change(|options| options.storage("on_corrupt", "set-aside"));
        }
        let said = broker.refused();
        let words = ["has format 2", "reads up to format 1", "Try: the version that wrote the store, or a newer one"];
        for word in words.into_iter().chain([&*file.display().to_string()]) {
            assert!(said.contains(word), "'{word}' is missing: {said}");
        }
        assert!(!said.contains("set-aside"), "a store that is whole is not to be put aside: {said}");
    }
    put(backend, file, b"format", &[1, 1]);
}

fn newer_format_is_refused_and_left_alone(backend: &str) {
    let mut broker = stocked(backend);
    let file = broker.file();
    is_refused(&mut broker, backend, &file);
    broker.restart();
    Connect::v311("sleeper").durable().resume(&broker).leave();
}

fn newer_format_of_the_retained_store_is_refused(backend: &str) {
    let elsewhere = std::env::temp_dir().join(format!("hikyaku-newer-{backend}-{}", std::process::id()));
    let section = format!("{{backend: {backend}, path: {}}}", elsewhere.display());
    let mut broker = Options::backend(backend).storage("retained", &section).start();
    let mut client = Connect::v311("client").ok(&broker);
    client.publish(hikyaku_tests::raw::Publish::new("state", "on", 1).retained());
    broker.term();
    is_refused(&mut broker, backend, &elsewhere.join(format!("hikyaku.{backend}")));
    broker.restart();
    let mut client = Connect::v311("client").ok(&broker);
    client.subscribe("state", 1);
    assert_eq!(client.message().text(), "on");
    drop(broker);
    fs::remove_dir_all(elsewhere).unwrap();
}

/// The engine's own layout has a number too.
#[test]
fn newer_layout_of_sqlite_is_refused() {
    let mut broker = stocked("sqlite");
    rusqlite::Connection::open(broker.file()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let file = broker.file().display().to_string();
    let said = broker.refused();
    assert!(said.contains(&file) && said.contains("a newer broker wrote it (layout 99"), "{said}");
    assert!(said.contains("Try: that version of the broker, or a newer one"), "{said}");
}

with_backends! {
    every_format_is_opened_with_everything_in_it
    newer_format_is_refused_and_left_alone
    newer_format_of_the_retained_store_is_refused
}
