//! A command that is killed or interrupted: the source is as it was, the target is whole or not there, and the next run
//! succeeds.

use crate::life::{Scratch, address, all_is_there, data, ended, fresh_broker, killed_broker, store};
use crate::rows::{Rows, rows};
use hikyaku_tests::raw::{Connect, Kind, Publish, WAIT};
use hikyaku_tests::{Broker, Options, tool};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const MESSAGES: usize = 20_000;
const WINDOW: usize = 100;

/// A broker that was killed with a queue of some 40 MB: copying it takes a while.
fn large_store() -> Broker {
    let mut broker = Options::backend("redb").start();
    let durable = Connect::v311("away").durable();
    let mut away = durable.ok(&broker);
    away.subscribe("queue", 1);
    away.leave();
    let mut publisher = Connect::v311("publisher").ok(&broker).untraced();
    for _ in 0..MESSAGES / WINDOW {
        for _ in 0..WINDOW {
            publisher.send_publish(Publish::new("queue", [b'q'; 2000], 1));
        }
        (0..WINDOW).for_each(|_| drop(publisher.wait(Kind::Puback)));
    }
    broker.kill9();
    broker
}

fn unfinished(directory: &Path, engine: &str) -> PathBuf {
    directory.join(format!("hikyaku.{engine}.unfinished"))
}

/// Waits until the command has begun with the target.
fn begun(path: &Path) {
    let deadline = Instant::now() + WAIT;
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} does not come", path.display());
        sleep(Duration::from_millis(1));
    }
}

fn copy_begins(from: &str, to: &str, target: &Path, engine: &str) -> Child {
    let arguments = ["store", "copy", "--from", from, "--to", to];
    let copy = tool(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    begun(&unfinished(target, engine));
    copy
}

fn no_broker_starts_here(engine: &str, directory: &Path) {
    let path = directory.display().to_string();
    let said = ended(&mut tool(&["--backend", engine, "--storage-path", &path, "--bind", "127.0.0.1:0"]));
    assert!(said.code == Some(1) && said.err.contains(".unfinished"), "{said:?}");
}

fn next_run_succeeds(from: &str, to: &str, engine: &str, target: &Path, before: &Rows) {
    store(&["copy", "--from", from, "--to", to]);
    assert!(rows(engine, target) == *before, "the copy has the records of the source");
    assert!(!unfinished(target, engine).exists());
    let left: Vec<_> = fs::read_dir(target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("unfinished")), "{left:?}");
}

#[test]
fn a_copy_that_is_killed_leaves_nothing_that_a_broker_would_take() {
    let broker = large_store();
    let scratch = Scratch::new();
    let from = address("redb", &data(&broker));
    let before = rows("redb", &data(&broker));
    for engine in ["redb", "sqlite"] {
        let target = scratch.path(engine);
        let to = address(engine, &target);
        let mut copy = copy_begins(&from, &to, &target, engine);
        copy.kill().unwrap();
        copy.wait().unwrap();
        assert!(!target.join(format!("hikyaku.{engine}")).exists() && unfinished(&target, engine).exists());
        no_broker_starts_here(engine, &target);
        assert!(rows("redb", &data(&broker)) == before, "the source is as it was");
        next_run_succeeds(&from, &to, engine, &target, &before);
    }
}

#[test]
fn a_copy_that_is_interrupted_takes_away_what_it_has_made() {
    let broker = large_store();
    let scratch = Scratch::new();
    let (target, from) = (scratch.path("target"), address("redb", &data(&broker)));
    let to = address("sqlite", &target);
    let before = rows("redb", &data(&broker));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let copy = copy_begins(&from, &to, &target, "sqlite");
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", copy.id())]).status().unwrap();
        assert!(sent.success());
        let ended = copy.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        let left: Vec<_> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["hikyaku.sqlite.lock"]);
    }
    next_run_succeeds(&from, &to, "sqlite", &target, &before);
}

/// Half of the text comes, then the process is killed.
#[test]
fn an_import_that_is_killed_leaves_nothing_that_a_broker_would_take() {
    let source = killed_broker("sqlite");
    let mut target = fresh_broker(Options::backend("redb"));
    let scratch = Scratch::new();
    let text = scratch.path("text").display().to_string();
    store(&["export", &text, "--store", &address("sqlite", &data(&source))]);
    let lines = fs::read(&text).unwrap();
    let to = address("redb", &data(&target));
    let mut import =
        tool(&["store", "import", "-", "--store", &to]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = import.stdin.take().unwrap();
    input.write_all(&lines[..lines.len() / 2]).unwrap();
    begun(&unfinished(&data(&target), "redb"));
    import.kill().unwrap();
    import.wait().unwrap();
    no_broker_starts_here("redb", &data(&target));
    store(&["import", &text, "--store", &to]);
    target.restart();
    all_is_there(&target);
}
