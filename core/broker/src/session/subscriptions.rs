//! What do SUBSCRIBE and UNSUBSCRIBE bring about? Sections 3.8 to 3.11.

use hikyaku_protocol::{Subscribe, Unsubscribe};
use hikyaku_traits::Action;
use hikyaku_types::{Now, ReasonCode, RetainHandling, SubscriptionOptions, topic};

use super::inbound::Verdict;
use super::{Answer, Close, Session, Step};
use crate::change::Change;
use crate::hub::Hub;
use crate::journal::Entry;
use crate::turn::Turn;

/// Changes that one turn may append for retained messages.
const ENTRIES_PER_TURN: usize = 1024;

impl Session {
    pub(super) fn on_subscribe(
        &mut self,
        hub: &Hub,
        packet: &Subscribe,
        turn: &mut Turn,
        now: Now,
    ) -> Result<Step, Close> {
        let (mut allowed, mut asked) = (Vec::with_capacity(packet.filters.len()), 0);
        for (filter, options) in &packet.filters {
            match self.judge(hub, Action::Subscribe { qos: options.qos }, filter, &mut asked) {
                Verdict::Ask(question) => return Ok(Step::Ask(question)),
                verdict => allowed.push(matches!(verdict, Verdict::Allow)),
            }
        }
        if self.seat.stored && !hub.is_store_up() {
            hub.counters.refused_store_down.add(1);
            return self.refuse(
                Answer::SubAck(packet.packet_id, vec![ReasonCode::QUOTA_EXCEEDED; allowed.len()].into()),
                turn,
            );
        }
        let mut reasons = Vec::with_capacity(allowed.len());
        for ((filter, options), allowed) in packet.filters.iter().zip(allowed) {
            reasons.push(if allowed {
                self.subscribe_one(hub, filter, *options, packet.subscription_id, turn)
            } else {
                ReasonCode::NOT_AUTHORIZED
            });
        }
        self.pump(hub, turn, now);
        turn.answers.push(Answer::SubAck(packet.packet_id, reasons.into())); // [MQTT-3.8.4-1] [MQTT-3.8.4-6]
        Ok(Step::Next)
    }

    fn subscribe_one(
        &mut self,
        hub: &Hub,
        filter: &str,
        options: SubscriptionOptions,
        id: Option<u32>,
        turn: &mut Turn,
    ) -> ReasonCode {
        let Ok(shared) = topic::split_shared(filter) else { return ReasonCode::TOPIC_FILTER_INVALID };
        if self.state.subscriptions.len() >= hub.limits.subscriptions_max && !self.state.subscriptions.contains(filter)
        {
            hub.counters.refused_subscriptions.add(1);
            return ReasonCode::QUOTA_EXCEEDED;
        }
        let (is_new, mut cursor) = hub.subscribe(&self.seat, shared, options, id);
        let is_new = self.state.unfinished.remove(filter) || is_new;
        self.state.subscriptions.insert(filter.into(), &hub.hasher);
        let session = self.seat.number;
        let change = || Change::Subscribe { session, filter: filter.into(), options, subscription_id: id };
        cursor.change = self.seat.stored.then(change);
        let wants_retained = match options.retain_handling {
            RetainHandling::Always => true,  // [MQTT-3.3.1-9]
            RetainHandling::IfNew => is_new, // [MQTT-3.3.1-10]
            RetainHandling::Never => false,  // [MQTT-3.3.1-11]
        };
        if wants_retained && shared.group.is_none() {
            self.cursors.push_back(cursor);
        } else if let Some(change) = cursor.change {
            turn.entries.push(Entry::Change(change));
            turn.binds = true;
        }
        ReasonCode(options.qos.bits())
    }

    /// Queues retained messages for new subscriptions, a page a call and while the mailbox has room.
    pub fn pump(&mut self, hub: &Hub, turn: &mut Turn, now: Now) {
        while self.is_pumping(hub) && turn.entries.len() <= ENTRIES_PER_TURN {
            let Some(cursor) = self.cursors.front_mut() else { return };
            if !hub.pump_retained(&self.seat, cursor, turn, now) {
                return;
            }
            self.cursors.pop_front();
        }
    }

    /// Whether [`Session::pump`] has something to do now. With a full mailbox it has not: what drains that comes first.
    #[must_use]
    pub fn is_pumping(&self, hub: &Hub) -> bool {
        !self.cursors.is_empty() && self.seat.mail.lock().may_be_pumped(self.seat.stored, &hub.limits)
    }

    pub(super) fn on_unsubscribe(&mut self, hub: &Hub, packet: &Unsubscribe, turn: &mut Turn) -> Result<Step, Close> {
        if self.seat.stored && !hub.is_store_up() {
            hub.counters.refused_store_down.add(1);
            let reasons = vec![ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR; packet.filters.len()];
            return self.refuse(Answer::UnsubAck(packet.packet_id, reasons.into()), turn);
        }
        let mut reasons = Vec::with_capacity(packet.filters.len());
        for filter in &packet.filters {
            self.state.unfinished.remove(&**filter);
            if !self.state.subscriptions.remove(filter) {
                reasons.push(ReasonCode::NO_SUBSCRIPTION_EXISTED);
                continue;
            }
            hub.unsubscribe(&self.seat, filter);
            self.cursors.retain(|cursor| !cursor.is_for(filter));
            if self.seat.stored {
                let session = self.seat.number;
                turn.entries.push(Entry::Change(Change::Unsubscribe { session, filter: filter.as_str().into() }));
                turn.binds = true;
            }
            reasons.push(ReasonCode::SUCCESS);
        }
        turn.answers.push(Answer::UnsubAck(packet.packet_id, reasons.into())); // [MQTT-3.10.4-4] [MQTT-3.10.4-5]
        Ok(Step::Next)
    }

    /// Says no in 5.0; 3.x has no word for it that a client understands as "try again".
    fn refuse(&self, answer: Answer, turn: &mut Turn) -> Result<Step, Close> {
        if !self.version.is_v5() {
            return Err(Close {
                reason: ReasonCode::QUOTA_EXCEEDED,
                what: "a subscription that cannot be stored at the moment",
            });
        }
        turn.answers.push(answer);
        Ok(Step::Next)
    }
}
