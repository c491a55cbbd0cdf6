//! Shared subscriptions.

use crate::{end, publisher};
use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Client, Connect, Kind, Publish, Version, prop, subscribe};

const MESSAGES: usize = 30;

fn member(broker: &Broker, name: &str, filter: &str) -> Client {
    let mut client = Connect::v5(name).ok(broker);
    client.subscribe(filter, 1);
    client.subscribe("done", 1);
    client
}

/// Publishes numbered messages and returns what each of the clients got.
fn spread(broker: &Broker, clients: &mut [Client]) -> Vec<Vec<String>> {
    let mut publisher = publisher(broker);
    for number in 0..MESSAGES {
        publisher.publish(Publish::new("job", format!("{number:02}"), 1));
    }
    end(broker, "done");
    clients.iter_mut().map(|client| client.texts_until("end")).collect()
}

fn all() -> Vec<String> {
    (0..MESSAGES).map(|number| format!("{number:02}")).collect()
}

fn sorted(shares: &[Vec<String>]) -> Vec<String> {
    let mut all = shares.concat();
    all.sort();
    all
}

/// Each message goes to one member, in turn.
#[test]
fn messages_go_round() {
    let broker = Broker::memory();
    let mut members = ["a", "b", "c"].map(|name| member(&broker, name, "$share/group/job"));
    let shares = spread(&broker, &mut members);
    assert_eq!(sorted(&shares), all());
    assert!(shares.iter().all(|share| share.len() == MESSAGES / 3), "{shares:?}");
}

/// Every group gets every message once, and so does every plain subscriber.
#[test]
fn groups_and_plain_subscribers_are_independent() {
    let broker = Broker::memory();
    let mut clients = [("a", "$share/one/job"), ("b", "$share/one/+"), ("c", "$share/two/job"), ("d", "job")]
        .map(|(name, filter)| member(&broker, name, filter));
    let shares = spread(&broker, &mut clients);
    for share in &shares {
        assert_eq!(sorted(std::slice::from_ref(share)), all(), "each is alone with its group and filter");
    }
}

/// Who has left gets no share.
#[test]
fn members_that_left_get_no_share() {
    let broker = Broker::memory();
    let names = ["a", "b", "c"];
    let mut members = Vec::from(names.map(|name| member(&broker, name, "$share/group/job")));
    members.pop().unwrap().vanish();
    members[1].unsubscribe("$share/group/job");
    Connect::v5("c").ok(&broker).leave(); // the broker is done with the connection that vanished
    let shares = spread(&broker, &mut members);
    assert_eq!(shares, [all(), Vec::new()]);
}

/// A member that is away leaves its share to those who are there.
#[test]
fn members_that_are_there_are_preferred() {
    let broker = Broker::memory();
    let mut away = Connect::v5("away").durable().ok(&broker);
    away.subscribe("$share/group/job", 1);
    away.leave();
    let shares = spread(&broker, &mut [member(&broker, "there", "$share/group/job")]);
    assert_eq!(sorted(&shares), all());
}

/// No retained messages for shared subscriptions, and no "no local" [MQTT-3.8.3-4].
#[test]
fn shared_subscriptions_bring_no_retained_message() {
    let broker = Broker::memory();
    publisher(&broker).publish(Publish::new("job", "kept", 1).retained());
    let mut client = member(&broker, "a", "$share/group/job");
    end(&broker, "done");
    assert_eq!(client.texts_until("end"), Vec::<String>::new());
    client.send(&subscribe(Version::V5, 9, &[("$share/group/x", 4)], &[]));
    client.disconnected(0x82);
}

/// What a member had in flight when its session ended goes to another.
#[test]
fn share_of_a_session_that_ends_goes_to_another() {
    let broker = Broker::memory();
    let mut slow = Connect::v5("slow").prop(prop::RECEIVE_MAXIMUM, 1).ok(&broker);
    slow.subscribe("$share/group/job", 1);
    let mut publisher = publisher(&broker);
    let texts: Vec<String> = (0..4).map(|number| number.to_string()).collect();
    for text in &texts {
        publisher.publish(Publish::new("job", text, 1));
    }
    let held = slow.expect(Kind::Publish);
    assert_eq!(held.text(), "0");
    let mut other = member(&broker, "other", "$share/group/job");
    slow.vanish();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        // The one that was sent may come again: nobody acknowledged it.
        seen.extend(Some(other.message().text()).filter(|text| text != "0"));
    }
    seen.sort();
    assert_eq!(seen, texts[1..], "what was not sent is not lost");
}

/// What a member has got and not acknowledged when it leaves for good goes to another one (section 4.8.2).
#[test]
fn what_a_member_leaves_behind_goes_to_another() {
    let broker = Broker::memory();
    let mut leaver = Connect::v5("leaver").ok(&broker);
    leaver.subscribe("$share/group/job", 1);
    let mut publisher = publisher(&broker);
    for number in 0..5 {
        publisher.publish(Publish::new("job", number.to_string(), 1));
    }
    for number in 0..5 {
        assert_eq!(leaver.expect(Kind::Publish).text(), number.to_string()); // and no PUBACK
    }
    let mut heir = member(&broker, "heir", "$share/group/job");
    leaver.vanish();
    for number in 0..5 {
        assert_eq!(heir.message().text(), number.to_string());
    }
}
