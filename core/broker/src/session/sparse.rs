//! A set that most sessions have nothing in: then it is a pointer to nothing.

use std::borrow::Borrow;
use std::collections::BTreeSet;

#[derive(Debug)]
#[expect(clippy::box_collection, reason = "the many sessions with an empty set pay for its size")]
pub(crate) struct Sparse<T>(Option<Box<BTreeSet<T>>>);

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord> Sparse<T> {
    pub fn contains<Q: Ord + ?Sized>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.as_ref().is_some_and(|set| set.contains(value))
    }

    pub fn insert(&mut self, value: T) {
        self.0.get_or_insert_default().insert(value);
    }

    /// Removes a value; whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        let removed = self.0.as_mut().is_some_and(|set| set.remove(value));
        self.0.take_if(|set| set.is_empty());
        removed
    }
}

impl<T: Ord> Extend<T> for Sparse<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.insert(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_a_set_that_is_empty_again() {
        let mut set = Sparse::default();
        assert!(!set.contains(&7) && !set.remove(&7));
        set.extend([7, 8, 7]);
        assert!(set.contains(&7) && set.remove(&7) && !set.contains(&7) && set.remove(&8));
        assert!(set.0.is_none());
    }
}
