//! A durable `mosquitto_sub` that is away while messages come and the broker ends.

use crate::with_backends;
use hikyaku_tests::raw::{Connect, Publish};
use hikyaku_tests::tools::{MESSAGE, mosquitto_pub, mosquitto_sub};
use hikyaku_tests::{Broker, Options};

/// Messages of both qualities before and after `between`; all arrive, in order, once.
fn all_arrive_after(backend: &str, between: impl Fn(&mut Broker)) {
    let mut broker = Options::backend(backend).start();
    for qos in [1, 2] {
        let (session, topic) = (format!("-i client0{qos} -c"), format!("test/{qos}"));
        let mut sub = mosquitto_sub(&broker, &format!("-t {topic} -q {qos} {session}"));
        mosquitto_pub(&broker, &format!("-t {topic} -m seen -i pub -q 1"));
        assert_eq!(sub.expect(MESSAGE), format!("1 0 {topic} seen"));
        sub.term();
        let mut expected = Vec::new();
        for (number, sent) in [1, 2, 1, 2, 2, 1].into_iter().enumerate() {
            if number == 3 {
                between(&mut broker);
            }
            mosquitto_pub(&broker, &format!("-t {topic} -m abc-{number} -i pub -q {sent}"));
            expected.push(format!("{} 0 {topic} abc-{number}", qos.min(sent)));
        }
        between(&mut broker);
        let mut sub = mosquitto_sub(&broker, &format!("-t {topic} -q {qos} {session}"));
        mosquitto_pub(&broker, &format!("-t {topic} -m end -q 2"));
        let mut seen = sub.expect_until(MESSAGE, "end");
        if qos == 2 {
            // This client prints a QoS 2 message when its handshake ends, so only those of equal QoS keep their order.
            seen.sort_by_key(|line| line.as_bytes()[0]);
            expected.sort_by_key(|line| line.as_bytes()[0]);
        }
        assert_eq!(seen, expected);
    }
}

fn all_arrive(backend: &str) {
    all_arrive_after(backend, |_| {});
}

fn all_arrive_after_sigterm(backend: &str) {
    all_arrive_after(backend, |broker| {
        broker.term();
        broker.restart();
    });
}

fn all_arrive_after_kill_9(backend: &str) {
    all_arrive_after(backend, |broker| {
        broker.kill9();
        broker.restart();
    });
}

/// Sessions, subscriptions and their options are there; what was unsubscribed, or
/// dropped by a clean start, does not come back.
fn sessions_are_as_they_were_acknowledged(backend: &str) {
    const NO_LOCAL: u8 = 4;
    let mut broker = Options::backend(backend).start();
    let durable = Connect::v5("stays").durable();
    let mut stays = durable.ok(&broker);
    stays.subscribe("kept", 1);
    stays.subscribe("own", 1 | NO_LOCAL);
    stays.subscribe("dropped", 1);
    assert_eq!(stays.unsubscribe("dropped").codes, [0]);
    let mut gone = Connect::v5("gone").durable().ok(&broker);
    gone.subscribe("kept", 1);
    gone.leave();
    Connect::v5("gone").ok(&broker).leave();
    broker.kill9();
    broker.restart();
    let (_, connack) = Connect::v5("gone").clean(false).open(&broker);
    assert_eq!(connack.flags, 0, "a session that ended stays ended");
    let mut stays = durable.resume(&broker);
    let mut other = Connect::v311("other").ok(&broker);
    for topic in ["dropped", "kept", "own"] {
        other.publish(Publish::new(topic, topic, 1));
    }
    assert!(stays.publish(Publish::new("own", "mine", 1)) < 0x80, "accepted, for nobody");
    other.publish(Publish::new("kept", "end", 1));
    assert_eq!(stays.texts_until("end"), ["kept", "own"]);
}

/// The QoS 2 handshake of a publisher goes on where it was: the repeat is no second message.
fn qos_2_from_a_publisher_goes_on_after_kill_9(backend: &str) {
    use hikyaku_tests::raw::{Kind, ack};
    let mut broker = Options::backend(backend).start();
    let subscriber = Connect::v311("subscriber").durable();
    subscriber.ok(&broker).subscribe("once", 2);
    let durable = Connect::v311("publisher").durable();
    let mut publisher = durable.ok(&broker);
    let message = Publish::new("once", "message", 2).id(7);
    publisher.send_publish(message.clone());
    publisher.answer(Kind::Pubrec, 7);
    broker.kill9();
    broker.restart();
    let mut publisher = durable.resume(&broker);
    publisher.publish(message.again());
    publisher.send(&ack(Kind::Pubrel, 7));
    publisher.answer(Kind::Pubcomp, 7);
    publisher.publish(Publish::new("once", "end", 2));
    assert_eq!(subscriber.resume(&broker).texts_until("end"), ["message"]);
}

/// The handshake with a subscriber goes on too: same packet id, DUP, and PUBREL once it was released.
fn qos_2_to_a_subscriber_goes_on_after_kill_9(backend: &str) {
    use hikyaku_tests::raw::{Kind, ack};
    let mut broker = Options::backend(backend).start();
    let durable = Connect::v5("subscriber").durable();
    let mut subscriber = durable.ok(&broker);
    subscriber.subscribe("once", 2);
    let mut publisher = Connect::v311("publisher").ok(&broker);
    publisher.publish(Publish::new("once", "released", 2));
    publisher.publish(Publish::new("once", "sent", 2));
    let released = subscriber.expect(Kind::Publish);
    let sent = subscriber.expect(Kind::Publish);
    subscriber.send(&ack(Kind::Pubrec, released.id));
    subscriber.answer(Kind::Pubrel, released.id);
    broker.kill9();
    broker.restart();
    let mut subscriber = durable.resume(&broker);
    let pubrel = subscriber.expect(Kind::Pubrel);
    assert_eq!(pubrel.id, released.id, "PUBREL comes again, the message does not [MQTT-4.4.0-1]");
    subscriber.send(&ack(Kind::Pubcomp, pubrel.id));
    let again = subscriber.message();
    assert_eq!((again.id, again.dup(), again.text().as_str()), (sent.id, true, "sent"));
    Connect::v311("publisher").ok(&broker).publish(Publish::new("once", "end", 2));
    assert_eq!(subscriber.texts_until("end"), Vec::<String>::new());
}

with_backends! {
    all_arrive
    all_arrive_after_sigterm
    all_arrive_after_kill_9
    sessions_are_as_they_were_acknowledged
    qos_2_from_a_publisher_goes_on_after_kill_9
    qos_2_to_a_subscriber_goes_on_after_kill_9
}
