//! Who gets a message, and what of it? The answer of the tree, held by publishers outside its lock.

use std::sync::Arc;

use hikyaku_types::{Qos, SubscriptionOptions};
use smallvec::SmallVec;

use super::group::Group;
use super::stamps::{Spot, Stamps};

/// Something that can subscribe. A clone is cheap (an `Arc`).
pub trait Subscriber: Clone {
    /// Unique per session, and the same for all its subscriptions.
    fn key(&self) -> u64;
}

/// Subscription Identifiers; nearly always none or one.
pub type SubscriptionIds = SmallVec<[u32; 1]>;

/// The receivers of a topic, and the stamp under which they were found.
#[derive(Clone, Debug)]
pub struct Route<S> {
    /// Each session with a plain subscription that matches, once.
    pub receivers: Vec<Receiver<S>>,
    /// The shared subscriptions that match; each gets the message once [MQTT-4.8.2-4].
    pub groups: Vec<Arc<Group<S>>>,
    /// The route is good as long as [`Stamps::of`] the topic says this.
    pub stamp: u64,
    /// Where the stamp is: [`Stamps::at`] it is the same as [`Stamps::of`] the topic, and faster.
    pub spot: Spot,
}

impl<S> Route<S> {
    /// Whether a match would still find the same.
    #[inline]
    #[must_use]
    pub fn is_current(&self, stamps: &Stamps) -> bool {
        stamps.at(self.spot) == self.stamp
    }
}

/// One session, its overlapping subscriptions merged.
#[derive(Clone, Debug)]
pub struct Receiver<S> {
    /// Who.
    pub subscriber: S,
    /// The highest of its subscriptions [MQTT-3.3.4-2].
    pub qos: Qos,
    /// Whether any of its subscriptions keeps the publisher's RETAIN flag.
    pub retain_as_published: bool,
    /// All identifiers of its subscriptions, rising; one that was used twice is here twice [MQTT-3.3.4-3] [MQTT-3.3.4-5].
    pub subscription_ids: SubscriptionIds,
    /// What is left of it when the session is itself the publisher [MQTT-3.8.3-3].
    pub own: Own,
}

/// What is left of a receiver when its session is itself the publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// All of it: no matching subscription has No Local.
    Same,
    /// Nothing: all matching subscriptions have No Local.
    Nothing,
    /// Only the subscriptions without No Local: QoS, Retain As Published and identifiers of those.
    Less(Box<(Qos, bool, SubscriptionIds)>),
}

/// One subscription of a session at one filter. 0 is no Subscription Identifier on the wire [MQTT-3.8.2-2], so here it
/// says that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    subscription_id: u32,
    qos: Qos,
    retain_as_published: bool,
    no_local: bool,
}

impl Terms {
    pub(super) fn new(options: SubscriptionOptions, subscription_id: Option<u32>) -> Self {
        Self {
            subscription_id: subscription_id.unwrap_or(0),
            qos: options.qos,
            retain_as_published: options.retain_as_published,
            no_local: options.no_local,
        }
    }

    fn ids(self) -> SubscriptionIds {
        self.id().into_iter().collect()
    }

    fn id(self) -> Option<u32> {
        (self.subscription_id != 0).then_some(self.subscription_id)
    }
}

impl<S: Subscriber> Receiver<S> {
    /// What a publisher gets of its own message: QoS, Retain As Published and identifiers; `None`: nothing.
    #[must_use]
    pub fn own_share(&self) -> Option<(Qos, bool, &SubscriptionIds)> {
        match &self.own {
            Own::Same => Some((self.qos, self.retain_as_published, &self.subscription_ids)),
            Own::Nothing => None,
            Own::Less(less) => Some((less.0, less.1, &less.2)),
        }
    }

    pub(super) fn new(subscriber: S, terms: Terms) -> Self {
        Self {
            subscriber,
            qos: terms.qos,
            retain_as_published: terms.retain_as_published,
            subscription_ids: terms.ids(),
            own: if terms.no_local { Own::Nothing } else { Own::Same },
        }
    }

    /// Takes in another subscription of the same session.
    pub(super) fn merge(&mut self, terms: Terms) {
        match (&mut self.own, terms.no_local) {
            (Own::Same, false) | (Own::Nothing | Own::Less(_), true) => {}
            (Own::Same, true) => {
                self.own = Own::Less(Box::new((self.qos, self.retain_as_published, self.subscription_ids.clone())));
            }
            (Own::Nothing, false) => {
                self.own = Own::Less(Box::new((terms.qos, terms.retain_as_published, terms.ids())));
            }
            (Own::Less(less), false) => {
                let (qos, retain_as_published, ids) = &mut **less;
                widen(qos, retain_as_published, ids, terms);
            }
        }
        widen(&mut self.qos, &mut self.retain_as_published, &mut self.subscription_ids, terms);
    }
}

fn widen(qos: &mut Qos, retain_as_published: &mut bool, ids: &mut SubscriptionIds, terms: Terms) {
    *qos = terms.qos.max(*qos); // [MQTT-3.3.4-2]
    *retain_as_published |= terms.retain_as_published;
    if let Some(id) = terms.id() {
        let place = ids.partition_point(|&other| other < id);
        ids.insert(place, id); // [MQTT-3.3.4-4]
    }
}
