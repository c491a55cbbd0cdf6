//! Do the records in memory behave as every record store does?

use hikyaku_memory::{Forgetful, Memory};
use hikyaku_suite::{Store, boxed};

mod memory {
    use super::*;

    fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
        async || boxed(Memory::new())
    }

    hikyaku_suite::suite_without_reopen!(fresh);
    hikyaku_suite::suite_of_many_records!(fresh);
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

    hikyaku_suite::suite_without_abort!(fresh);
}
