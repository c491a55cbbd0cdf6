//! What is left of a file when the power goes? What was synced, and whatever the disk had done of the rest by chance.

use fastrand::Rng;

/// What a disk writes whole or not at all, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// Something that was done to a file and not synced yet.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Bytes were written at an offset, perhaps behind the end.
    Write(usize, Box<[u8]>),
    /// The file was cut, or grew by zeros.
    Length(usize),
}

/// How much of the changes that were not synced comes to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Nothing.
    Nothing,
    /// All of it.
    All,
    /// What was done first, up to some sector of some write.
    First,
    /// So many of a hundred sectors and lengths, in their order.
    Some(u8),
    /// The same, and in any order.
    Shuffled(u8),
}

impl Arrival {
    pub(crate) fn by_chance(random: &mut Rng) -> Self {
        let percent = [3, 20, 50, 80, 97][random.usize(..5)];
        match random.u8(..8) {
            0 => Self::Nothing,
            1 => Self::All,
            2 | 3 => Self::First,
            4 | 5 => Self::Some(percent),
            _ => Self::Shuffled(percent),
        }
    }
}

/// A file: what of it is on the disk for good, and what is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    synced: Vec<u8>,
    pending: Vec<Change>,
    /// Whether programs have been shown something that the disk has dropped after a failed sync.
    is_false: bool,
}

/// What comes to the disk as one, or not at all.
#[derive(Clone, Copy)]
enum Piece<'a> {
    /// Bytes within one sector.
    Bytes(usize, &'a [u8]),
    /// The file ends here.
    Length(usize),
    /// The file ends here, or later.
    AtLeast(usize),
}

impl Image {
    pub(crate) fn change(&mut self, change: Change) {
        self.pending.push(change);
    }

    /// The changes are on the disk.
    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            done(&mut self.synced, &change);
        }
    }

    /// A sync failed: the changes have come to the disk in part, and the rest never will, whatever is synced later. Programs
    /// are shown all of it nevertheless, until the cache is dropped. That is what Linux does.
    pub(crate) fn fail(&mut self, random: &mut Rng) {
        self.synced = self.after(Arrival::Some(50), random);
        self.pending.clear();
        self.is_false = true;
    }

    /// What programs see once the cache has been dropped; `None` if that is what they see anyway.
    pub(crate) fn truth(&mut self) -> Option<Vec<u8>> {
        std::mem::take(&mut self.is_false).then(|| self.seen())
    }

    /// What programs see.
    fn seen(&self) -> Vec<u8> {
        let mut data = self.synced.clone();
        self.pending.iter().for_each(|change| done(&mut data, change));
        data
    }

    /// The power goes: what is on the disk then. It is there for good.
    pub(crate) fn lose_power(&mut self, arrival: Arrival, random: &mut Rng) -> &[u8] {
        *self = Self { synced: self.after(arrival, random), ..Self::default() };
        &self.synced
    }

    fn after(&self, arrival: Arrival, random: &mut Rng) -> Vec<u8> {
        let mut pieces = self.pieces();
        match arrival {
            Arrival::Nothing => pieces.clear(),
            Arrival::All => {}
            Arrival::First => pieces.truncate(random.usize(..=pieces.len())),
            Arrival::Some(percent) | Arrival::Shuffled(percent) => pieces.retain(|_| random.u8(..100) < percent),
        }
        if let Arrival::Shuffled(_) = arrival {
            random.shuffle(&mut pieces);
        }
        laid_over(self.synced.clone(), &pieces)
    }

    /// The changes in their order, cut at the borders of sectors. A write that makes the file longer does so apart from its
    /// bytes, as file systems do.
    fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let mut length = self.synced.len();
        for change in &self.pending {
            match change {
                Change::Length(to) => {
                    length = *to;
                    pieces.push(Piece::Length(*to));
                }
                Change::Write(offset, bytes) => {
                    let end = offset + bytes.len();
                    if end > length {
                        length = end;
                        pieces.push(Piece::AtLeast(end));
                    }
                    cut(*offset, bytes, &mut pieces);
                }
            }
        }
        pieces
    }
}

