//! A store that may not be written is refused at the start, with a sentence; nothing of it is changed.

use crate::{stocked, with_backends};
use hikyaku_tests::raw::Connect;
use hikyaku_tests::{Broker, Options, SmallDisk};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// To root modes are nothing, unless it has no capabilities.
fn without_power(broker: &mut Broker) {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        broker.change(|options| options.under(["setpriv", "--inh-caps=-all", "--bounding-set=-all"]));
    }
}

/// The start is refused with these words, and once it may be written everything is there.
fn is_refused(broker: &mut Broker, words: &[&str], allow: impl FnOnce()) {
    let said = broker.refused();
    for word in words {
        assert!(said.contains(word), "'{word}' is missing: {said}");
    }
    allow();
    broker.restart();
    Connect::v311("sleeper").durable().resume(broker).leave();
}

fn read_only_file(backend: &str) {
    let mut broker = stocked(backend);
    without_power(&mut broker);
    let file = broker.file();
    set_mode(&file, 0o444);
    let before = fs::read(&file).unwrap();
    let words = [&*file.display().to_string(), "Try: give the file", "to the user that the broker runs as"];
    is_refused(&mut broker, &words, || {
        assert_eq!(fs::read(&file).unwrap(), before);
        set_mode(&file, 0o644);
    });
}

fn read_only_directory(backend: &str) {
    let mut broker = stocked(backend);
    without_power(&mut broker);
    let data = broker.data();
    set_mode(&data, 0o555);
    let words = ["Cannot write the data directory", &*data.display().to_string(), "permission denied", "Try: "];
    is_refused(&mut broker, &words, || set_mode(&data, 0o755));
}

fn read_only_file_system(backend: &str) {
    let Some(disk) = SmallDisk::mount(24 << 20) else {
        // Nothing can be mounted here. That the words for it are right is a test of the server's.
        return read_only_directory(backend);
    };
    let mut broker = Options::backend(backend).data(&disk.path().join("data")).start();
    Connect::v311("sleeper").durable().ok(&broker).leave();
    broker.term();
    disk.remount("ro");
    let words = ["Cannot write the data directory", &*disk.path().display().to_string(), "mounted read-only", "Try: "];
    is_refused(&mut broker, &words, || disk.remount("rw"));
}

with_backends! {
    read_only_file
    read_only_directory
    read_only_file_system
}
