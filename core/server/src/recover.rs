//! How does a broker come back to what its store remembers?

use std::sync::Arc;

use hikyaku_broker::ledger::{Ledger, Place, Recovered, Recovery};
use hikyaku_traits::{Decision, StoreError};

use crate::store::Stores;

/// Bytes of rows that one page of the recovery holds.
const PAGE_BYTES: usize = 1 << 20;

/// Reads the stores. Waits for the disk.
///
/// # Errors
/// What the store says, or that its records are of a newer format or damaged.
pub(crate) async fn recover(stores: &Arc<Stores>, seeds: [u64; 4]) -> Result<(Ledger, Recovered), StoreError> {
    let mut recovery = Recovery::new(seeds, PAGE_BYTES);
    let sessions = stores.sessions();
    let retained = stores.retained();
    while let Some((place, scan)) = recovery.next_scan() {
        let page = match (place, &retained) {
            (Place::Retained, Some(retained)) => retained.scan(scan).await?,
            _ => sessions.scan(scan).await?,
        };
        recovery.page(place, page).map_err(|error| refuse(stores, &error))?;
    }
    recovery.finish().map_err(|error| refuse(stores, &error))
}

fn refuse(stores: &Stores, error: &hikyaku_broker::ledger::LedgerError) -> StoreError {
    StoreError::new(Decision::Corrupt, format!("Cannot use the store {}: {error}", stores.files()))
}
