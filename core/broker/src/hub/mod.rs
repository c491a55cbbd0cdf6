//! What do all sessions share? The hub: who is where, who has subscribed to what, what is retained, the journal.
//!
//! Locks are taken in this order and never the other way: registry, board, mailbox, journal. A publisher holds no two of
//! them at once.

mod attach;
mod deliver;
mod detach;
mod publish;
mod restore;
mod subscribe;
mod timers;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use hikyaku_traits::Auth;
use parking_lot::{Mutex, RwLock};

pub use attach::{AttachRequest, Attached};
pub use detach::{Departure, Ending};
pub(crate) use publish::{Origin, RouteCache};
pub use restore::LostWill;
pub(crate) use subscribe::RetainedCursor;

use crate::change::{Change, SessionNumber};
use crate::counters::Counters;
use crate::journal::{FIRST_BATCH, Journal, Sealed};
use crate::limits::Limits;
use crate::retained::Retained;
use crate::seat::{Item, Mail, Seat, SeatState, StoredEntry};
use crate::tree::{Stamps, Tree};

/// Subscriptions and retained messages: one lock, so that a subscriber misses no retained value and gets none twice.
pub(crate) struct Board {
    pub tree: Tree<Arc<Seat>>,
    pub retained: Retained,
}

/// What is left of the queue of a session that has ended: done away with in small batches.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub number: SessionNumber,
    pub items: VecDeque<Item>,
    pub stored: VecDeque<StoredEntry>,
}

/// Who is where, and what falls due when.
pub(crate) struct Registry {
    pub seats: HashMap<Arc<str>, Arc<Seat>, ahash::RandomState>,
    /// (milliseconds of the wall clock, session number) of parked sessions: the earlier of will and expiry.
    pub deadlines: BTreeMap<(u64, SessionNumber), Arc<Seat>>,
    pub sweeps: VecDeque<Sweep>,
    /// Messages of the store that no living session waits for.
    pub orphans: Vec<u64>,
    /// Client ids whose session was dropped by a batch that may not be durable: a CONNECT waits for it.
    pub drops: HashMap<Arc<str>, u64, ahash::RandomState>,
}

/// Below this much on its way to the disk, in bytes as the journal weighs, work that nobody waits for goes on at once. About
/// 3,000 removals of messages, which take a store 10 to 20 ms.
const RELAXED_BYTES: usize = 512 << 10;

/// What the hub is born with.
pub struct HubConfig {
    /// The limits of the core.
    pub limits: Limits,
    /// Keys of the hash functions; from a random source in production, from the seed in a simulation.
    pub seeds: [u64; 4],
    /// Who may do what.
    pub auth: Arc<dyn Auth>,
}

/// What all sessions share.
pub struct Hub {
    /// The limits of the core.
    pub limits: Limits,
    /// What happened how often.
    pub counters: Counters,
    pub(crate) auth: Arc<dyn Auth>,
    pub(crate) hasher: ahash::RandomState,
    pub(crate) board: RwLock<Board>,
    pub(crate) stamps: Arc<Stamps>,
    pub(crate) registry: Mutex<Registry>,
    pub(crate) journal: Mutex<Journal>,
    journal_waker: Mutex<Option<Waker>>,
    watermark: AtomicU64,
    journal_bytes: AtomicUsize,
    store_up: AtomicBool,
    next_message_id: AtomicU64,
    next_session_number: AtomicU64,
}

impl Hub {
    /// An empty hub. [`Hub::restore`] fills it with what a store remembers.
    #[must_use]
    pub fn new(config: HubConfig) -> Self {
        let [a, b, c, d] = config.seeds;
        let hasher = ahash::RandomState::with_seeds(a, b, c, d);
        let tree = Tree::new(config.seeds);
        Self {
            limits: config.limits,
            counters: Counters::default(),
            auth: config.auth,
            stamps: tree.stamps(),
            board: RwLock::new(Board { tree, retained: Retained::new() }),
            registry: Mutex::new(Registry {
                seats: HashMap::with_hasher(hasher.clone()),
                deadlines: BTreeMap::new(),
                sweeps: VecDeque::new(),
                orphans: Vec::new(),
                drops: HashMap::with_hasher(hasher.clone()),
            }),
            hasher,
            journal: Mutex::new(Journal::new()),
            journal_waker: Mutex::new(None),
            watermark: AtomicU64::new(FIRST_BATCH - 1),
            journal_bytes: AtomicUsize::new(0),
            store_up: AtomicBool::new(true),
            next_message_id: AtomicU64::new(1),
            next_session_number: AtomicU64::new(1),
        }
    }

