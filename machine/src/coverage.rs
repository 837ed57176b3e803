//! Which positions of a job have been accepted: neighbouring ranges grow together, so that a million partitions cost
//! as much as the gaps between them. Must never take a position twice; that is what makes an answer exact.

use std::collections::BTreeMap;

/// A set of positions, kept as separate runs that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Start to end, end excluded.
    runs: BTreeMap<u64, u64>,
    covered: u64,
}

impl Coverage {
    /// Takes `count` positions from `position` on; refuses, unchanged, when one of them is there already.
    pub(crate) fn add(&mut self, position: u64, count: u64) -> bool {
        if !self.is_free(position, count) {
            return false;
        }
        let end = position + count;
        let end = self.runs.remove(&end).unwrap_or(end);
        match self.runs.range_mut(..position).next_back() {
            Some((_, before)) if *before == position => *before = end,
            Some(_) | None => {
                self.runs.insert(position, end);
            }
        }
        self.covered += count;
        true
    }

    /// Whether `add` would take this range.
    pub(crate) fn is_free(&self, position: u64, count: u64) -> bool {
        let Some(end) = position.checked_add(count).filter(|_| count > 0) else { return false };
        self.runs.range(..end).next_back().is_none_or(|(_, &before)| before <= position)
    }

    /// How many positions it has.
    pub(crate) fn covered(&self) -> u64 {
        self.covered
    }

    /// Whether it is exactly `0..elements`.
    pub(crate) fn is_whole(&self, elements: u64) -> bool {
        match self.runs.first_key_value() {
            None => elements == 0,
            Some((&start, &end)) => self.runs.len() == 1 && start == 0 && end == elements,
        }
    }

    /// The runs in order, as (position, count).
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.runs.iter().map(|(&start, &end)| (start, end - start))
    }

    /// How many separate runs there are.
    pub(crate) fn pieces(&self) -> usize {
        self.runs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(coverage: &Coverage) -> Vec<(u64, u64)> {
        coverage.runs().collect()
    }

    #[test]
    fn neighbours_grow_together() {
        let mut coverage = Coverage::default();
        assert!(coverage.add(10, 5));
        assert!(coverage.add(20, 5));
        assert_eq!(runs(&coverage), [(10, 5), (20, 5)]);
        assert!(coverage.add(15, 5));
        assert_eq!(runs(&coverage), [(10, 15)]);
        assert!(coverage.add(0, 10));
        assert_eq!(runs(&coverage), [(0, 25)]);
        assert!(coverage.is_whole(25));
        assert!(!coverage.is_whole(26));
        assert_eq!(coverage.covered(), 25);
    }

    #[test]
    fn nothing_is_taken_twice() {
        let mut coverage = Coverage::default();
        assert!(coverage.add(10, 10));
        let before = coverage.clone();
        for (position, count) in [(10, 10), (9, 2), (19, 1), (12, 3), (0, 30), (10, 1), (15, 50)] {
            assert!(!coverage.add(position, count), "{position} {count}");
            assert_eq!(coverage, before);
        }
        assert!(!coverage.add(0, 0), "an empty range covers nothing");
        assert!(!coverage.add(u64::MAX, 2), "positions end at 2^64-1");
    }

    #[test]
    fn nothing_is_whole_only_for_nothing() {
        assert!(Coverage::default().is_whole(0));
        assert!(!Coverage::default().is_whole(1));
        let mut coverage = Coverage::default();
        assert!(coverage.add(0, u64::MAX));
        assert!(coverage.is_whole(u64::MAX));
    }
}
