//! What is left of a store that was given up, or whose process died, at any step?

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::Store;
use crate::cases::run;
use crate::place::{Place, within};
use crate::script::{Moment, judge, live, moments};

/// Says to a process that it is to die, and at which of the moments.
const DIE_AT: &str = "HIKYAKU_SUITE_DIE_AT";

/// Tells that process where the store lies.
const DIE_IN: &str = "HIKYAKU_SUITE_DIE_IN";

/// A process that has not died by then ends itself.
const LIFE_MAX: Duration = Duration::from_secs(60);

/// A store is dropped before, between, inside and after its batches, and while and after it is closed. Opened again it holds
/// all batches up to the last that was acknowledged as synced, of those behind it a beginning, and none in part.
pub async fn dropped_store_holds_whole_batches(open: impl AsyncFn() -> Box<dyn Store>) {
    for moment in moments() {
        let mut returned = 0;
        let store = open().await;
        live(&*store, moment, || returned += 1).await;
        drop(store);
        judge(&*open().await, moment, returned).await;
    }
}

/// The same with a process that aborts at that moment, with all its threads and all that it has in memory. `test` is the
/// whole name of the test that calls this, by which a second process is started that runs nothing else.
pub fn aborted_process_leaves_whole_batches<O: AsyncFn() -> Box<dyn Store>>(test: &str, fresh: impl Fn() -> O) {
    if let (Ok(moment), Ok(place)) = (std::env::var(DIE_AT), std::env::var(DIE_IN)) {
        return die(moments()[moment.parse::<usize>().unwrap()], place.as_ref(), fresh);
    }
    let place = Place::new();
    for (number, moment) in moments().into_iter().enumerate() {
        let _ = std::fs::remove_file(returned_in(place.path()));
        let child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(DIE_AT, number.to_string())
            .env(DIE_IN, place.path())
            .stdin(Stdio::null())
            .output();
        assert_died(&child.unwrap(), moment);
        let returned = std::fs::read(returned_in(place.path())).unwrap().len();
        let open = within(place.path(), &fresh);
        run(async { judge(&*open().await, moment, returned).await });
    }
}

/// The life of the process that dies: it notes each batch that was acknowledged.
fn die<O: AsyncFn() -> Box<dyn Store>>(moment: Moment, place: &Path, fresh: impl Fn() -> O) {
    std::thread::spawn(|| {
        std::thread::sleep(LIFE_MAX);
        std::process::exit(1);
    });
    let open = within(place, fresh);
    run(async {
        let store = open().await;
        let mut notes = OpenOptions::new().create(true).append(true).open(returned_in(place)).unwrap();
        live(&*store, moment, || notes.write_all(b".").unwrap()).await;
        std::process::abort();
    });
}

/// The file with one byte for each batch that was acknowledged.
fn returned_in(place: &Path) -> std::path::PathBuf {
    place.join("returned")
}

fn assert_died(child: &Output, moment: Moment) {
    #[cfg(unix)]
    let died = std::os::unix::process::ExitStatusExt::signal(&child.status) == Some(6); // SIGABRT
    #[cfg(not(unix))]
    let died = !child.status.success();
    assert!(
        died,
        "the process that was to abort at {moment:?} ended with {}, and said:\n{}{}",
        child.status,
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
}