    /// The newest batch that is durable.
    #[must_use]
    pub fn watermark(&self) -> u64 {
        self.watermark.load(Ordering::Acquire)
    }

    /// Whether what needs the store is taken at the moment.
    #[must_use]
    pub fn is_store_up(&self) -> bool {
        self.store_up.load(Ordering::Acquire)
    }

    /// The shell says whether the store works. While it does not, what would have to be appended is refused.
    pub fn set_store_up(&self, up: bool) {
        self.store_up.store(up, Ordering::Release);
    }

    /// Whether more waits for the disk than `journal_bytes_max`: publishers are not read until some of it is written.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.journal_bytes.load(Ordering::Relaxed) > self.limits.journal_bytes_max && self.is_store_up()
    }

    /// Whether so little waits for the disk that what falls due may be done as fast as it can: then a batch stays small,
    /// and those who publish wait for no more than their own part of it.
    #[must_use]
    pub fn is_relaxed(&self) -> bool {
        self.journal_bytes.load(Ordering::Relaxed) < RELAXED_BYTES
    }

    /// Wakes this session with the next commit.
    pub fn wake_at_commit(&self, seat: &Arc<Seat>) {
        self.journal.lock().add_waiter(seat);
        self.ring_journal();
    }

    /// A seat of nobody, to wait with for a commit ([`Hub::wake_at_commit`]) without a session.
    #[must_use]
    pub fn waiter() -> Arc<Seat> {
        Arc::new(Seat::new("".into(), 0, false, Mail::new(SeatState::Gone, 1)))
    }

    /// Whom to wake when there is something to seal.
    pub fn set_journal_waker(&self, waker: Waker) {
        *self.journal_waker.lock() = Some(waker);
    }

    fn ring_journal(&self) {
        if let Some(waker) = self.journal_waker.lock().take() {
            waker.wake();
        }
    }

    /// Closes the open batch for the disk; `None` if nothing has gathered. At most one is under way at a time.
    pub fn seal(&self) -> Option<Sealed> {
        self.journal.lock().seal()
    }

    /// The batch is on disk: moves the watermark and wakes exactly those who wait for it.
    pub fn committed(&self, sealed: Sealed) {
        self.watermark.store(sealed.number, Ordering::Release);
        self.journal_bytes.fetch_sub(sealed.bytes, Ordering::Relaxed);
        for seat in &sealed.waiters {
            seat.wake();
        }
        self.count_stored(&sealed.changes);
        let mut again = Vec::new();
        for seat in sealed.settle {
            let mut mail = seat.mail.lock();
            mail.settle(sealed.number, &self.limits);
            mail.settling = mail.needs_settling();
            if mail.settling {
                drop(mail);
                again.push(seat);
            }
        }
        let mut changes = sealed.changes;
        changes.clear(); // drops bodies, perhaps many: not under the lock
        let mut journal = self.journal.lock();
        journal.recycle(changes);
        let more = !again.is_empty();
        again.into_iter().for_each(|seat| journal.add_settle(seat));
        drop(journal);
        if more {
            self.ring_journal();
        }
    }

    fn count_stored(&self, changes: &[Change]) {
        let (mut stored, mut spared) = (0, 0);
        for change in changes {
            if let Change::Publish { receivers, .. } = change {
                *if receivers.is_empty() { &mut spared } else { &mut stored } += 1;
            }
        }
        self.counters.messages_stored.add(stored);
        self.counters.writes_spared.add(spared);
    }

    /// Wakes the task of every session, so that it sees what has changed for all.
    pub fn wake_everybody(&self) {
        let seats: Vec<_> = self.registry.lock().seats.values().cloned().collect();
        seats.iter().for_each(|seat| seat.wake());
    }

    /// Sessions there are, parked ones included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.registry.lock().seats.len()
    }

    /// Subscriptions there are.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.board.read().tree.len()
    }

    /// Retained messages there are.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.board.read().retained.len()
    }

    pub(crate) fn take_message_id(&self) -> u64 {
        self.next_message_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn take_session_number(&self) -> SessionNumber {
        self.next_session_number.fetch_add(1, Ordering::Relaxed)
    }
}
