//! Makes the files that stores of a format are opened from for good: `fixture 1` writes `format_1.redb.tar.gz` and
//! its like into `tests/trouble/fixtures`: the data directory after an orderly end, and after `kill -9`, with the log. To be called once, when a format is new; a file that is there is never
//! made again.
#![allow(clippy::expect_used, reason = "a tool for those who work on the broker")]

use hikyaku_tests::{Broker, Options, fixture, tools};
use std::process::Command;

fn main() {
    let format: u64 = std::env::args().nth(1).and_then(|number| number.parse().ok()).expect("the number of the format");
    for backend in ["redb", "sqlite"] {
        make(&format!("format_{format}.{backend}"), backend, Broker::term);
        make(&format!("format_{format}_killed.{backend}"), backend, Broker::kill9);
    }
}

fn make(name: &str, backend: &str, end: fn(&mut Broker)) {
    let mut broker = Options::backend(backend).start();
    fixture::fill(&mut broker, end);
    let path = tools::here().join(format!("trouble/fixtures/{name}.tar.gz"));
    assert!(!path.exists(), "{} is there, and stays as it is", path.display());
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sparse", "--gzip", "--owner=0", "--group=0", "--exclude=*.lock", "--file"]).arg(&path);
    let status = tar.arg("--directory").arg(broker.data()).arg(".").status();
    assert!(status.is_ok_and(|status| status.success()), "tar");
    println!("{}", path.display());
}
