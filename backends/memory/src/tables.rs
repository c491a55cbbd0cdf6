//! What are records in memory? One ordered map per table.

use std::collections::BTreeMap;
use std::ops::Bound;

use hikyaku_traits::{Batch, Decision, Keys, Op, Page, Row, Scan, StoreError, Table};

type Bytes = Box<[u8]>;
type Map = BTreeMap<Bytes, Bytes>;

/// What a record was before a change: the way back.
#[derive(Debug)]
pub(crate) struct Before {
    table: Table,
    key: Bytes,
    value: Option<Bytes>,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Tables([Map; Table::ALL.len()]);

impl Tables {
    /// Applies a batch in order, all or nothing, and tells `before` what each changed record was.
    pub(crate) fn apply(&mut self, batch: &Batch, before: &mut impl FnMut(Before)) -> Result<(), StoreError> {
        check(batch)?;
        for op in batch.iter().flatten() {
            match op {
                Op::Put { table, key, value } => {
                    let old = self.table_mut(table)?.insert(key.into(), value.into());
                    before(Before { table, key: key.into(), value: old });
                }
                Op::Delete { table, key } => self.remove(table, key.into(), before)?,
                Op::DeleteRange { table, from, to } => {
                    let keys: Vec<Bytes> =
                        range(self.table(table)?, from, Some(to)).map(|(key, _)| key.clone()).collect();
                    keys.into_iter().try_for_each(|key| self.remove(table, key, before))?;
                }
                _ => return Err(unknown("operation")),
            }
        }
        Ok(())
    }

    /// Takes a change back. Changes are taken back newest first.
    pub(crate) fn restore(&mut self, before: Before) {
        let Ok(table) = self.table_mut(before.table) else { return };
        match before.value {
            Some(value) => table.insert(before.key, value),
            None => table.remove(&before.key),
        };
    }

    /// Reads one page of a range.
    pub(crate) fn scan(&self, scan: &Scan) -> Result<Page, StoreError> {
        let mut page = Page::default();
        let mut bytes = 0;
        for (key, value) in range(self.table(scan.table)?, &scan.from, scan.to.as_deref()) {
            if !page.rows.is_empty() && bytes >= scan.bytes_max {
                page.more = true;
                break;
            }
            bytes += key.len() + value.len();
            page.rows.push(Row { key: key.clone(), value: value.clone() });
        }
        Ok(page)
    }

    /// Looks keys up in their order.
    pub(crate) fn get(&self, table: Table, keys: &Keys) -> Result<Page, StoreError> {
        let table = self.table(table)?;
        let row = |key: &Bytes| table.get(key).map(|value| Row { key: key.clone(), value: value.clone() });
        Ok(Page { rows: keys.iter().filter_map(row).collect(), more: false })
    }

    fn remove(&mut self, table: Table, key: Bytes, before: &mut impl FnMut(Before)) -> Result<(), StoreError> {
        if let Some(value) = self.table_mut(table)?.remove(&key) {
            before(Before { table, key, value: Some(value) });
        }
        Ok(())
    }

    fn table(&self, table: Table) -> Result<&Map, StoreError> {
        self.0.get(table as usize).ok_or_else(|| unknown("table"))
    }

    fn table_mut(&mut self, table: Table) -> Result<&mut Map, StoreError> {
        self.0.get_mut(table as usize).ok_or_else(|| unknown("table"))
    }
}

/// Refuses a batch that could not be applied to its end.
fn check(batch: &Batch) -> Result<(), StoreError> {
    for op in batch.iter() {
        let table = match op {
            Some(Op::Put { table, .. } | Op::Delete { table, .. } | Op::DeleteRange { table, .. }) => table,
            _ => return Err(unknown("operation")),
        };
        if table as usize >= Table::ALL.len() {
            return Err(unknown("table"));
        }
    }
    Ok(())
}

/// The records with `from <= key < to`; none if the bounds are the wrong way round.
fn range<'a>(map: &'a Map, from: &[u8], to: Option<&[u8]>) -> impl Iterator<Item = (&'a Bytes, &'a Bytes)> {
    let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.max(from)));
    let empty = to == Bound::Excluded(from);
    let from = if empty { Bound::Unbounded } else { Bound::Included(from) };
    map.range::<[u8], _>((from, to)).take(if empty { 0 } else { usize::MAX })
}

fn unknown(what: &str) -> StoreError {
    let why =
        format!("Cannot use the records in memory: the batch has an unknown {what}, and nothing of it was applied.");
    StoreError::new(Decision::Unsupported, why)
}
