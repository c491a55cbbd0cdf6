//! `storage.on_corrupt: set-aside`: the damaged files get other names, and the broker starts with nothing.

use crate::{stocked, with_backends};
use hikyaku_tests::raw::{Connect, Publish};
use std::fs;
use std::path::{Path, PathBuf};

/// What lies in the directory of the store and was put aside, without the ends of SQLite's further files.
fn aside(file: &Path) -> Vec<PathBuf> {
    let name = format!("{}.corrupt-", file.display());
    let entries = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| {
            path.display()
                .to_string()
                .strip_prefix(&name)
                .is_some_and(|time| !["-log", "-wal", "-shm"].iter().any(|end| time.ends_with(end)))
        })
        .collect();
    found.sort();
    found
}

/// The broker works, knows nothing, has said so loudly, and every byte of the damaged file is kept; twice in a row.
fn damaged_store_is_kept_under_another_name(backend: &str) {
    let mut broker = stocked(backend);
    broker.change(|options| options.storage("on_corrupt", "set-aside"));
    let file = broker.file();
    for round in 1..=2 {
        let damaged = b"not a store".repeat(1_000);
        fs::write(&file, &damaged).unwrap();
        let wal = PathBuf::from(format!("{}-wal", file.display()));
        fs::write(&wal, "not a log").unwrap();
        broker.restart();
        let (_, connack) = Connect::v311("sleeper").clean(false).open(&broker);
        assert_eq!(connack.flags, 0, "the session was in the damaged store");
        let kept = aside(&file);
        assert_eq!(kept.len(), round, "{kept:?}");
        for kept in &kept {
            assert_eq!(fs::read(kept).unwrap(), damaged);
            assert_eq!(fs::read_to_string(format!("{}-wal", kept.display())).unwrap(), "not a log");
            let said = broker.log();
            let loud = said
                .lines()
                .find(|line| line.contains(&kept.display().to_string()))
                .unwrap_or_else(|| panic!("{said}"));
            assert!(loud.contains("ERROR") && loud.contains("WITHOUT WHAT WAS IN IT"), "{loud}");
        }
        broker.term();
    }
}

/// What the broker takes after that is kept as ever.
fn new_store_keeps_what_it_acknowledges(backend: &str) {
    let mut broker = stocked(backend);
    broker.change(|options| options.storage("on_corrupt", "set-aside"));
    fs::write(broker.file(), "").unwrap();
    broker.restart();
    let durable = Connect::v5("new").durable();
    durable.ok(&broker).subscribe("new", 1);
    Connect::v5("publisher").ok(&broker).publish(Publish::new("new", "kept", 1));
    broker.kill9();
    broker.restart();
    assert_eq!(aside(&broker.file()).len(), 1, "a store that is whole is left where it is");
    assert_eq!(durable.resume(&broker).message().text(), "kept");
}

/// Of two stores only the damaged one goes.
fn only_the_damaged_store_is_put_aside(backend: &str) {
    let elsewhere = std::env::temp_dir().join(format!("hikyaku-aside-{backend}-{}", std::process::id()));
    let section = format!("{{backend: {backend}, path: {}}}", elsewhere.display());
    let options = hikyaku_tests::Options::backend(backend).storage("retained", &section);
    let mut broker = options.storage("on_corrupt", "set-aside").start();
    let durable = Connect::v5("stays").durable();
    durable.ok(&broker).subscribe("state", 1);
    let mut publisher = Connect::v5("publisher").ok(&broker);
    publisher.publish(Publish::new("state", "on", 1).retained());
    broker.kill9();
    let retained = elsewhere.join(format!("hikyaku.{backend}"));
    fs::write(&retained, "not a store").unwrap();
    broker.restart();
    assert_eq!((aside(&broker.file()).len(), aside(&retained).len()), (0, 1));
    let mut stays = durable.resume(&broker);
    assert_eq!(stays.message().text(), "on");
    stays.subscribe("state", 1);
    let mut publisher = Connect::v5("publisher").ok(&broker);
    publisher.publish(Publish::new("state", "end", 1));
    assert_eq!(stays.texts_until("end"), Vec::<String>::new(), "the retained message was in the damaged store");
    drop((stays, publisher, broker)); // it must not write into what is removed
    fs::remove_dir_all(elsewhere).unwrap();
}

with_backends! {
    damaged_store_is_kept_under_another_name
    new_store_keeps_what_it_acknowledges
    only_the_damaged_store_is_put_aside
}
