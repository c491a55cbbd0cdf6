//! What is said to SQLite? All of its text is here.

use hikyaku_traits::Table;

/// `HIKY`, in the header of the file: it is a store of records and nothing else.
pub(crate) const APPLICATION_ID: i32 = 0x4849_4B59;

/// The newest layout, in the header of the file.
pub(crate) const LAYOUT: i64 = 2;

/// The layout with which the tables have been as they are.
pub(crate) const LAYOUT_OF_TABLES: i64 = 1;

/// Lets a file that is made or written anew after it get shorter step by step.
pub(crate) const INCREMENTAL: &str = "PRAGMA auto_vacuum = INCREMENTAL";

pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
pub(crate) const BEGIN_READ: &str = "BEGIN";
pub(crate) const COMMIT: &str = "COMMIT";

/// A change that makes a commit sync when the batch itself may change nothing.
pub(crate) const MARK: &str =
    "INSERT INTO hikyaku_sync VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET count = (count + 1) & 0xffffffff";

/// Which statement of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Put,
    Delete,
    DeleteRange,
    Get,
    ScanTo,
    ScanOn,
}

/// How many statements a table has.
pub(crate) const KINDS: usize = 6;

/// The statements of all tables, made once: preparing them asks for no memory.
pub(crate) struct Sql(Vec<[String; KINDS]>);

impl Sql {
    pub(crate) fn new() -> Self {
        Self(Table::ALL.map(|table| of_table(table.name())).into())
    }

    /// A statement; empty, and so an error of SQLite, if the table is not known.
    pub(crate) fn of(&self, table: Table, kind: Kind) -> &str {
        self.0.get(table as usize).map_or("", |statements| &statements[kind as usize])
    }
}

fn of_table(name: &str) -> [String; KINDS] {
    [
        format!("REPLACE INTO \"{name}\" (key, value) VALUES (?1, ?2)"),
        format!("DELETE FROM \"{name}\" WHERE key = ?1"),
        format!("DELETE FROM \"{name}\" WHERE key >= ?1 AND key < ?2"),
        format!("SELECT value FROM \"{name}\" WHERE key = ?1"),
        format!("SELECT key, value FROM \"{name}\" WHERE key >= ?1 AND key < ?2 ORDER BY key"),
        format!("SELECT key, value FROM \"{name}\" WHERE key >= ?1 ORDER BY key"),
    ]
}

/// Makes all that is missing, in one transaction. The columns say BLOB: any other word has an affinity, with which the topic
/// `007` would become `7`.
pub(crate) fn schema() -> String {
    let mut sql = String::from("BEGIN IMMEDIATE;");
    for table in Table::ALL {
        sql += &format!(
            "CREATE TABLE IF NOT EXISTS \"{}\" (key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;",
            table.name()
        );
    }
    sql += "CREATE TABLE IF NOT EXISTS hikyaku_sync (one INTEGER PRIMARY KEY, count INTEGER NOT NULL);";
    sql += &format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT_OF_TABLES}; COMMIT;");
    sql
}
