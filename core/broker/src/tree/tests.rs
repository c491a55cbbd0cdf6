use std::collections::{BTreeMap, BTreeSet};

use hikyaku_types::{Qos, RetainHandling, topic};

use super::*;

const SEEDS: [u64; 4] = [1, 2, 3, 4];

#[derive(Clone, Debug)]
struct Client(Arc<u64>);

impl Subscriber for Client {
    fn key(&self) -> u64 {
        *self.0
    }
}

fn client(key: u64) -> Client {
    Client(Arc::new(key))
}

fn options(qos: Qos) -> SubscriptionOptions {
    SubscriptionOptions::qos(qos)
}

fn no_local(qos: Qos) -> SubscriptionOptions {
    SubscriptionOptions { no_local: true, ..options(qos) }
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
        self.levels(&["a", "b", "", "$s", "é"]).join("/")
    }

    fn filter(&mut self) -> String {
        let mut levels = self.levels(&["a", "b", "", "$s", "+", "+"]);
        if self.below(4) == 0 {
            levels.push("#".to_owned());
        }
        levels.join("/")
    }

    fn options(&mut self) -> SubscriptionOptions {
        SubscriptionOptions {
            qos: [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][self.below(3) as usize],
            no_local: self.below(3) == 0,
            retain_as_published: self.below(3) == 0,
            retain_handling: RetainHandling::Always,
        }
    }
}

/// Filter, share name and session: what a subscription is found by.
type Place = (String, Option<String>, u64);
type Model = BTreeMap<Place, (SubscriptionOptions, Option<u32>)>;
type View = Option<(Qos, bool, Vec<u32>)>;

/// What a session gets of some of its subscriptions.
fn view<'a>(terms: impl Iterator<Item = &'a (SubscriptionOptions, Option<u32>)>) -> View {
    terms.fold(None, |view, (options, id)| {
        let (qos, retain, mut ids) = view.unwrap_or((Qos::AtMostOnce, false, vec![]));
        ids.extend(id);
        ids.sort_unstable();
        Some((qos.max(options.qos), retain | options.retain_as_published, ids))
    })
}

fn expected_receivers(model: &Model, name: &str) -> BTreeMap<u64, (View, View)> {
    let plain = model.iter().filter(|((_, group, _), _)| group.is_none());
    let matching: Vec<_> = plain.filter(|((filter, _, _), _)| topic::matches(filter, name)).collect();
    let keys: BTreeSet<u64> = matching.iter().map(|((_, _, key), _)| *key).collect();
    let of = |wanted: u64| matching.iter().filter(move |((_, _, key), _)| *key == wanted).map(|(_, terms)| *terms);
    keys.into_iter().map(|key| (key, (view(of(key)), view(of(key).filter(|terms| !terms.0.no_local))))).collect()
}

fn check(tree: &Tree<Client>, model: &Model, name: &str) {
    let route = tree.matches(name);
    let views = route.receivers.iter().map(|receiver| {
        let all = (receiver.qos, receiver.retain_as_published, receiver.subscription_ids.to_vec());
        let own = receiver.own_share().map(|(qos, retain, ids)| (qos, retain, ids.to_vec()));
        (receiver.subscriber.key(), (Some(all), own))
    });
    let got: BTreeMap<_, _> = views.collect();
    assert_eq!(got.len(), route.receivers.len(), "a session is twice in the route of {name}");
    assert_eq!(got, expected_receivers(model, name), "{name}");

    let shared = model.iter().filter(|((filter, group, _), _)| group.is_some() && topic::matches(filter, name));
    let mut expected: BTreeMap<(&str, &str), Vec<_>> = BTreeMap::new();
    for ((filter, group, key), (options, id)) in shared {
        let members = expected.entry((filter, group.as_deref().unwrap_or_default())).or_default();
        members.push((*key, options.qos, options.retain_as_published, *id));
    }
    let mut expected: Vec<_> = expected.into_iter().map(|((_, name), members)| (name, members)).collect();
    expected.sort_unstable();
    let member = |member: &Member<Client>| {
        (member.subscriber.key(), member.qos, member.retain_as_published, member.subscription_id)
    };
    let members = |group: &'_ Arc<Group<Client>>| group.members().iter().map(member).collect::<Vec<_>>();
    let mut got: Vec<_> = route.groups.iter().map(|group| (group.name(), members(group))).collect();
    got.sort_unstable();
    assert_eq!(got, expected, "{name}");
}

