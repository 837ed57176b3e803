//! A histogram of times, with fixed bounds: a factor of ten from each to the next.

/// Upper bounds, in nanoseconds.
const BOUNDS: [u64; 7] = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

/// How often what took how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// By bound; the last one is beyond all.
    counts: [u64; BOUNDS.len() + 1],
    sum_ns: u64,
}

impl Histogram {
    /// Counts one.
    pub(crate) fn add(&mut self, ns: u64) {
        let at = BOUNDS.iter().position(|&bound| ns <= bound).unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
    }

    /// Each bound, none for the last, with how many were at most that.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = BOUNDS.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        }))
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn sum_ns(&self) -> u64 {
        self.sum_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut histogram = Histogram::default();
        for ns in [0, 10_000, 10_001, 5_000_000, u64::MAX / 2] {
            histogram.add(ns);
        }
        let counts: Vec<u64> = histogram.cumulative().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 4, 4, 4, 4, 5]);
        assert_eq!((histogram.count(), histogram.cumulative().last()), (5, Some((None, 5))));
    }
}
