use hikyaku_types::Qos;
use smallvec::SmallVec;

use super::*;

/// Positions this far apart share a packet id.
const SPAN: u64 = 65_535;
use crate::message::MessageParts;

fn item(position: Position, qos: Qos) -> Item {
    let parts = MessageParts { topic: "a", properties: &[], payload: b"x", qos, retain: false, expires_at_ms: None };
    Item {
        body: Some(Arc::new(Message::new(position, &parts))),
        message_id: position,
        position,
        size: 2,
        qos,
        retain: false,
        dup: false,
        sent_durably: false,
        subscription_ids: SmallVec::new(),
        share: None,
    }
}

fn window(positions: impl IntoIterator<Item = Position>) -> Window {
    let mut window = Window::default();
    positions.into_iter().for_each(|position| window.insert(item(position, Qos::ExactlyOnce)));
    window
}

/// A packet id follows from the position, is never 0, and comes again after 65,535 positions.
#[test]
fn packet_ids_follow_from_positions() {
    assert_eq!([1, 2, 65_534, 65_535, 65_536].map(packet_id), [2, 3, 65_535, 1, 2]);
    for position in [1, 65_534, 65_535, 1 << 40] {
        assert_eq!(packet_id(position), packet_id(position + SPAN));
        assert!(packet_id(position) != 0);
    }
}

/// Wherever the ring begins, it finds the message of an id in it, and none for an id that is not.
#[test]
fn an_id_finds_its_message() {
    for base in [1, 2, 65_533, 65_534, 65_535, 65_536, 131_070, u64::from(u32::MAX)] {
        let window = window(base..base + 4);
        for position in base..base + 4 {
            assert_eq!(window.get(packet_id(position)).unwrap().0, position);
        }
        assert!(window.get(packet_id(base + 4)).is_none() && window.get(packet_id(base + SPAN - 1)).is_none());
        assert!(window.get(0).is_none());
    }
}

/// Two messages that would share an id are never in the ring together; an empty ring takes any.
#[test]
fn a_position_whose_id_is_in_use_is_not_accepted() {
    let mut window = window([10]);
    assert!(window.accepts(10 + SPAN - 1) && !window.accepts(10 + SPAN));
    window.insert(item(11, Qos::ExactlyOnce));
    window.finish(packet_id(10)).unwrap();
    assert!(window.accepts(10 + SPAN) && !window.accepts(11 + SPAN));
    window.finish(packet_id(11)).unwrap();
    assert!(window.accepts(10 * SPAN));
    window.insert(item(10 * SPAN, Qos::ExactlyOnce));
    assert_eq!((window.low(), window.in_flight()), (10 * SPAN, 1));
}

/// What is finished in the middle leaves a gap; below the low position all is done.
#[test]
fn the_low_position_follows_what_is_done() {
    let mut window = window(1..=4);
    for (done, low) in [(3, 1), (1, 2), (4, 2), (2, 5)] {
        assert_eq!(window.finish(packet_id(done)).unwrap().position, done);
        assert!(window.finish(packet_id(done)).is_none(), "once only");
        assert_eq!(window.low(), low);
    }
    assert_eq!((window.in_flight(), window.bytes()), (0, 0));
    window.skip(9);
    assert_eq!(window.low(), 10);
}

/// With PUBREC the message goes and its place stays, until PUBCOMP.
#[test]
fn a_released_exchange_keeps_its_place() {
    let mut window = window(1..=2);
    assert_eq!(window.release(packet_id(1)).unwrap().position, 1);
    assert!(window.release(packet_id(1)).is_none() && window.message(packet_id(1)).is_none());
    assert_eq!((window.in_flight(), window.bytes(), window.low()), (2, 2, 1));
    assert!(window.finish(packet_id(1)).is_none(), "its message is gone");
    assert_eq!((window.in_flight(), window.low()), (1, 2));
}

/// After a resume what was in flight cannot be acknowledged before it has been sent again, and gaps are done.
#[test]
fn what_waits_to_be_sent_again_is_not_in_flight() {
    let mut window = Window::default();
    window.restore(1, [4, 7].into_iter(), &[5]);
    assert_eq!((window.low(), window.in_flight()), (4, 0));
    assert!(window.finish(packet_id(4)).is_none() && window.release(packet_id(4)).is_none());
    assert!(matches!(window.get(packet_id(5)), Some((5, Slot::Owed))));
    assert!(matches!(window.get(packet_id(6)), Some((6, Slot::Done))));
    for position in [4, 7, 9] {
        window.insert(item(position, Qos::AtLeastOnce));
    }
    assert_eq!(window.in_flight(), 3);
    for position in [7, 4, 9] {
        assert_eq!(window.finish(packet_id(position)).unwrap().position, position);
    }
    assert_eq!((window.low(), window.in_flight()), (5, 0));
    window.finish(packet_id(5));
    assert_eq!((window.low(), window.in_flight()), (10, 0), "a PUBCOMP that was owed gives no quota back");
}

/// With nothing to send again the ring begins where all below is done.
#[test]
fn a_resume_without_messages_keeps_the_low_position() {
    let mut window = Window::default();
    window.restore(17, std::iter::empty(), &[]);
    assert_eq!(window.low(), 17);
}

/// What was written to the client carries DUP when it comes back out of the ring, and nothing else does.
#[test]
fn unloading_gives_back_what_is_unfinished() {
    let mut window = window([3, 4, 5, 8]);
    window.mark_sent(packet_id(4));
    window.release(packet_id(5)).unwrap();
    window.finish(packet_id(3)).unwrap();
    let (sent, released) = window.unload();
    assert_eq!(sent.iter().map(|item| (item.position, item.dup)).collect::<Vec<_>>(), [(4, true), (8, false)]);
    assert_eq!(released, [5]);
    assert_eq!((window.in_flight(), window.bytes()), (0, 0));
}
