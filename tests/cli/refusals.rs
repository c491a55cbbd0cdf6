//! What a command does not do, and what it says instead.

use crate::life::{Scratch, address, data, ended, killed_broker, refused, store};
use crate::rows::{put, rows};
use hikyaku_tests::{Options, tool};
use std::fs;

/// A store belongs to the broker that has it open: every command says which process that is.
#[test]
fn a_store_in_use_is_refused_with_the_process() {
    let source = killed_broker("redb");
    for backend in ["redb", "sqlite"] {
        let broker = Options::backend(backend).start();
        let (scratch, used) = (Scratch::new(), address(backend, &data(&broker)));
        let free = address("redb", &scratch.path("free"));
        let text = scratch.path("text").display().to_string();
        store(&["export", &text, "--store", &address("redb", &data(&source))]);
        let other = scratch.path("other").display().to_string();
        for command in [
            vec!["copy", "--from", &used, "--to", &free],
            vec!["copy", "--to", &used, "--from", &address("redb", &data(&source))],
            vec!["copy", "--only", "retained", "--to", &used, "--from", &address("redb", &data(&source))],
            vec!["export", &other, "--store", &used],
            vec!["import", &text, "--store", &used],
            vec!["info", "--store", &used],
            vec!["verify", "--store", &used],
            vec!["compact", "--store", &used],
        ] {
            let error = refused(&command);
            assert!(error.contains(&format!("process {}", broker.pid())), "{command:?}: {error}");
        }
        assert!(!scratch.path("free").exists() && !scratch.path("other").exists());
    }
}

/// Nothing is written over, and nothing is made of nothing.
#[test]
fn what_is_there_stays_and_what_is_not_there_is_told() {
    let source = killed_broker("redb");
    let scratch = Scratch::new();
    let from = address("redb", &data(&source));
    let full = address("sqlite", &scratch.path("full"));
    store(&["copy", "--from", &from, "--to", &full]);
    let before = rows("sqlite", &scratch.path("full"));
    let text = scratch.path("text").display().to_string();
    store(&["export", &text, "--store", &from]);
    let absent = address("redb", &scratch.path("absent"));
    for (command, why) in [
        (vec!["copy", "--from", &from, "--to", &full], "not empty"),
        (vec!["import", &text, "--store", &full], "not empty"),
        (vec!["copy", "--from", &from, "--to", &from], "same file"),
        (vec!["copy", "--from", &absent, "--to", &full], "No such file"),
        (vec!["export", &text, "--store", &from], "already"),
        (vec!["export", &text, "--store", &absent], "already"),
        (vec!["import", "/nonexistent/text", "--store", &absent], "No such file"),
        (vec!["info", "--store", &absent], "no such file"),
    ] {
        let error = refused(&command);
        assert!(error.contains(why) && error.contains("Try: "), "{why}: {error}");
    }
    assert_eq!(rows("sqlite", &scratch.path("full")), before);
    assert!(!scratch.path("absent").exists(), "a source is not made");
}

/// A newer broker may have written what this one cannot read: it goes nowhere.
#[test]
fn a_store_of_a_newer_format_is_refused() {
    let source = killed_broker("redb");
    put(&data(&source), "meta", b"format", Some(&[1, 9]));
    let scratch = Scratch::new();
    let from = address("redb", &data(&source));
    let text = scratch.path("text").display().to_string();
    for command in [
        vec!["copy", "--from", &from, "--to", &address("sqlite", &scratch.path("to"))],
        vec!["export", &text, "--store", &from],
        vec!["info", "--store", &from],
        vec!["verify", "--store", &from],
    ] {
        let error = refused(&command);
        assert!(error.contains("format 9") && error.contains("hikyaku.redb"), "{error}");
    }
    assert!(!scratch.path("to").join("hikyaku.sqlite").exists() && !fs::exists(text).unwrap());
}

/// A command line that is wrong is code 2, as everywhere.
#[test]
fn a_wrong_command_line_is_told_from_a_failure() {
    for (arguments, why) in [
        (&["store", "info", "--store", "data"][..], "redb:./data"),
        (&["store", "info", "--store", "lmdb:data"], "only redb and sqlite"),
        (&["store", "copy", "--from", "redb:a"], "--to"),
        (&["store", "copy", "--from", "redb:a", "--to", "redb:b", "--move"], "--only"),
        (&["store", "info", "--backend", "lmdb"], "lmdb"),
    ] {
        let said = ended(&mut tool(arguments));
        assert!(said.code == Some(2) && said.err.contains(why), "{arguments:?}: {said:?}");
    }
    let error = refused(&["info", "--backend", "memory"]);
    assert!(error.contains("in memory"), "{error}");
}
