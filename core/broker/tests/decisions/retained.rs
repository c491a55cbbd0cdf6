//! Which retained messages does a SUBSCRIBE bring? Each value once, and never an older one after a newer.

use hikyaku_broker::Ending;
use hikyaku_protocol::{AckKind, Packet, Publish};
use hikyaku_types::{RetainHandling, SubscriptionOptions};

use crate::world::*;

/// A world in which these values are kept, and who keeps them.
fn world_with(kept: &[(&str, &str)]) -> (World, Client) {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    for (topic, payload) in kept {
        world.publish(&mut client, Publish { retain: true, ..publish(Q1, 1, topic, payload) }).unwrap();
        world.settle(&mut client);
    }
    (world, client)
}

fn keep(world: &mut World, client: &mut Client, payload: &str) {
    world.publish(client, Publish { retain: true, ..publish(Q1, 1, "a", payload) }).unwrap();
}

/// The last value of each topic comes, with RETAIN; what was cleared does not.
#[test]
fn a_subscriber_gets_the_last_values() {
    let (mut world, _client) = world_with(&[("a/1", "x"), ("a/2", "x"), ("a/1", "y"), ("a/2", ""), ("b", "x")]);
    let mut receiver = world.connect(&persistent("receiver"));
    let said = world.subscribe_as(&mut receiver, "a/#", options(Q2), Some(7));
    assert_eq!(said, ["a/1=y q1 #2 retain sub 7", "suback 1 02"]);
}

/// Retain handling: always, only with a new subscription, never.
#[test]
fn retain_handling_is_respected() {
    let (mut world, _client) = world_with(&[("a", "x")]);
    let mut receiver = world.connect(&clean("receiver"));
    let expected = [
        (RetainHandling::Never, false),
        (RetainHandling::IfNew, false),
        (RetainHandling::Always, true),
        (RetainHandling::Always, true),
    ];
    for (how, comes) in expected {
        let said = world.subscribe_as(&mut receiver, "a", handling(Q0, how), None);
        assert_eq!(said.contains(&"a=x q0 retain".to_owned()), comes, "{how:?}");
    }
    world.ask(&mut receiver, &unsubscribe_packet(1, "a")).unwrap();
    let said = world.subscribe_as(&mut receiver, "a", handling(Q0, RetainHandling::IfNew), None);
    assert!(said.contains(&"a=x q0 retain".to_owned()));
}

/// A publisher that has matched before the SUBSCRIBE and delivers after it: the value comes with the SUBSCRIBE.
#[test]
fn a_value_that_was_matched_before_comes_as_retained() {
    let (mut world, mut client) = world_with(&[("a", "old")]);
    let mut receiver = world.connect(&persistent("receiver"));
    let mut turn = hikyaku_broker::Turn::new();
    let new = Packet::Publish(Publish { retain: true, ..publish(Q1, 1, "a", "new") });
    client.session.on_packet(&world.hub, &new, world.now, &mut turn).unwrap();
    let said = world.subscribe_as(&mut receiver, "a", options(Q1), None);
    world.hub.finish(&mut turn, Some(&mut client.session), world.now);
    assert_eq!(said, ["a=new q1 #2 retain", "suback 1 01"]);
    assert!(world.settle(&mut receiver).is_empty(), "and not once more");
}

/// More values than a page: SUBACK of a stored session comes behind the last, and what changes meanwhile comes once.
#[test]
fn many_values_come_in_pages() {
    let topics: Vec<_> = (0..600).map(|number| format!("a/{number:03}")).collect();
    let kept: Vec<_> = topics.iter().map(|topic| (topic.as_str(), "old")).collect();
    let (mut world, mut client) = world_with(&kept);
    let mut receiver = world.connect(&persistent("receiver"));
    world.ask(&mut receiver, &subscribe_packet(1, &[("a/+", options(Q1))], None)).unwrap();
    world.commit();
    assert!(receiver.session.is_pumping(&world.hub));
    for topic in ["a/000", "a/599"] {
        world.publish(&mut client, Publish { retain: true, ..publish(Q1, 1, topic, "new") }).unwrap();
    }
    let said = world.settle(&mut receiver);
    assert_eq!(
        said.iter().filter(|line| line.contains("=old")).count(),
        599,
        "all but the one that was replaced before"
    );
    assert_eq!(
        said.iter().filter(|line| line.starts_with("a/000")).collect::<Vec<_>>(),
        ["a/000=old q1 #2 retain", "a/000=new q1 #258"]
    );
    assert_eq!(said.iter().filter(|line| line.starts_with("a/599")).collect::<Vec<_>>(), ["a/599=new q1 #259"]);
    assert_eq!(said.iter().filter(|line| line.starts_with("suback")).count(), 1);
}

