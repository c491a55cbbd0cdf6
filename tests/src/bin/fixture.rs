//! Makes the files that stores of a format are opened from for good: `fixture 1` writes `format_1.redb.gz` and
//! `format_1.sqlite.gz` into `tests/trouble/fixtures`. To be called once, when a format is new; a file that is there is never
//! made again.
#![allow(clippy::expect_used, reason = "a tool for those who work on the broker")]

use hikyaku_tests::{Options, fixture, tools};
use std::fs::File;
use std::process::Command;

fn main() {
    let format: u64 = std::env::args().nth(1).and_then(|number| number.parse().ok()).expect("the number of the format");
    for backend in ["redb", "sqlite"] {
        let mut broker = Options::backend(backend).start();
        fixture::fill(&mut broker);
        let path = tools::here().join(format!("trouble/fixtures/format_{format}.{backend}.gz"));
        let file = File::create_new(&path).expect("a fixture that is not there yet");
        let status = Command::new("gzip").args(["-9nc"]).arg(broker.file()).stdout(file).status();
        assert!(status.is_ok_and(|status| status.success()), "gzip");
        println!("{}", path.display());
    }
}
