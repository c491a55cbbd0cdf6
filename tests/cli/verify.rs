//! A store that is looked at, checked and made small.

use crate::life::{address, data, ended, killed_broker, store};
use crate::rows::{put, rows};
use hikyaku_tests::{Broker, tool};
use std::fs;

fn first_key(broker: &Broker, table: &str) -> Vec<u8> {
    rows("redb", &data(broker)).into_keys().find(|(found, _)| found == table).unwrap().1
}

/// What was killed under way is whole, and told.
#[test]
fn a_store_after_kill_9_has_no_problem_and_tells_what_it_holds() {
    for engine in ["redb", "sqlite"] {
        let broker = killed_broker(engine);
        let chosen = address(engine, &data(&broker));
        let said = store(&["verify", "--store", &chosen]);
        assert!(said.contains("no problem"), "{said}");
        let told = store(&["info", "--store", &chosen]);
        // Who has just vanished may not have been parked yet when the broker was killed.
        for line in ["format     1", "sessions   7 (", "retained   5 messages", "topic \"a/typed\""] {
            assert!(told.contains(line), "{line}: {told}");
        }
        let configured =
            ended(&mut tool(&["store", "info", "--config", broker.dir().join("config.yaml").to_str().unwrap()]));
        // What the files have free is another number after each open.
        let records =
            |told: &str| told.lines().filter(|line| !line.starts_with("files")).collect::<Vec<_>>().join("\n");
        assert_eq!(records(&configured.out), records(&told), "{configured:?}");
    }
}

/// Each damage is a line that names what it is about, and the code is 1.
#[test]
fn damage_is_told_line_by_line() {
    type Damage = fn(&Broker);
    let cases: [(Damage, &str); 5] = [
        (|broker| put(&data(broker), "body", &first_key(broker, "body"), None), "has lost its payload"),
        (|broker| put(&data(broker), "body", &[0; 8], Some(b"x")), "does not say so"),
        (|broker| put(&data(broker), "session", b"five", Some(&[9])), "\"session\""),
        (|broker| put(&data(broker), "will", &[9; 8], Some(&[1, 0, 0, 0, 0])), "which is not there"),
        (|broker| put(&data(broker), "meta", b"next_session_number", Some(&[1, 1])), "next_session_number"),
    ];
    for (damage, why) in cases {
        let broker = killed_broker("redb");
        damage(&broker);
        let said = ended(&mut tool(&["store", "verify", "--store", &address("redb", &data(&broker))]));
        assert!(said.code == Some(1) && said.out.contains(why) && said.err.contains("problem"), "{why}: {said:?}");
        assert!(said.out.lines().all(|line| line.contains("hikyaku.redb") || line.starts_with("note: ")), "{said:?}");
    }
}

/// A file whose bytes were changed is damaged, whatever its rows say.
#[test]
fn a_damaged_file_is_told() {
    for engine in ["redb", "sqlite"] {
        let broker = killed_broker(engine);
        let chosen = address(engine, &data(&broker));
        store(&["compact", "--store", &chosen]); // nothing is left in a log
        let file = data(&broker).join(format!("hikyaku.{engine}"));
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.windows(100).rposition(|window| window == [b'l'; 100]).unwrap();
        let page = at / 4096 * 4096;
        bytes[page..page + 64].fill(0xA5);
        fs::write(&file, bytes).unwrap();
        let said = ended(&mut tool(&["store", "verify", "--store", &chosen]));
        assert!(said.code == Some(1) && format!("{}{}", said.out, said.err).contains("hikyaku."), "{said:?}");
    }
}

#[test]
fn a_store_is_made_small_and_keeps_every_record() {
    for engine in ["redb", "sqlite"] {
        let broker = killed_broker(engine);
        let before = rows(engine, &data(&broker));
        let chosen = address(engine, &data(&broker));
        let said = store(&["compact", "--store", &chosen]);
        assert!(said.contains("before") && said.contains("after"), "{said}");
        assert_eq!(rows(engine, &data(&broker)), before);
        store(&["verify", "--store", &chosen]);
    }
}