/// SUBACK of a stored session waits for the last page and its commit, and answers behind it wait with it.
#[test]
fn suback_waits_for_the_last_page() {
    let topics: Vec<_> = (0..600).map(|number| format!("a/{number:03}")).collect();
    let kept: Vec<_> = topics.iter().map(|topic| (topic.as_str(), "x")).collect();
    let (mut world, _client) = world_with(&kept);
    let mut receiver = world.connect(&persistent("receiver"));
    world.ask(&mut receiver, &subscribe_packet(1, &[("a/+", options(Q1))], None)).unwrap();
    world.ask(&mut receiver, &unsubscribe_packet(2, "x")).unwrap();
    let World { hub, turn, now, .. } = &mut world;
    let mut pages = 1;
    while receiver.session.is_pumping(hub) {
        hub.committed(hub.seal().unwrap());
        receiver.session.on_durable(hub, *now, &mut receiver.out);
        assert!(receiver.out.is_empty(), "page {pages}");
        receiver.session.pump(hub, turn, *now);
        hub.finish(turn, Some(&mut receiver.session), *now);
        pages += 1;
    }
    assert_eq!(pages, 3);
    receiver.session.on_durable(hub, *now, &mut receiver.out);
    assert!(receiver.out.is_empty(), "the last page is not on disk");
    hub.committed(hub.seal().unwrap());
    receiver.session.on_durable(hub, *now, &mut receiver.out);
    assert_eq!(crate::wire::read(&receiver.out, true), ["suback 1 01", "unsuback 2 11"]);
}

/// UNSUBSCRIBE ends what a SUBSCRIBE has begun.
#[test]
fn unsubscribe_ends_the_pages() {
    let topics: Vec<_> = (0..600).map(|number| format!("a/{number:03}")).collect();
    let kept: Vec<_> = topics.iter().map(|topic| (topic.as_str(), "x")).collect();
    let (mut world, _client) = world_with(&kept);
    let mut receiver = world.connect(&persistent("receiver"));
    world.ask(&mut receiver, &subscribe_packet(1, &[("a/+", options(Q1))], None)).unwrap();
    world.ask(&mut receiver, &unsubscribe_packet(2, "a/+")).unwrap();
    let said = world.settle(&mut receiver);
    assert_eq!(said.len(), 256 + 2);
    assert!(said.contains(&"suback 1 01".to_owned()) && said.contains(&"unsuback 2 00".to_owned()));
}

/// A small mailbox loses nothing of what is retained: the pages wait until there is room.
#[test]
fn retained_messages_wait_for_room_in_the_mailbox() {
    for qos in [Q0, Q1] {
        let mut world = World::with(hikyaku_broker::Limits { mailbox_messages_max: 4, ..Default::default() });
        let mut client = world.connect(&clean("client"));
        for number in 0..10 {
            let topic = format!("a/{number}");
            world.publish(&mut client, Publish { retain: true, ..publish(Q1, 1, &topic, "x") }).unwrap();
        }
        let mut receiver = world.connect(&hikyaku_broker::AttachRequest { receive_maximum: 1, ..clean("receiver") });
        let mut said = world.subscribe_as(&mut receiver, "a/+", options(qos), None);
        for id in 2..12 {
            world.ack(&mut receiver, AckKind::PubAck, id);
            said.extend(world.settle(&mut receiver));
        }
        assert_eq!(said.iter().filter(|line| line.starts_with("a/")).count(), 10, "{said:?}");
        assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 0);
    }
}

