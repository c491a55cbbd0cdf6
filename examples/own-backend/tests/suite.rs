//! Does the store from scratch behave as every record store does?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use hikyaku_suite::{Place, Store, boxed};

fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
    let place = Place::new();
    async move || boxed(hikyaku_own_backend::open(&place.path().join("data/hikyaku.log")).unwrap())
}

hikyaku_suite::suite!(fresh);
