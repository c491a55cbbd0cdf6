//! How do the bodies of queued messages come back from the store? A page at a time, for one session.

use std::sync::Arc;

use hikyaku_broker::PageItem;
use hikyaku_broker::ledger::{Body, Stored, body_keys, message_keys, read_message};
use hikyaku_traits::{Decision, StoreError, Table};

use crate::store::Stores;

/// Reads messages by their ids, in their order; what the store does not have is left out.
///
/// # Errors
/// What the store says.
pub(crate) async fn read(stores: Arc<Stores>, session: u64, ids: Vec<u64>) -> Result<Vec<PageItem>, StoreError> {
    let store = stores.sessions();
    let page = store.get(Table::Message, message_keys(&ids)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        let stored =
            read_message(row, session).map_err(|error| StoreError::new(Decision::Corrupt, error.to_string()))?;
        let Stored { message_id, receipts, body } = stored;
        let message = match body {
            Body::Whole(message) => message,
            Body::Elsewhere(partial) => {
                let bodies = store.get(Table::Body, body_keys(&[message_id])).await?;
                let Some(row) = bodies.rows.first() else { continue };
                partial.complete(&row.value)
            }
        };
        items.extend(PageItem::each(&message, receipts));
    }
    Ok(items)
}
