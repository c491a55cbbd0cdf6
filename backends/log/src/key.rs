//! How do keys of eight bytes and other keys keep one order?

use std::ops::Bound;

/// A key of exactly eight bytes. Its order is that of its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Short([u8; 8]);

impl Short {
    /// The key, if it has eight bytes.
    pub fn of(key: &[u8]) -> Option<Self> {
        key.try_into().ok().map(Self)
    }

    /// The least short key that is not below the bound; `None`: all are below.
    fn floor(bound: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        let Some(front) = bound.first_chunk::<8>() else {
            bytes[..bound.len()].copy_from_slice(bound);
            return Some(Self(bytes));
        };
        if bound.len() == 8 {
            return Some(Self(*front));
        }
        // The front alone is below what it is the front of.
        u64::from_be_bytes(*front).checked_add(1).map(|next| Self(next.to_be_bytes()))
    }
}

impl AsRef<[u8]> for Short {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a range can hold anything: maps panic on one that is crossed.
pub(crate) fn at_least(from: &[u8], to: Bound<&[u8]>) -> bool {
    match to {
        Bound::Included(to) => from <= to,
        Bound::Excluded(to) => from < to,
        Bound::Unbounded => true,
    }
}

/// The bounds for a map of short keys; `None`: nothing is in them.
pub(crate) fn short_bounds(from: &[u8], to: Bound<&[u8]>) -> Option<(Bound<Short>, Bound<Short>)> {
    at_least(from, to).then_some(())?;
    let from = Short::floor(from)?;
    let to = match to {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(to) if to.len() == 8 => Bound::Included(Short::of(to)?),
        Bound::Included(to) | Bound::Excluded(to) => Short::floor(to).map_or(Bound::Unbounded, Bound::Excluded),
    };
    match to {
        Bound::Excluded(to) if from >= to => None,
        Bound::Included(to) if from > to => None,
        to => Some((Bound::Included(from), to)),
    }
}

/// The bounds for a map of long keys.
pub(crate) fn long_bounds<'a>(from: &'a [u8], to: Bound<&'a [u8]>) -> (Bound<&'a [u8]>, Bound<&'a [u8]>) {
    (Bound::Included(from), to)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the plain comparison of bytes, for bounds shorter, as long as, and longer than a short key.
    #[test]
    fn short_keys_keep_the_order_of_bytes() {
        let keys: Vec<[u8; 8]> = [0, 1, 255, 256, 1 << 56, u64::MAX - 1, u64::MAX].map(u64::to_be_bytes).into();
        let mut bounds: Vec<Vec<u8>> = vec![vec![], vec![0], vec![255], vec![1, 0], vec![255; 9]];
        for key in &keys {
            bounds.extend([key[..7].to_vec(), key.to_vec(), [key.as_slice(), &[0]].concat()]);
        }
        for from in &bounds {
            for to in bounds.iter().flat_map(|to| [Bound::Included(&**to), Bound::Excluded(&**to), Bound::Unbounded]) {
                for key in &keys {
                    let plain = (Bound::Included(&**from), to);
                    let plain = at_least(from, to) && std::ops::RangeBounds::<[u8]>::contains(&plain, key.as_slice());
                    let short = short_bounds(from, to)
                        .is_some_and(|bounds| std::ops::RangeBounds::<Short>::contains(&bounds, &Short(*key)));
                    assert_eq!(short, plain, "{key:?} in {from:?}..{to:?}");
                }
            }
        }
    }
}
