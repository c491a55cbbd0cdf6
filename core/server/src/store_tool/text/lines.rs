//! What do the lines of an export say, and are they whole?

use std::io::{BufRead, Read};

use hikyaku_broker::ledger::{FORMAT, LedgerError, Record, meta_name};
use hikyaku_traits::{Row, Table};

use super::line::{End, First, Line, Said, Versions};
use super::{Tally, VERSION};
use crate::store_tool::Failure;

/// The longest line. The largest packet has 256 MiB, and escapes at most double a text.
const LINE_BYTES_MAX: u64 = 1 << 30;

/// What a line says.
pub(super) struct Entry {
    pub record: Record,
    /// It is of a store of retained messages that was another one.
    pub is_separate: bool,
    /// Where the record goes.
    pub table: Table,
    pub row: Row,
    /// How long the line is.
    pub text_bytes: u64,
}

/// Reads lines, and keeps count and checksum of them.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    name: String,
    /// The number of the line in `text`.
    number: u64,
    text: Vec<u8>,
    pub tally: Tally,
}

impl Lines {
    /// Lines of an input of that name.
    pub fn new(input: Box<dyn BufRead>, name: String) -> Self {
        Self { input, name, number: 0, text: Vec::new(), tally: Tally::default() }
    }

    fn failure(&self, why: impl std::fmt::Display) -> Failure {
        Failure::new(format!("Cannot import {}: line {}: {why}.", self.name, self.number))
    }

    /// Reads a line; `false` if there is none.
    fn read(&mut self) -> Result<bool, Failure> {
        self.text.clear();
        self.number += 1;
        let read = (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.text);
        match read {
            Err(error) => Err(self.failure(error)),
            Ok(0) => Ok(false),
            Ok(_) if self.text.last() == Some(&b'\n') => Ok(true),
            Ok(_) if self.text.len() as u64 == LINE_BYTES_MAX => Err(self.failure("it is longer than 1 GiB")),
            Ok(_) => Err(self.failure("it has no end: the file was cut off. Try: export again")),
        }
    }

    /// The first line: whether this build can read the rest.
    pub fn first(&mut self) -> Result<(), Failure> {
        let there = self.read()?;
        let first: First = match serde_json::from_slice(&self.text) {
            Ok(first) if there => first,
            _ => return Err(self.failure("this is no export. Try: a file that `hikyaku store export` has written")),
        };
        let Versions { version, store_format } = first.hikyaku_export;
        if version > VERSION {
            let known = format!("version {version}, and this build reads up to version {VERSION}");
            return Err(self.failure(format!("the export has {known}. Try: the version that wrote it, or a newer one")));
        }
        if store_format > FORMAT {
            return Err(self.failure(LedgerError::Newer { found: store_format, known: FORMAT }));
        }
        self.tally.line(&self.text);
        Ok(())
    }

    /// The next record and its row; `None` after the last line, which fits what came before it.
    pub fn record(&mut self) -> Result<Option<Entry>, Failure> {
        if !self.read()? {
            return Err(self.failure("the last line is missing: the file was cut off. Try: export again"));
        }
        let line: Line =
            serde_json::from_slice(&self.text).map_err(|error| self.failure(format!("it is not a record: {error}")))?;
        let (record, is_separate) = match line.said().map_err(|why| self.failure(why))? {
            Said::End(end) => return self.end(&end).map(|()| None),
            Said::Record(record, is_separate) => (record, is_separate),
        };
        if let Record::Meta { name, number } = &record
            && &**name == meta_name::FORMAT
            && *number > FORMAT
        {
            return Err(self.failure(LedgerError::Newer { found: *number, known: FORMAT }));
        }
        let Some((table, row)) = record.write() else {
            return Err(self.failure("a number or a text in it is out of its bounds"));
        };
        self.tally.line(&self.text);
        self.tally.record(table, is_separate);
        Ok(Some(Entry { record, is_separate, table, row, text_bytes: self.text.len() as u64 }))
    }

    fn end(&mut self, end: &End) -> Result<(), Failure> {
        if *end != self.tally.end() {
            let above = self.number - 1;
            let why = format!("lines 1 to {above} are not those that were exported: count or checksum differ");
            return Err(self.failure(format!("{why}. Try: the file as it was exported")));
        }
        if self.read()? {
            return Err(self.failure("something follows the last line"));
        }
        Ok(())
    }
}
