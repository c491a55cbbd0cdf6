//! Does the store keep reads apart from writes, and does it end well when the engine does not?

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use hikyaku_blocking::{Blocking, Engine, Reader};
use hikyaku_traits::{Batch, Decision, Durability, Keys, Op, Ops, Page, RecordStore, Scan, StoreError, Table};

struct Empty;

impl Ops for Empty {
    fn len(&self) -> usize {
        0
    }

    fn op(&self, _: usize) -> Option<Op<'_>> {
        None
    }
}

/// What the engine does with its next batch.
enum Step {
    Done,
    Fail(Decision),
    Panic,
}

/// Takes a step per batch from the test, and tells the test when it is dropped.
struct Stepped(Receiver<Step>, Sender<()>);

impl Engine for Stepped {
    fn apply(&mut self, _: &Batch, _: Durability) -> Result<(), StoreError> {
        match self.0.recv().unwrap() {
            Step::Done => Ok(()),
            Step::Fail(decision) => Err(StoreError::new(decision, "as the test says")),
            Step::Panic => panic!("as the test says"),
        }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        let _ = self.1.send(());
    }
}

struct Nothing;

impl Reader for Nothing {
    fn scan(&mut self, _: &Scan) -> Result<Page, StoreError> {
        Ok(Page::default())
    }

    fn get(&mut self, _: Table, _: &Keys) -> Result<Page, StoreError> {
        Ok(Page::default())
    }
}

fn start() -> (Blocking, Sender<Step>, Receiver<()>) {
    let (steps, taken) = channel();
    let (dropped, drops) = channel();
    (Blocking::start("test", Stepped(taken, dropped), Nothing).unwrap(), steps, drops)
}

async fn apply(store: &Blocking) -> Result<(), Decision> {
    store.apply(Batch::new(Empty), Durability::Synced).await.map_err(|error| error.decision)
}

async fn get(store: &Blocking) -> Result<(), Decision> {
    store.get(Table::Meta, Keys::new()).await.map(drop).map_err(|error| error.decision)
}

fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(case);
}

/// The engine hangs in a batch until the test lets it go; reads are answered meanwhile.
#[test]
fn reads_do_not_wait_for_a_write() {
    run(async {
        let (store, steps, _drops) = start();
        let mut write = Box::pin(apply(&store));
        let asked = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context))).await;
        assert!(asked.is_pending());
        assert_eq!(get(&store).await, Ok(()));
        steps.send(Step::Done).unwrap();
        assert_eq!(write.await, Ok(()));
    });
}

/// The engine panics: that call and all later ones, reads too, are answered with Poisoned, and close still ends.
#[test]
fn panic_poisons_and_hangs_nobody() {
    run(async {
        let (store, steps, drops) = start();
        steps.send(Step::Panic).unwrap();
        assert_eq!(apply(&store).await, Err(Decision::Poisoned));
        assert_eq!(apply(&store).await, Err(Decision::Poisoned));
        assert_eq!(get(&store).await, Err(Decision::Poisoned));
        let closed = store.close().await.unwrap_err();
        assert!(closed.message.contains("as the test says"), "{closed}");
        drops.try_recv().unwrap();
    });
}

/// Retry leaves the handle good; Poisoned does not.
#[test]
fn only_poison_is_for_good() {
    run(async {
        let (store, steps, _drops) = start();
        for step in [Step::Fail(Decision::Retry), Step::Done, Step::Fail(Decision::Poisoned)] {
            steps.send(step).unwrap();
        }
        assert_eq!(apply(&store).await, Err(Decision::Retry));
        assert_eq!(apply(&store).await, Ok(()));
        assert_eq!(apply(&store).await, Err(Decision::Poisoned));
        assert_eq!(apply(&store).await, Err(Decision::Poisoned));
    });
}

/// After a close the engine is dropped, and calls are answered, not waited for.
#[test]
fn closed_store_answers() {
    run(async {
        let (store, _steps, drops) = start();
        store.close().await.unwrap();
        drops.try_recv().unwrap();
        assert_eq!(apply(&store).await, Err(Decision::Poisoned));
        assert_eq!(get(&store).await, Err(Decision::Poisoned));
        assert!(store.close().await.is_err());
    });
}

/// A dropped store has dropped its engine when the drop returns.
#[test]
fn drop_waits_for_the_engine() {
    let (store, _steps, drops) = start();
    drop(store);
    drops.recv_timeout(Duration::ZERO).unwrap();
}

/// Tidies up as often as it is told, and tells the test each time.
struct Tidy(Box<dyn FnMut() -> bool + Send>, Sender<()>);

impl Engine for Tidy {
    fn apply(&mut self, _: &Batch, _: Durability) -> Result<(), StoreError> {
        Ok(())
    }

    fn tidy(&mut self) -> bool {
        let more = (self.0)();
        self.1.send(()).unwrap();
        more
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn start_tidy(more: impl FnMut() -> bool + Send + 'static) -> (Blocking, Receiver<()>) {
    let (tidied, tidies) = channel();
    (Blocking::start("test", Tidy(Box::new(more), tidied), Nothing).unwrap(), tidies)
}

/// An engine tidies up while nobody calls, until there is no more to do, and once more after a batch.
#[test]
fn engine_tidies_up_while_nothing_waits() {
    let mut left = 3;
    let (store, tidies) = start_tidy(move || {
        left -= 1;
        left > 0
    });
    let tidied = || tidies.recv_timeout(Duration::from_secs(30)).unwrap();
    (0..3).for_each(|_| tidied());
    left_alone(&tidies);
    run(async { apply(&store).await.unwrap() });
    tidied();
}

/// Nothing more comes: the thread waits for a call.
fn left_alone(tidies: &Receiver<()>) {
    assert!(tidies.recv_timeout(Duration::from_millis(20)).is_err());
}

/// A batch comes in between steps that have no end, and so does a close.
#[test]
fn batch_waits_for_one_step_only() {
    run(async {
        let (store, _tidies) = start_tidy(|| true);
        assert_eq!(apply(&store).await, Ok(()));
        store.close().await.unwrap();
    });
}

/// A panic in a step is told by the next batch.
#[test]
fn panic_while_tidying_poisons() {
    run(async {
        let (begun, begins) = channel();
        let (store, _tidies) = start_tidy(move || {
            begun.send(()).unwrap();
            panic!("as the test says")
        });
        begins.recv().unwrap();
        assert_eq!(apply(&store).await, Err(Decision::Poisoned));
    });
}
