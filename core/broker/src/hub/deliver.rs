//! How does a turn end? Mailboxes, journal, wake-ups, in this order and one lock at a time.
//!
//! Between any two of these steps other tasks do theirs. So each is a call of its own: the server makes them one after the
//! other by [`Hub::finish`], the simulator puts others between them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hikyaku_types::{Now, Qos};

use super::Hub;
use crate::change::Change;
use crate::journal::Entry;
use crate::planted::{Bug, has};
use crate::seat::{Delivery, Mail, Pushed, Seat, SeatState};
use crate::session::Session;
use crate::tree::{Group, Own, Receiver};
use crate::turn::{Run, Staged, Turn};

impl Hub {
    /// Hands on what a turn has staged: all the steps below. Its answers go to `session`, to be sent once what they
    /// acknowledge is durable. Gives the ticket of what was appended, 0 if nothing was.
    pub fn finish(&self, turn: &mut Turn, session: Option<&mut Session>, now: Now) -> u64 {
        while self.hand_on(turn, now) {}
        let ticket = self.append(turn, session);
        self.wake(turn);
        ticket
    }

    /// The first step of the end of a turn, once per receiver: the messages of one run into one mailbox, or one by one to
    /// the members of one group. Gives whether there was one; then there may be more.
    #[inline]
    pub fn hand_on(&self, turn: &mut Turn, now: Now) -> bool {
        let Turn { runs, staged, wakes, settle, pressed, run_at, receiver_at, .. } = turn;
        while let Some(run) = runs.get(*run_at) {
            let (index, route) = (*receiver_at, &run.route);
            *receiver_at += 1;
            let staged = &mut staged[run.messages.clone()];
            let mut ends = Ends { wakes, settle, pressed };
            if let Some(receiver) = route.receivers.get(index) {
                self.deliver_to(receiver, run, staged, &mut ends, now);
                return true;
            }
            if let Some(group) = route.groups.get(index - route.receivers.len()) {
                staged.iter_mut().for_each(|staged| self.deliver_to_one(group, staged, &mut ends, now));
                return true;
            }
            (*run_at, *receiver_at) = (*run_at + 1, 0);
        }
        runs.clear();
        (*run_at, *receiver_at) = (0, 0);
        false
    }

    /// The second step: one lock of the journal for all that the turn appends. The answers get their ticket. Gives that
    /// ticket, 0 if nothing was appended.
    pub fn append(&self, turn: &mut Turn, session: Option<&mut Session>) -> u64 {
        debug_assert!(turn.runs.is_empty(), "first all mailboxes");
        if has(Bug::RetainedMissed) {
            self.retain_late(turn);
        }
        let ticket = self.append_entries(turn, session.as_deref());
        if let Some(session) = session {
            session.take_answers(turn, ticket);
        }
        turn.binds = false;
        ticket
    }

    /// Of [`Bug::RetainedMissed`].
    fn retain_late(&self, turn: &Turn) {
        for entry in &turn.entries {
            if let Entry::Change(Change::Retain { message }) = entry {
                self.board.write().retained.set(message.clone());
            }
        }
    }

    /// The last step: each receiver is woken.
    pub fn wake(&self, turn: &mut Turn) {
        if has(Bug::SplitPublish) && !turn.entries.is_empty() {
            self.append_entries(turn, None);
        }
        turn.wakes.drain(..).for_each(|seat| seat.wake());
    }

    fn deliver_to(
        &self,
        receiver: &Receiver<Arc<Seat>>,
        run: &Run,
        staged: &mut [Staged],
        ends: &mut Ends<'_>,
        now: Now,
    ) {
        let Some(terms) = terms_of(receiver, run) else { return };
        let seat = &receiver.subscriber;
        let mut mail = seat.mail.lock();
        for staged in staged {
            self.push(&mut mail, seat, staged, &terms);
        }
        self.after_push(mail, seat, ends, now);
    }

    fn push(&self, mail: &mut Mail, seat: &Seat, staged: &mut Staged, terms: &Terms<'_>) -> bool {
        let message = &staged.message;
        let delivery = Delivery {
            message,
            qos: terms.qos.min(message.qos),                     // [MQTT-3.8.4-8]
            retain: terms.retain_as_published && message.retain, // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            subscription_ids: terms.subscription_ids,
            share: terms.share,
        };
        match mail.push(seat, &delivery, &self.limits, &self.counters) {
            Pushed::Held => true,
            Pushed::Stored(receipt) => {
                staged.receipts.push(receipt);
                true
            }
            Pushed::Refused => false,
        }
    }

