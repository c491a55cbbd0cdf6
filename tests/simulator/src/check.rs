//! Was the promise kept? Judged by what the clients have seen; and at the end nothing may be left in the stores.

mod limits;
mod retained;

use std::collections::{BTreeMap, BTreeSet};

use hikyaku_broker::ledger::Recovered;
use hikyaku_traits::{Scan, Table};
use hikyaku_types::{Qos, topic};

pub use limits::waited;
pub use retained::{newcomer, retained_topics};

use limits::Missing;

use crate::client::Client;
use crate::disk::Disk;
use crate::history::{Delivery, Fate, History, Sub, What};
use crate::world::OBSERVER;

/// All that was broken.
pub fn check(history: &History, clients: &[Client]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut missing = Missing::new();
    nothing_lost(history, clients, &mut missing);
    exactly_once(history, &mut broken);
    in_order(history, &mut broken);
    only_what_was_wanted(history, &mut broken);
    wills(history, &mut missing, &mut broken);
    retained::none_missed(history, clients, &mut missing);
    retained::in_order(history, &mut broken);
    retained::once(history, &mut broken);
    limits::queues(history, &missing, &mut broken);
    broken
}

/// What was acknowledged has reached everybody who had subscribed before, and whose session lives.
fn nothing_lost(history: &History, clients: &[Client], missing: &mut Missing) {
    let seen: BTreeSet<(usize, u32, What)> =
        history.deliveries.iter().map(|got| (got.client, got.instance, got.what)).collect();
    let living = |sub: &&Sub| {
        clients[sub.client].stored && clients[sub.client].instance == sub.instance && sub.qos != Qos::AtMostOnce
    };
    let subs: Vec<&Sub> = history.subs.iter().filter(living).collect();
    for (number, sent) in history.messages.iter().enumerate() {
        let Some(acked_at) = sent.acked_at.filter(|_| !sent.clears && sent.expiry_secs.is_none()) else { continue };
        for sub in &subs {
            let held = sub.from.is_some_and(|from| from < sent.at) && sub.until.is_none_or(|until| until > acked_at);
            let meant = topic::matches(&sub.filter, &sent.topic) && !(sub.no_local && sub.client == sent.publisher);
            let fits = limits::fits(&clients[sub.client], number, sent);
            if held && meant && fits && !seen.contains(&(sub.client, sub.instance, What::Message(number))) {
                let what = format!(
                    "m{number} was acknowledged at {acked_at}, and c{} has not got it: {sent:?} {sub:?}",
                    sub.client
                );
                missing.insert((sub.client, What::Message(number)), what);
            }
        }
    }
}

/// QoS 2 comes once; so does QoS 0, if it comes. What comes again carries DUP.
fn exactly_once(history: &History, broken: &mut Vec<String>) {
    let mut before: BTreeMap<(usize, u32, What), &Delivery> = BTreeMap::new();
    for got in history.deliveries.iter().filter(|got| !got.retain) {
        let qos = qos_of(history, got.what);
        if got.qos > qos {
            broken.push(format!("more than its publisher gave it: {got:?}"));
        }
        let Some(first) = before.insert((got.client, got.instance, got.what), got) else { continue };
        let exact = qos == Qos::ExactlyOnce && got.qos == qos && first.qos == qos && got.stored;
        let once = exact || qos == Qos::AtMostOnce;
        if once {
            broken.push(format!("it came twice: {first:?} {got:?}"));
        }
        // What was not yet stored when the broker died is new when its publisher sends it again. Of what was stored, the
        // broker knows after a restart that its window may have been sent, but not for how many an acknowledgement has come.
        let noted = got.stored && history.wide && was_acknowledged(history, got.what, first.at);
        let known = first.epoch == got.epoch || noted;
        if qos == Qos::ExactlyOnce && got.qos == Qos::AtLeastOnce && known && !got.dup {
            broken.push(format!("it came again without DUP: {first:?} {got:?}"));
        }
    }
}

fn was_acknowledged(history: &History, what: What, by: u64) -> bool {
    matches!(what, What::Message(number) if history.messages[number].acked_at.is_some_and(|at| at < by))
}

fn qos_of(history: &History, what: What) -> Qos {
    match what {
        What::Message(number) => history.messages[number].qos,
        What::Will(number) => history.wills[number].qos,
    }
}

