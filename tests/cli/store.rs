//! A store that moves: between engines, into text and back, under a broker that goes on with it.

use crate::life::{Scratch, address, all_is_there, data, fresh_broker, killed_broker, refused, store};
use crate::rows::rows;
use hikyaku_tests::{Options, tool};
use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

/// Record by record, byte by byte: redb, SQLite, text, redb.
#[test]
fn a_round_trip_over_both_engines_and_text_changes_no_byte() {
    let broker = killed_broker("redb");
    let scratch = Scratch::new();
    let (first, second, third) = (data(&broker), scratch.path("second"), scratch.path("third"));
    let text = scratch.path("text.jsonl");
    let text = text.to_str().unwrap();
    let before = rows("redb", &first);
    let tables: BTreeSet<_> = before.keys().map(|(table, _)| table.as_str()).collect();
    assert_eq!(tables.len(), 10, "every table has rows: {tables:?}");

    store(&["copy", "--from", &address("redb", &first), "--to", &address("sqlite", &second)]);
    assert_eq!(rows("sqlite", &second), before);
    store(&["export", text, "--store", &address("sqlite", &second)]);
    store(&["import", text, "--store", &address("redb", &third)]);
    assert_eq!(rows("redb", &third), before);
    assert_eq!(rows("redb", &first), before, "the source is as it was");

    // The text of the copy is that of the first, and has a line for each record, one at the start and one at the end.
    let again = scratch.path("again.jsonl");
    store(&["export", again.to_str().unwrap(), "--store", &address("redb", &third)]);
    let lines = fs::read_to_string(text).unwrap();
    assert_eq!(fs::read_to_string(again).unwrap(), lines);
    assert_eq!(lines.lines().count(), before.len() + 2);
    for person_can_read in [r#""text":"typed""#, r#""filter":"$share/group/s/+""#, r#""phase":"released""#, "\"7\""] {
        assert!(lines.contains(person_can_read), "{person_can_read}");
    }
}

fn goes_on_with_a_copy(from: &str, to: &str) {
    let source = killed_broker(from);
    let mut target = fresh_broker(Options::backend(to)); // its store has no records: it may be replaced
    store(&["copy", "--from", &address(from, &data(&source)), "--to", &address(to, &data(&target))]);
    store(&["verify", "--store", &address(to, &data(&target))]);
    target.restart();
    all_is_there(&target);
}

#[test]
fn a_broker_goes_on_with_a_copy_from_redb_in_sqlite() {
    goes_on_with_a_copy("redb", "sqlite");
}

#[test]
fn a_broker_goes_on_with_a_copy_from_sqlite_in_redb() {
    goes_on_with_a_copy("sqlite", "redb");
}

/// Export and import by the configuration, over stdout and stdin, into a broker that keeps retained messages apart.
#[test]
fn a_broker_goes_on_with_an_import_that_parts_retained_messages_from_sessions() {
    let source = killed_broker("redb");
    let scratch = Scratch::new();
    let separate = scratch.path("retained");
    let yaml = format!("  retained: {{ backend: sqlite, path: {} }}", separate.display());
    let mut target = fresh_broker(Options::backend("redb").config(&yaml));
    let configuration = |broker: &hikyaku_tests::Broker| broker.dir().join("config.yaml").display().to_string();
    let (from, to) = (configuration(&source), configuration(&target));

    let mut export = tool(&["store", "export", "-", "--config", &from]).stdout(Stdio::piped()).spawn().unwrap();
    let imported =
        tool(&["store", "import", "-", "--config", &to]).stdin(export.stdout.take().unwrap()).output().unwrap();
    assert!(export.wait().unwrap().success() && imported.status.success(), "{imported:?}");
    let (main, apart) = (rows("redb", &data(&target)), rows("sqlite", &separate));
    assert!(main.keys().all(|(table, _)| !table.starts_with("retained")));
    assert!(apart.keys().all(|(table, _)| table.starts_with("retained") || table == "meta"));
    store(&["verify", "--config", &to]);

    // Both are exported together, and come together again in one store.
    let text = scratch.path("both.jsonl").display().to_string();
    store(&["export", &text, "--config", &to]);
    let one = scratch.path("one");
    store(&["import", &text, "--store", &address("sqlite", &one)]);
    assert_eq!(rows("sqlite", &one), rows("redb", &data(&source)));
    target.restart();
    all_is_there(&target);
}

/// Wherever the text was cut or edited, nothing is made of it.
#[test]
fn an_export_that_was_cut_or_edited_is_refused_with_its_line() {
    let broker = killed_broker("redb");
    let scratch = Scratch::new();
    let text = scratch.path("text.jsonl");
    store(&["export", text.to_str().unwrap(), "--store", &address("redb", &data(&broker))]);
    let whole = fs::read_to_string(&text).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let (last, count) = (lines.len(), lines.len() - 1);
    let cut = format!("{}\n", lines[..count].join("\n"));
    let torn = &whole[..whole.len() / 2];
    let edited = whole.replace("twice", "thrice");
    let typo = whole.replacen("\"session\":", "\"sesion\":", 1);
    let typo_at = lines.iter().position(|line| line.contains("\"session\":")).unwrap() + 1;
    let newer = whole.replacen("\"version\":1", "\"version\":2", 1);
    let format = whole.replacen("\"store_format\":1", "\"store_format\":2", 1);
    for (bad, line, why) in [
        (cut.as_str(), last, "cut off"),
        (torn, torn.lines().count(), "cut off"),
        (edited.as_str(), last, "not those that were exported"),
        (typo.as_str(), typo_at, "not a record"),
        (newer.as_str(), 1, "up to version 1"),
        (format.as_str(), 1, "up to format 1"),
        ("hello\n", 1, "no export"),
    ] {
        fs::write(&text, bad).unwrap();
        let target = scratch.path("target");
        let error = refused(&["import", text.to_str().unwrap(), "--store", &address("redb", &target)]);
        assert!(error.contains(&format!("line {line}: ")) && error.contains(why), "{why}: {error}");
        assert!(!target.join("hikyaku.redb").exists() && !target.join("hikyaku.redb.unfinished").exists());
    }
}
