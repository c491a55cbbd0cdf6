//! What does a worker lend to the connection whose turn it is? A receive buffer, an out-buffer and a turn, so that an idle
//! connection holds none of them.

use std::cell::RefCell;

use hikyaku_broker::Turn;

/// Bytes that one read may bring.
pub(super) const READ_BYTES: usize = 64 << 10;

/// An out-buffer that has grown beyond this is not kept.
const OUT_KEPT_BYTES: usize = 256 << 10;

/// What a turn borrows.
pub(super) struct Scratch {
    pub read: Box<[u8]>,
    pub turn: Turn,
    out: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> =
        RefCell::new(Scratch { read: vec![0; READ_BYTES].into_boxed_slice(), turn: Turn::new(), out: Vec::new() });
}

/// Runs one turn with the worker's buffers. `out` is the connection's own out-buffer: it takes the worker's while it has
/// none, and gives it back when all is written.
pub(super) fn with<T>(out: &mut Vec<u8>, work: impl FnOnce(&mut Scratch, &mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        if out.capacity() == 0 {
            std::mem::swap(out, &mut scratch.out);
        }
        let outcome = work(scratch, out);
        if out.is_empty() {
            let buffer = std::mem::take(out);
            if buffer.capacity() > scratch.out.capacity() && buffer.capacity() <= OUT_KEPT_BYTES {
                scratch.out = buffer;
            }
        }
        outcome
    })
}
