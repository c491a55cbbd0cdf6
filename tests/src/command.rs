//! Which command is the broker's?

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The broker's command with arguments of its own, for what it does instead of running.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn tool(arguments: &[&str]) -> Command {
    let mut command = program().into_iter();
    let mut tool = Command::new(command.next().expect("a command"));
    tool.args(command).args(arguments).stdin(Stdio::null());
    tool
}

/// The broker's command: `$HIKYAKU_BROKER_CMD` if it is set, else the release build.
pub(crate) fn program() -> Vec<String> {
    if let Ok(command) = std::env::var("HIKYAKU_BROKER_CMD") {
        return command.split_whitespace().map(String::from).collect();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let path = workspace.join(target).join("release/hikyaku");
    assert!(path.exists(), "{} is missing; tests/run builds it", path.display());
    vec![path.display().to_string()]
}
