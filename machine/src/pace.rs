//! How fast the workers fold a job, as measured, and from it how large its next partition should be.
//!
//! Only sizes and looks are decided here, never whether an answer is right: the measured times come from workers and
//! are not trusted.

use crate::moment::{Moment, Span};
use crate::settings::Settings;

/// Elements of the first partitions of a job, before anything has been measured.
const FIRST_ELEMENTS: u64 = 256;
/// A partition is at most this many times as large as the largest one measured so far.
const GROWTH: u64 = 8;
/// Measured time beyond which older measurements fade.
const MEMORY_NS: u64 = 400_000_000;
/// Partitions that each worker should get at least over a whole job, where there are elements enough.
const PER_WORKER_LEAST: u64 = 4;
/// Towards the end partitions shrink to this part of the least size, so that all workers finish together.
const TAIL: u64 = 8;

/// Elements folded in so much busy time, the older ones fading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Elements of the first partitions.
    first: u64,
    elements: u64,
    busy_ns: u64,
    largest: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: FIRST_ELEMENTS, elements: 0, busy_ns: 0, largest: 0 }
    }
}

impl Pace {
    /// Of a command: one element may take it seconds.
    pub(crate) fn of_command() -> Self {
        Self { first: 1, ..Self::default() }
    }

    /// Takes one measurement.
    pub(crate) fn measured(&mut self, elements: u64, busy_ns: u64) {
        if self.busy_ns > MEMORY_NS {
            self.elements /= 2;
            self.busy_ns /= 2;
        }
        self.elements = self.elements.saturating_add(elements);
        self.busy_ns = self.busy_ns.saturating_add(busy_ns);
        self.largest = self.largest.max(elements);
    }

    fn is_known(&self) -> bool {
        self.elements > 0
    }

    /// How long so many elements should take; unknown before the first measurement.
    pub(crate) fn time_for(&self, elements: u64) -> Option<Span> {
        self.is_known().then(|| Span(ratio(elements, self.busy_ns, self.elements)))
    }

    fn elements_in(&self, span: Span) -> u64 {
        ratio(span.0, self.elements, self.busy_ns.max(1))
    }

    /// How large the next partition should be, of a job with so many elements in all and so many not cut yet, for so
    /// many workers. At least 1.
    pub(crate) fn next_size(&self, settings: &Settings, elements: u64, left: u64, workers: u64) -> u64 {
        let workers = workers.max(1);
        let most = elements.div_ceil(PER_WORKER_LEAST * workers);
        let aim = if self.is_known() {
            let (least, best) = (settings.partition_least.0, settings.partition_most.0);
            let best = self.elements_in(Span(u64::midpoint(least, best)));
            let tail = self.elements_in(Span(least / TAIL));
            (left / (2 * workers)).clamp(tail.min(best), best).min(self.largest.saturating_mul(GROWTH))
        } else {
            self.first
        };
        aim.min(most).max(1)
    }
}

/// `a * b / c`, as large as it fits.
fn ratio(a: u64, b: u64, c: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) / u128::from(c)).unwrap_or(u64::MAX)
}

/// Time over which the shown rate is taken.
const WINDOW: Span = Span::ms(500);

/// Elements a second as a person sees them: smoothed over some windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meter {
    since: Moment,
    elements: u64,
    rate_per_s: Option<u64>,
}

impl Meter {
    pub(crate) fn new(now: Moment) -> Self {
        Self { since: now, elements: 0, rate_per_s: None }
    }

    /// Takes elements that were done just now.
    pub(crate) fn done(&mut self, now: Moment, elements: u64) {
        self.elements = self.elements.saturating_add(elements);
        if now.since(self.since) >= WINDOW {
            self.rate_per_s = self.rate(now);
            self.since = now;
            self.elements = 0;
        }
    }

    /// Elements a second, where any time has passed.
    pub(crate) fn rate(&self, now: Moment) -> Option<u64> {
        let passed = now.since(self.since).0;
        let fresh = (passed > 0).then(|| ratio(self.elements, 1_000_000_000, passed));
        match (self.rate_per_s, fresh) {
            (None, fresh) => fresh,
            (Some(old), Some(fresh)) if passed >= WINDOW.0 => Some(u64::midpoint(old, fresh)),
            (Some(old), Some(_) | None) => Some(old),
        }
    }
}

/// Milliseconds until so many elements are done at a rate.
pub(crate) fn eta_ms(left: u64, rate_per_s: u64) -> Option<u64> {
    (rate_per_s > 0).then(|| ratio(left, 1_000, rate_per_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::settings;

    #[test]
    fn sizes_start_small_and_grow_by_steps() {
        let mut pace = Pace::default();
        let big = 1 << 40;
        assert_eq!(pace.next_size(&settings(2), big, big, 2), 256);
        pace.measured(256, 256);
        assert_eq!(pace.next_size(&settings(2), big, big, 2), 2048);
        pace.measured(2048, 2048);
        assert_eq!(pace.next_size(&settings(2), big, big, 2), 16384);
    }

    #[test]
    fn sizes_settle_between_least_and_most() {
        let mut pace = Pace::default();
        let big = 1 << 50;
        let mut size = 0;
        for _ in 0..20 {
            size = pace.next_size(&settings(2), big, big, 2);
            pace.measured(size, size * 3);
        }
        let time = Span(size * 3);
        assert!(time >= settings(2).partition_least && time <= settings(2).partition_most, "{time:?}");
    }

    #[test]
    fn every_worker_gets_a_few() {
        let pace = Pace::default();
        assert_eq!(pace.next_size(&settings(2), 80, 80, 2), 10);
        assert_eq!(pace.next_size(&settings(2), 3, 3, 2), 1);
        assert_eq!(pace.next_size(&settings(2), 12, 12, 4), 1);
    }

    #[test]
    fn sizes_shrink_towards_the_end() {
        let mut pace = Pace::default();
        pace.measured(1 << 30, 1 << 30);
        let all = 1 << 40;
        let full = pace.next_size(&settings(2), all, all, 2);
        assert!(pace.next_size(&settings(2), all, full, 2) < full / 2);
    }

    #[test]
    fn a_lying_worker_breaks_no_arithmetic() {
        let mut pace = Pace::default();
        for _ in 0..70 {
            pace.measured(u64::MAX, u64::MAX);
        }
        assert!(pace.next_size(&settings(1), u64::MAX, u64::MAX, 1) >= 1);
        let mut still = Pace::default();
        still.measured(5, 0);
        assert!(still.next_size(&settings(1), u64::MAX, u64::MAX, 1) >= 1);
        assert_eq!(still.time_for(1000), Some(Span(0)));
    }

    #[test]
    fn the_rate_is_of_late() {
        let mut meter = Meter::new(Moment(0));
        assert_eq!(meter.rate(Moment(0)), None);
        meter.done(Moment(1_000_000_000), 500);
        assert_eq!(meter.rate(Moment(1_000_000_000)), Some(500));
        meter.done(Moment(2_000_000_000), 1500);
        assert_eq!(meter.rate(Moment(2_000_000_001)), Some(1000));
        assert_eq!(eta_ms(2000, 1000), Some(2000));
        assert_eq!(eta_ms(1, 0), None);
    }
}
