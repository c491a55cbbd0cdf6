//! What of a session outlives its connection? Section 4.1 of the standard.

use std::sync::Arc;

use hikyaku_traits::Will;

use super::filters::Filters;
use super::sparse::Sparse;
use crate::change::{Position, SessionRecord};

/// A Will and its time.
#[derive(Debug)]
pub(crate) struct PendingWill {
    pub will: Arc<Will>,
    /// In milliseconds of the wall clock; `None` while the client is connected.
    pub due_at_ms: Option<u64>,
}

/// The state that lies in the seat while nobody is connected.
#[derive(Debug)]
pub(crate) struct SessionState {
    pub record: SessionRecord,
    /// Whether the store has a row of it.
    pub has_row: bool,
    pub subscriptions: Filters,
    /// Filters whose SUBSCRIBE was not answered because its retained messages were still being queued when the connection
    /// ended: to the client they are new. As many as there are subscriptions.
    pub unfinished: Sparse<Box<str>>,
    /// Inbound QoS 2 packet ids that wait for PUBREL. At most 65,535 of them: there are no more ids.
    pub received: Sparse<u16>,
    /// Outbound QoS 2 exchanges that wait for PUBCOMP; only while parked.
    pub released: Vec<Position>,
    /// All positions below are done.
    pub low: Position,
    /// The batch that the session's newest answer waits for.
    pub newest_ticket: u64,
    pub will: Option<PendingWill>,
    /// When it ends, in milliseconds of the wall clock; `None`: never, or connected.
    pub expires_at_ms: Option<u64>,
}

impl SessionState {
    pub fn new(record: SessionRecord) -> Self {
        Self {
            record,
            has_row: false,
            subscriptions: Filters::default(),
            unfinished: Sparse::default(),
            received: Sparse::default(),
            released: Vec::new(),
            low: 0,
            newest_ticket: 0,
            will: None,
            expires_at_ms: None,
        }
    }

    /// Sets the end of a session that is parked now, or was at the time of its record [MQTT-3.1.2-23].
    pub fn set_expiry(&mut self, wall_ms: u64) {
        let since = self.record.parked_since_ms.unwrap_or(wall_ms);
        let secs = self.record.expiry_secs;
        self.expires_at_ms = (secs != u32::MAX).then(|| since.saturating_add(u64::from(secs) * 1000));
    }

    /// When something of it falls due: its Will or its end, whichever is earlier.
    pub fn deadline_ms(&self) -> Option<u64> {
        let will = self.will.as_ref().and_then(|will| will.due_at_ms);
        [will, self.expires_at_ms].into_iter().flatten().min()
    }
}
