//! How does a file get shorter again beside the commits, and no commit longer?

use std::time::{Duration, Instant};

use rusqlite::{Connection, Error};

use crate::connect::PAGE_BYTES;
use crate::layout::{gets_shorter, number};

/// From how many free pages on room is given back, if they are also more than a quarter of the file.
const FREE_PAGES_MIN: i64 = (16 << 20) / PAGE_BYTES as i64;

/// The most pages of one step.
const STEP_PAGES_MAX: u32 = 256;

/// How long a step should take: a batch that comes meanwhile waits for so long.
const STEP_TIME: Duration = Duration::from_millis(2);

/// Gives free pages back to the disk, a few per step. SQLite searches its list of free pages for each of them, so that the
/// time of a step is measured and the next one is fitted to it.
pub(crate) struct Vacuum {
    /// How many pages the next step gives back; 0: none, as long as the file is open.
    pages: u32,
    /// Whether the last step left more to do.
    under_way: bool,
}

impl Vacuum {
    pub(crate) fn new(connection: &Connection) -> Result<Self, Error> {
        Ok(Self { pages: if gets_shorter(connection)? { 1 } else { 0 }, under_way: false })
    }

    /// Whether there is much to give back.
    pub(crate) fn is_due(&self, connection: &Connection) -> Result<bool, Error> {
        if self.pages == 0 {
            return Ok(false);
        }
        let free = number(connection, FREE_PAGES)?;
        Ok(free >= FREE_PAGES_MIN && free > number(connection, "PRAGMA page_count")? / 4)
    }

    /// Gives some pages back, in a transaction of its own. They reach the disk with the log.
    pub(crate) fn step(&mut self, connection: &Connection) -> Result<(), Error> {
        let (before, started) = (number(connection, FREE_PAGES)?, Instant::now());
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({})", self.pages))?;
        let mut rows = statement.query(())?;
        while rows.next()?.is_some() {}
        self.under_way = true;
        self.fit(started.elapsed());
        if number(connection, FREE_PAGES)? >= before {
            self.pages = 0;
        }
        Ok(())
    }

    /// Whether steps have been made since this was asked last.
    pub(crate) fn has_ended(&mut self) -> bool {
        std::mem::take(&mut self.under_way)
    }

    /// Fits the next step to how long one took.
    fn fit(&mut self, took: Duration) {
        if took > STEP_TIME {
            self.pages = (self.pages / 2).max(1);
        } else if took < STEP_TIME / 2 {
            self.pages = (self.pages * 2).min(STEP_PAGES_MAX);
        }
    }
}

const FREE_PAGES: &str = "PRAGMA freelist_count";
