//! What if the files of the log are not what was written?

use hikyaku_log::Options;
use hikyaku_suite::{Ask, Write, boxed, run};
use hikyaku_traits::{Decision, RecordStore, StoreError, Table};

use crate::disk::Lie;
use crate::life::Machine;

const FIRST: &str = "0000000001.log";
const SECOND: &str = "0000000002.log";
/// How long the head of a file is.
const HEAD_BYTES: usize = 28;

/// A machine whose log never goes into the store by itself.
fn machine() -> Machine {
    let mut machine = Machine::new(1, Lie::None);
    machine.options = Options { bytes_max: 64 << 20, entries_max: 100_000 };
    machine
}

/// Applies batches of one message each, synced or not; gives the length of the log after each.
fn fill(machine: &Machine, batches: &[(&str, bool)]) -> Vec<usize> {
    let mut lengths = Vec::new();
    let store = boxed(machine.open().unwrap());
    run(async {
        for (key, is_synced) in batches {
            let write = [Write::put(key, [b'v'; 20])];
            if *is_synced { store.write(write).await } else { store.write_buffered(write).await }.unwrap();
            lengths.push(machine.disk.bytes());
        }
    });
    lengths
}

/// The messages that are found, or what is said.
fn open(machine: &Machine) -> Result<Vec<String>, StoreError> {
    let store = boxed(machine.open()?);
    let mut keys = Vec::new();
    run(async { keys = store.keys().await });
    Ok(keys.into_iter().map(|key| String::from_utf8(key).unwrap()).collect())
}

fn refused(machine: &Machine, decision: Decision, words: &[&str]) {
    let error = open(machine).unwrap_err();
    assert_eq!(error.decision, decision, "{error}");
    for word in words.iter().chain(&["the-log", "Try: "]) {
        assert!(error.message.contains(word), "{word} is not in {error}");
    }
}

#[test]
fn a_byte_that_has_changed_in_what_was_synced_is_told_with_its_file() {
    let machine = machine();
    let lengths = fill(&machine, &[("a", true), ("b", true), ("c", true)]);
    // One byte of the head is the version, of which another test is.
    for at in (0..lengths[1]).filter(|at| *at != 7) {
        machine.disk.damage(FIRST, |bytes| bytes[at] ^= 0x40);
        refused(&machine, Decision::Corrupt, &[FIRST]);
        machine.disk.damage(FIRST, |bytes| bytes[at] ^= 0x40);
    }
    assert_eq!(open(&machine).unwrap(), ["a", "b", "c"]);
}

#[test]
fn a_tail_that_is_not_whole_is_cut_off() {
    for length in HEAD_BYTES.. {
        let machine = machine();
        let lengths = fill(&machine, &[("a", true), ("b", false)]);
        machine.disk.damage(FIRST, |bytes| bytes.truncate(length));
        let found: &[&str] = if length < lengths[0] { &[] } else { &["a"] };
        if length == lengths[1] {
            return;
        }
        assert_eq!(open(&machine).unwrap(), found);
        // And it stays cut off when the log has gone on.
        fill(&machine, &[("c", true)]);
        let found: Vec<_> = found.iter().chain(&["c"]).copied().collect();
        assert_eq!(open(&machine).unwrap(), found, "at {length}");
    }
}

#[test]
fn a_file_that_is_missing_is_told() {
    let machine = machine();
    for key in ["a", "b", "c"] {
        fill(&machine, &[(key, true)]);
    }
    machine.disk.lose(SECOND);
    refused(&machine, Decision::Corrupt, &["from 2 on are missing before 0000000003.log"]);
}

#[test]
fn the_end_of_a_file_that_is_missing_is_told() {
    let machine = machine();
    let lengths = fill(&machine, &[("a", true), ("b", true)]);
    fill(&machine, &[("c", true)]);
    machine.disk.damage(FIRST, |bytes| bytes.truncate(lengths[0] + 5));
    refused(&machine, Decision::Corrupt, &["from 2 on are missing before 0000000002.log"]);
}

#[test]
fn a_file_of_another_log_is_refused() {
    let (machine, other) = (machine(), machine());
    fill(&machine, &[("a", true)]);
    fill(&other, &[("a", true)]);
    let mut bytes = Vec::new();
    other.disk.damage(FIRST, |others| bytes.clone_from(others));
    machine.disk.damage(FIRST, |own| *own = bytes);
    refused(&machine, Decision::Corrupt, &[FIRST, "another log"]);
}

#[test]
fn a_log_beside_a_store_that_has_none_is_refused() {
    let (mut machine, other) = (machine(), machine());
    fill(&machine, &[("a", true)]);
    machine.below = other.below;
    refused(&machine, Decision::Corrupt, &["another store"]);
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let machine = machine();
    fill(&machine, &[("a", true)]);
    machine.disk.damage(FIRST, |bytes| bytes[7] = b'2');
    refused(&machine, Decision::Unsupported, &[FIRST, "newer version"]);
    machine.disk.damage(FIRST, |bytes| bytes[7] = b'1');
    assert_eq!(open(&machine).unwrap(), ["a"]);
}

/// A client sends the records of a log, which say that all was synced, in a batch that is torn.
#[test]
fn a_record_that_a_client_sends_is_not_taken_for_one() {
    let (machine, other) = (machine(), machine());
    fill(&other, &[("x", true); 9]);
    let mut records = Vec::new();
    other.disk.damage(FIRST, |bytes| records.clone_from(bytes));
    let lengths = fill(&machine, &[("a", true)]);
    let store = boxed(machine.open().unwrap());
    run(async { store.write_buffered([Write::put("b", &records)]).await.unwrap() });
    drop(store);
    machine.disk.damage(SECOND, |bytes| bytes[HEAD_BYTES + 20] ^= 1);
    assert_eq!(open(&machine).unwrap(), ["a"]);
    assert!(lengths[0] < records.len());
}

#[test]
fn a_store_without_a_log_gets_one_and_keeps_its_records() {
    let machine = machine();
    run(async {
        let write = hikyaku_suite::batch([Write::put("old", "1")]);
        machine.below.apply(write, hikyaku_traits::Durability::Synced).await.unwrap();
    });
    fill(&machine, &[("new", true)]);
    assert_eq!(open(&machine).unwrap(), ["new", "old"]);
}

/// The record of the store that names its log is nobody else's to read, to write or to remove.
#[test]
fn the_mark_of_the_store_is_out_of_reach() {
    let mark = b"\0log".to_vec();
    let machine = machine();
    let store = boxed(machine.open().unwrap());
    run(async {
        let put = Write::Put(Table::Meta, mark.clone(), vec![1]);
        store.write([Write::Put(Table::Meta, mark.clone(), vec![0; 16]), Write::put("a", "")]).await.unwrap();
        assert_eq!(store.all_of(Table::Meta).await, []);
        assert_eq!(store.get(Table::Meta, vec![mark.clone().into()]).await.unwrap().rows, []);
        let range = Write::DeleteRange(Table::Meta, vec![], vec![0xFF]);
        store.write([range, put, Write::Delete(Table::Meta, mark.clone())]).await.unwrap();
        store.close().await.unwrap();
    });
    assert_eq!(open(&machine).unwrap(), ["a"]);
    assert_eq!(machine.below.records.get_now(Table::Meta, &vec![mark.into()]).rows[0].value.len(), 16);
}
