//! How does a read see the log and the store behind it as one?

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use hikyaku_blocking::{PageBuilder, Reader};
use hikyaku_traits::{Keys, Page, Row, Scan, StoreError, Table};

use crate::overlay::{Place, Said};
use crate::shared::{File, Shared, Values, get_below, scan_below, without_mark};

/// The reading side.
pub(crate) struct LogReader {
    shared: Arc<Shared>,
    values: Values,
}

/// How much of the log is read at a time: what a scan asks for next mostly lies behind.
const SCAN_STRETCH_BYTES: usize = 64 << 10;
/// The same for single keys, which lie apart.
const GET_STRETCH_BYTES: usize = 4 << 10;

/// A row of a page, before values are read.
enum Found {
    Below(Row),
    Log(Box<[u8]>, Place),
}

impl LogReader {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, values: Values::default() }
    }

    fn value(&mut self, place: Place) -> Result<Box<[u8]>, StoreError> {
        let files = |number: u32| -> Option<File> { self.shared.layers.read().files.get(&number).cloned() };
        let value = self.values.read(files, place).map(Box::from);
        value.map_err(|error| self.shared.fault("read the log in", &error))
    }

    /// The rows of a page, and perhaps one more, as they are after one batch. The store behind the log is read page by page
    /// until enough is found that the log does not hide.
    fn find(&self, scan: &Scan) -> Result<Vec<Found>, StoreError> {
        let (mut from, mut found, mut batches) = (scan.from.clone(), Vec::new(), None);
        loop {
            let below = scan_below(&self.shared, Scan { from: from.clone(), ..scan.clone() })?;
            let end = below.rows.last().filter(|_| below.more).map(|row| row.key.clone());
            let rows = without_mark(scan.table, below).rows;
            let (stretch, batch) = self.merge(scan, &from, end.as_deref(), rows);
            found.extend(stretch);
            let first = *batches.get_or_insert(batch);
            let end = if is_full(&found, scan.bytes_max) { found.last().map(|last| last.key().into()) } else { end };
            let is_enough = |found: &[Found]| end.is_none() || is_full(found, scan.bytes_max);
            if first != batch && is_enough(&found) {
                // What lies in front was looked at before a batch came that is seen in what lies behind.
                let rows = found.into_iter().filter_map(Found::below).collect();
                let (again, batch) = self.merge(scan, &scan.from, end.as_deref(), rows);
                (found, batches) = (again, Some(batch));
            }
            match end {
                Some(end) if !is_enough(&found) => from = behind(&end),
                _ => return Ok(found),
            }
        }
    }

    /// Puts the rows of the store and the keys of the log from `from` to `last` (or the end of the scan) in order: what is
    /// newer hides what is older. Ends early only when the last row is one that the page has no room for. With the number
    /// of the last batch that was seen.
    fn merge(&self, scan: &Scan, from: &[u8], last: Option<&[u8]>, rows: Vec<Row>) -> (Vec<Found>, u64) {
        let (table, bytes_max) = (scan.table, scan.bytes_max);
        let to = match (last, &scan.to) {
            (Some(last), _) => Bound::Included(last),
            (None, Some(to)) => Bound::Excluded(&**to),
            (None, None) => Bound::Unbounded,
        };
        let layers = self.shared.layers.read();
        let frozen = layers.frozen.as_deref();
        let mut newest = layers.active.keys(table, from, to).peekable();
        let mut newer = frozen.map(|frozen| frozen.keys(table, from, to)).into_iter().flatten().peekable();
        let mut rows = rows.into_iter().peekable();
        let (mut found, mut bytes, mut without_last) = (Vec::new(), 0, 0);
        while found.len() < 2 || without_last < bytes_max {
            let in_log = [newest.peek(), newer.peek()].into_iter().flatten().map(|(key, _)| *key).min();
            let row = rows.peek().map(|row| &*row.key);
            let order = match (in_log, row) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(in_log), Some(row)) => in_log.cmp(row),
            };
            let row = if order == Ordering::Less { None } else { rows.next() };
            let next = match (in_log, row) {
                (Some(key), _) if order != Ordering::Greater => {
                    let first = newest.next_if(|(next, _)| *next == key);
                    let second = newer.next_if(|(next, _)| *next == key);
                    let place = match (first, second) {
                        (Some((_, place)), _) => place,
                        (None, Some(_)) if layers.active.covers(table, key) => None,
                        (None, second) => second.and_then(|(_, place)| place),
                    };
                    place.map(|place| Found::Log(key.into(), place))
                }
                (_, row) => row.filter(|row| layers.look_up(table, &row.key) == Said::Nothing).map(Found::Below),
            };
            if let Some(next) = next {
                without_last = bytes;
                bytes += next.bytes();
                found.push(next);
            }
        }
        (found, layers.active.last)
    }
}

impl Found {
    fn key(&self) -> &[u8] {
        match self {
            Self::Below(row) => &row.key,
            Self::Log(key, _) => key,
        }
    }

    fn below(self) -> Option<Row> {
        match self {
            Self::Below(row) => Some(row),
            Self::Log(..) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Below(row) => row.key.len() + row.value.len(),
            Self::Log(key, place) => key.len() + place.len as usize,
        }
    }
}

/// Whether a page has no room for the last of the rows.
fn is_full(found: &[Found], bytes_max: usize) -> bool {
    let Some((_, front)) = found.split_last() else { return false };
    !front.is_empty() && front.iter().map(Found::bytes).sum::<usize>() >= bytes_max
}

/// The first key behind this one.
fn behind(key: &[u8]) -> Box<[u8]> {
    key.iter().copied().chain([0]).collect()
}

impl Reader for LogReader {
    fn scan(&mut self, scan: &Scan) -> Result<Page, StoreError> {
        self.values.begin(SCAN_STRETCH_BYTES);
        let page = self.read_range(scan);
        self.values.end();
        page
    }

    fn get(&mut self, table: Table, keys: &Keys) -> Result<Page, StoreError> {
        self.values.begin(GET_STRETCH_BYTES);
        let page = self.look_up(table, keys);
        self.values.end();
        page
    }
}

impl LogReader {
    fn read_range(&mut self, scan: &Scan) -> Result<Page, StoreError> {
        let shared = Arc::clone(&self.shared);
        let _still = shared.moving.read();
        let mut page = PageBuilder::new(scan.bytes_max);
        if scan.to.as_deref().is_some_and(|to| to <= &*scan.from) {
            return Ok(page.done());
        }
        for found in self.find(scan)? {
            let row = match found {
                Found::Below(row) => row,
                Found::Log(key, place) => Row { value: self.value(place)?, key },
            };
            if !page.take(&row.key, &row.value) {
                break;
            }
        }
        Ok(page.done())
    }

    fn look_up(&mut self, table: Table, keys: &Keys) -> Result<Page, StoreError> {
        let shared = Arc::clone(&self.shared);
        let _still = shared.moving.read();
        let said: Vec<Said> = {
            let layers = shared.layers.read();
            keys.iter().map(|key| layers.look_up(table, key)).collect()
        };
        let asked = keys.iter().zip(&said).filter(|(_, said)| **said == Said::Nothing);
        let mut below = get_below(&shared, table, asked.map(|(key, _)| key.clone()).collect())?.into_iter().peekable();
        let mut page = Page::default();
        for (key, said) in keys.iter().zip(said) {
            match said {
                Said::Gone => {}
                Said::Value(place) => page.rows.push(Row { key: key.clone(), value: self.value(place)? }),
                Said::Nothing => page.rows.extend(below.next_if(|row| row.key == *key)),
            }
        }
        Ok(page)
    }
}
