//! What is in the file of a store, read with the engine's own library and nothing of the broker's.

use crate::life::{address, store};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Table and key to value.
pub type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// The file of a store in a directory.
pub fn file(engine: &str, directory: &Path) -> PathBuf {
    directory.join(format!("hikyaku.{engine}"))
}

/// Table by table; without the engine's own record of the log in front of it.
pub fn rows(engine: &str, directory: &Path) -> Rows {
    settle(engine, directory);
    let file = file(engine, directory);
    assert!(file.exists(), "{} is there", file.display());
    let mut rows = if engine == "redb" { of_redb(&file) } else { of_sqlite(&file) };
    rows.remove(&("meta".to_owned(), b"\0log".to_vec()));
    rows
}

/// What a broker that was killed has left in the log in front of the store goes into the store.
fn settle(engine: &str, directory: &Path) {
    if directory.join(format!("hikyaku.{engine}-log")).exists() {
        store(&["info", "--store", &address(engine, directory)]);
    }
}

fn of_redb(file: &Path) -> Rows {
    let database = Database::open(file).unwrap();
    let read = database.begin_read().unwrap();
    let mut rows = Rows::new();
    for table in read.list_tables().unwrap() {
        let name = table.name().to_owned();
        let records = read.open_table(TableDefinition::<&[u8], &[u8]>::new(&name)).unwrap();
        for row in records.iter().unwrap() {
            let (key, value) = row.unwrap();
            rows.insert((name.clone(), key.value().to_vec()), value.value().to_vec());
        }
    }
    rows
}

fn of_sqlite(file: &Path) -> Rows {
    let connection = Connection::open(file).unwrap();
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE sql LIKE '%value BLOB%'").unwrap();
    let names: Vec<String> = names.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut rows = Rows::new();
    for name in names {
        let mut records = connection.prepare(&format!("SELECT key, value FROM \"{name}\"")).unwrap();
        let records = records.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.extend(records.map(Result::unwrap).map(|(key, value)| ((name.clone(), key), value)));
    }
    rows
}

/// Writes a row of a redb store, or removes it.
pub fn put(directory: &Path, table: &str, key: &[u8], value: Option<&[u8]>) {
    settle("redb", directory);
    let database = Database::open(file("redb", directory)).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut records = write.open_table(TableDefinition::<&[u8], &[u8]>::new(table)).unwrap();
        match value {
            Some(value) => drop(records.insert(key, value).unwrap()),
            None => drop(records.remove(key).unwrap()),
        }
    }
    write.commit().unwrap();
}
