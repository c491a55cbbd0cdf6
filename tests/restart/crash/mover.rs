//! A store that moves to the other engine between two rounds; the copy may be killed too.

use super::Chance;
use hikyaku_tests::{Broker, tool};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Copies the store of a broker that was killed, checks the copy, throws the source away and lets the broker go on with
/// the copy. Whether the copy was killed on the way and done again.
pub fn move_store(broker: &mut Broker, chance: &mut Chance) -> bool {
    let (from, to) = if broker.backend() == "redb" { ("redb", "sqlite") } else { ("sqlite", "redb") };
    let data = broker.dir().join("data");
    let address = |engine: &str| format!("{engine}:{}", data.display());
    let copy = || tool(&["store", "copy", "--from", &address(from), "--to", &address(to)]);
    let target = data.join(format!("hikyaku.{to}"));
    let is_killed = chance.below(2) == 0;
    if is_killed {
        let mut cut_off = copy().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a copy");
        sleep(Duration::from_millis(chance.below(60))); // the random moment itself: nothing waits for it
        let _ = cut_off.kill();
        let _ = cut_off.wait();
    }
    // A target that is there is whole, also when the copy was killed right after.
    if !target.exists() {
        done(&mut copy());
    }
    done(&mut tool(&["store", "verify", "--store", &address(to)]));
    remove(&data, &format!("hikyaku.{from}"));
    broker.set_backend(to);
    is_killed
}

fn done(command: &mut Command) {
    let Output { status, stdout, stderr } = command.output().expect("the tool starts");
    let (said, wrong) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{said}{wrong}");
}

/// Removes a store, with all that its engine has put beside it.
fn remove(data: &Path, name: &str) {
    for entry in fs::read_dir(data).expect("the directory of the store").flatten() {
        if entry.file_name().to_string_lossy().starts_with(name) {
            let path = entry.path();
            let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            gone.expect("what belongs to the old store goes");
        }
    }
}
