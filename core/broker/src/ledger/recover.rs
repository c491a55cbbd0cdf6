//! In which order are the records of a store read?

use hikyaku_traits::{Page, Scan, Table};

use super::LedgerError;
use super::encode::Ledger;
use super::rebuild::Rebuild;
use super::recovered::Recovered;

/// Which of the two stores; they may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The store of the sessions.
    Sessions = 0,
    /// The store of the retained messages.
    Retained = 1,
}

impl Place {
    /// Whether the store of this place has that table, where there are two stores.
    #[must_use]
    pub fn holds(self, table: Table) -> bool {
        table == Table::Meta || (self == Self::Retained) == matches!(table, Table::Retained | Table::RetainedBody)
    }
}

/// Sessions before what belongs to them, and what is done before the messages, so that these are judged as they come.
const STEPS: [(Place, Table); 10] = [
    (Place::Sessions, Table::Meta),
    (Place::Retained, Table::Meta),
    (Place::Sessions, Table::Session),
    (Place::Sessions, Table::Subscription),
    (Place::Sessions, Table::Progress),
    (Place::Sessions, Table::Inflight),
    (Place::Sessions, Table::Will),
    (Place::Sessions, Table::Message),
    (Place::Retained, Table::Retained),
    (Place::Retained, Table::RetainedBody),
];

/// Turns records back into sessions. The shell asks it for the next question, asks the store, and brings the page, until
/// there is no question left. All tables are read but the one of large waiting payloads; pages are not kept.
///
/// ```
/// use hikyaku_broker::ledger::Recovery;
/// use hikyaku_traits::Page;
///
/// let mut recovery = Recovery::new([1, 2, 3, 4], 1 << 20);
/// while let Some((place, _scan)) = recovery.next_scan() {
///     let page = Page::default(); // what the store of that place answers to the scan
///     recovery.page(place, page)?;
/// }
/// let (mut ledger, recovered) = recovery.finish()?;
/// assert!(recovered.sessions.is_empty());
/// assert!(ledger.encode(&[], 0, false).sessions.is_none());
/// # Ok::<(), hikyaku_broker::ledger::LedgerError>(())
/// ```
#[derive(Debug)]
pub struct Recovery {
    step: usize,
    /// Where the next page of the step begins.
    from: Box<[u8]>,
    page_bytes: usize,
    rebuild: Rebuild,
}

impl Recovery {
    /// The seeds key the hashes of what clients choose, here and in the [`Ledger`] that comes out of it. Pages have about
    /// `page_bytes`.
    #[must_use]
    pub fn new(seeds: [u64; 4], page_bytes: usize) -> Self {
        Self { step: 0, from: Box::default(), page_bytes, rebuild: Rebuild::new(seeds) }
    }

    /// The next question, and for which store; the same one until [`Self::page`] has brought its answer. `None`: all is
    /// read.
    #[must_use]
    pub fn next_scan(&mut self) -> Option<(Place, Scan)> {
        let &(place, table) = STEPS.get(self.step)?;
        Some((place, Scan { table, from: self.from.clone(), to: None, bytes_max: self.page_bytes }))
    }

    /// The answer to the last question. One from a place that was not asked is left aside.
    ///
    /// # Errors
    /// What is read is not what was written, or a newer version has written it. The store is not to be used.
    pub fn page(&mut self, place: Place, page: Page) -> Result<(), LedgerError> {
        let Some(&(asked, table)) = STEPS.get(self.step) else { return Ok(()) };
        if asked != place {
            return Ok(());
        }
        for row in &page.rows {
            self.rebuild.row(place, table, &row.key, &row.value)?;
        }
        match page.rows.last() {
            Some(last) if page.more => {
                let behind = last.key.iter().copied().chain([0]);
                self.from = behind.collect();
            }
            _ => {
                self.step += 1;
                self.from = Box::default();
            }
        }
        Ok(())
    }

    /// What the records tell, and the ledger that goes on with them.
    ///
    /// # Errors
    /// Some of it is missing, or not all was read.
    pub fn finish(self) -> Result<(Ledger, Recovered), LedgerError> {
        if self.step < STEPS.len() {
            return Err(LedgerError::Unfinished);
        }
        self.rebuild.finish()
    }
}
