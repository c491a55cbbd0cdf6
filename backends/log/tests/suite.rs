//! Does a store with a log in front behave as every record store does?

#![allow(clippy::unwrap_used, reason = "these are tests")]

/// So small that checkpoints come all the time.
const SMALL: hikyaku_log::Options = hikyaku_log::Options { bytes_max: 3_000, entries_max: 50 };

macro_rules! over {
    ($name:ident, $engine:ident, $options:expr, $suite:ident) => {
        mod $name {
            use hikyaku_log::{Folder, log_of, open};
            use hikyaku_suite::{Place, Store, boxed};

            fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
                let place = Place::new();
                async move || {
                    let file = place.path().join("data/records");
                    let below = $engine::open(&file, &$engine::Options::default()).unwrap();
                    boxed(open(below, Folder::new(log_of(&file)), $options).unwrap())
                }
            }

            hikyaku_suite::$suite!(fresh);
        }
    };
}

over!(redb, hikyaku_redb, hikyaku_log::Options::default(), suite);
over!(redb_with_many_checkpoints, hikyaku_redb, crate::SMALL, suite_of_few_records);
over!(sqlite, hikyaku_sqlite, hikyaku_log::Options::default(), suite_of_few_records);
over!(sqlite_with_many_checkpoints, hikyaku_sqlite, crate::SMALL, suite_of_few_records);
