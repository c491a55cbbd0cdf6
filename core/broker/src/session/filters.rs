//! Which filters has a session subscribed to? Most sessions have few, and there are many sessions.

use std::collections::HashSet;

use ahash::RandomState;
use smallvec::SmallVec;

/// Up to this many filters are searched one by one.
const FEW: usize = 8;

/// The filters of one session, as the client wrote them. As many as `subscriptions_max` allows.
#[derive(Debug)]
pub(crate) enum Filters {
    Few(SmallVec<[Box<str>; 1]>),
    #[expect(clippy::box_collection, reason = "the many sessions with few filters pay for the size of the enum")]
    Many(Box<HashSet<Box<str>, RandomState>>),
}

impl Default for Filters {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Filters {
    pub fn len(&self) -> usize {
        match self {
            Self::Few(filters) => filters.len(),
            Self::Many(filters) => filters.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn contains(&self, filter: &str) -> bool {
        match self {
            Self::Few(filters) => filters.iter().any(|known| **known == *filter),
            Self::Many(filters) => filters.contains(filter),
        }
    }

    /// Adds a filter, if it is not there. The hasher is keyed: clients choose what is hashed.
    pub fn insert(&mut self, filter: Box<str>, hasher: &RandomState) {
        match self {
            Self::Few(filters) if filters.contains(&filter) => {}
            Self::Few(filters) if filters.len() < FEW => {
                filters.reserve_exact(1); // a parked session pays for what it has, not for what it may have
                filters.push(filter);
            }
            Self::Few(filters) => {
                let mut many = HashSet::with_hasher(hasher.clone());
                many.extend(filters.drain(..).chain([filter]));
                *self = Self::Many(Box::new(many));
            }
            Self::Many(filters) => drop(filters.insert(filter)),
        }
    }

    /// Removes a filter; whether it was there.
    pub fn remove(&mut self, filter: &str) -> bool {
        match self {
            Self::Few(filters) => {
                let at = filters.iter().position(|known| **known == *filter);
                at.map(|at| filters.swap_remove(at)).is_some()
            }
            Self::Many(filters) => {
                let removed = filters.remove(filter);
                if filters.is_empty() {
                    *self = Self::default();
                }
                removed
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (few, many) = match self {
            Self::Few(filters) => (Some(filters), None),
            Self::Many(filters) => (None, Some(filters)),
        };
        few.into_iter().flatten().chain(many.into_iter().flat_map(|many| many.iter())).map(|filter| &**filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_filters_are_the_same_set() {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut filters = Filters::default();
        for count in 1..=3 * FEW {
            for _ in 0..2 {
                filters.insert(format!("a/{count}").into(), &hasher);
            }
            assert_eq!(filters.len(), count);
            assert!(filters.contains(&format!("a/{count}")) && !filters.contains("a/0"));
        }
        let mut all: Vec<_> = filters.iter().map(str::to_owned).collect();
        all.sort_by_key(|filter| filter[2..].parse::<usize>().unwrap());
        assert_eq!(all, (1..=3 * FEW).map(|number| format!("a/{number}")).collect::<Vec<_>>());
        for filter in all {
            assert!(filters.remove(&filter) && !filters.remove(&filter));
        }
        assert!(filters.is_empty() && matches!(filters, Filters::Few(_)));
    }
}
