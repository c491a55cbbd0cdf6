//! What must be in a store, and what may be? All that was acknowledged, and of what came later the first so many batches.

use std::collections::BTreeMap;

use hikyaku_traits::{Batch, Op, Table};

/// The records of a store.
pub(crate) type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// What was promised, and what was asked for behind it.
#[derive(Default)]
pub(crate) struct Model {
    promised: Rows,
    /// Batches without a promise, in their order.
    open: Vec<Batch>,
}

impl Model {
    /// A batch is given to the store.
    pub(crate) fn ask(&mut self, batch: Batch) {
        self.open.push(batch);
    }

    /// The store has acknowledged all that it was asked for.
    pub(crate) fn promise(&mut self) {
        for batch in self.open.drain(..) {
            apply(&mut self.promised, &batch);
        }
    }

    /// The batches without a promise.
    pub(crate) fn open(&self) -> &[Batch] {
        &self.open
    }

    /// The records with all batches that were asked for.
    pub(crate) fn asked(&self) -> Rows {
        let mut rows = self.promised.clone();
        self.open.iter().for_each(|batch| apply(&mut rows, batch));
        rows
    }

    /// How many of the batches without a promise are in the store, all of them whole and none before another.
    pub(crate) fn judge(&self, found: &Rows) -> Result<usize, String> {
        if *found == self.promised {
            return Ok(0);
        }
        let mut rows = self.promised.clone();
        for (i, batch) in self.open.iter().enumerate() {
            apply(&mut rows, batch);
            if *found == rows {
                return Ok(i + 1);
            }
        }
        Err(format!(
            "{}; and with the {} batches behind it, {}",
            difference(&self.promised, found),
            self.open.len(),
            difference(&rows, found)
        ))
    }

    /// So many of the batches are in the store for good, and the others are not.
    pub(crate) fn came_back(&mut self, count: usize) {
        self.open.truncate(count);
        self.promise();
    }
}

/// Does a batch.
fn apply(rows: &mut Rows, batch: &Batch) {
    for op in batch.iter().flatten() {
        match op {
            Op::Put { table, key, value } => drop(rows.insert((table, key.to_vec()), value.to_vec())),
            Op::Delete { table, key } => drop(rows.remove(&(table, key.to_vec()))),
            Op::DeleteRange { table, from, to } if from < to => {
                let range = (table, from.to_vec())..(table, to.to_vec());
                let keys: Vec<_> = rows.range(range).map(|(key, _)| key.clone()).collect();
                keys.iter().for_each(|key| drop(rows.remove(key)));
            }
            _ => {}
        }
    }
}

/// For people: how what was found differs from what was expected.
fn difference(expected: &Rows, found: &Rows) -> String {
    let missing = expected.keys().filter(|key| !found.contains_key(key)).count();
    let extra = found.keys().filter(|key| !expected.contains_key(key)).count();
    let other = expected.iter().filter(|(key, value)| found.get(key).is_some_and(|found| found != *value)).count();
    format!(
        "of {} promised records {missing} are missing and {other} differ, {extra} are there too many",
        expected.len()
    )
}

#[cfg(test)]
mod tests {
    use hikyaku_suite::{Write, batch};

    use super::*;

    fn rows(keys: &[&str]) -> Rows {
        keys.iter().map(|key| ((Table::Message, key.as_bytes().to_vec()), b"v".to_vec())).collect()
    }

    /// What was promised must be there; of what was asked behind it the first batches may be, each of them whole.
    #[test]
    fn states_between_promised_and_asked_pass_and_no_other() {
        let mut model = Model::default();
        model.ask(batch([Write::put("a", "v")]));
        model.promise();
        model.ask(batch([Write::put("b", "v"), Write::put("c", "v")]));
        model.ask(batch([Write::delete_range("a", "c"), Write::put("d", "v")]));
        assert_eq!(model.judge(&rows(&["a"])), Ok(0));
        assert_eq!(model.judge(&rows(&["a", "b", "c"])), Ok(1));
        assert_eq!(model.judge(&rows(&["c", "d"])), Ok(2));
        for wrong in [&[][..], &["a", "b"], &["d"], &["a", "d"], &["a", "b", "c", "d"]] {
            assert!(model.judge(&rows(wrong)).is_err(), "{wrong:?}");
        }
        model.came_back(1);
        assert_eq!(model.judge(&rows(&["a", "b", "c"])), Ok(0));
        assert!(model.judge(&rows(&["a"])).is_err());
    }
}
