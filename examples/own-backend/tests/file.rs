//! What does the log bear: an end that is torn, a damage in its middle, another program's file, a long life?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use hikyaku_own_backend::open;
use hikyaku_suite::{Ask, Place, Store, Write, boxed, run};
use hikyaku_traits::Decision;

fn opened(path: &Path) -> Box<dyn Store> {
    boxed(open(path).unwrap())
}

/// Writes three synced batches and gives the length of the file after each.
async fn three_batches(path: &Path) -> Vec<usize> {
    let store = opened(path);
    let mut lengths = Vec::new();
    for key in ["a", "b", "c"] {
        store.write([Write::put(key, "value"), Write::put(key.to_uppercase(), "value")]).await.unwrap();
        lengths.push(std::fs::metadata(path).unwrap().len() as usize);
    }
    lengths
}

/// A log that ends at any byte of its last batch, or in zeros, opens without that batch and with those before it.
#[test]
fn torn_end_is_cut_off() {
    let place = Place::new();
    let (path, torn) = (place.path().join("log"), place.path().join("torn"));
    run(async {
        let [_, two, three] = three_batches(&path).await[..] else { panic!() };
        let log = std::fs::read(&path).unwrap();
        for end in two..three {
            for tail in [0, three - end] {
                std::fs::write(&torn, [&log[..end], &vec![0; tail]].concat()).unwrap();
                assert_eq!(opened(&torn).keys().await, [b"A", b"B", b"a", b"b"], "cut at {end} of {three}");
            }
        }
    });
}

/// A bit that has turned in a batch with a synced one behind it is no torn end: the file is refused, and is as it was.
#[test]
fn damage_in_front_of_a_synced_batch_is_refused() {
    let place = Place::new();
    let (path, bad) = (place.path().join("log"), place.path().join("bad"));
    run(async {
        let [one, two, _] = three_batches(&path).await[..] else { panic!() };
        let log = std::fs::read(&path).unwrap();
        for at in one..two {
            let mut damaged = log.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&bad, &damaged).unwrap();
            assert_eq!(open(&bad).unwrap_err().decision, Decision::Corrupt, "a bit of byte {at}");
            assert!(std::fs::read(&bad).unwrap() == damaged);
        }
    });
}

/// A file of something else is refused, and is as it was; so is a store that is in use.
#[test]
fn what_is_not_ours_is_left_alone() {
    let place = Place::new();
    let (path, text) = (place.path().join("log"), "a letter, not a store");
    std::fs::write(&path, text).unwrap();
    assert_eq!(open(&path).unwrap_err().decision, Decision::Corrupt);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    std::fs::remove_file(&path).unwrap();
    let _first = opened(&path);
    assert_eq!(open(&path).unwrap_err().decision, Decision::Fenced);
}

/// The same record is replaced again and again, 12 MiB in all: the file stays near the 4 MiB from which it is rewritten.
#[test]
fn garbage_does_not_stay() {
    let place = Place::new();
    let path = place.path().join("log");
    run(async {
        let store = opened(&path);
        for round in 0..24_u8 {
            store.write([Write::put("a", vec![round; 512 << 10])]).await.unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() < 6 << 20);
        }
        drop(store);
        assert_eq!(opened(&path).all().await, [(b"a".to_vec(), vec![23; 512 << 10])]);
    });
}
