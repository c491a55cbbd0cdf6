//! At which call does the trouble come? One fuse burns for the log's directory and the store below alike.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::random::Random;

/// What comes when the fuse has burnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The call is broken off, and nothing works from then on.
    Off,
    /// The call fails with this number of the system, and the next ones work.
    Error(i32),
}

/// Counts the calls. A clone is the same fuse.
#[derive(Clone, Debug)]
pub struct Fuse(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    random: Random,
    calls_left: usize,
    trouble: Trouble,
    burnt: bool,
}

/// What a call has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All that it should.
    Whole,
    /// So much of a hundred parts; then it fails.
    Part(usize),
    /// Nothing: it fails.
    Nothing,
}

impl Fuse {
    pub fn new(seed: u64) -> Self {
        let state = State { random: Random::new(seed), calls_left: usize::MAX, trouble: Trouble::Off, burnt: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Everything works again, until so many calls were made.
    pub fn light(&self, calls: usize, trouble: Trouble) {
        let mut state = self.0.lock();
        (state.calls_left, state.trouble, state.burnt) = (calls, trouble, false);
    }

    /// Whether the trouble has come.
    pub fn is_burnt(&self) -> bool {
        self.0.lock().burnt
    }

    /// Whether nothing works any more.
    pub fn is_off(&self) -> bool {
        let state = self.0.lock();
        state.burnt && state.trouble == Trouble::Off
    }

    /// Counts a call.
    pub fn step(&self) -> Step {
        let mut state = self.0.lock();
        match (state.burnt, state.trouble) {
            (true, Trouble::Off) => return Step::Nothing,
            (true, Trouble::Error(_)) => return Step::Whole,
            _ => {}
        }
        if state.calls_left > 0 {
            state.calls_left -= 1;
            return Step::Whole;
        }
        state.burnt = true;
        let part = state.random.pick(&[0, 1, 50, 99, 100]);
        Step::Part(part)
    }

    /// What a call that breaks off says.
    pub fn error(&self) -> io::Error {
        match self.0.lock().trouble {
            Trouble::Off => io::Error::other("the power is off"),
            Trouble::Error(number) => io::Error::from_raw_os_error(number),
        }
    }
}
