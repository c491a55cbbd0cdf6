//! Does everybody get what is retained: the last value, once, and no older one behind it?

use std::collections::{BTreeMap, BTreeSet};

use hikyaku_types::{Qos, topic};

use super::limits::{Missing, fits};
use crate::client::Client;
use crate::history::{Delivery, History, Sent, Sub, What};

/// Topics that have been published to with RETAIN.
pub fn retained_topics(history: &History) -> BTreeSet<String> {
    history.messages.iter().filter(|sent| sent.retain).map(|sent| sent.topic.clone()).collect()
}

/// What a newcomer gets for the retained topics is the last value that was acknowledged, or a later one.
pub fn newcomer(history: &History, newcomer: usize) -> Vec<String> {
    let mut broken = Vec::new();
    for topic in retained_topics(history) {
        let values: Vec<_> =
            history.messages.iter().enumerate().filter(|(_, sent)| sent.retain && sent.topic == topic).collect();
        let since = values.iter().filter_map(|(_, sent)| sent.handled).max();
        let mut right: BTreeSet<Option<usize>> = values
            .iter()
            .filter(|(_, sent)| sent.transmissions.iter().any(|at| Some(*at) >= since))
            .map(|(number, sent)| (!sent.clears).then_some(*number))
            .collect();
        if since.is_none() {
            right.insert(None);
        }
        let got: Vec<usize> = history
            .deliveries
            .iter()
            .filter(|got| got.client == newcomer)
            .filter_map(|got| match got.what {
                What::Message(number) if history.messages[number].topic == topic => Some(number),
                _ => None,
            })
            .collect();
        if got.len() > 1 || !right.contains(&got.first().copied()) {
            broken.push(format!("{topic}: a newcomer gets {got:?}, and one of {right:?} is right"));
        }
    }
    broken
}

/// All that was sent to a topic with RETAIN, in order.
fn values<'a>(history: &'a History, topic: &'a str) -> impl Iterator<Item = (usize, &'a Sent)> {
    history.messages.iter().enumerate().filter(move |(_, sent)| sent.retain && sent.topic == topic)
}

/// What was the value of a topic when somebody subscribed, or became it while the SUBSCRIBE was under way, has reached it.
pub fn none_missed(history: &History, clients: &[Client], missing: &mut Missing) {
    let seen: BTreeSet<(usize, u32, What)> =
        history.deliveries.iter().map(|got| (got.client, got.instance, got.what)).collect();
    let topics = retained_topics(history);
    for sub in history.subs.iter().filter(|sub| sub.retained && sub.qos != Qos::AtMostOnce && sub.until.is_none()) {
        let (client, Some(from)) = (&clients[sub.client], sub.from) else { continue };
        if !client.stored || client.instance != sub.instance {
            continue;
        }
        for topic in topics.iter().filter(|name| topic::matches(&sub.filter, name)) {
            let Some((number, sent)) = values(history, topic).take_while(|(_, sent)| sent.at < from).last() else {
                continue;
            };
            // A repeat of an older one may have taken its place again.
            let is_last = values(history, topic)
                .all(|(other, old)| other >= number || old.transmissions.last().is_none_or(|last| *last < sent.at));
            let own = sub.no_local && sent.publisher == sub.client;
            let sure = is_last && !own && fits(client, number, sent) && sent.acked_at.is_some() && !sent.clears;
            if sure && !seen.contains(&(sub.client, sub.instance, What::Message(number))) {
                let what = format!("m{number} was retained, and c{} has not got it: {sent:?} {sub:?}", sub.client);
                missing.insert((sub.client, What::Message(number)), what);
            }
        }
    }
}

/// No older value comes behind a newer one, for who has subscribed once: somebody who subscribes again is sent what is
/// retained at that moment again, while what it gets by its first subscription may still be on its way.
pub fn in_order(history: &History, broken: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    let mut newest: BTreeMap<(usize, u32, &str, Qos, Qos), usize> = BTreeMap::new();
    for (got, number, sent) in retained_deliveries(history) {
        let is_first = seen.insert((got.client, got.instance, number));
        if got.dup || !is_first && !got.retain || subscriptions(history, got, sent) != 1 {
            continue;
        }
        let line = newest.entry((got.client, got.instance, &sent.topic, sent.qos, got.qos)).or_insert(number);
        let again = sent.transmissions.last() > Some(&history.messages[*line].at);
        if *line > number && !again {
            broken.push(format!("m{number} came behind m{line}, which is newer: {got:?}"));
        }
        *line = number.max(*line);
    }
}

/// A value that came live does not come again as one that was retained before.
pub fn once(history: &History, broken: &mut Vec<String>) {
    let mut live = BTreeSet::new();
    for (got, number, sent) in retained_deliveries(history) {
        let who = (got.client, got.instance, number);
        if !got.retain {
            live.insert(who);
            continue;
        }
        if live.contains(&who) && sent.transmissions.len() == 1 && subscriptions(history, got, sent) == 1 {
            broken.push(format!("m{number} came live, and again as what was retained: {got:?}"));
        }
    }
}

/// How often who got the message has subscribed to its topic.
fn subscriptions(history: &History, got: &Delivery, sent: &Sent) -> usize {
    let own = |sub: &&Sub| (sub.client, sub.instance) == (got.client, got.instance);
    history.subs.iter().filter(own).filter(|sub| topic::matches(&sub.filter, &sent.topic)).count()
}

fn retained_deliveries(history: &History) -> impl Iterator<Item = (&Delivery, usize, &Sent)> {
    history.deliveries.iter().filter_map(|got| match got.what {
        What::Message(number) => Some((got, number, &history.messages[number])).filter(|(.., sent)| sent.retain),
        What::Will(_) => None,
    })
}
