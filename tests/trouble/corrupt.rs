//! A damaged store is refused at the start, with a sentence that names its file; nothing of it is thrown away.

use crate::{stocked, stocking, with_backends};
use hikyaku_tests::Broker;
use std::fs;
use std::path::{Path, PathBuf};

/// The start is refused with a sentence about this file, and the file is still there.
fn is_refused(broker: &mut Broker, what: &str) -> String {
    let file = broker.file();
    let said = broker.refused();
    assert!(said.contains(&file.display().to_string()), "{what}: the file is named: {said}");
    assert!(said.contains("Try: "), "{what}: something to try is named: {said}");
    assert!(file.exists(), "{what}: {} is not removed", file.display());
    said
}

/// The same of one that is damaged: the other way is named as well.
fn is_damaged(broker: &mut Broker, what: &str) {
    let said = is_refused(broker, what);
    assert!(said.contains("Or write storage.on_corrupt: set-aside"), "{what}: {said}");
}

fn overwrite(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

fn bytes_overwritten_at_the_front(backend: &str) {
    let mut broker = stocked(backend);
    overwrite(&broker.file(), |bytes| bytes[..32].fill(0xA5));
    is_damaged(&mut broker, "the first 32 bytes");
}

fn bytes_overwritten_all_over_the_file(backend: &str) {
    let mut broker = stocked(backend);
    overwrite(&broker.file(), |bytes| {
        for page in bytes[4096..].chunks_mut(4096) {
            page[..64].fill(0xA5);
        }
    });
    is_damaged(&mut broker, "each page but the first");
}

/// Whatever page is hit: the start is refused, or all that was acknowledged is there.
fn one_page_overwritten_is_refused_or_of_no_consequence(backend: &str) {
    use hikyaku_tests::raw::{Connect, Publish};
    let mut broker = stocked(backend);
    let (file, whole) = (broker.file(), fs::read(broker.file()).unwrap());
    let used = whole.chunks(4096).rposition(|page| page.iter().any(|byte| *byte != 0)).unwrap() + 1;
    let mut refused = 0;
    for page in (0..used).step_by(used.div_ceil(12)) {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..4096].fill(0x5A);
        fs::write(&file, bytes).unwrap();
        let log = broker.log().len();
        if broker.starts() {
            Connect::v311("end").ok(&broker).publish(Publish::new("stock", "end", 1));
            let texts = Connect::v311("sleeper").durable().resume(&broker).texts_until("end");
            assert_eq!(texts.len(), crate::STOCK, "page {page} of {used}: messages are lost without a word");
        } else {
            refused += 1;
            let said = &broker.log()[log..];
            assert!(said.contains(&file.display().to_string()) && said.contains("Try: "), "page {page}: {said}");
        }
        broker.kill9();
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", file.display()));
        }
        let _ = fs::remove_dir_all(format!("{}-log", file.display()));
    }
    assert!(refused > 0, "no page of {used} mattered");
}

fn truncated_file(backend: &str) {
    let mut broker = stocked(backend);
    for parts in [2, 50] {
        overwrite(&broker.file(), |bytes| bytes.truncate(bytes.len() / parts));
        is_damaged(&mut broker, &format!("one part of {parts}"));
    }
}

/// An engine takes a file without bytes for a new one; the broker does not.
fn empty_file(backend: &str) {
    let mut broker = stocked(backend);
    fs::write(broker.file(), "").unwrap();
    is_damaged(&mut broker, "no byte");
}

fn file_of_another_program(backend: &str) {
    let mut broker = stocked(backend);
    fs::write(broker.file(), "A letter, not a store.\n".repeat(4_000)).unwrap();
    is_damaged(&mut broker, "a letter");
    let read = fs::read_to_string(broker.file()).unwrap();
    assert!(read.starts_with("A letter") && read.len() == 23 * 4_000, "the letter is as it was");
}

fn directory_in_place_of_the_file(backend: &str) {
    let mut broker = stocked(backend);
    fs::remove_file(broker.file()).unwrap();
    fs::create_dir(broker.file()).unwrap();
    let said = is_refused(&mut broker, "a directory");
    assert!(said.contains("a directory is in its place"), "{said}");
}

/// Batches lie behind the damage, so that it is not the end of what a crash has cut off.
fn log_overwritten_in_its_middle(backend: &str) {
    let mut broker = stocking(backend);
    broker.kill9();
    let directory = PathBuf::from(format!("{}-log", broker.file().display()));
    let files = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let log = files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    overwrite(&log, |bytes| {
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        assert!(written > 100_000, "{} has the messages", log.display());
        bytes[written / 2..][..32].fill(0xA5);
    });
    is_damaged(&mut broker, "the middle of the log");
}

with_backends! {
    log_overwritten_in_its_middle
    bytes_overwritten_at_the_front
    bytes_overwritten_all_over_the_file
    one_page_overwritten_is_refused_or_of_no_consequence
    truncated_file
    empty_file
    file_of_another_program
    directory_in_place_of_the_file
}
