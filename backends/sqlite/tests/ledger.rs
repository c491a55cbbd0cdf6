//! Does SQLite keep what the broker's ledger puts into it?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use hikyaku_sqlite::Options;
use hikyaku_suite::{Place, Store, boxed};

fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
    let place = Place::new();
    async move || boxed(hikyaku_sqlite::open(&place.path().join("data/hikyaku.sqlite"), &Options::default()).unwrap())
}

hikyaku_suite::ledger_suite!(fresh);
