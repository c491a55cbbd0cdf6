//! How far is it? A bar on a terminal, nothing elsewhere.

use std::path::Path;

use hikyaku_traits::{Row, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how many bytes are done, on stderr, if that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Over so many bytes; 0: nobody knows.
    pub fn bytes(total: u64) -> Self {
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr());
        let template = "{msg:14} {wide_bar} {bytes}/{total_bytes} {eta}";
        // The template is a constant that a test has read.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// Over the records of a store: about as many bytes as its file has.
    pub fn over(file: &Path) -> Self {
        Self::bytes(std::fs::metadata(file).map_or(0, |found| found.len()))
    }

    /// These rows are done.
    pub fn rows(&self, table: Table, rows: &[Row]) {
        self.0.set_message(table.name());
        self.add(rows.iter().map(|row| row.key.len() + row.value.len()).sum::<usize>() as u64);
    }

    /// So many bytes more are done.
    pub fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
