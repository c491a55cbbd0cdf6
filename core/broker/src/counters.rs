//! What happened how often? Read by metrics and by the log.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters of the core, by the question that an operator asks.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: Counter,)* }

        impl Counters {
            /// Every counter with its name.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name.get()),)*].into_iter()
            }
        }
    };
}

counters! {
    /// PUBLISH packets taken.
    messages_received,
    /// PUBLISH packets sent.
    messages_sent,
    /// Dropped: the queue of a persistent session was full (`queue_messages_max`, `queue_bytes_max`).
    dropped_queue_full,
    /// Dropped: the mailbox of a connected client was full (`mailbox_messages_max`, `mailbox_bytes_max`).
    dropped_mailbox_full,
    /// Dropped: no member of a shared subscription had room.
    dropped_group_full,
    /// Dropped: larger than the client's Maximum Packet Size.
    dropped_too_large,
    /// Dropped: expired before it was sent.
    dropped_expired,
    /// Refused: more retained messages or bytes than the limit.
    refused_retained_full,
    /// Refused: the client had more subscriptions than `subscriptions_max`.
    refused_subscriptions,
    /// Refused: the store was not up.
    refused_store_down,
    /// Publishers that were read more slowly because a receiver could not follow.
    publishers_slowed,
    /// Messages for persistent sessions that were written to the store.
    messages_stored,
    /// Messages for persistent sessions that were acknowledged by all of them before they were written, and were not.
    writes_spared,
    /// Messages that the store should have had and had not.
    bodies_missing,
}
