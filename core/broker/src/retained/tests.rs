use std::cmp::Ordering;

use hikyaku_types::{Qos, topic};

use super::*;
use crate::MessageParts;

fn message(id: u64, topic: &str, payload: &str, expires_at_ms: Option<u64>) -> Arc<Message> {
    let (payload, qos) = (payload.as_bytes(), Qos::AtLeastOnce);
    let parts = MessageParts { topic, properties: b"", payload, qos, retain: true, expires_at_ms };
    Arc::new(Message::new(id, &parts))
}

fn plain(id: u64, topic: &str) -> Arc<Message> {
    message(id, topic, "x", None)
}

fn topics(messages: &[Arc<Message>]) -> Vec<&str> {
    messages.iter().map(|message| message.topic()).collect()
}

fn all(retained: &Retained, filter: &str) -> Vec<Arc<Message>> {
    let mut out = Vec::new();
    assert_eq!(retained.matching(filter, None, usize::MAX, u64::MAX, &mut out), None);
    out
}

/// Xorshift: the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn levels(&mut self, alphabet: &[&str]) -> Vec<String> {
        (0..=self.below(4)).map(|_| alphabet[self.below(alphabet.len() as u64) as usize].to_owned()).collect()
    }

    fn topic(&mut self) -> String {
        self.levels(&["a", "b", "a\u{1}", "a!", "a0", "", "$s", "é", "abcdefghi", "$"]).join("/")
    }

    fn filter(&mut self) -> String {
        let mut levels = self.levels(&["a", "b", "a\u{1}", "a!", "", "$s", "+", "+", "+", "abcdefghi"]);
        if self.below(3) == 0 {
            levels.push("#".to_owned());
        }
        levels.join("/")
    }
}

