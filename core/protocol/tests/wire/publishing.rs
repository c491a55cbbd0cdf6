//! What does the server know about a message, a subscription or a goodbye?

use hikyaku_protocol::{Packet, Publish};
use hikyaku_types::ProtocolVersion::{V5, V311};
use hikyaku_types::{Qos, ReasonCode, RetainHandling, SubscriptionOptions};

use crate::{field, packet, read};

fn publish(bytes: &[u8]) -> Publish<'_> {
    match read(bytes, V5) {
        Ok(Packet::Publish(publish)) => publish,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_seen_where_it_lies() {
    let bytes = b"\x3D\x0F\0\x03a/b\x12\x34\x04\x03\0\x01tbye";
    let seen = publish(bytes);
    assert_eq!(
        seen,
        Publish {
            dup: true,
            qos: Qos::ExactlyOnce,
            retain: true,
            packet_id: 0x1234,
            topic: "a/b",
            topic_alias: None,
            message_expiry_secs: None,
            properties: b"\x03\0\x01t",
            travels_verbatim: true,
            payload: b"bye",
        }
    );
    assert!(bytes.as_ptr_range().contains(&seen.payload.as_ptr()));
}

/// Alias and expiry stay on their hop, whatever stands around them; the rest keeps its order.
#[test]
fn properties_of_one_hop_do_not_travel() {
    let properties = b"\x26\0\x01k\0\x01v\x23\0\x07\x01\x01\x02\0\0\x01\0\x26\0\x01k\0\x01w\x08\0\x01r\x09\0\x01\x23";
    let bytes = packet(0x30, &[&field("a")[..], &[properties.len() as u8], properties, b"x"].concat());
    let publish = publish(&bytes);
    assert_eq!((publish.topic_alias, publish.message_expiry_secs), (Some(7), Some(256)));
    assert!(!publish.travels_verbatim);
    assert_eq!(publish.properties, properties);
    let mut out = b"before".to_vec();
    publish.travelling_properties(&mut out);
    assert_eq!(out, b"before\x26\0\x01k\0\x01v\x01\x01\x26\0\x01k\0\x01w\x08\0\x01r\x09\0\x01\x23");
}

#[test]
fn properties_without_a_hop_travel_as_they_are() {
    let bytes = b"\x30\x0D\0\x01a\x09\x01\0\x26\0\x01k\0\x01v";
    let mut out = Vec::new();
    publish(bytes).travelling_properties(&mut out);
    assert_eq!(out, publish(bytes).properties);
}

#[test]
fn the_reason_of_a_refusal_is_the_one_that_the_standard_names() {
    for (bytes, reason) in [
        (&b"\x30\x07\0\x01a\x03\x23\0\0"[..], ReasonCode::TOPIC_ALIAS_INVALID),
        (b"\x30\x06\0\x01a\x02\x0B\x01", ReasonCode::PROTOCOL_ERROR), // a Subscription Identifier from a client
        (b"\x30\x03\0\0\0", ReasonCode::PROTOCOL_ERROR),
        (b"\x30\x06\0\x03a/#\0", ReasonCode::TOPIC_NAME_INVALID),
        (b"\x30\x05\0\x02a\xFF\0", ReasonCode::MALFORMED_PACKET),
        (b"\x30\x08\0\x01a\x04\x08\0\x01+", ReasonCode::TOPIC_NAME_INVALID), // the Response Topic
        (b"\x30\x08\0\x01a\x04\x03\0\x01\x80", ReasonCode::MALFORMED_PACKET), // the Content Type
        (b"\x30\x0B\0\x01a\x07\x26\0\x01k\0\x01\xFF", ReasonCode::MALFORMED_PACKET), // a User Property
        (b"\x30\x0B\0\x01a\x07\x26\0\x01\0\0\x01v", ReasonCode::MALFORMED_PACKET),
        (b"\x32\x06\0\x01a\0\0\0", ReasonCode::PROTOCOL_ERROR),
        (b"\x82\x09\0\x01\0\0\x03a/+\x04", ReasonCode::SUCCESS),
        (b"\x82\x09\0\x01\0\0\x03a+b\x04", ReasonCode::TOPIC_FILTER_INVALID),
        (b"\xA2\x08\0\x01\0\0\x03#/a", ReasonCode::TOPIC_FILTER_INVALID),
        (b"\x20\x02\0\0", ReasonCode::PROTOCOL_ERROR), // what only a server sends
        (b"\xD0\0", ReasonCode::PROTOCOL_ERROR),
        (b"\x00\0", ReasonCode::MALFORMED_PACKET),
    ] {
        let judged = read(bytes, V5).map_or_else(|error| error.reason, |_| ReasonCode::SUCCESS);
        assert_eq!(judged, reason, "{bytes:02x?}");
    }
}

#[test]
fn a_subscription_is_read_with_all_its_options() {
    let filters = [&field("a/+")[..], &[0x26], &field("$share/g/é/#"), &[0x19]].concat();
    let bytes = packet(0x82, &[b"\x12\x34\x0A\x0B\xFF\x01\x26\0\x01k\0\x01v", &filters[..]].concat());
    let Ok(Packet::Subscribe(subscribe)) = read(&bytes, V5) else { panic!() };
    assert_eq!((subscribe.packet_id, subscribe.subscription_id), (0x1234, Some(255)));
    assert_eq!(
        subscribe.filters,
        [
            (
                "a/+".to_owned(),
                SubscriptionOptions {
                    qos: Qos::ExactlyOnce,
                    no_local: true,
                    retain_as_published: false,
                    retain_handling: RetainHandling::Never,
                }
            ),
            (
                "$share/g/é/#".to_owned(),
                SubscriptionOptions {
                    qos: Qos::AtLeastOnce,
                    no_local: false,
                    retain_as_published: true,
                    retain_handling: RetainHandling::IfNew,
                }
            ),
        ]
    );
}

#[test]
fn a_subscription_of_3_x_has_a_qos_and_nothing_else() {
    let bytes = packet(0x82, &[b"\0\x07", &field("a")[..], &[1], &field("b"), &[2]].concat());
    let Ok(Packet::Subscribe(subscribe)) = read(&bytes, V311) else { panic!() };
    assert_eq!((subscribe.packet_id, subscribe.subscription_id), (7, None));
    let wanted = [("a", Qos::AtLeastOnce), ("b", Qos::ExactlyOnce)];
    assert_eq!(subscribe.filters, wanted.map(|(filter, qos)| (filter.to_owned(), SubscriptionOptions::qos(qos))));
}

#[test]
fn the_end_of_subscriptions_is_read_in_every_version() {
    let filters = [field("a/b"), field("é/#")].concat();
    let v311 = packet(0xA2, &[b"\0\x07", &filters[..]].concat());
    let v5 = packet(0xA2, &[b"\0\x07\x07\x26\0\x01k\0\x01v", &filters[..]].concat());
    for (bytes, version) in [(v311, V311), (v5, V5)] {
        let Ok(Packet::Unsubscribe(unsubscribe)) = read(&bytes, version) else { panic!() };
        assert_eq!(unsubscribe.packet_id, 7);
        assert_eq!(unsubscribe.filters, ["a/b", "é/#"]);
    }
}

#[test]
fn a_goodbye_may_be_short() {
    for (bytes, reason, expiry) in [
        (&b"\xE0\0"[..], ReasonCode::SUCCESS, None),
        (b"\xE0\x01\x04", ReasonCode::DISCONNECT_WITH_WILL, None),
        (b"\xE0\x02\x00\x00", ReasonCode::SUCCESS, None),
        (b"\xE0\x0B\x98\x09\x1F\0\x01w\x11\0\0\x01\0", ReasonCode::ADMINISTRATIVE_ACTION, Some(256)),
    ] {
        let Ok(Packet::Disconnect(disconnect)) = read(bytes, V5) else { panic!("{bytes:02x?}") };
        assert_eq!((disconnect.reason, disconnect.session_expiry_secs), (reason, expiry));
    }
    assert!(matches!(read(b"\xE0\0", V311), Ok(Packet::Disconnect(_))));
}

#[test]
fn authentication_names_its_method() {
    assert!(matches!(read(b"\xF0\0", V5), Ok(Packet::Auth(auth)) if auth.reason == ReasonCode::SUCCESS));
    let Ok(Packet::Auth(auth)) = read(b"\xF0\x06\x19\x04\x15\0\x01m", V5) else { panic!() };
    assert_eq!((auth.reason, auth.method.as_deref()), (ReasonCode::REAUTHENTICATE, Some("m")));
    assert_eq!(read(b"\xF0\x02\x18\0", V5).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
    assert_eq!(read(b"\xF0\x07\x19\x04\x15\0\x01m\0", V5).unwrap_err().reason, ReasonCode::MALFORMED_PACKET);
    assert!(read(b"\xF0\0", V311).is_err());
}
