//! How does what was appended come to disk? Step by step, so that a crash can come between any two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use hikyaku_broker::ledger::{
    Body, Encoded, Ledger, Place, Recovered, Recovery, body_keys, message_keys, read_message,
};
use hikyaku_broker::{Hub, PageItem, Sealed};
use hikyaku_memory::Forgetful;
use hikyaku_traits::{Durability, Table};

use crate::flaw::Flaw;
use crate::random::Random;

/// A bell that a waker rings.
#[derive(Debug, Default)]
pub struct Bell(AtomicBool);

impl Bell {
    /// A bell, and what rings it.
    pub fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self::default());
        (bell.clone(), Waker::from(bell))
    }

    /// Rings.
    pub fn ring(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it has rung.
    pub fn rings(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether it has rung; and quiet.
    pub fn hush(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// A fault that is planted into the journal of the simulator, to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The watermark moves before the batch is applied.
    CommitFirst,
    /// A batch now and then is not applied.
    DropBatch,
    /// Nothing is synced.
    NoSync,
    /// Sessions are committed before the retained messages of the same batch.
    SessionsFirst,
}

/// How far a batch is.
#[derive(Debug)]
enum Stage {
    Idle,
    Sealed(Sealed),
    /// To be applied: the retained messages first. The batch is `None` if the watermark has moved already.
    Retained(Option<Sealed>, Records),
    Sessions(Option<Sealed>, Records),
    /// Applied, and lost if the broker dies now.
    Applied(Option<Sealed>, Records),
    /// Of [`Fault::SessionsFirst`].
    RetainedLate(Option<Sealed>, Records),
    Synced(Option<Sealed>),
}

struct Records(Encoded);

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} operations", self.0.ops)
    }
}

/// The journal's task and its stores.
#[derive(Debug)]
pub struct Disk {
    /// The records of sessions.
    pub store: Forgetful,
    /// Those of retained messages, if they lie apart.
    pub retained: Option<Forgetful>,
    ledger: Ledger,
    stage: Stage,
    bell: Arc<Bell>,
    waker: Waker,
    fault: Option<Fault>,
    /// Commits fail now and then.
    fails: bool,
    /// How often a step of the disk takes long, of a hundred.
    slow: usize,
    /// Steps that it still takes.
    stall: usize,
    calm: bool,
}

impl Disk {
    /// Empty stores.
    pub fn new(separate: bool, flaw: Flaw, fails: bool, slow: usize) -> Self {
        let (bell, waker) = Bell::new();
        bell.ring();
        let retained = separate.then(Forgetful::new);
        Self {
            store: Forgetful::new(),
            retained,
            ledger: Ledger::default(),
            stage: Stage::Idle,
            bell,
            waker,
            fault: if let Flaw::Journal(fault) = flaw { Some(fault) } else { None },
            fails,
            slow,
            stall: 0,
            calm: false,
        }
    }

    /// Whether anything may fail or take long from now on.
    pub fn trouble(&mut self, may_be: bool) {
        self.calm = !may_be;
        self.stall = 0;
    }

    /// Whether there is something to do.
    pub fn is_runnable(&self) -> bool {
        !matches!(self.stage, Stage::Idle) || self.bell.rings()
    }

    /// Whether a batch is on its way and may be lost in part.
    pub fn is_at_stake(&self) -> bool {
        matches!(self.stage, Stage::Sessions(..) | Stage::Applied(..) | Stage::RetainedLate(..))
    }

