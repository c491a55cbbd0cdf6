//! What is in a store?

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use hikyaku_blocking::Blocking;
use hikyaku_broker::ledger::{Record, meta_name};
use hikyaku_traits::{RecordStore, Table};
use indicatif::{HumanBytes, HumanCount};

use super::Failure;
use super::address::{Address, Stores};
use super::pages::{Pages, meta_rows};
use super::progress::Progress;

/// The last second of the year 9999, the last one that has a text.
const LAST_TEXT_SECS: u64 = 253_402_300_799;

/// Tells what the stores hold. Blocks for the disk: all is read.
pub(super) async fn info(stores: &Stores) -> Result<String, Failure> {
    let mut text = String::new();
    for address in stores.each() {
        if !text.is_empty() {
            text.push('\n');
        }
        let files = address.info()?;
        let store = address.open_existing()?;
        meta_rows(&store, &address.file).await?;
        let found = count(&store, address).await?;
        store.close().await?;
        let _ = writeln!(text, "store      {address}"); // a String takes everything
        let _ = writeln!(text, "engine     {}", files.engine);
        let free = HumanBytes(files.free_bytes);
        let _ = writeln!(text, "files      {}, of which {free} hold nothing", HumanBytes(files.bytes));
        if files.log_bytes > 0 {
            let _ = writeln!(text, "log        {} of them", HumanBytes(files.log_bytes));
        }
        found.write(&mut text);
    }
    Ok(text)
}

/// What was counted.
#[derive(Default)]
struct Found {
    /// Records and bytes of each table.
    tables: [(u64, u64); Table::ALL.len()],
    format: Option<u64>,
    clock_ms: u64,
    parked: u64,
    receivers: u64,
    oldest: Option<(u64, Box<str>)>,
}

async fn count(store: &Blocking, address: &Address) -> Result<Found, Failure> {
    let mut found = Found::default();
    let progress = Progress::over(&address.file);
    let mut pages = Pages::of(store, &Table::ALL);
    while let Some((table, rows)) = pages.next().await? {
        progress.rows(table, &rows);
        for row in rows {
            let (records, bytes) = &mut found.tables[table as usize];
            *records += 1;
            *bytes += (row.key.len() + row.value.len()) as u64;
            if matches!(table, Table::Meta | Table::Session | Table::Message) {
                found.take(Record::read(table, &row).map_err(|error| Failure::ledger(&address.file, &error))?);
            }
        }
    }
    Ok(found)
}

impl Found {
    fn take(&mut self, record: Record) {
        match record {
            Record::Meta { name, number } if &*name == meta_name::FORMAT => self.format = Some(number),
            Record::Meta { name, number } if &*name == meta_name::CLOCK => self.clock_ms = number,
            Record::Session(session) => self.parked += u64::from(session.parked_since_ms.is_some()),
            Record::Message { message, receivers } => {
                self.receivers += receivers.len() as u64;
                self.oldest.get_or_insert((message.id, message.topic));
            }
            _ => {}
        }
    }

    fn records(&self, table: Table) -> u64 {
        self.tables[table as usize].0
    }

    fn write(&self, text: &mut String) {
        // A String takes everything.
        let _ = match self.format {
            Some(format) => writeln!(text, "format     {format}"),
            None => writeln!(text, "format     none: nothing has been written"),
        };
        if self.clock_ms > 0 {
            let at = UNIX_EPOCH + Duration::from_secs((self.clock_ms / 1000).min(LAST_TEXT_SECS));
            let _ = writeln!(text, "clock      {}", humantime::format_rfc3339_seconds(at));
        }
        let (sessions, parked) = (self.records(Table::Session), self.parked);
        let _ = writeln!(text, "sessions   {} ({} connected, {parked} parked)", sessions, sessions - parked);
        let waiting = HumanCount(self.records(Table::Message));
        let _ = write!(text, "waiting    {waiting} messages for {} receivers", HumanCount(self.receivers));
        if let Some((id, topic)) = &self.oldest {
            let _ = write!(text, "; the oldest is message {id}, topic {topic:?}");
        }
        let _ = writeln!(text, "\nretained   {} messages", HumanCount(self.records(Table::Retained)));
        let _ = writeln!(text, "\n{:<16}{:>14}{:>14}", "table", "records", "size");
        for table in Table::ALL {
            let (records, bytes) = self.tables[table as usize];
            let (records, size) = (HumanCount(records).to_string(), HumanBytes(bytes).to_string());
            let _ = writeln!(text, "{:<16}{records:>14}{size:>14}", table.name());
        }
    }
}

/// Gives what is free in the files back to the disk. Blocks for the disk.
pub(super) async fn compact(stores: &Stores) -> Result<String, Failure> {
    let mut text = String::new();
    for address in stores.each() {
        let bytes_before = address.info()?.bytes;
        address.open_existing()?.close().await?; // what is in the log goes into the file
        let done = address.compact()?;
        let (before, after) = (HumanBytes(bytes_before), HumanBytes(done.bytes_after));
        let _ = writeln!(text, "{address}: {before} before, {after} after"); // a String takes everything
    }
    Ok(text)
}
