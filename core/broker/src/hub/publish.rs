//! Where does a message go? Matching, admission, and the retained index.

use std::sync::Arc;

use hikyaku_types::{Qos, ReasonCode};

use super::Hub;
use crate::change::{Change, SessionNumber};
use crate::journal::Entry;
use crate::message::{Message, MessageParts};
use crate::planted::{Bug, has};
use crate::seat::Seat;
use crate::tree::Route;
use crate::turn::{Run, Staged, Turn};

/// A route that several turns hold.
pub(crate) type SharedRoute = Arc<Route<Arc<Seat>>>;

/// Where the last topics of a publisher went. Eight are enough for most; more cost a walk of the tree.
#[derive(Debug, Default)]
pub(crate) struct RouteCache {
    entries: Vec<(Box<str>, SharedRoute)>,
    next: usize,
}

const CACHED_ROUTES: usize = 8;

impl RouteCache {
    fn get(&mut self, hub: &Hub, topic: &str) -> SharedRoute {
        if let Some((_, route)) = self.entries.iter_mut().find(|(name, _)| **name == *topic) {
            if !route.is_current(&hub.stamps) {
                *route = hub.walk(topic);
            }
            return route.clone();
        }
        let route = hub.walk(topic);
        let entry = (Box::from(topic), route.clone());
        if self.entries.len() < CACHED_ROUTES {
            self.entries.push(entry);
        } else {
            self.entries[self.next] = entry;
            self.next = (self.next + 1) % CACHED_ROUTES;
        }
        route
    }
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The publisher's session, for No Local.
    pub publisher: SessionNumber,
    /// A Will: it ends something, so neither a store that is down nor a limit refuses it.
    pub forced: bool,
}

impl Hub {
    fn walk(&self, topic: &str) -> SharedRoute {
        Arc::new(self.board.read().tree.matches(topic))
    }

    /// Judges a message and stages it. Nothing has been touched when this fails; after it an append cannot fail.
    ///
    /// # Errors
    /// The reason code for PUBACK or PUBREC.
    pub(crate) fn stage(
        &self,
        turn: &mut Turn,
        cache: &mut RouteCache,
        origin: Origin,
        parts: &MessageParts<'_>,
    ) -> Result<(), ReasonCode> {
        let publisher = origin.publisher;
        let (message, route) = if parts.retain {
            self.match_retained(turn, parts, origin.forced)?
        } else {
            let route = cache.get(self, parts.topic);
            if parts.qos != Qos::AtMostOnce && !origin.forced && !self.is_store_up() && needs_store(&route) {
                self.counters.refused_store_down.add(1);
                return Err(ReasonCode::QUOTA_EXCEEDED);
            }
            if route.receivers.is_empty() && route.groups.is_empty() {
                return Ok(());
            }
            let id = if parts.qos == Qos::AtMostOnce { 0 } else { self.take_message_id() };
            (Arc::new(Message::new(id, parts)), route)
        };
        let at = turn.staged.len();
        turn.staged.push(Staged { message, receipts: smallvec::SmallVec::new() });
        match turn.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.route, &route) && run.publisher == publisher => run.messages.end = at + 1,
            _ => turn.runs.push(Run { route, messages: at..at + 1, publisher }),
        }
        Ok(())
    }

    /// A retained message takes its number and its place in the index in the same hold of the lock in which it is matched.
    fn match_retained(&self, turn: &mut Turn, parts: &MessageParts<'_>, forced: bool) -> Result<Matched, ReasonCode> {
        let mut message = Message::new(0, parts);
        let mut board = self.board.write();
        let route = Arc::new(board.tree.matches(parts.topic));
        if !forced && !self.is_store_up() {
            self.counters.refused_store_down.add(1);
            if parts.qos != Qos::AtMostOnce {
                return Err(ReasonCode::QUOTA_EXCEEDED);
            }
            return Ok((Arc::new(message), route)); // QoS 0 goes on, but is not kept
        }
        let old_size = board.retained.get(parts.topic).map_or(0, |old| old.size());
        let full = old_size == 0 && board.retained.len() >= self.limits.retained_messages_max
            || board.retained.bytes() - old_size.min(board.retained.bytes()) + message.size()
                > self.limits.retained_bytes_max;
        if full && !forced && !parts.payload.is_empty() {
            self.counters.refused_retained_full.add(1);
            if parts.qos != Qos::AtMostOnce {
                return Err(ReasonCode::QUOTA_EXCEEDED);
            }
            drop(board);
            return Ok((Arc::new(message), route)); // there is no answer to refuse it with: it goes on, and is not kept
        }
        message.id = self.take_message_id();
        let message = Arc::new(message);
        board.retained.forget_tombstones(self.watermark());
        if !has(Bug::RetainedMissed) {
            board.retained.set(message.clone()); // [MQTT-3.3.1-5] [MQTT-3.3.1-6]
        }
        drop(board);
        turn.entries.push(Entry::Change(Change::Retain { message: message.clone() }));
        turn.binds = true;
        Ok((message, route))
    }
}

/// A message and where it goes.
type Matched = (Arc<Message>, SharedRoute);

fn needs_store(route: &Route<Arc<Seat>>) -> bool {
    route.receivers.iter().any(|receiver| receiver.subscriber.stored && receiver.qos != Qos::AtMostOnce)
        || route
            .groups
            .iter()
            .any(|group| group.members().iter().any(|member| member.subscriber.stored && member.qos != Qos::AtMostOnce))
}
