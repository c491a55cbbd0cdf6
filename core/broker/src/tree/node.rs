//! What hangs at one level of a filter?

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;

use super::group::Group;
use super::route::{Subscriber, Terms};

/// A node, and the levels of the topic that lie below it.
pub(super) type Visit<'tree, 'topic, S> = (&'tree Node<S>, Option<&'topic str>);

/// A place in the tree. There may be hundreds of thousands, most of them leaves with one subscriber.
#[derive(Debug)]
pub(super) struct Node<S> {
    /// Those who subscribed to exactly this filter.
    pub(super) plain: Plain<S>,
    literals: Literals<S>,
    rare: Option<Box<Rare<S>>>,
}

/// What few nodes have. It is there only as long as something is in it.
#[derive(Debug)]
struct Rare<S> {
    /// Below `+`.
    single: Option<Node<S>>,
    /// Below `#`.
    multi: Option<Node<S>>,
    /// Rising by name.
    groups: Vec<Arc<Group<S>>>,
}

/// The children that are no wildcards.
#[derive(Debug)]
enum Literals<S> {
    None,
    One(Box<(Box<str>, Node<S>)>),
    #[expect(
        clippy::box_collection,
        reason = "the many leaves pay for the size of a node, the few others for the detour"
    )]
    Many(Box<HashMap<Box<str>, Node<S>, RandomState>>),
}

/// The plain subscriptions at one filter.
#[derive(Debug)]
pub(super) enum Plain<S> {
    None,
    One((S, Terms)),
    Many(Box<Crowd<S>>),
}

/// More than one; in the order in which they came, save that the last takes the place of one that goes.
#[derive(Debug)]
pub(super) struct Crowd<S> {
    entries: Vec<(S, Terms)>,
    /// Where a key is; only if there are more than [`SCANNED`].
    index: Option<HashMap<u64, usize, RandomState>>,
}

/// Up to this many subscribers are searched one by one.
const SCANNED: usize = 8;

impl<S: Subscriber> Node<S> {
    pub(super) const fn new() -> Self {
        Self { plain: Plain::None, literals: Literals::None, rare: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!((&self.plain, &self.literals, &self.rare), (Plain::None, Literals::None, None))
    }

    pub(super) fn single(&self) -> Option<&Self> {
        self.rare.as_ref()?.single.as_ref()
    }

    pub(super) fn multi(&self) -> Option<&Self> {
        self.rare.as_ref()?.multi.as_ref()
    }

    pub(super) fn groups(&self) -> &[Arc<Group<S>>] {
        self.rare.as_ref().map_or(&[], |rare| &rare.groups)
    }

    /// The child at a level of a topic name.
    #[inline]
    pub(super) fn literal(&self, level: &str) -> Option<&Self> {
        match &self.literals {
            Literals::None => None,
            Literals::One(child) => (*child.0 == *level).then_some(&child.1),
            Literals::Many(children) => children.get(level),
        }
    }

    /// The child at a level of a filter.
    pub(super) fn child_mut(&mut self, level: &str) -> Option<&mut Self> {
        match (level, &mut self.literals) {
            ("+", _) => self.rare.as_mut()?.single.as_mut(),
            ("#", _) => self.rare.as_mut()?.multi.as_mut(),
            (_, Literals::None) => None,
            (_, Literals::One(child)) => (*child.0 == *level).then_some(&mut child.1),
            (_, Literals::Many(children)) => children.get_mut(level),
        }
    }

    /// The child at a level of a filter, made if it is missing.
    pub(super) fn child_or_new(&mut self, level: &str, hasher: &RandomState) -> &mut Self {
        match level {
            "+" => self.rare().single.get_or_insert_with(Self::new),
            "#" => self.rare().multi.get_or_insert_with(Self::new),
            _ => self.literals.child_or_new(level, hasher),
        }
    }

    /// Removes the child at a level of a filter.
    pub(super) fn cut(&mut self, level: &str) {
        match level {
            "+" => self.rare().single = None,
            "#" => self.rare().multi = None,
            _ => self.literals.cut(level),
        }
        self.tidy();
    }

    pub(super) fn group_or_new(&mut self, name: &str) -> &mut Arc<Group<S>> {
        let groups = &mut self.rare().groups;
        let place = match groups.binary_search_by(|group| group.name().cmp(name)) {
            Ok(place) => place,
            Err(place) => {
                groups.insert(place, Arc::new(Group::new(name)));
                place
            }
        };
        &mut groups[place]
    }

    pub(super) fn remove_from_group(&mut self, name: &str, key: u64) -> bool {
        let Some(rare) = &mut self.rare else { return false };
        let Ok(place) = rare.groups.binary_search_by(|group| group.name().cmp(name)) else { return false };
        let removed = rare.groups[place].remove(key);
        if rare.groups[place].members().is_empty() {
            rare.groups.remove(place);
            self.tidy();
        }
        removed
    }

    fn rare(&mut self) -> &mut Rare<S> {
        self.rare.get_or_insert_with(|| Box::new(Rare { single: None, multi: None, groups: Vec::new() }))
    }

    fn tidy(&mut self) {
        self.rare.take_if(|rare| rare.single.is_none() && rare.multi.is_none() && rare.groups.is_empty());
    }

    /// This node and all below it.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        let literals: usize = match &self.literals {
            Literals::None => 0,
            Literals::One(child) => child.1.count(),
            Literals::Many(children) => children.values().map(Self::count).sum(),
        };
        1 + literals + self.single().map_or(0, Self::count) + self.multi().map_or(0, Self::count)
    }
}

