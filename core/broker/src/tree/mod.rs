//! Who has subscribed to a topic?

mod group;
mod node;
mod route;
mod stamps;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use hikyaku_types::SubscriptionOptions;
use smallvec::SmallVec;

pub use group::{Group, Member};
pub use route::{Own, Receiver, Route, Subscriber, SubscriptionIds};
pub use stamps::{Spot, Stamps};

use node::{Node, Visit};
use route::Terms;

/// Up to this many receivers of several nodes are merged by looking at each.
const FEW: usize = 16;

/// All subscriptions of all sessions, as a tree of levels.
///
/// ```text
/// root ─ "a" ─ "b"     the plain subscribers of a/b, the groups of $share/NAME/a/b
///        │     └ "#"   those of a/b/#
///        └ "+"         those of a/+
/// ```
///
/// A node is there only as long as it, or one below it, has a subscription. Filters are those that
/// [`hikyaku_types::topic::check_filter`] lets pass, and the decoder limits their levels.
#[derive(Debug)]
pub struct Tree<S> {
    root: Node<S>,
    len: usize,
    hasher: RandomState,
    stamps: Arc<Stamps>,
}

impl<S: Subscriber> Tree<S> {
    /// An empty tree. The seeds are secret, so that no client can aim at a bad case of the hash tables.
    #[must_use]
    pub fn new(seeds: [u64; 4]) -> Self {
        let hasher = RandomState::with_seeds(seeds[0], seeds[1], seeds[2], seeds[3]);
        Self { root: Node::new(), len: 0, stamps: Arc::new(Stamps::new(hasher.clone())), hasher }
    }

    /// Adds a subscription or replaces it [MQTT-3.8.4-3]. `group` is its share name; `filter` is without it. Returns
    /// whether it is new.
    pub fn insert(
        &mut self,
        filter: &str,
        group: Option<&str>,
        subscriber: S,
        options: SubscriptionOptions,
        subscription_id: Option<u32>,
    ) -> bool {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            node = node.child_or_new(level, &self.hasher);
        }
        let new = match group {
            None => node.plain.insert(subscriber, Terms::new(options, subscription_id), &self.hasher),
            Some(name) => node.group_or_new(name).insert(subscriber, options, subscription_id),
        };
        self.len += usize::from(new);
        self.stamps.touch(filter);
        new
    }

    /// Removes a subscription, and the nodes that it leaves empty. Returns whether there was one.
    pub fn remove(&mut self, filter: &str, group: Option<&str>, key: u64) -> bool {
        let removed = remove_below(&mut self.root, Some(filter), group, key);
        if removed {
            self.len -= 1;
            self.stamps.touch(filter);
        }
        removed
    }

    /// How publishers see that a route may be old, without the tree's lock.
    #[must_use]
    pub fn stamps(&self) -> Arc<Stamps> {
        Arc::clone(&self.stamps)
    }

    /// Who gets a message with this topic name, in an order that depends only on what was done to the tree.
    #[must_use]
    pub fn matches(&self, topic: &str) -> Route<S> {
        let nodes = self.visit(topic);
        let groups = nodes.iter().flat_map(|node| node.groups()).cloned().collect();
        let spot = self.stamps.spot(topic);
        Route { receivers: self.merge(&nodes), groups, stamp: self.stamps.at(spot), spot }
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no subscription.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The nodes whose filters match.
    fn visit(&self, topic: &str) -> SmallVec<[&Node<S>; 8]> {
        let mut found = SmallVec::new();
        let mut open: SmallVec<[Visit<'_, '_, S>; 16]> = SmallVec::new();
        open.push((&self.root, Some(topic)));
        while let Some((node, rest)) = open.pop() {
            // `a/#` matches `a` too. No leading wildcard matches a topic that begins with `$` [MQTT-4.7.2-1].
            let wild = !(std::ptr::eq(node, &self.root) && topic.starts_with('$'));
            found.extend(node.multi().filter(|_| wild));
            let Some(rest) = rest else {
                found.push(node);
                continue;
            };
            let (level, rest) = split(rest);
            open.extend(node.single().filter(|_| wild).map(|child| (child, rest)));
            open.extend(node.literal(level).map(|child| (child, rest)));
        }
        found
    }

    /// One receiver for each session. Linear: only the smaller nodes are put in a map, the largest is looked up there.
    fn merge(&self, nodes: &[&Node<S>]) -> Vec<Receiver<S>> {
        let sizes = || nodes.iter().map(|node| node.plain.entries().len());
        let total = sizes().sum();
        let mut receivers: Vec<Receiver<S>> = Vec::with_capacity(total);
        let Some((largest, _)) = sizes().enumerate().max_by_key(|&(_, size)| size) else { return receivers };
        let mut places: HashMap<u64, usize, RandomState> = HashMap::with_hasher(self.hasher.clone());
        if total > FEW {
            places.reserve(total - nodes[largest].plain.entries().len());
        }
        let others = nodes.iter().enumerate().filter(|&(place, _)| place != largest).map(|(_, node)| node);
        for (subscriber, terms) in others.flat_map(|node| node.plain.entries()) {
            match find(&receivers, &places, total, subscriber.key()) {
                Some(place) => receivers[place].merge(*terms),
                None => {
                    if total > FEW {
                        places.insert(subscriber.key(), receivers.len());
                    }
                    receivers.push(Receiver::new(subscriber.clone(), *terms));
                }
            }
        }
        let merged = receivers.len();
        for (subscriber, terms) in nodes[largest].plain.entries() {
            let known = if merged == 0 { None } else { find(&receivers[..merged], &places, total, subscriber.key()) };
            match known {
                Some(place) => receivers[place].merge(*terms),
                None => receivers.push(Receiver::new(subscriber.clone(), *terms)),
            }
        }
        receivers
    }

    #[cfg(test)]
    fn nodes(&self) -> usize {
        self.root.count() - 1
    }
}

fn find<S: Subscriber>(
    receivers: &[Receiver<S>],
    places: &HashMap<u64, usize, RandomState>,
    total: usize,
    key: u64,
) -> Option<usize> {
    if total > FEW {
        return places.get(&key).copied();
    }
    receivers.iter().position(|receiver| receiver.subscriber.key() == key)
}

/// As deep as the filter has levels.
fn remove_below<S: Subscriber>(node: &mut Node<S>, rest: Option<&str>, group: Option<&str>, key: u64) -> bool {
    let Some(rest) = rest else {
        return match group {
            None => node.plain.remove(key),
            Some(name) => node.remove_from_group(name, key),
        };
    };
    let (level, rest) = split(rest);
    let Some(child) = node.child_mut(level) else { return false };
    let removed = remove_below(child, rest, group, key);
    if removed && child.is_empty() {
        node.cut(level);
    }
    removed
}

/// The first level and what follows it.
fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('/').map_or((path, None), |(level, rest)| (level, Some(rest)))
}
