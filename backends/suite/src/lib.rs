//! The behaviour tests that every record store passes.
//!
//! A backend calls [`suite!`] in its tests with a function that gives, per case, a fresh place and how to open a store
//! there, again and again:
//!
//! ```no_run
//! # use hikyaku_suite::{Store, boxed};
//! # fn open(_: &std::path::Path) -> Result<Box<dyn Store>, ()> { Err(()) }
//! fn fresh() -> impl AsyncFn() -> Box<dyn Store> {
//!     let place = hikyaku_suite::Place::new();
//!     async move || open(&place.path().join("records")).unwrap()
//! }
//! hikyaku_suite::suite!(fresh);
//! ```
//!
//! A store that forgets with its process calls [`suite_without_abort!`], one that forgets when it is closed
//! [`suite_without_reopen!`], both with [`suite_of_many_records!`] beside it. With the feature `ledger` there is `ledger_suite!` on top, which puts into the store what the
//! broker does. Each case is a public function too, for whoever
//! has a runner of its own. The cases panic when a store does not behave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "this crate is made of tests")]

mod batches;
mod cases;
mod crash;
mod full;
mod last;
#[cfg(feature = "ledger")]
mod ledger;
mod many;
mod place;
mod reads;
mod script;
mod values;

pub use batches::*;
pub use cases::{Ask, Record, Write, batch, rows, run, same};
pub use crash::*;
pub use full::full_disk_loses_nothing;
pub use last::*;
#[cfg(feature = "ledger")]
pub use ledger::*;
pub use many::*;
pub use place::Place;
pub use reads::*;
pub use values::*;

use hikyaku_traits::{RetainStore, SessionStore};

/// A store for all tables.
pub trait Store: SessionStore + RetainStore {}

impl<S: SessionStore + RetainStore> Store for S {}

/// A store as the cases take it.
pub fn boxed(store: impl Store + 'static) -> Box<dyn Store> {
    Box::new(store)
}

/// Expands to one test per case. The argument is a function without arguments; it is called once per case and gives an async
/// closure that opens the store, always in the same place, which it has made with [`Place::new`].
#[macro_export]
macro_rules! suite {
    ($fresh:path) => {
        $crate::suite_of_few_records!($fresh);
        $crate::suite_of_many_records!($fresh);
    };
}

/// [`suite!`] without the cases that hold many records and take many seconds: for one more variant of a store.
#[macro_export]
macro_rules! suite_of_few_records {
    ($fresh:path) => {
        $crate::suite_without_abort!($fresh);

        #[test]
        fn aborted_process_leaves_whole_batches() {
            let (_, test) = concat!(module_path!(), "::aborted_process_leaves_whole_batches").split_once("::").unwrap();
            $crate::aborted_process_leaves_whole_batches(test, $fresh);
        }
    };
}

/// The cases of [`suite!`] that hold many records.
#[macro_export]
macro_rules! suite_of_many_records {
    ($fresh:path) => {
        $crate::tests!($fresh: hundred_thousand_records_in_a_table, a_million_topics_are_looked_up_in_place);
    };
}

/// [`suite_of_few_records!`] without the case in which a second process opens the store.
#[macro_export]
macro_rules! suite_without_abort {
    ($fresh:path) => {
        $crate::suite_without_reopen!($fresh);
        $crate::tests!(
            $fresh: closed_store_opens_with_its_records, dropped_store_opens_with_what_was_synced,
            buffered_records_survive_a_close, synced_batch_makes_buffered_ones_durable, reopened_store_goes_on,
            dropped_store_holds_whole_batches
        );
    };
}

/// [`suite_without_abort!`] without the cases that open a store a second time.
#[macro_export]
macro_rules! suite_without_reopen {
    ($fresh:path) => {
        $crate::tests!(
            $fresh: operations_take_effect_in_order, unknown_operation_refuses_the_whole_batch, store_goes_on_after_a_refusal,
            batch_applied_twice_is_as_once, put_replaces, delete_removes_one_record, deleting_what_is_absent_is_no_error,
            delete_range_spares_its_end, delete_range_with_crossed_bounds_removes_nothing,
            delete_range_sees_the_puts_before_it, tables_are_apart, all_tables_take_records_in_one_batch,
            empty_batch_is_applied, buffered_batch_is_seen_at_once,
            scan_is_in_memory_order, scan_keeps_its_bounds, scan_with_crossed_bounds_is_empty, pages_join_to_the_whole, pages_go_on_while_records_change,
            page_holds_one_row_however_small_it_is, page_says_whether_there_is_more, get_answers_in_the_order_of_the_keys,
            reads_beside_writes_see_whole_batches,
            empty_key_and_empty_value_are_records, keys_that_look_like_numbers_stay_apart, empty_topic_levels_stay_apart,
            keys_need_not_be_utf8,
            a_key_may_be_the_start_of_another, large_values_come_back, values_of_many_mebibytes_come_back,
            values_keep_every_byte, thousands_of_records
        );
    };
}

/// Expands to one test per named case; for the macros above.
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($fresh:path: $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::run($crate::$case($fresh()));
            }
        )+
    };
}