/// What is queued for a stored session stays, though the retained message is replaced or cleared meanwhile.
#[test]
fn a_queued_value_outlives_its_topic() {
    let (mut world, mut client) = world_with(&[("a", "old")]);
    let mut receiver = world.connect(&persistent("receiver"));
    world.ask(&mut receiver, &subscribe_packet(1, &[("a", options(Q1))], None)).unwrap();
    world.commit();
    world.leave(receiver, Ending::Normal);
    keep(&mut world, &mut client, "new");
    keep(&mut world, &mut client, "");
    world.commit();
    let mut receiver = world.connect(&persistent("receiver"));
    let said = world.settle(&mut receiver);
    assert_eq!(said, ["a=old q1 #2 retain", "a=new q1 #3", "a= q1 #4"]);
}

/// RETAIN of a live message is kept for who wants it so, and hidden from others.
#[test]
fn retain_as_published_keeps_the_flag() {
    let mut world = World::new();
    let mut client = world.connect(&clean("client"));
    for keeps in [false, true] {
        let mut receiver = world.connect(&persistent("receiver"));
        world.subscribe(&mut receiver, "a", SubscriptionOptions { retain_as_published: keeps, ..options(Q1) });
        keep(&mut world, &mut client, "x");
        world.send(&mut client, Q1, "a", &["y"]);
        let said = world.settle(&mut receiver);
        let flag = if keeps { " retain" } else { "" };
        assert!(
            said[0].ends_with(flag) && said[0].contains(" retain") == keeps && !said[1].contains("retain"),
            "{said:?}"
        );
        world.disconnect(receiver, hikyaku_types::ReasonCode::SUCCESS, Some(0));
        keep(&mut world, &mut client, "");
    }
}

/// A connection that ends between two pages leaves a subscription that was not acknowledged: to the client it is new.
#[test]
fn a_subscription_that_was_cut_short_is_still_new() {
    let topics: Vec<_> = (0..600).map(|number| format!("a/{number:03}")).collect();
    let kept: Vec<_> = topics.iter().map(|topic| (topic.as_str(), "x")).collect();
    let (mut world, _client) = world_with(&kept);
    let mut receiver = world.connect(&persistent("receiver"));
    let packet = subscribe_packet(1, &[("a/+", handling(Q1, RetainHandling::IfNew))], None);
    world.ask(&mut receiver, &packet).unwrap();
    world.leave(receiver, Ending::Normal);
    world.commit();
    for expected in [600, 0] {
        let mut receiver = world.connect(&persistent("receiver"));
        world.settle(&mut receiver);
        world.ask(&mut receiver, &packet).unwrap();
        let said = world.settle(&mut receiver);
        assert_eq!(said.iter().filter(|line| line.starts_with("a/")).count(), expected);
        world.leave(receiver, Ending::Normal);
        world.commit();
    }
}

/// One SUBSCRIBE of several filters brings more at QoS 0 than a mailbox holds, and none of it is lost.
#[test]
fn several_filters_do_not_overfill_the_mailbox() {
    for request in [clean("receiver"), persistent("receiver")] {
        let mut world = World::with(hikyaku_broker::Limits { mailbox_messages_max: 4, ..Default::default() });
        let mut client = world.connect(&clean("client"));
        let topics = ["a/1", "a/2", "a/3", "b/1", "b/2", "b/3", "c/1", "c/2", "c/3", "c/4", "c/5", "c/6"];
        for topic in topics {
            world.publish(&mut client, retained(topic, "x")).unwrap();
        }
        world.commit();
        let mut receiver = world.connect(&request);
        let filters = ["a/+", "b/+", "c/+"].map(|filter| (filter, options(Q0)));
        world.ask(&mut receiver, &subscribe_packet(1, &filters, None)).unwrap();
        let said = world.settle(&mut receiver);
        let values = said.iter().filter(|line| line.ends_with("retain"));
        assert!(values.eq(&topics.map(|topic| format!("{topic}=x q0 retain"))), "{said:?}");
        assert_eq!(world.hub.counters.dropped_mailbox_full.get(), 0);
    }
}
