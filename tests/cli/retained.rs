//! Retained messages move to a store of their own, and back.

use crate::life::{Scratch, address, all_is_there, data, ended, fresh_broker, killed_broker, refused, store};
use crate::rows::{Rows, rows};
use hikyaku_tests::{Broker, Options, tool};
use std::path::{Path, PathBuf};

fn retained_of(rows: &Rows) -> Rows {
    rows.iter()
        .filter(|((table, _), _)| table.starts_with("retained"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// A broker that keeps retained messages apart, killed, with a whole store of one that did not in its main place.
fn with_stranded_messages() -> (Broker, Scratch, PathBuf) {
    let source = killed_broker("redb");
    let scratch = Scratch::new();
    let separate = scratch.path("separate");
    let yaml = format!("  retained: {{ backend: sqlite, path: {} }}", separate.display());
    let broker = fresh_broker(Options::backend("redb").config(&yaml));
    store(&["copy", "--from", &address("redb", &data(&source)), "--to", &address("redb", &data(&broker))]);
    (broker, scratch, separate)
}

fn config(broker: &Broker) -> String {
    broker.dir().join("config.yaml").display().to_string()
}

/// Why the broker does not start, and the command that it names.
fn start_is_refused(broker: &Broker) -> Vec<String> {
    let said = ended(&mut tool(&["--config", &config(broker)]));
    assert!(said.code == Some(1) && said.err.contains("would be forgotten"), "{said:?}");
    let command = said.err.lines().find_map(|line| line.split_once("Try: hikyaku store ")).unwrap().1;
    command.split_whitespace().map(str::to_owned).collect()
}

fn run(command: &[String]) -> String {
    store(&command.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The broker says which command moves them; after it, it starts and has everything.
#[test]
fn a_broker_refuses_to_forget_retained_messages_and_names_the_command_that_moves_them() {
    let (mut broker, _scratch, separate) = with_stranded_messages();
    let before = rows("redb", &data(&broker));
    let command = start_is_refused(&broker);
    run(&command);
    assert_eq!(retained_of(&rows("sqlite", &separate)), retained_of(&before));
    assert!(retained_of(&rows("redb", &data(&broker))).is_empty());
    store(&["verify", "--config", &config(&broker)]);
    broker.restart();
    all_is_there(&broker);
}

/// A move that was killed between the copy and the removal is finished by the same command.
#[test]
fn a_move_that_was_cut_off_is_finished_by_the_next_run() {
    let (mut broker, _scratch, separate) = with_stranded_messages();
    let command = start_is_refused(&broker);
    let copy: Vec<_> = command.iter().filter(|word| *word != "--move").cloned().collect();
    run(&copy);
    let copied = rows("sqlite", &separate);
    assert_eq!(start_is_refused(&broker), command, "both have them: the broker does not choose");
    run(&command);
    assert_eq!(rows("sqlite", &separate), copied);
    broker.restart();
    all_is_there(&broker);
}

/// Back into the store of the sessions, which keeps all it has.
#[test]
fn retained_messages_come_back_into_the_store_of_the_sessions() {
    let source = killed_broker("sqlite");
    let scratch = Scratch::new();
    let separate = scratch.path("separate");
    let (main, apart) = (address("sqlite", &data(&source)), address("redb", &separate));
    let before = rows("sqlite", &data(&source));
    store(&["copy", "--only", "retained", "--move", "--from", &main, "--to", &apart]);
    assert!(retained_of(&rows("sqlite", &data(&source))).is_empty());
    store(&["copy", "--only", "retained", "--move", "--from", &apart, "--to", &main]);
    assert_eq!(rows("sqlite", &data(&source)), before);
    assert!(retained_of(&rows("redb", &separate)).is_empty());
}

/// Two stores that both have retained messages, and not the same ones: nobody guesses.
#[test]
fn retained_messages_are_not_written_over_others() {
    let first = killed_broker("redb");
    let second = killed_broker("sqlite");
    let before = rows("sqlite", &data(&second));
    let (from, to) = (address("redb", &data(&first)), address("sqlite", &data(&second)));
    clear_one(&data(&first));
    let error = refused(&["copy", "--only", "retained", "--move", "--from", &from, "--to", &to]);
    assert!(error.contains("not empty (it has rows of 'retained')"), "{error}");
    assert_eq!(rows("sqlite", &data(&second)), before);
    assert!(!retained_of(&rows("redb", &data(&first))).is_empty());
}

fn clear_one(directory: &Path) {
    crate::rows::put(directory, "retained", b"r/007", None);
}