/// Compares the order with that of the levels as a list.
#[test]
fn topics_are_ordered_level_by_level() {
    let mut dice = Dice(3);
    let names: Vec<String> = (0..400).map(|_| dice.topic()).collect();
    for one in &names {
        for other in &names {
            let expected: Ordering = one.split('/').cmp(other.split('/'));
            assert_eq!(order::by_levels(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }
}

/// Sets and clears at random, and compares each answer with a walk over all topics; whole, and in pages.
#[test]
fn a_filter_finds_what_a_walk_over_all_would() {
    let (mut retained, mut dice) = (Retained::new(), Dice(11));
    let mut model: std::collections::BTreeMap<Vec<String>, u64> = std::collections::BTreeMap::new();
    for id in 1..2500 {
        let name = dice.topic();
        let levels = name.split('/').map(str::to_owned).collect();
        let (payload, old) = match dice.below(3) {
            0 => ("", model.remove(&levels)),
            _ => ("x", model.insert(levels, id)),
        };
        assert_eq!(retained.set(message(id, &name, payload, None)).map(|old| old.id), old);
        assert_eq!((retained.len(), retained.get(&name).is_some()), (model.len(), payload == "x"));
        if id % 4 != 0 {
            continue;
        }
        let (filter, id_max) = (dice.filter(), [id / 2, u64::MAX][dice.below(2) as usize]);
        let expected = model.iter().filter(|(levels, id)| **id <= id_max && topic::matches(&filter, &levels.join("/")));
        let expected: Vec<String> = expected.map(|(levels, _)| levels.join("/")).collect();
        let mut paged = Vec::new();
        for limit in [usize::MAX, 1 + dice.below(5) as usize] {
            paged.clear();
            let mut after = None;
            loop {
                let start = paged.len();
                after = retained.matching(&filter, after.as_deref(), limit, id_max, &mut paged);
                assert!(paged.len() - start <= limit);
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(topics(&paged), expected, "{filter}");
        }
    }
    let found = ["#", "$s/#", "$/#"].map(|filter| all(&retained, filter)).concat();
    let bytes: usize = found.iter().map(|message| message.size()).sum();
    assert_eq!(retained.bytes(), bytes);
}

#[test]
fn a_page_starts_behind_a_topic_that_is_gone() {
    let mut retained = Retained::new();
    for name in ["a", "a/b", "a/d", "a!"] {
        retained.set(plain(1, name));
    }
    let mut out = Vec::new();
    assert_eq!(retained.matching("#", Some("a/c"), 9, u64::MAX, &mut out), None);
    assert_eq!(topics(&out), ["a/d", "a!"]);
}

#[test]
fn the_old_message_is_superseded() {
    let mut retained = Retained::new();
    let (first, second, third) = (plain(1, "a"), message(2, "a", "", None), plain(3, "a"));
    assert!(retained.set(first.clone()).is_none());
    assert!(Arc::ptr_eq(&retained.set(second.clone()).unwrap(), &first));
    assert!(first.is_superseded() && !second.is_superseded());
    assert!(retained.set(third.clone()).is_none());
    assert!(second.is_superseded() && !third.is_superseded());
    assert!(Arc::ptr_eq(retained.get("a").unwrap(), &third));
}

#[test]
fn a_tombstone_stays_until_it_is_durable() {
    let mut retained = Retained::new();
    retained.set(plain(1, "a"));
    let (tombstone, later) = (message(2, "a", "", None), message(3, "b", "", None));
    retained.set(tombstone.clone());
    retained.set(later.clone());
    assert_eq!(
        (retained.len(), retained.bytes(), retained.get("a").is_some(), all(&retained, "#").len()),
        (0, 0, false, 0)
    );
    retained.forget_tombstones(u64::MAX);
    assert_eq!(retained.messages.len(), 2);
    tombstone.appended(5, 0);
    later.appended(4, 0);
    retained.forget_tombstones(4);
    assert_eq!(retained.messages.len(), 1);
    retained.forget_tombstones(5);
    assert_eq!((retained.messages.len(), retained.tombstones.len()), (0, 0));
}

#[test]
fn a_superseded_tombstone_does_not_take_its_successor_along() {
    let mut retained = Retained::new();
    let (tombstone, next) = (message(1, "a", "", None), message(2, "a", "", None));
    retained.set(tombstone.clone());
    retained.set(next);
    tombstone.appended(1, 0);
    retained.forget_tombstones(1);
    assert_eq!((retained.messages.len(), retained.tombstones.len()), (1, 1));
    retained.set(plain(3, "a"));
    retained.forget_tombstones(1);
    assert_eq!((retained.len(), retained.tombstones.len()), (1, 0));
}

/// Many tombstones wait for their batch in front of one that is durable; a few calls get to it.
#[test]
fn tombstones_that_wait_do_not_block_those_behind_them() {
    let mut retained = Retained::new();
    for number in 0..200 {
        retained.set(message(number, &format!("a/{number}"), "", None));
    }
    let durable = message(200, "b", "", None);
    durable.appended(1, 0);
    retained.set(durable);
    for _ in 0..=200 / TOMBSTONES_AT_ONCE {
        retained.forget_tombstones(1);
    }
    assert_eq!(retained.messages.len(), 200);
}

#[test]
fn what_has_expired_is_removed_earliest_first() {
    let mut retained = Retained::new();
    for (id, name, at) in
        [(1, "a", Some(30)), (2, "b", Some(10)), (3, "c", None), (4, "d", Some(10)), (5, "e", Some(20))]
    {
        retained.set(message(id, name, "x", at));
    }
    retained.set(message(6, "e", "y", Some(40)));
    assert_eq!(retained.next_expiry_ms(), Some(10));
    assert!(retained.expire(9, 9).is_empty());
    assert_eq!(topics(&retained.expire(35, 2)), ["b", "d"]);
    assert_eq!(topics(&retained.expire(35, 2)), ["a"]);
    assert_eq!((retained.len(), retained.bytes(), retained.next_expiry_ms()), (2, 4, Some(40)));
    retained.set(message(7, "e", "", None));
    assert_eq!((retained.len(), retained.next_expiry_ms()), (1, None));
}

/// Nothing matches in a page, which ends all the same.
#[test]
fn a_page_that_finds_nothing_ends_too() {
    let mut retained = Retained::new();
    for number in 0..500 {
        retained.set(plain(1, &format!("{number:03}/a")));
    }
    retained.set(plain(1, "999/b"));
    let mut out = Vec::new();
    let after = retained.matching("+/b", None, 1, u64::MAX, &mut out);
    assert!(out.is_empty() && after.is_some());
    assert_eq!(retained.matching("+/b", after.as_deref(), 1000, u64::MAX, &mut out), None);
    assert_eq!(topics(&out), ["999/b"]);
}

/// Counts the topics that the walk looks at.
#[test]
fn a_narrow_filter_does_not_walk_over_everything() {
    let mut retained = Retained::new();
    for device in 0..300 {
        for sensor in 0..100 {
            retained.set(plain(1, &format!("site/{device:03}/{sensor:02}/value")));
        }
    }
    assert_eq!(retained.len(), 30_000);
    for (filter, found, looks_max) in [
        ("site/200/50/value", 1, 4),
        ("site/+/50/value", 300, 1200),
        ("site/200/+/value", 100, 400),
        ("site/200/#", 100, 200),
        ("other/#", 0, 3),
        ("+/7/#", 0, 6),
        ("+", 0, 3),
    ] {
        let (mut scan, mut looks, mut matched) = (Scan::new(filter), 0, 0);
        let mut walk = retained.topics_from(Bound::Unbounded);
        while let Some(ByTopic(message)) = walk.next() {
            looks += 1;
            match scan.judge(message.topic()) {
                Verdict::Matches => matched += 1,
                Verdict::Next => {}
                Verdict::Leap(to) => walk = retained.topics_from(Bound::Included(&to)),
                Verdict::End => break,
            }
        }
        assert_eq!((matched, all(&retained, filter).len()), (found, found), "{filter}");
        assert!(looks <= looks_max, "{filter}: {looks}");
    }
}