/// Does at random what clients can do, beside a plain list, and compares the answers.
#[test]
fn the_tree_answers_as_a_list_of_all_subscriptions_would() {
    let (mut tree, mut model, mut dice) = (Tree::new(SEEDS), Model::new(), Dice(99));
    for step in 0..6000 {
        let group = (dice.below(4) == 0).then(|| ["g", "h"][dice.below(2) as usize].to_owned());
        let place: Place = (dice.filter(), group, dice.below(40));
        let (filter, group, key) = (place.0.clone(), place.1.clone(), place.2);
        if dice.below(5) < 3 {
            let (options, id) = (dice.options(), (dice.below(2) == 0).then(|| 1 + dice.below(9) as u32));
            let new = tree.insert(&filter, group.as_deref(), client(key), options, id);
            assert_eq!(new, model.insert(place, (options, id)).is_none());
        } else {
            assert_eq!(tree.remove(&filter, group.as_deref(), key), model.remove(&place).is_some());
        }
        assert_eq!(tree.len(), model.len());
        if step % 8 == 0 {
            check(&tree, &model, &dice.topic());
        }
    }
    for (filter, group, key) in model.keys() {
        assert!(tree.remove(filter, group.as_deref(), *key));
    }
    assert!(tree.is_empty());
    assert_eq!(tree.nodes(), 0);
}

/// Two trees with other seeds and the same history give the same order.
#[test]
fn the_order_does_not_depend_on_the_hash() {
    let order = |seeds| {
        let (mut tree, mut dice) = (Tree::new(seeds), Dice(7));
        for _ in 0..3000 {
            let (filter, key) = (dice.filter(), dice.below(60));
            match dice.below(3) {
                0 => drop(tree.remove(&filter, None, key)),
                _ => drop(tree.insert(&filter, None, client(key), dice.options(), None)),
            }
        }
        let route = tree.matches("a/b/a");
        route.receivers.iter().map(|receiver| receiver.subscriber.key()).collect::<Vec<_>>()
    };
    assert!(order(SEEDS).len() > FEW);
    assert_eq!(order(SEEDS), order([9, 8, 7, 6]));
}

#[test]
fn overlapping_subscriptions_are_one_receiver() {
    let mut tree = Tree::new(SEEDS);
    tree.insert("a/#", None, client(1), options(Qos::AtMostOnce), Some(7));
    let keep_retain = SubscriptionOptions { retain_as_published: true, ..options(Qos::AtLeastOnce) };
    tree.insert("a/+", None, client(1), keep_retain, Some(3));
    tree.insert("a/b", None, client(1), options(Qos::ExactlyOnce), None);
    tree.insert("#", None, client(1), options(Qos::AtMostOnce), Some(7));
    let route = tree.matches("a/b");
    let [receiver] = &route.receivers[..] else { panic!("{route:?}") };
    assert_eq!((receiver.qos, receiver.retain_as_published, &receiver.own), (Qos::ExactlyOnce, true, &Own::Same));
    assert_eq!(receiver.subscription_ids[..], [3, 7, 7]);
}

#[test]
fn a_publisher_gets_only_what_no_local_leaves() {
    let mut tree = Tree::new(SEEDS);
    tree.insert("a", None, client(1), no_local(Qos::ExactlyOnce), Some(1));
    assert_eq!(tree.matches("a").receivers[0].own, Own::Nothing);
    tree.insert("#", None, client(1), no_local(Qos::AtLeastOnce), Some(2));
    assert_eq!(tree.matches("a").receivers[0].own, Own::Nothing);
    tree.insert("+", None, client(1), options(Qos::AtMostOnce), Some(3));
    tree.insert("+/#", None, client(1), options(Qos::AtLeastOnce), None);
    let receiver = &tree.matches("a").receivers[0];
    assert_eq!((receiver.qos, &receiver.subscription_ids[..]), (Qos::ExactlyOnce, &[1, 2, 3][..]));
    assert_eq!(receiver.own, Own::Less(Box::new((Qos::AtLeastOnce, false, SmallVec::from_slice(&[3])))));
}

#[test]
fn a_second_subscription_at_a_filter_replaces_the_first() {
    let mut tree = Tree::new(SEEDS);
    for key in 0..20 {
        assert!(tree.insert("a", None, client(key), options(Qos::AtMostOnce), Some(1)));
    }
    for key in 0..20 {
        assert!(!tree.insert("a", None, client(key), options(Qos::AtLeastOnce), None));
    }
    assert_eq!(tree.len(), 20);
    let route = tree.matches("a");
    assert!(
        route.receivers.iter().all(|receiver| receiver.qos == Qos::AtLeastOnce && receiver.subscription_ids.is_empty())
    );
}

