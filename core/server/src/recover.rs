//! How does a broker come back to what its store remembers, and what if that is damaged?

use std::sync::Arc;

use hikyaku_broker::ledger::migrate::STEPS;
use hikyaku_broker::ledger::{Ledger, Place, Recovered, Recovery};
use hikyaku_traits::{Decision, Scan, StoreError, Table};

use crate::config::OnCorrupt;
use crate::migrate::{migrate, refuse};
use crate::store::Stores;

/// Bytes of rows that one page holds, and about as many that a batch of a migration has.
const PAGE_BYTES: usize = 1 << 20;

/// Opens the stores and reads them. Waits for the disk. A store that is damaged is put aside, if that is wanted.
///
/// # Errors
/// What the stores say, or that their records are of a newer format or damaged.
pub(crate) async fn open(
    stores: &Arc<Stores>,
    seeds: [u64; 4],
    on_corrupt: OnCorrupt,
) -> Result<(Ledger, Recovered), StoreError> {
    let mut is_aside = [false; 2];
    loop {
        let (place, error) = match open_and_read(stores, seeds).await {
            Ok(recovered) => return Ok(recovered),
            Err(trouble) => trouble,
        };
        if error.decision != Decision::Corrupt || is_aside[place as usize] {
            return Err(error);
        }
        if on_corrupt == OnCorrupt::Refuse {
            let way = "Or write storage.on_corrupt: set-aside, to put the store aside and begin with nothing.";
            return Err(StoreError::new(error.decision, format!("{error} {way}")));
        }
        is_aside[place as usize] = true;
        let (file, aside) = (stores.file(place), stores.set_aside(place).await?);
        tracing::error!(
            "{error} As storage.on_corrupt says, the damaged store {file} was put aside as {aside}, and the broker begins \
             WITHOUT WHAT WAS IN IT"
        );
    }
}

async fn open_and_read(stores: &Arc<Stores>, seeds: [u64; 4]) -> Result<(Ledger, Recovered), (Place, StoreError)> {
    stores.open_each().await?;
    migrate_each(stores).await?;
    let mut recovery = Recovery::new(seeds, PAGE_BYTES);
    let sessions = stores.sessions();
    let retained = stores.retained();
    if retained.is_some() {
        refuse_stranded(stores).await.map_err(|error| (Place::Sessions, error))?;
    }
    while let Some((place, scan)) = recovery.next_scan() {
        let page = match (place, &retained) {
            (Place::Retained, Some(retained)) => retained.scan(scan).await,
            _ => sessions.scan(scan).await,
        };
        let page = page.map_err(|error| (place, error))?;
        recovery.page(place, page).map_err(|error| (place, refuse(&stores.file(place), &error)))?;
    }
    // What is found out only at the end is that a retained message lacks its payload.
    recovery.finish().map_err(|error| (Place::Retained, refuse(&stores.file(Place::Retained), &error)))
}

/// Brings the stores to the format that is read here.
async fn migrate_each(stores: &Stores) -> Result<(), (Place, StoreError)> {
    let holds: fn(Table) -> bool = if stores.is_separate() { |table| Place::Sessions.holds(table) } else { |_| true };
    migrate(&*stores.sessions(), &stores.file(Place::Sessions), STEPS, holds, PAGE_BYTES)
        .await
        .map_err(|error| (Place::Sessions, error))?;
    let Some(retained) = stores.retained() else { return Ok(()) };
    migrate(&*retained, &stores.file(Place::Retained), STEPS, |table| Place::Retained.holds(table), PAGE_BYTES)
        .await
        .map_err(|error| (Place::Retained, error))
}

/// Refuses to go on beside retained messages that lie where nobody would look for them.
async fn refuse_stranded(stores: &Stores) -> Result<(), StoreError> {
    for table in [Table::Retained, Table::RetainedBody] {
        let any = Scan { table, from: Box::default(), to: None, bytes_max: 1 };
        if !stores.sessions().scan(any).await?.rows.is_empty() {
            let (main, separate) = stores.addresses();
            return Err(StoreError::new(Decision::Unsupported, stranded(&main, &separate)));
        }
    }
    Ok(())
}

/// What is wrong with such messages, and how they get to their place.
pub(crate) fn stranded(main: &str, separate: &str) -> String {
    format!(
        "Cannot keep retained messages in {separate}: {main} holds some, and they would be forgotten. Try: hikyaku store \
         copy --only retained --move --from {main} --to {separate}"
    )
}
