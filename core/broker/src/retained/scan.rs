//! Where does a walk over the topics go on, for it to find all that match a filter and little else?

use std::cmp::Ordering;

use smallvec::SmallVec;

/// What sorts right behind all that is below a topic: no character is lower, save the `/` of those.
const BEHIND: char = '\u{1}';

/// What sorts right behind all topics that begin with `$`.
const BEHIND_DOLLAR: &str = "%";

/// A walk for one filter.
pub(super) struct Scan<'filter> {
    levels: SmallVec<[&'filter str; 8]>,
    leap: String,
}

/// What a topic on the way says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'scan> {
    /// It matches.
    Matches,
    /// It does not; the next one may.
    Next,
    /// It does not, nor does any before this one.
    Leap(&'scan str),
    /// It does not, nor does any behind it.
    End,
}

impl<'filter> Scan<'filter> {
    pub(super) fn new(filter: &'filter str) -> Self {
        Self { levels: filter.split('/').collect(), leap: String::new() }
    }

    /// Judges a topic name. What it says of those behind holds for the order of [`super::order::by_levels`].
    pub(super) fn judge(&mut self, topic: &str) -> Verdict<'_> {
        if topic.starts_with('$') && matches!(self.levels[0], "+" | "#") {
            return Verdict::Leap(BEHIND_DOLLAR); // [MQTT-4.7.2-1]
        }
        let mut rest = Some(topic);
        let mut last_single = None; // where the level ends that the last `+` matched
        for (depth, &wanted) in self.levels.iter().enumerate() {
            if wanted == "#" {
                return Verdict::Matches; // `a/#` matches `a` too: then nothing is left
            }
            let Some(path) = rest else { return Verdict::Next }; // what is below it follows
            let start = topic.len() - path.len();
            let (level, below) = path.split_once('/').map_or((path, None), |(level, below)| (level, Some(below)));
            rest = below;
            if wanted == "+" {
                last_single = Some(start + level.len());
                continue;
            }
            match level.cmp(wanted) {
                Ordering::Equal => {}
                Ordering::Less => return self.leap_to(&topic[..start], depth),
                Ordering::Greater => return self.leap_behind(topic, last_single),
            }
        }
        if rest.is_none() { Verdict::Matches } else { self.leap_behind(topic, last_single) }
    }

    /// To the levels of the filter from `depth` on, as far as they are no wildcards.
    fn leap_to(&mut self, before: &str, depth: usize) -> Verdict<'_> {
        self.leap.clear();
        self.leap.push_str(before);
        let literals = self.levels[depth..].iter().take_while(|level| !matches!(**level, "+" | "#"));
        for (place, level) in literals.enumerate() {
            if place > 0 {
                self.leap.push('/');
            }
            self.leap.push_str(level);
        }
        Verdict::Leap(&self.leap)
    }

    /// To the next level that the last `+` can match.
    fn leap_behind(&mut self, topic: &str, last_single: Option<usize>) -> Verdict<'_> {
        let Some(end) = last_single else { return Verdict::End };
        self.leap.clear();
        self.leap.push_str(&topic[..end]);
        self.leap.push(BEHIND);
        Verdict::Leap(&self.leap)
    }
}