#[test]
fn wildcards_stop_at_dollar_topics() {
    let mut tree = Tree::new(SEEDS);
    for (key, filter) in ["#", "+/x", "$SYS/#", "$SYS/+", "+/#"].into_iter().enumerate() {
        tree.insert(filter, None, client(key as u64), options(Qos::AtMostOnce), None);
        tree.insert(filter, Some("g"), client(key as u64), options(Qos::AtMostOnce), None);
    }
    let route = tree.matches("$SYS/x");
    assert_eq!((route.receivers.len(), route.groups.len()), (2, 2));
    let route = tree.matches("x/x");
    assert_eq!((route.receivers.len(), route.groups.len()), (3, 3));
}

/// Picks a few times, changes the group, and looks where the next pick starts.
#[test]
fn the_turn_of_a_group_goes_on_when_it_changes() {
    let mut tree = Tree::new(SEEDS);
    for key in [1, 2, 3, 4] {
        tree.insert("a", Some("g"), client(key), options(Qos::AtMostOnce), None);
    }
    let pick = |tree: &Tree<Client>| {
        let group = &tree.matches("a").groups[0];
        group.members()[group.turn()].subscriber.key()
    };
    assert_eq!([(); 6].map(|()| pick(&tree)), [1, 2, 3, 4, 1, 2]);
    let held = tree.matches("a");
    assert!(tree.remove("a", Some("g"), 1));
    assert!(!tree.remove("a", Some("g"), 1));
    assert_eq!(held.groups[0].members().len(), 4);
    assert_eq!([(); 4].map(|()| pick(&tree)), [3, 4, 2, 3]);
    tree.insert("a", Some("g"), client(0), options(Qos::AtMostOnce), None);
    assert_eq!([(); 4].map(|()| pick(&tree)), [4, 0, 2, 3]);
    for key in [0, 2, 3, 4] {
        assert!(tree.remove("a", Some("g"), key));
    }
    assert!(tree.matches("a").groups.is_empty());
    assert_eq!((tree.len(), tree.nodes()), (0, 0));
}

/// Changes the tree at random and compares the stamps of many topics before and after.
#[test]
fn a_stamp_changes_when_its_topic_is_concerned_and_seldom_otherwise() {
    let (mut tree, mut dice) = (Tree::new(SEEDS), Dice(5));
    let stamps = tree.stamps();
    let topics: Vec<String> = (0..60).map(|_| dice.topic()).collect();
    for _ in 0..300 {
        let (filter, group) = (dice.filter(), (dice.below(3) == 0).then_some("g"));
        let before: Vec<u64> = topics.iter().map(|topic| stamps.of(topic)).collect();
        let routes: Vec<_> = topics.iter().map(|topic| tree.matches(topic)).collect();
        if dice.below(2) == 0 || !tree.remove(&filter, group, 1) {
            tree.insert(&filter, group, client(1), options(Qos::AtMostOnce), None);
        }
        for ((name, route), before) in topics.iter().zip(&routes).zip(before) {
            let after = stamps.of(name);
            let literals = filter.split('/').take(3).take_while(|level| !matches!(*level, "+" | "#"));
            let near = literals.zip(name.split('/')).all(|(want, level)| want == level);
            assert!(
                if topic::matches(&filter, name) { after > before } else { near || after == before },
                "{filter} {name}"
            );
            assert_eq!((after == before, after), (route.is_current(&stamps), tree.matches(name).stamp));
        }
    }
    let before = stamps.of("a/b");
    assert!(!tree.remove("a/b", None, 77));
    assert_eq!(stamps.of("a/b"), before);
}

/// Levels of all lengths around those of a word, in topics that differ in one of the first three levels.
#[test]
fn a_stamp_sees_each_of_the_first_levels_whole() {
    let mut tree = Tree::new(SEEDS);
    let stamps = tree.stamps();
    let level = |length: usize| "abcdefghijklmnopqrstuvwxyz"[..length].to_owned();
    for one in 0..20 {
        for other in 0..20 {
            let names = [format!("{}/{}", level(one), level(other)), format!("{}/{}/x", level(one), level(other))];
            let far = format!("{}/{}", level(one), level(other + 1));
            let before = names.each_ref().map(|name| stamps.of(name));
            let unconcerned = stamps.of(&far);
            tree.insert(&format!("{}/#", names[0]), None, client(1), options(Qos::AtMostOnce), None);
            assert_eq!(names.map(|name| stamps.of(&name)), before.map(|stamp| stamp + 1));
            assert_eq!(stamps.of(&far), unconcerned);
        }
    }
}

#[test]
fn a_node_is_small() {
    assert_eq!(size_of::<Node<Client>>(), 40);
}