    fn after_push(&self, mut mail: parking_lot::MutexGuard<'_, Mail>, seat: &Arc<Seat>, ends: &mut Ends<'_>, now: Now) {
        if seat.stored {
            mail.settle(self.watermark(), &self.limits);
            if !mail.settling && mail.needs_settling() {
                mail.settling = true;
                ends.settle.push(seat.clone());
            }
        }
        if matches!(mail.state, SeatState::Live) {
            *ends.pressed |= mail.pressed(now.mono_ms, &self.limits);
            drop(mail);
            ends.wakes.push(seat.clone());
        }
    }

    /// One member of a shared subscription gets the message: a connected one if there is one that has room, else one whose
    /// session is parked; in turn (section 4.8.2).
    fn deliver_to_one(&self, group: &Arc<Group<Arc<Seat>>>, staged: &mut Staged, ends: &mut Ends<'_>, now: Now) {
        let members = group.members();
        let first = group.turn();
        let mut full = false;
        for want_live in [true, false] {
            for step in 0..members.len() {
                let member = &members[(first + step) % members.len()];
                let seat = &member.subscriber;
                let qos = member.qos.min(staged.message.qos);
                let mut mail = seat.mail.lock();
                if matches!(mail.state, SeatState::Live) != want_live {
                    continue;
                }
                if !mail.has_room(seat.stored, qos, staged.message.size(), &self.limits) {
                    full = true;
                    continue;
                }
                let terms = Terms {
                    qos: member.qos,
                    retain_as_published: member.retain_as_published,
                    subscription_ids: member.subscription_id.as_slice(),
                    share: Some(group),
                };
                if self.push(&mut mail, seat, staged, &terms) {
                    self.after_push(mail, seat, ends, now);
                    return;
                }
            }
        }
        self.counters.dropped_group_full.add(u64::from(full));
    }

    fn append_entries(&self, turn: &mut Turn, session: Option<&Session>) -> u64 {
        for staged in turn.staged.drain(..) {
            if !staged.receipts.is_empty() {
                turn.binds = true;
                let change = Change::Publish { message: staged.message, receivers: staged.receipts };
                turn.entries.push(Entry::Change(change));
            }
        }
        if turn.entries.is_empty() && turn.settle.is_empty() {
            return 0;
        }
        let is_late = |entry: &mut Entry| matches!(entry, Entry::Change(Change::Received { .. }));
        let late: Vec<_> =
            if has(Bug::SplitPublish) { turn.entries.extract_if(.., is_late).collect() } else { Vec::new() };
        let mut journal = self.journal.lock();
        let idle = journal.is_empty();
        let before = journal.bytes();
        let ticket = journal.append(&mut turn.entries);
        self.journal_bytes.fetch_add(journal.bytes() - before, Ordering::Relaxed);
        turn.settle.drain(..).for_each(|seat| journal.add_settle(seat));
        if let (true, Some(session)) = (turn.binds, session) {
            journal.add_waiter(session.seat());
        }
        drop(journal);
        turn.entries.extend(late);
        if idle {
            self.ring_journal();
        }
        ticket
    }
}

/// Where a turn's side effects gather.
struct Ends<'a> {
    wakes: &'a mut Vec<Arc<Seat>>,
    settle: &'a mut Vec<Arc<Seat>>,
    pressed: &'a mut bool,
}

/// How a receiver wants its messages.
struct Terms<'a> {
    qos: Qos,
    retain_as_published: bool,
    subscription_ids: &'a [u32],
    share: Option<&'a Arc<Group<Arc<Seat>>>>,
}

fn terms_of<'a>(receiver: &'a Receiver<Arc<Seat>>, run: &Run) -> Option<Terms<'a>> {
    if receiver.subscriber.number == run.publisher {
        match &receiver.own {
            Own::Same => {}
            Own::Nothing => return None, // [MQTT-3.8.3-3]
            Own::Less(less) => {
                return Some(Terms {
                    qos: less.0,
                    retain_as_published: less.1,
                    subscription_ids: &less.2,
                    share: None,
                });
            }
        }
    }
    Some(Terms {
        qos: receiver.qos,
        retain_as_published: receiver.retain_as_published,
        subscription_ids: &receiver.subscription_ids,
        share: None,
    })
}
