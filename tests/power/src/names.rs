//! Which files are there when the power has gone? Those whose names were synced, and others by chance.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::disk::FileNumber;

/// The names in the directory of a disk.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// What programs see.
    seen: BTreeMap<String, FileNumber>,
    /// What is there for good.
    synced: BTreeMap<String, FileNumber>,
    /// New and removed names, in their order.
    pending: Vec<(String, Option<FileNumber>)>,
}

impl Names {
    pub(crate) fn get(&self, name: &str) -> Option<FileNumber> {
        self.seen.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, FileNumber)> {
        self.seen.iter().map(|(name, number)| (&**name, *number))
    }

    /// A file gets this name, or the name goes.
    pub(crate) fn change(&mut self, name: &str, number: Option<FileNumber>) {
        set(&mut self.seen, name, number);
        self.pending.push((name.to_owned(), number));
    }

    /// The directory is synced.
    pub(crate) fn sync(&mut self) {
        self.synced.clone_from(&self.seen);
        self.pending.clear();
    }

    /// Each change that was not synced has come to the disk, or has not.
    pub(crate) fn lose_power(&mut self, random: &mut Rng) {
        for (name, number) in self.pending.drain(..) {
            if random.bool() {
                set(&mut self.synced, &name, number);
            }
        }
        self.seen.clone_from(&self.synced);
    }
}

fn set(names: &mut BTreeMap<String, FileNumber>, name: &str, number: Option<FileNumber>) {
    match number {
        Some(number) => drop(names.insert(name.to_owned(), number)),
        None => drop(names.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that was not synced may vanish, and one that was removed may be there again; a synced one stays.
    #[test]
    fn names_without_a_sync_are_uncertain() {
        let (mut new_came, mut old_stayed) = (0, 0);
        for seed in 0..100 {
            let mut names = Names::default();
            names.change("kept", Some(0));
            names.change("old", Some(1));
            names.sync();
            names.change("old", None);
            names.change("new", Some(2));
            assert_eq!(names.iter().collect::<Vec<_>>(), [("kept", 0), ("new", 2)]);
            names.lose_power(&mut Rng::with_seed(seed));
            assert_eq!(names.get("kept"), Some(0));
            new_came += usize::from(names.get("new").is_some());
            old_stayed += usize::from(names.get("old").is_some());
        }
        assert!((20..80).contains(&new_came) && (20..80).contains(&old_stayed), "{new_came}, {old_stayed}");
    }
}