    /// Does the next thing; says what.
    pub fn step(&mut self, hub: &Hub, wall_ms: u64, random: &mut Random) -> String {
        if self.stall > 0 {
            self.stall -= 1;
            return "journal: the disk takes its time".into();
        }
        if !matches!(self.stage, Stage::Idle) && !self.calm && random.chance(self.slow) {
            self.stall = random.below(150);
        }
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => {
                self.bell.hush();
                hub.set_journal_waker(self.waker.clone());
                let Some(sealed) = hub.seal() else { return "journal: nothing".into() };
                let said = format!("journal: batch {} {:?}", sealed.number, sealed.changes);
                self.stage = Stage::Sealed(sealed);
                said
            }
            Stage::Sealed(sealed) => self.encode(sealed, hub, wall_ms, random),
            Stage::Retained(sealed, records) => {
                let said = self.apply_retained(&records);
                self.stage = Stage::Sessions(sealed, records);
                said
            }
            Stage::Sessions(sealed, records) => self.apply(sealed, records, hub, random),
            Stage::Applied(sealed, records) => {
                if self.fault != Some(Fault::NoSync) {
                    self.store.sync_now();
                }
                self.stage = if self.fault == Some(Fault::SessionsFirst) {
                    Stage::RetainedLate(sealed, records)
                } else {
                    Stage::Synced(sealed)
                };
                "journal: synced".into()
            }
            Stage::RetainedLate(sealed, records) => {
                let said = self.apply_retained(&records);
                self.stage = Stage::Synced(sealed);
                said
            }
            Stage::Synced(sealed) => self.commit(sealed, hub),
        }
    }

    fn encode(&mut self, sealed: Sealed, hub: &Hub, wall_ms: u64, random: &mut Random) -> String {
        if sealed.changes.is_empty() {
            return self.commit(Some(sealed), hub);
        }
        let encoded = self.ledger.encode(&sealed.changes, wall_ms, self.retained.is_some());
        if encoded.ops == 0 || self.fault == Some(Fault::DropBatch) && random.chance(5) {
            return self.commit(Some(sealed), hub);
        }
        let said = format!("journal: {} operations", encoded.ops);
        let sealed = if self.fault == Some(Fault::CommitFirst) {
            hub.committed(sealed);
            None
        } else {
            Some(sealed)
        };
        // Retained messages commit before sessions.
        let first = if self.fault == Some(Fault::SessionsFirst) { Stage::Sessions } else { Stage::Retained };
        self.stage = first(sealed, Records(encoded));
        said
    }

    fn apply_retained(&self, records: &Records) -> String {
        let (Some(batch), Some(store)) = (&records.0.retained, &self.retained) else { return "journal: ready".into() };
        let durability = if self.fault == Some(Fault::NoSync) { Durability::Buffered } else { Durability::Synced };
        match store.apply_now(batch, durability) {
            Ok(()) => "journal: retained applied".into(),
            Err(error) => format!("journal: {error}"),
        }
    }

    fn apply(&mut self, sealed: Option<Sealed>, records: Records, hub: &Hub, random: &mut Random) -> String {
        let fails = self.fails && !self.calm && random.chance(if hub.is_store_up() { 5 } else { 50 });
        if let Some(batch) = records.0.sessions.as_ref().filter(|_| !fails || random.chance(50))
            && let Err(error) = self.store.apply_now(batch, Durability::Buffered)
        {
            return format!("journal: {error}");
        }
        if fails {
            hub.set_store_up(false);
            // It is opened again: what was not synced may be gone, or not.
            self.store.crash_keeping(random.below(self.store.unsynced() + 1));
            self.stage = Stage::Retained(sealed, records); // all of it again
            return "journal: the commit has failed, and may have landed; the store is opened again".into();
        }
        self.stage = Stage::Applied(sealed, records);
        "journal: applied".into()
    }

    fn commit(&mut self, sealed: Option<Sealed>, hub: &Hub) -> String {
        hub.set_store_up(true);
        self.stage = Stage::Idle;
        self.bell.ring();
        let Some(sealed) = sealed else { return "journal: done".into() };
        let said = format!("journal: batch {} committed", sealed.number);
        hub.committed(sealed);
        said
    }

    /// The broker dies: what was not synced is lost, but for what happened to reach the disk.
    pub fn crash(&mut self, random: &mut Random) {
        self.store.crash_keeping(random.below(self.store.unsynced() + 1));
        if let Some(retained) = &self.retained {
            retained.crash_keeping(random.below(retained.unsynced() + 1));
        }
        (self.stage, self.stall) = (Stage::Idle, 0);
        (self.bell, self.waker) = Bell::new();
        self.bell.ring();
    }

    /// Reads the stores as a broker does that starts.
    ///
    /// # Errors
    /// They are damaged.
    pub fn recover(&mut self, seeds: [u64; 4], page_bytes: usize) -> Result<Recovered, String> {
        let mut recovery = Recovery::new(seeds, page_bytes);
        while let Some((place, scan)) = recovery.next_scan() {
            let page = match (place, &self.retained) {
                (Place::Retained, Some(retained)) => retained.scan_now(&scan),
                _ => self.store.scan_now(&scan),
            };
            recovery.page(place, page).map_err(|error| error.to_string())?;
        }
        let (ledger, recovered) = recovery.finish().map_err(|error| error.to_string())?;
        self.ledger = ledger;
        Ok(recovered)
    }

    /// Reads queued messages for a session.
    ///
    /// # Errors
    /// They are damaged.
    pub fn read(&self, session: u64, ids: &[u64]) -> Result<Vec<PageItem>, String> {
        let mut items = Vec::new();
        for row in &self.store.get_now(Table::Message, &message_keys(ids)).rows {
            let stored = read_message(row, session).map_err(|error| error.to_string())?;
            let message_id = stored.message_id;
            let message = match stored.body {
                Body::Whole(message) => message,
                Body::Elsewhere(partial) => {
                    let bodies = self.store.get_now(Table::Body, &body_keys(&[message_id]));
                    let Some(row) = bodies.rows.first() else { continue };
                    partial.complete(&row.value)
                }
            };
            items.extend(PageItem::each(&message, stored.receipts));
        }
        Ok(items)
    }
}
