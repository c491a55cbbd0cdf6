//! Does the broker keep its limits, and does it drop no more than they ask for?

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hikyaku_types::Qos;

use crate::client::Client;
use crate::history::{Absence, History, Sent, What, payload};
use crate::wire::publish_size;

/// What was promised to a client and has not come, and how that is told.
pub type Missing = BTreeMap<(usize, What), String>;

/// Whether a message is no larger than what the client takes; else it counts as delivered [MQTT-3.1.2-25].
pub fn fits(client: &Client, number: usize, sent: &Sent) -> bool {
    let size = publish_size(&sent.topic, payload(number, sent.large).len());
    client.profile.packet_size_max.is_none_or(|max| size <= max as usize)
}

/// As many may be missing as the broker has said that it dropped because a queue was full; and of what was sent while
/// somebody was away, the queue holds no more than its limit, and what is missing is the newest.
pub fn queues(history: &History, missing: &Missing, broken: &mut Vec<String>) {
    let told = history.dropped_queue_full;
    if told > 0 && !history.has_short_queues() {
        broken.push(format!("{told} were dropped from queues that were not full"));
    }
    if missing.len() as u64 > told {
        broken.extend(missing.values().map(|what| format!("{what}; {told} were dropped from full queues")));
    }
    let mut got: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for delivery in history.deliveries.iter().filter(|delivery| delivery.qos > Qos::AtMostOnce) {
        if let (What::Message(number), false) = (delivery.what, delivery.retain) {
            got.entry(delivery.client).or_default().insert(number);
        }
    }
    let nothing = BTreeSet::new();
    for absence in &history.absences {
        absent(history, absence, got.get(&absence.client).unwrap_or(&nothing), missing, broken);
    }
}

/// Those messages, and no others, have waited for a client whose queue was empty.
pub fn waited(history: &History, client: usize, right: Range<usize>) -> Option<String> {
    let got: Vec<What> = history.deliveries.iter().filter(|got| got.client == client).map(|got| got.what).collect();
    (got != right.clone().map(What::Message).collect::<Vec<_>>())
        .then(|| format!("m{right:?} were to wait for c{client}, and {got:?} have"))
}

fn absent(history: &History, away: &Absence, got: &BTreeSet<usize>, missing: &Missing, broken: &mut Vec<String>) {
    let during = |number: &usize| {
        let sent = &history.messages[*number];
        let once = sent.transmissions.len() == 1;
        once && sent.at > away.from && sent.acked_at.is_some_and(|at| at < away.to)
    };
    let queued: Vec<usize> = got.iter().copied().filter(during).collect();
    if queued.len() > history.queue_messages_max {
        let max = history.queue_messages_max;
        broken.push(format!("{queued:?} have waited for {away:?}, and {max} is the limit of its queue"));
    }
    let of_client = missing.range((away.client, What::Message(0))..).map(|((client, what), _)| (*client, *what));
    let dropped = of_client.map_while(|found| match found {
        (client, What::Message(number)) if client == away.client => Some(number),
        _ => None,
    });
    let first = dropped.filter(during).filter_map(|number| Some((history.messages[number].acked_at?, number))).min();
    let Some((full_at, first)) = first else { return };
    if let Some(newer) = queued.iter().find(|number| history.messages[**number].at > full_at) {
        broken.push(format!("m{first} was dropped for {away:?}, and m{newer}, which is newer, was not"));
    }
}
