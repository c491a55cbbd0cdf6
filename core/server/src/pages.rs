//! How do the bodies of queued messages come back from the store? A page at a time, for one session.
//!
//! A row that is not what was written is [`Decision::Corrupt`]: nothing of the page is sent, and the queue stays as it is.

use std::sync::Arc;

use hikyaku_broker::ledger::{Body, LedgerError, PartialMessage, Stored, body_keys, message_keys, read_message};
use hikyaku_broker::{Message, PageItem};
use hikyaku_traits::{Decision, Row, StoreError, Table};

use crate::store::Stores;

/// Reads messages by their ids, in their order; what the store does not have is left out.
///
/// # Errors
/// What the store says, or that a row is damaged.
pub(crate) async fn read(stores: Arc<Stores>, session: u64, ids: Vec<u64>) -> Result<Vec<PageItem>, StoreError> {
    let store = stores.sessions();
    let page = store.get(Table::Message, message_keys(&ids)).await?;
    let mut items = Vec::with_capacity(page.rows.len());
    for row in &page.rows {
        let Stored { message_id, receipts, body } =
            read_message(row, session).map_err(|error| damaged(&stores, &error))?;
        let message = match body {
            Body::Whole(message) => message,
            Body::Elsewhere(partial) => {
                let bodies = store.get(Table::Body, body_keys(&[message_id])).await?;
                let Some(row) = bodies.rows.first() else { continue }; // done, since its message was read
                complete(partial, row).map_err(|error| damaged(&stores, &error))?
            }
        };
        items.extend(PageItem::each(&message, receipts));
    }
    Ok(items)
}

fn complete(partial: PartialMessage, row: &Row) -> Result<Arc<Message>, LedgerError> {
    if partial.payload_len() != row.value.len() {
        return Err(LedgerError::corrupt(Table::Body, &row.key));
    }
    Ok(partial.complete(&row.value))
}

fn damaged(stores: &Stores, error: &LedgerError) -> StoreError {
    StoreError::new(Decision::Corrupt, format!("Cannot read the store {}: {error}", stores.files()))
}

#[cfg(test)]
mod tests {
    use hikyaku_broker::ledger::Ledger;
    use hikyaku_broker::{Change, MessageParts, Receipt};
    use hikyaku_traits::{Batch, Durability, Op, Ops};
    use hikyaku_types::Qos;

    use super::*;
    use crate::config::{Backend, Config, Storage};

    /// Stores in which one large message waits for session 1.
    async fn stores() -> Arc<Stores> {
        let storage = Storage { backend: Backend::Memory, ..Storage::default() };
        let stores = Stores::configured(&Config { storage, ..Config::default() });
        stores.reopen().await.unwrap();
        let parts = MessageParts {
            topic: "t",
            properties: b"",
            payload: &[7; 5000],
            qos: Qos::AtLeastOnce,
            retain: false,
            expires_at_ms: None,
        };
        let receipt = Receipt {
            session: 1,
            position: 1,
            qos: Qos::AtLeastOnce,
            retain: false,
            subscription_ids: Default::default(),
        };
        let publish = Change::Publish {
            message: Arc::new(Message::new(1, &parts)),
            receivers: std::iter::once(receipt).collect(),
        };
        let batch = Ledger::default().encode(&[publish], 0, false).sessions.unwrap();
        stores.sessions().apply(batch, Durability::Synced).await.unwrap();
        Arc::new(stores)
    }

    /// One row in place of what is there.
    struct Damage(Table, Box<[u8]>, &'static [u8]);

    impl Ops for Damage {
        fn len(&self) -> usize {
            1
        }
        fn op(&self, i: usize) -> Option<Op<'_>> {
            (i == 0).then_some(Op::Put { table: self.0, key: &self.1, value: self.2 })
        }
    }

    #[tokio::test]
    async fn a_damaged_row_is_corrupt_and_named() {
        let page = read(stores().await, 1, vec![1, 2]).await.unwrap();
        assert_eq!(page.iter().map(|item| item.message.payload().len()).collect::<Vec<_>>(), [5000]);
        for (table, value) in [(Table::Message, [1, 255].as_slice()), (Table::Body, &[7; 4999])] {
            let stores = stores().await;
            let damage = Damage(table, message_keys(&[1])[0].clone(), value);
            stores.sessions().apply(Batch::new(damage), Durability::Synced).await.unwrap();
            let Err(error) = read(stores, 1, vec![1]).await else { panic!("{table:?}: a damaged row was read") };
            assert_eq!(error.decision, Decision::Corrupt, "{error}");
            let named = format!("Cannot read the store memory: the row 0x0000000000000001 of table {:?}", table.name());
            assert!(error.message.starts_with(&named), "{error}");
        }
    }
}
