//! Does redb keep what the broker's ledger puts into it?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use hikyaku_redb::Options;
use hikyaku_suite::{Place, Store, boxed};

fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
    let place = Place::new();
    async move || boxed(hikyaku_redb::open(&place.path().join("data/hikyaku.redb"), &Options::default()).unwrap())
}

hikyaku_suite::ledger_suite!(fresh);
