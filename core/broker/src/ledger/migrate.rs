//! How does a store of an older format become one of today's? Step by step, page by page, and a crash anywhere loses
//! nothing.
//!
//! [`STEPS`] has one [`Step`] from each format to the next. A step looks at the rows of some tables in the order of their
//! keys and says what each becomes. What a page of rows becomes is one batch, and in the same batch stands how far the step
//! is: a start that finds this goes on there. The format rises with the first batch, so that a build that does not know the
//! new format refuses the store from then on; the row that says how far it is goes with the last.
//!
//! ```text
//! meta           "migration"                            the table and the key at which the step goes on
//! ```

use hikyaku_traits::{Batch, Page, Row, Scan, Table};

use super::batch::Builder;
use super::codec::Reader;
use super::{FORMAT, LedgerError, key, meta};

/// The steps of this build, each from the format that the one before it leaves. They lead to [`FORMAT`].
pub const STEPS: &[Step] = &[];

/// The version of the row that says how far a step is.
const VERSION: u8 = 1;

/// Enough for the rows of [`Table::Meta`] that are asked for.
const META_BYTES: usize = 4096;

/// A way from one format to the next.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The format that it finds; it leaves the next number.
    pub from: u64,
    /// The tables whose rows it looks at, one after the other.
    pub tables: &'static [Table],
    /// What becomes of a row; `None`: it is damaged. It sees one row and nothing else.
    ///
    /// It must know its own rows and leave them as they are ([`Becomes::Same`]): it meets those that lie behind the row that
    /// they were made of. The version in front of each value is there for that. A new row must not have the key of an old
    /// one that it was not made of.
    pub row: fn(Table, &Row) -> Option<Becomes>,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// It stays as it is.
    Same,
    /// These take its place; none: it goes.
    Rows(Vec<(Table, Row)>),
}

/// What is to be done next.
pub enum Next {
    /// Ask the store, and bring the answer to [`Migration::page`].
    Scan(Scan),
    /// Apply this synced, then call [`Migration::applied`].
    Apply(Batch),
    /// Nothing: the store has the format of the last step.
    Done,
}

/// Brings one store from its format to that of the last step. The shell asks what is next and does it, until it is done;
/// it may stop anywhere and begin again with a new one.
///
/// ```
/// use hikyaku_broker::ledger::migrate::{Migration, Next, STEPS};
/// use hikyaku_traits::Page;
///
/// let mut migration = Migration::new(STEPS, |_| true, 1 << 20);
/// loop {
///     match migration.next() {
///         Next::Scan(_scan) => migration.page(&Page::default())?, // what the store answers
///         Next::Apply(_batch) => migration.applied(),             // once the store has it
///         Next::Done => break,
///     }
/// }
/// # Ok::<(), hikyaku_broker::ledger::LedgerError>(())
/// ```
pub struct Migration<'s> {
    steps: &'s [Step],
    /// Which tables this store has.
    holds: fn(Table) -> bool,
    page_bytes: usize,
    state: State,
    /// What is to be applied, and where that leads.
    pending: Option<(Batch, State)>,
    seen: u64,
    written: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// The store has not been asked for its format.
    Unknown,
    At(Cursor),
    Done,
}

/// How far it is.
#[derive(Clone, Debug)]
struct Cursor {
    step: usize,
    /// Which of the step's tables.
    table: usize,
    /// From which key on.
    from: Box<[u8]>,
}

impl<'s> Migration<'s> {
    /// Begins, or goes on where a crash has ended it. Pages have about `page_bytes`, and so have the batches if a step makes
    /// rows about as large as it finds them.
    #[must_use]
    pub fn new(steps: &'s [Step], holds: fn(Table) -> bool, page_bytes: usize) -> Self {
        Self { steps, holds, page_bytes, state: State::Unknown, pending: None, seen: 0, written: 0 }
    }

    /// What is to be done; the same again until it has been.
    #[must_use]
    pub fn next(&self) -> Next {
        if let Some((batch, _)) = &self.pending {
            return Next::Apply(batch.clone());
        }
        match &self.state {
            State::Unknown => Next::Scan(Scan {
                table: Table::Meta,
                from: key::FORMAT.into(),
                to: Some(key::MIGRATION.iter().copied().chain([0]).collect()),
                bytes_max: META_BYTES,
            }),
            State::At(cursor) => Next::Scan(Scan {
                table: self.steps[cursor.step].tables[cursor.table],
                from: cursor.from.clone(),
                to: None,
                bytes_max: self.page_bytes,
            }),
            State::Done => Next::Done,
        }
    }

    /// The answer to the last question.
    ///
    /// # Errors
    /// The store is of a newer format than the last step leaves, of one from which no step leads, or a row is damaged.
    pub fn page(&mut self, page: &Page) -> Result<(), LedgerError> {
        if self.pending.is_some() {
            return Ok(());
        }
        match self.state.clone() {
            State::Unknown => self.begin(page),
            State::At(cursor) => self.convert(cursor, page),
            State::Done => Ok(()),
        }
    }

