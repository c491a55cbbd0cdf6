//! How does a store of an older format come to today's, before it is read?

use std::time::{Duration, Instant};

use hikyaku_broker::ledger::LedgerError;
use hikyaku_broker::ledger::migrate::{Migration, Next, Step};
use hikyaku_traits::{Decision, Durability, RecordStore, StoreError, Table};

/// How often it is said how far it is.
const REPORT: Duration = Duration::from_secs(5);

/// Brings a store to the format to which the steps lead; `holds` says which tables it has, `file` is its name for messages. A
/// batch is made of about `page_bytes` of rows.
/// Waits for the disk: each batch is durable before the next is made. It may be cut off anywhere, and goes on there when it
/// is called again. A store that has the format already costs one short question.
///
/// # Errors
/// What the store says, and that its format is newer or its rows are damaged. What was written stays, and is gone on with.
pub async fn migrate<S: RecordStore + ?Sized>(
    store: &S,
    file: &str,
    steps: &[Step],
    holds: fn(Table) -> bool,
    page_bytes: usize,
) -> Result<(), StoreError> {
    let mut migration = Migration::new(steps, holds, page_bytes);
    let mut report = Report { file, began: Instant::now(), said: None };
    loop {
        match migration.next() {
            Next::Scan(scan) => {
                let page = store.scan(scan).await?;
                migration.page(&page).map_err(|error| refuse(file, &error))?;
            }
            Next::Apply(batch) => {
                report.under_way(&migration);
                store.apply(batch, Durability::Synced).await?;
                migration.applied();
            }
            Next::Done => break,
        }
    }
    report.done(&migration);
    Ok(())
}

/// What the operator reads meanwhile.
struct Report<'a> {
    file: &'a str,
    began: Instant,
    said: Option<Instant>,
}

impl Report<'_> {
    fn under_way(&mut self, migration: &Migration<'_>) {
        let file = self.file;
        match (self.said, migration.way()) {
            (None, Some((from, to))) => tracing::warn!(
                "the store {file} goes from format {from} to format {to}; older versions of the broker cannot open it from \
                 here on. It may be stopped, and goes on with the next start"
            ),
            (Some(said), Some((_, to))) if said.elapsed() >= REPORT => {
                tracing::info!("the store {file} goes to format {to}: {} rows so far", migration.rows().0);
            }
            (Some(_), _) => return,
            (None, None) => {}
        }
        self.said = Some(Instant::now());
    }

    fn done(&self, migration: &Migration<'_>) {
        if self.said.is_some() {
            let ((seen, written), took) = (migration.rows(), self.began.elapsed());
            tracing::info!("the store {} has its new format: {seen} rows, {written} written, in {took:.1?}", self.file);
        }
    }
}

/// An error for people. Only what is damaged is `Corrupt`: what a newer version wrote is whole.
pub(crate) fn refuse(file: &str, error: &LedgerError) -> StoreError {
    let decision = match error {
        LedgerError::Corrupt { .. } => Decision::Corrupt,
        _ => Decision::Unsupported,
    };
    StoreError::new(decision, format!("Cannot use the store {file}: {error}."))
}
