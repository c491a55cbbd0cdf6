//! Do the records in memory keep what the broker's ledger puts into them?

use hikyaku_memory::{Forgetful, Memory};
use hikyaku_suite::{Recorder, Store, boxed};

mod memory {
    use super::*;

    /// Opening is going on with the same records, as the broker does when it opens its stores again.
    fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
        let records = Recorder::new(boxed(Memory::new()));
        async move || boxed(records.clone())
    }

    hikyaku_suite::ledger_suite!(fresh);
}

mod forgetful {
    use super::*;

    /// Opening is starting again: what was not synced is forgotten.
    fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
        let records = Forgetful::new();
        async move || {
            records.crash();
            boxed(records.clone())
        }
    }

    hikyaku_suite::ledger_suite!(fresh);
}
