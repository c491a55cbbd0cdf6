//! Whose turn is it in a shared subscription? Section 4.8.2 of MQTT 5.0.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hikyaku_types::{Qos, SubscriptionOptions};

use super::route::Subscriber;

/// A member of a shared subscription.
#[derive(Clone, Debug)]
pub struct Member<S> {
    /// Who.
    pub subscriber: S,
    /// The QoS of its subscription.
    pub qos: Qos,
    /// Whether it keeps the publisher's RETAIN flag.
    pub retain_as_published: bool,
    /// Its Subscription Identifier.
    pub subscription_id: Option<u32>,
}

/// The members of one share name at one filter. What a route holds never changes, save whose turn it is: the tree puts
/// another group in its place.
#[derive(Debug)]
pub struct Group<S> {
    name: Box<str>,
    /// Rising by key, so that one is found fast, and the order does not depend on who left.
    members: Vec<Member<S>>,
    next: AtomicUsize,
}

impl<S> Group<S> {
    /// The share name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its members, rising by key; never empty.
    #[must_use]
    pub fn members(&self) -> &[Member<S>] {
        &self.members
    }

    /// The index of the member where the next pick starts; each call moves on by one.
    #[must_use]
    pub fn turn(&self) -> usize {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(self.members.len()).unwrap_or(0)
    }
}

impl<S: Subscriber> Group<S> {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), members: Vec::new(), next: AtomicUsize::new(0) }
    }

    /// Adds or replaces a member. Returns whether it is new.
    pub(super) fn insert(
        self: &mut Arc<Self>,
        subscriber: S,
        options: SubscriptionOptions,
        subscription_id: Option<u32>,
    ) -> bool {
        let member = Member {
            qos: options.qos,
            retain_as_published: options.retain_as_published,
            subscription_id: subscription_id.filter(|&id| id != 0),
            subscriber,
        };
        let found = self.find(member.subscriber.key());
        change(self, |members, next| match found {
            Ok(place) => members[place] = member,
            Err(place) => {
                members.insert(place, member);
                *next += usize::from(place < *next);
            }
        });
        found.is_err()
    }

    /// Returns whether it was a member. The tree drops a group that is empty.
    pub(super) fn remove(self: &mut Arc<Self>, key: u64) -> bool {
        let Ok(place) = self.find(key) else { return false };
        change(self, |members, next| {
            members.remove(place);
            *next -= usize::from(place < *next);
        });
        true
    }

    fn find(&self, key: u64) -> Result<usize, usize> {
        self.members.binary_search_by_key(&key, |member| member.subscriber.key())
    }
}

/// Changes a group in place if no route holds it, else a copy of it. The rotation goes on with the same member.
fn change<S: Subscriber>(group: &mut Arc<Group<S>>, with: impl FnOnce(&mut Vec<Member<S>>, &mut usize)) {
    let turn = group.next.load(Ordering::Relaxed).checked_rem(group.members.len()).unwrap_or(0);
    if let Some(group) = Arc::get_mut(group) {
        let mut next = turn;
        with(&mut group.members, &mut next);
        *group.next.get_mut() = next;
        return;
    }
    let mut members = Vec::with_capacity(group.members.len() + 1);
    members.extend_from_slice(&group.members);
    let mut next = turn;
    with(&mut members, &mut next);
    *group = Arc::new(Group { name: group.name.clone(), members, next: AtomicUsize::new(next) });
}
