//! Are the bugs that can be planted in no broker that is released?

#![expect(clippy::unwrap_used, reason = "all of this is a test")]

use std::process::Command;

/// Whether a build of that package asks for the bugs in the core.
fn asks_for_planted(package: &str) -> bool {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let tree = ["tree", "--offline", "--locked", "--edges", "features,normal,build", "--invert", "hikyaku-broker"];
    let output = Command::new(cargo)
        .args(tree)
        .args(["--package", package])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("hikyaku-broker"), "{output:?}");
    said.contains("hikyaku-broker feature \"planted\"")
}

#[test]
fn the_build_of_the_broker_asks_for_no_planted_bug() {
    assert!(!asks_for_planted("hikyaku-server"));
    assert!(asks_for_planted("hikyaku-simulator"), "the test looks for the right words");
}
