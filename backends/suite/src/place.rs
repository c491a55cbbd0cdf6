//! Where does a test keep its files, and how does a second process find them?

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own, removed with all it holds when this is dropped.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    /// It belongs to whoever called [`within`].
    is_lent: bool,
}

thread_local! {
    /// The directory that is lent, and how many places have been made in it.
    static LENT: RefCell<Option<(PathBuf, u32)>> = const { RefCell::new(None) };
}

impl Place {
    /// Makes an empty directory.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it touches the disk")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if let Some(path) = next_lent() {
            std::fs::create_dir_all(&path).unwrap();
            return Self { path, is_lent: true };
        }
        let name = format!("hikyaku-suite-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // An earlier process with the same number may have left one.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self { path, is_lent: false }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_lent {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Calls `make`; the places that it makes lie in that directory, always the same ones, with what they hold.
pub(crate) fn within<T>(directory: &Path, make: impl FnOnce() -> T) -> T {
    LENT.set(Some((directory.to_owned(), 0)));
    let made = make();
    let places = LENT.take().map_or(0, |(_, places)| places);
    assert!(
        places > 0,
        "the function that is given to the suite must make its directory with hikyaku_suite::Place::new(): a second process \
         opens the store in the same place"
    );
    made
}

fn next_lent() -> Option<PathBuf> {
    LENT.with_borrow_mut(|lent| {
        let (directory, places) = lent.as_mut()?;
        *places += 1;
        Some(directory.join(places.to_string()))
    })
}
