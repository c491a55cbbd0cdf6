//! How does a store become text?

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use hikyaku_blocking::Blocking;
use hikyaku_broker::ledger::{FORMAT, Record, format_of};
use hikyaku_traits::{RecordStore, Table};
use indicatif::HumanCount;

use super::line::{First, Line, Versions, line_of};
use super::{DASH, Tally, VERSION};
use crate::store_tool::Failure;
use crate::store_tool::address::{Address, Chosen, Stores};
use crate::store_tool::copy::{RETAINED, SESSIONS};
use crate::store_tool::draft::{Draft, Drafts};
use crate::store_tool::pages::{Pages, meta_rows, refuse_stranded};
use crate::store_tool::progress::Progress;

/// Which store is written to which file.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ExportArgs {
    /// Write this file, which must not be there yet; - is stdout
    file: PathBuf,
    #[command(flatten)]
    pub(in crate::store_tool) chosen: Chosen,
}

/// Exports, and says how much. Blocks for the disk.
pub(in crate::store_tool) async fn export(
    asked: &ExportArgs,
    stores: &Stores,
    drafts: &Drafts,
) -> Result<String, Failure> {
    let file = &asked.file;
    let said = |records| format!("exported {} records from {stores} to {}\n", HumanCount(records), file.display());
    if file == Path::new(DASH) {
        let records = write(stores, io::stdout().lock(), Path::new("stdout")).await?;
        eprint!("{}", said(records)); // stdout is the export
        return Ok(String::new());
    }
    if file.exists() {
        let why = "there is such a file already. Try: another name";
        return Err(Failure::new(format!("Cannot write {}: {why}.", file.display())));
    }
    let draft = Draft::begin(file, drafts);
    let opened = File::create_new(draft.path());
    let opened = opened.map_err(|error| Failure::io("write", file, &error, "another directory"))?;
    let records = write(stores, opened, file).await?;
    draft.publish()?;
    Ok(said(records))
}

async fn write(stores: &Stores, out: impl Write, file: &Path) -> Result<u64, Failure> {
    let main = stores.main.open_existing()?;
    let retained = stores.retained.as_ref().map(Address::open_existing).transpose()?;
    let meta = meta_rows(&main, &stores.main.file).await?;
    let format = format_of(&meta).ok().flatten().unwrap_or(FORMAT);
    if let Some(address) = &stores.retained {
        refuse_stranded(&main, &stores.main, address).await?;
    }
    let mut writer = Writer::new(out, file);
    writer.line(&First { hikyaku_export: Versions { version: VERSION, store_format: format } })?;
    writer.table_rows(&main, &stores.main, &[Table::Meta], false).await?;
    writer.table_rows(&main, &stores.main, &SESSIONS, false).await?;
    match (&retained, &stores.retained) {
        (Some(store), Some(address)) => {
            meta_rows(store, &address.file).await?;
            writer.table_rows(store, address, &[Table::Meta], true).await?;
            writer.table_rows(store, address, &RETAINED, true).await?;
        }
        _ => writer.table_rows(&main, &stores.main, &RETAINED, false).await?,
    }
    for store in retained.iter().chain([&main]) {
        store.close().await?;
    }
    writer.finish()
}

/// Writes lines, and keeps count and checksum of them.
struct Writer<'a, W: Write> {
    out: BufWriter<W>,
    file: &'a Path,
    tally: Tally,
    /// Used again for each line.
    text: Vec<u8>,
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(out: W, file: &'a Path) -> Self {
        Self { out: BufWriter::new(out), file, tally: Tally::default(), text: Vec::new() }
    }

    fn line(&mut self, line: &impl serde::Serialize) -> Result<(), Failure> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, line).map_err(|error| self.failure(&io::Error::from(error)))?;
        self.text.push(b'\n');
        self.tally.line(&self.text);
        self.out.write_all(&self.text).map_err(|error| self.failure(&error))
    }

    async fn table_rows(
        &mut self,
        store: &Blocking,
        address: &Address,
        tables: &[Table],
        is_separate: bool,
    ) -> Result<(), Failure> {
        let progress = Progress::over(&address.file);
        let mut pages = Pages::of(store, tables);
        while let Some((table, rows)) = pages.next().await? {
            progress.rows(table, &rows);
            for row in rows {
                let record = Record::read(table, &row).map_err(|error| Failure::ledger(&address.file, &error))?;
                drop(row);
                self.tally.record(table, is_separate);
                self.line(&line_of(record, is_separate))?;
            }
        }
        Ok(())
    }

    /// Writes the last line. Gives the number of records.
    fn finish(mut self) -> Result<u64, Failure> {
        let (end, count) = (self.tally.end(), self.tally.sum());
        self.line(&Line::End(end))?;
        self.out.flush().map_err(|error| self.failure(&error))?;
        Ok(count)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::io("write", self.file, error, "make room, or another place")
    }
}