/// Does a change as a program sees it.
fn done(data: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(to) => data.resize(*to, 0),
        Change::Write(offset, bytes) => {
            let end = offset + bytes.len();
            data.resize(data.len().max(end), 0);
            data[*offset..end].copy_from_slice(bytes);
        }
    }
}

fn cut<'a>(mut offset: usize, mut bytes: &'a [u8], pieces: &mut Vec<Piece<'a>>) {
    while !bytes.is_empty() {
        let room = SECTOR_BYTES - offset % SECTOR_BYTES;
        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
        pieces.push(Piece::Bytes(offset, piece));
        offset += piece.len();
        bytes = rest;
    }
}

fn laid_over(mut data: Vec<u8>, pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut length = data.len();
    for piece in pieces {
        match *piece {
            Piece::Bytes(offset, bytes) => {
                let end = offset + bytes.len();
                data.resize(data.len().max(end), 0);
                data[offset..end].copy_from_slice(bytes);
            }
            Piece::AtLeast(to) => length = length.max(to),
            Piece::Length(to) => {
                length = to;
                data.truncate(to);
            }
        }
    }
    data.resize(length, 0);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2,048 bytes of `a` that are synced, and a write of `b` over the middle and the end of them.
    fn image() -> Image {
        let mut image = Image { synced: vec![b'a'; 2048], ..Image::default() };
        image.change(Change::Write(700, vec![b'b'; 2000].into()));
        image
    }

    #[test]
    fn sync_keeps_all_and_nothing_may_come_without_it() {
        let mut image = image();
        let mut whole = vec![b'a'; 700];
        whole.extend([b'b'; 2000]);
        assert_eq!(image.seen(), whole);
        assert_eq!(image.clone().lose_power(Arrival::Nothing, &mut Rng::with_seed(1)), vec![b'a'; 2048]);
        assert_eq!(image.clone().lose_power(Arrival::All, &mut Rng::with_seed(1)), whole);
        image.sync();
        assert_eq!(image.lose_power(Arrival::Nothing, &mut Rng::with_seed(1)), whole);
    }

    /// Whatever is left, each sector is the old or the new one as far as the file goes, and both kinds come.
    #[test]
    fn sectors_are_old_or_new() {
        let (mut torn, mut lengths) = (0, std::collections::BTreeSet::new());
        for seed in 0..200 {
            let mut random = Rng::with_seed(seed);
            let arrival = Arrival::by_chance(&mut random);
            let left = image().lose_power(arrival, &mut random).to_vec();
            lengths.insert(left.len());
            let states: Vec<_> = left[..2048].chunks(SECTOR_BYTES).map(|sector| sector.last().copied()).collect();
            assert_eq!(left[..700], [b'a'; 700]);
            for (sector, state) in left[..2048].chunks(SECTOR_BYTES).zip(&states).skip(2) {
                assert!(sector.iter().all(|byte| Some(*byte) == *state), "half a sector with {arrival:?}");
            }
            torn += usize::from(states.contains(&Some(b'a')) && states.contains(&Some(b'b')));
        }
        assert!(torn > 100, "{torn}");
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [2048, 2700]);
    }

    /// What a failed sync has dropped is shown until the cache is dropped, and is not saved by the next sync.
    #[test]
    fn failed_sync_loses_for_good() {
        let mut image = image();
        image.fail(&mut Rng::with_seed(1));
        image.sync();
        let truth = image.truth().unwrap();
        assert!(truth.contains(&b'b') && truth[1024..2048].contains(&b'a'));
        assert_eq!(image.truth(), None);
        assert_eq!(image.lose_power(Arrival::All, &mut Rng::with_seed(1)), truth);
    }
}