/// Messages of one publisher, topic and QoS come in the order in which they were sent [MQTT-4.6.0-6].
fn in_order(history: &History, broken: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut newest: BTreeMap<(usize, u32, usize, &str, Qos, Qos), usize> = BTreeMap::new();
    for got in history.deliveries.iter().filter(|got| !got.retain) {
        let What::Message(number) = got.what else { continue };
        let sent = &history.messages[number];
        // One that expires may be dropped, and then be sent by a broker that has forgotten that it did.
        if !seen.insert((got.client, got.instance, number)) || sent.expiry_secs.is_some() {
            continue;
        }
        let line =
            newest.entry((got.client, got.instance, sent.publisher, &sent.topic, sent.qos, got.qos)).or_insert(number);
        // A repeat is as good as a new message, for somebody who has subscribed between the two.
        let again = got.qos != Qos::ExactlyOnce && sent.transmissions.last() > Some(&history.messages[*line].at);
        // So is one that was refused, by a publisher that has not heard of it.
        if *line > number && !again && !sent.refused {
            broken.push(format!("m{number} came behind m{line}: {got:?}"));
        }
        *line = number.max(*line);
    }
}

/// Nobody gets what it has not asked for.
fn only_what_was_wanted(history: &History, broken: &mut Vec<String>) {
    for got in &history.deliveries {
        let fits = match got.what {
            What::Message(number) => {
                let sent = &history.messages[number];
                // What was sent once and handled before somebody subscribed comes to it as retained or not at all.
                let gone = sent.acked_at.filter(|_| !got.retain && sent.transmissions.len() == 1);
                history.may_get(got, &sent.topic, (sent.at, gone.unwrap_or(u64::MAX)))
            }
            What::Will(number) => history.may_get(got, &format!("w/{}", history.wills[number].client), (0, u64::MAX)),
        };
        if !fits {
            broken.push(format!("nobody wanted that: {got:?}"));
        }
    }
}

/// A Will is published once if its client was lost, and not at all if it said goodbye.
fn wills(history: &History, missing: &mut Missing, broken: &mut Vec<String>) {
    for (number, will) in history.wills.iter().enumerate() {
        let got =
            history.deliveries.iter().filter(|got| got.client == OBSERVER && got.what == What::Will(number)).count();
        let right = match will.fate {
            Fate::Open | Fate::Returning => got <= 1,
            Fate::Due | Fate::DueIfAway => got == 1,
            Fate::Cleared => got == 0,
        };
        if !(right || got > 1 && will.qos == Qos::AtLeastOnce && will.fate != Fate::Cleared) {
            let what = format!("w{number} came {got} times: {will:?}");
            if got == 0 {
                missing.insert((OBSERVER, What::Will(number)), what);
            } else {
                broken.push(what);
            }
        }
    }
}

/// Everything has been delivered: nothing of it may be left.
pub fn leftovers(disk: &Disk) -> Vec<String> {
    let mut broken = Vec::new();
    for table in [Table::Message, Table::Body, Table::Inflight] {
        let rows = disk.store.scan_now(&Scan { table, from: Box::default(), to: None, bytes_max: usize::MAX }).rows;
        if !rows.is_empty() {
            broken.push(format!(
                "{} rows are left in {}: {:?}",
                rows.len(),
                table.name(),
                rows.iter().map(|row| &row.key).collect::<Vec<_>>()
            ));
        }
    }
    broken
}

/// What the stores tell a broker that starts now is what the clients know.
pub fn recovered(recovered: &Recovered, clients: &[Client], history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for session in &recovered.sessions {
        if session.low != session.next_position || session.sent_mark > session.next_position {
            broken.push(format!("all is done, and its progress does not say so: {session:?}"));
        }
    }
    for client in clients.iter().filter(|client| client.stored) {
        let name = format!("c{}", client.number);
        let Some(session) = recovered.sessions.iter().find(|session| *session.record.client_id == *name) else {
            broken.push(format!("the session of {name} is not stored"));
            continue;
        };
        let stored: BTreeSet<&str> = session.subscriptions.iter().map(|(filter, ..)| &**filter).collect();
        let own = || history.subs.iter().filter(|sub| (sub.client, sub.instance) == (client.number, client.instance));
        let sure: BTreeSet<&str> =
            own().filter(|sub| sub.from.is_some() && sub.until.is_none()).map(|sub| sub.filter.as_str()).collect();
        let possible: BTreeSet<&str> = own().filter(|sub| sub.ended.is_none()).map(|sub| sub.filter.as_str()).collect();
        if !sure.is_subset(&stored) || !stored.is_subset(&possible) {
            broken.push(format!("{name} has subscribed {sure:?}, perhaps {possible:?}; stored is {stored:?}"));
        }
    }
    broken
}
