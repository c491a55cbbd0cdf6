use super::*;
use crate::message::Message;
use crate::message::MessageParts;

fn message(id: u64, batch: u64) -> Arc<Message> {
    let parts = MessageParts {
        topic: "a",
        properties: &[],
        payload: b"x",
        qos: Qos::AtLeastOnce,
        retain: false,
        expires_at_ms: None,
    };
    let message = Message::new(id, &parts);
    message.appended(batch, 0);
    Arc::new(message)
}

/// A mailbox of a stored session with these messages, each of that batch.
fn mailbox(state: SeatState, batches: &[u64]) -> (Seat, Mail) {
    let mut mail = Mail::new(SeatState::Live, 1);
    let seat = Seat::new("client".into(), 1, true, Mail::new(SeatState::Gone, 1));
    for (id, batch) in (1..).zip(batches) {
        let message = message(id, *batch);
        let delivery =
            Delivery { message: &message, qos: Qos::AtLeastOnce, retain: false, subscription_ids: &[], share: None };
        let pushed = mail.push(&seat, &delivery, &Limits::default(), &Counters::default());
        assert!(matches!(pushed, Pushed::Stored(Receipt { position, .. }) if position == id));
    }
    mail.state = state;
    (seat, mail)
}

fn positions<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<Position> {
    items.into_iter().map(|item| item.position).collect()
}

/// A message that its publisher has not appended yet stops a drain: it could be done before it is there.
#[test]
fn a_message_that_is_not_appended_stops_a_drain() {
    let (_, mut mail) = mailbox(SeatState::Live, &[2, NOT_APPENDED, 2]);
    let (mut ready, mut page) = (VecDeque::new(), Vec::new());
    mail.take(10, 1000, true, &mut ready, &mut page);
    assert_eq!((positions(&ready), page.len()), (vec![1], 0));
    assert!(!mail.has_next(true));
    mail.held[0].body.as_ref().unwrap().appended(3, 0);
    assert!(mail.has_next(true));
    mail.take(10, 1000, true, &mut ready, &mut page);
    assert_eq!(positions(&ready), [1, 2, 3]);
}

/// A body leaves memory when its batch is durable and not before, and takes none behind it along.
#[test]
fn a_body_stays_until_it_is_durable() {
    let limits = Limits { mailbox_messages_max: 0, ..Limits::default() };
    let (_, mut mail) = mailbox(SeatState::Live, &[2, 3, 2, NOT_APPENDED]);
    mail.settle(1, &limits);
    assert_eq!((mail.stored.len(), mail.held.len()), (0, 4));
    mail.settle(2, &limits);
    assert_eq!((mail.stored.len(), mail.held.len()), (1, 3), "in order of positions");
    mail.settle(9, &limits);
    assert_eq!((mail.stored.len(), mail.held.len()), (3, 1));
    assert_eq!((mail.stored_bytes, mail.held_bytes, mail.queued()), (6, 2, 4));
}

/// A parked session keeps no durable body at all, of what it was sent neither.
#[test]
fn a_parked_session_keeps_no_durable_body() {
    let (_, mut mail) = mailbox(SeatState::Gone, &[2, 2, 3]);
    mail.returned = mail.held.drain(..1).collect();
    mail.held_bytes -= 2;
    assert!(mail.needs_settling());
    mail.settle(2, &Limits::default());
    assert!(mail.returned[0].body.is_none() && mail.stored.len() == 1 && mail.held.len() == 1);
    assert!(mail.needs_settling());
    mail.settle(3, &Limits::default());
    assert!(!mail.needs_settling());
}

/// The lanes are drained in order: what was in flight, what is on disk, what is in memory; what must be read from disk
/// stops what is behind it.
#[test]
fn the_lanes_are_drained_in_order() {
    let limits = Limits { mailbox_messages_max: 2, ..Limits::default() };
    let (_, mut mail) = mailbox(SeatState::Live, &[2, 2, 2, 2, 2]);
    mail.returned = mail.held.drain(..2).collect();
    mail.returned[1].body = None;
    mail.held_bytes -= 4;
    mail.settle(2, &limits);
    assert_eq!((mail.returned.len(), mail.stored.len(), mail.held.len()), (2, 2, 1));
    let (mut ready, mut page) = (VecDeque::new(), Vec::new());
    mail.take(10, 1000, true, &mut ready, &mut page);
    assert_eq!((positions(&ready), positions(&page)), (vec![1], vec![2, 3, 4]));
    assert!(page.iter().all(|item| item.body.is_none()));
    let mut page = Vec::new();
    mail.take(10, 1000, true, &mut ready, &mut page);
    assert_eq!((positions(&ready), page.len(), mail.queued()), (vec![1, 5], 0, 0));
}

/// A page has a limit in bytes, which one message always passes, and one in messages.
#[test]
fn a_page_is_limited() {
    let (_, mut mail) = mailbox(SeatState::Gone, &[2; 6]);
    mail.settle(2, &Limits::default());
    for (room, bytes, expected) in [(10, 1, vec![1]), (2, 1000, vec![2, 3]), (10, 4, vec![4, 5]), (10, 1000, vec![6])] {
        let (mut ready, mut page) = (VecDeque::new(), Vec::new());
        mail.take(room, bytes, true, &mut ready, &mut page);
        assert_eq!((ready.len(), positions(&page)), (0, expected));
    }
    assert_eq!(mail.stored_bytes, 0);
}

/// A page that what was in flight has filled ends there: nothing in memory overtakes what is on disk.
#[test]
fn a_full_page_lets_nothing_overtake() {
    let (_, mut mail) = mailbox(SeatState::Live, &[2, 2, 2]);
    mail.returned = mail.held.drain(..1).collect();
    mail.held_bytes -= 2;
    mail.settle(2, &Limits { mailbox_messages_max: 2, ..Limits::default() });
    assert_eq!((mail.returned.len(), mail.stored.len(), mail.held.len()), (1, 1, 1));
    let (mut ready, mut page) = (VecDeque::new(), Vec::new());
    mail.take(10, 1, true, &mut ready, &mut page);
    assert_eq!((positions(&ready), page.len()), (vec![1], 0));
}

/// A bell that has rung rings no more until somebody has come to look.
#[test]
fn a_bell_rings_once() {
    struct Rung(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Rung {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let rung = Arc::new(Rung(0.into()));
    let (seat, _) = mailbox(SeatState::Live, &[]);
    assert!(!seat.listen(&rung.clone().into()));
    seat.wake();
    seat.wake();
    assert_eq!(rung.0.load(Ordering::Relaxed), 1);
    assert!(seat.listen(&rung.clone().into()) && !seat.listen(&rung.clone().into()));
    seat.wake();
    assert_eq!(rung.0.load(Ordering::Relaxed), 2);
}
/// The allocator's size for it and two counts is 256 bytes: the many sessions that are away pay for each step beyond.
#[test]
fn a_seat_is_small() {
    assert!(size_of::<Seat>() <= 232, "{}", size_of::<Seat>());
}