    /// The last batch is durable.
    pub fn applied(&mut self) {
        match self.pending.take() {
            Some((_, State::At(cursor))) => self.go(cursor, Builder::default()),
            Some((_, state)) => self.state = state,
            None => {}
        }
    }

    /// From which format to which it is on its way; `None`: it is not.
    #[must_use]
    pub fn way(&self) -> Option<(u64, u64)> {
        let State::At(cursor) = &self.state else { return None };
        let from = self.steps[cursor.step].from;
        Some((from, from + 1))
    }

    /// How many rows it has looked at, and how many it has written, since it was made.
    #[must_use]
    pub fn rows(&self) -> (u64, u64) {
        (self.seen, self.written)
    }

    fn begin(&mut self, page: &Page) -> Result<(), LedgerError> {
        let find = |key: &[u8]| page.rows.iter().find(|row| *row.key == *key);
        let corrupt = |key| LedgerError::corrupt(Table::Meta, key);
        self.state = State::Done;
        // A store without rows gets its format with the first of them.
        let Some(format) = find(key::FORMAT) else { return Ok(()) };
        let format = meta::number(&format.value).ok_or_else(|| corrupt(key::FORMAT))?;
        let known = self.steps.last().map_or(FORMAT, |last| last.from + 1);
        if format > known {
            return Err(LedgerError::Newer { found: format, known });
        }
        let step_from = |from| self.steps.iter().position(|step| step.from == from);
        if let Some(mark) = find(key::MIGRATION) {
            let step = format.checked_sub(1).and_then(step_from);
            let cursor = step.and_then(|step| self.marked(step, &mark.value)).ok_or_else(|| corrupt(key::MIGRATION))?;
            self.state = State::At(cursor);
        } else if format < known {
            let step = step_from(format).ok_or_else(|| corrupt(key::FORMAT))?;
            self.go(Cursor { step, table: 0, from: Box::default() }, Builder::default());
        }
        Ok(())
    }

    fn marked(&self, step: usize, mark: &[u8]) -> Option<Cursor> {
        let mut reader = Reader::of_version(mark, VERSION)?;
        let number = reader.byte()?;
        let table = self.steps[step].tables.iter().position(|table| *table as u8 == number)?;
        (self.holds)(self.steps[step].tables[table]).then(|| Cursor { step, table, from: reader.rest().into() })
    }

    fn convert(&mut self, cursor: Cursor, page: &Page) -> Result<(), LedgerError> {
        let step = &self.steps[cursor.step];
        let table = step.tables[cursor.table];
        let mut batch = Builder::default();
        for row in &page.rows {
            if table == Table::Meta && (*row.key == *key::FORMAT || *row.key == *key::MIGRATION) {
                continue;
            }
            self.seen += 1;
            let Becomes::Rows(rows) = (step.row)(table, row).ok_or_else(|| LedgerError::corrupt(table, &row.key))?
            else {
                continue;
            };
            batch.delete(table, &[&row.key]);
            for (table, row) in &rows {
                self.written += 1;
                batch.put(*table, &[&row.key], |value| value.extend_from_slice(&row.value));
            }
        }
        let Cursor { step, table, .. } = cursor;
        let next = match page.rows.last() {
            Some(last) if page.more => Cursor { step, table, from: last.key.iter().copied().chain([0]).collect() },
            _ => Cursor { step, table: table + 1, from: Box::default() },
        };
        self.go(next, batch);
        Ok(())
    }

    /// Goes on at the cursor, once what has changed on the way there is written.
    fn go(&mut self, mut cursor: Cursor, mut batch: Builder) {
        let step = &self.steps[cursor.step];
        while step.tables.get(cursor.table).is_some_and(|table| !(self.holds)(*table)) {
            cursor.table += 1;
        }
        let next = step.tables.get(cursor.table);
        if batch.len() == 0 && next.is_some() {
            self.state = State::At(cursor);
            return;
        }
        batch.put(Table::Meta, &[key::FORMAT], |value| meta::write_number(value, step.from + 1));
        let state = match next {
            Some(table) => {
                batch.put(Table::Meta, &[key::MIGRATION], |value| {
                    value.extend_from_slice(&[VERSION, *table as u8]);
                    value.extend_from_slice(&cursor.from);
                });
                State::At(cursor)
            }
            None => {
                batch.delete(Table::Meta, &[key::MIGRATION]);
                let step = cursor.step + 1;
                let further = Cursor { step, table: 0, from: Box::default() };
                if step < self.steps.len() { State::At(further) } else { State::Done }
            }
        };
        self.pending = batch.finish().map(|batch| (batch, state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each format but the first has a step that leads to it.
    #[test]
    fn the_steps_lead_to_the_format_of_this_build_without_a_gap() {
        let first = FORMAT - STEPS.len() as u64;
        let from: Vec<_> = STEPS.iter().map(|step| step.from).collect();
        assert_eq!(from, (first..FORMAT).collect::<Vec<_>>());
        assert_eq!(first, 1, "a store of format 1 is read for good");
    }
}