impl<S: Subscriber> Literals<S> {
    fn child_or_new(&mut self, level: &str, hasher: &RandomState) -> &mut Node<S> {
        if matches!(self, Self::One(child) if *child.0 != *level) {
            self.spread(hasher);
        }
        match self {
            Self::None => {
                *self = Self::One(Box::new((level.into(), Node::new())));
                self.child_or_new(level, hasher)
            }
            Self::One(child) => &mut child.1,
            Self::Many(children) => children.entry(level.into()).or_insert_with(Node::new),
        }
    }

    /// Makes room for more than one.
    fn spread(&mut self, hasher: &RandomState) {
        let mut children = HashMap::with_hasher(hasher.clone());
        if let Self::One(child) = std::mem::replace(self, Self::None) {
            children.extend([*child]);
        }
        *self = Self::Many(Box::new(children));
    }

    fn cut(&mut self, level: &str) {
        match self {
            Self::None => {}
            Self::One(child) if *child.0 != *level => {}
            Self::One(_) => *self = Self::None,
            Self::Many(children) => {
                children.remove(level);
                if children.is_empty() {
                    *self = Self::None;
                } else if children.len() * 4 < children.capacity() {
                    children.shrink_to(children.len() * 2);
                }
            }
        }
    }
}

impl<S: Subscriber> Plain<S> {
    pub(super) fn entries(&self) -> &[(S, Terms)] {
        match self {
            Self::None => &[],
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Many(crowd) => &crowd.entries,
        }
    }

    /// Adds or replaces. Returns whether it is new.
    pub(super) fn insert(&mut self, subscriber: S, terms: Terms, hasher: &RandomState) -> bool {
        let entry = (subscriber, terms);
        match std::mem::replace(self, Self::None) {
            Self::None => *self = Self::One(entry),
            Self::One(old) if old.0.key() == entry.0.key() => {
                *self = Self::One(entry);
                return false;
            }
            Self::One(old) => *self = Self::Many(Box::new(Crowd { entries: vec![old, entry], index: None })),
            Self::Many(mut crowd) => {
                let new = crowd.insert(entry, hasher);
                *self = Self::Many(crowd);
                return new;
            }
        }
        true
    }

    /// Returns whether it was there.
    pub(super) fn remove(&mut self, key: u64) -> bool {
        match self {
            Self::Many(crowd) => {
                let removed = crowd.remove(key);
                if crowd.entries.len() <= 1 {
                    *self = crowd.entries.pop().map_or(Self::None, Self::One);
                }
                removed
            }
            Self::One(entry) if entry.0.key() == key => {
                *self = Self::None;
                true
            }
            Self::None | Self::One(_) => false,
        }
    }
}

impl<S: Subscriber> Crowd<S> {
    fn find(&self, key: u64) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&key).copied(),
            None => self.entries.iter().position(|(subscriber, _)| subscriber.key() == key),
        }
    }

    fn insert(&mut self, entry: (S, Terms), hasher: &RandomState) -> bool {
        let key = entry.0.key();
        if let Some(place) = self.find(key) {
            self.entries[place] = entry;
            return false;
        }
        if let Some(index) = &mut self.index {
            index.insert(key, self.entries.len());
        }
        self.entries.push(entry);
        if self.index.is_none() && self.entries.len() > SCANNED {
            let mut index = HashMap::with_capacity_and_hasher(self.entries.len() * 2, hasher.clone());
            index.extend(self.entries.iter().enumerate().map(|(place, (subscriber, _))| (subscriber.key(), place)));
            self.index = Some(index);
        }
        true
    }

    fn remove(&mut self, key: u64) -> bool {
        let Some(place) = self.find(key) else { return false };
        self.entries.swap_remove(place);
        if let Some(index) = &mut self.index {
            index.remove(&key);
            if let Some((moved, _)) = self.entries.get(place) {
                index.insert(moved.key(), place);
            }
        }
        if self.entries.len() * 4 < self.entries.capacity() {
            self.entries.shrink_to(self.entries.len() * 2);
            if let Some(index) = &mut self.index {
                index.shrink_to(self.entries.len() * 2);
            }
        }
        if self.entries.len() <= SCANNED / 2 {
            self.index = None;
        }
        true
    }
}
