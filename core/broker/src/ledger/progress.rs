//! Which messages of a session's queue are done?

use thin_vec::ThinVec;

use super::codec::{Reader, Write};
use crate::change::Position;

/// The version of the value.
const VERSION: u8 = 1;

/// How far a session is with its queue. Positions that follow each other and are done are kept as one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// All below is done.
    pub low: Position,
    /// All below may have been sent.
    pub sent_mark: Position,
    /// First and last of each run of done positions above `low`, rising, with gaps between.
    runs: ThinVec<(Position, Position)>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { low: 1, sent_mark: 0, runs: ThinVec::new() }
    }
}

impl Progress {
    /// Progress with these runs; `None` unless they rise above `low` with gaps between.
    pub fn new(low: Position, sent_mark: Position, runs: Vec<(Position, Position)>) -> Option<Self> {
        let ends = std::iter::once(low).chain(runs.iter().map(|run| run.1));
        let is_good = ends.zip(&runs).all(|(end, run)| end < run.0 && run.0 <= run.1);
        is_good.then(|| Self { low, sent_mark, runs: runs.into() })
    }

    /// First and last of each run of done positions above `low`, rising.
    pub fn runs(&self) -> &[(Position, Position)] {
        &self.runs
    }

    /// Whether that position is done.
    pub fn is_done(&self, position: Position) -> bool {
        position < self.low || self.runs.get(self.run_at(position)).is_some_and(|run| run.0 <= position)
    }

    /// The position is done, and so is all below `low`.
    pub fn done(&mut self, position: Position, low: Position) {
        if !self.is_done(position) {
            self.insert(position);
        }
        self.raise(low);
    }

    /// All below `low` is done.
    pub fn raise(&mut self, low: Position) {
        self.low = self.low.max(low);
        let below = self.runs.partition_point(|run| run.0 <= self.low);
        if let Some(last) = self.runs.drain(..below).next_back() {
            self.low = self.low.max(last.1.saturating_add(1));
        }
    }

    /// The position above all that is done or may have been sent.
    pub fn end(&self) -> Position {
        let done = self.runs.last().map_or(0, |run| run.1.saturating_add(1));
        done.max(self.low).max(self.sent_mark)
    }

    /// The first run that does not end below the position.
    fn run_at(&self, position: Position) -> usize {
        self.runs.partition_point(|run| run.1 < position)
    }

    fn insert(&mut self, position: Position) {
        let at = self.run_at(position);
        let joins_next = self.runs.get(at).is_some_and(|next| next.0 - 1 == position);
        let joins_previous = at > 0 && self.runs[at - 1].1 + 1 == position;
        match (joins_previous, joins_next) {
            (true, true) => {
                self.runs[at - 1].1 = self.runs[at].1;
                self.runs.remove(at);
            }
            (true, false) => self.runs[at - 1].1 = position,
            (false, true) => self.runs[at].0 = position,
            (false, false) => self.runs.insert(at, (position, position)),
        }
    }

    /// Writes the value of the row: runs as the gap to the one before and their length less one.
    pub fn write(&self, value: &mut Vec<u8>) {
        value.push(VERSION);
        value.number(self.low);
        value.number(self.sent_mark);
        value.number(self.runs.len() as u64);
        let mut end = self.low;
        for &(first, last) in &self.runs {
            value.number(first - end);
            value.number(last - first);
            end = last;
        }
    }

    /// Reads what [`Self::write`] wrote.
    pub fn read(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::of_version(value, VERSION)?;
        let mut progress = Self { low: reader.number()?, sent_mark: reader.number()?, runs: ThinVec::new() };
        let mut end = progress.low;
        for _ in 0..reader.number()? {
            let first = end.checked_add(reader.number()?).filter(|first| *first > end)?;
            end = first.checked_add(reader.number()?)?;
            progress.runs.push((first, end));
        }
        reader.end(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(positions: &[Position]) -> Progress {
        let mut progress = Progress::default();
        for position in positions {
            progress.done(*position, 0);
        }
        progress
    }

    #[test]
    fn runs_join_whatever_the_order() {
        for order in [[3, 4, 5, 9], [5, 4, 3, 9], [9, 3, 5, 4], [4, 9, 3, 5], [5, 3, 9, 4]] {
            let progress = done(&order);
            assert_eq!(progress.runs, [(3, 5), (9, 9)]);
            assert!((1..12).all(|position| progress.is_done(position) == order.contains(&position)));
            assert_eq!((progress.low, progress.end()), (1, 10));
        }
    }

    #[test]
    fn the_low_position_swallows_runs() {
        let mut progress = done(&[3, 4, 5, 9]);
        progress.done(2, 4);
        assert_eq!((progress.low, progress.runs.as_slice()), (6, [(9, 9)].as_slice()));
        progress.done(1, 0);
        assert_eq!(progress.low, 6);
        assert_eq!(done(&[2, 1]).low, 3);
        progress.raise(20);
        assert_eq!((progress.low, progress.end()), (20, 20));
        assert!(progress.runs.is_empty());
    }

    #[test]
    fn the_row_is_read_as_it_was_written() {
        let mut progress = done(&[3, 4, 5, 9, 700]);
        progress.sent_mark = 800;
        let mut value = Vec::new();
        progress.write(&mut value);
        assert_eq!(Progress::read(&value), Some(progress.clone()));
        assert_eq!(progress.end(), 800);
        for len in 0..value.len() {
            assert_eq!(Progress::read(&value[..len]), None);
        }
        assert_eq!(Progress::read(&[VERSION, 1, 1, 1, 0, 0]), None, "a run touches the low position");
        assert_eq!(
            Progress::read(&[VERSION, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 200, 1]),
            None
        );
    }
}
