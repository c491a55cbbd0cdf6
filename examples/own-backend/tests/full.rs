//! What is kept when the disk is full?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use hikyaku_own_backend::open;
use hikyaku_suite::boxed;

/// Whatever the size at which files cannot grow any more: what was stored stays, what was not is refused as full.
#[test]
fn full_disk_loses_nothing() {
    hikyaku_suite::full_disk_loses_nothing("full_disk_loses_nothing", |path| Ok(boxed(open(path)?)));
}
