//! Fencing numbers: one counter for all names, so that those of each name only ever grow.
//!
//! Two things keep it from going back over a restart, and either is enough. It begins at the microseconds of the wall
//! clock, which no counter outruns; and with a store, numbers are reserved there before the first of them is given out,
//! so that a clock that was set back does no harm. A store that refuses does not stop the locks: the clock is left.

use tally_protocol::limits;

/// The counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fences {
    /// The next to be given out.
    pub(super) next: u64,
    /// Those below may be given out.
    reserved: u64,
    /// The same once all that was asked for is reserved.
    asked: u64,
}

impl Fences {
    /// The first number is neither below `floor`, which the store knows, nor below the clock's. With `durable` none is
    /// given out before it is reserved.
    pub(crate) fn new(floor: u64, wall_ms: u64, durable: bool) -> Self {
        let next = floor.max(wall_ms.saturating_mul(1_000)).max(1);
        let reserved = if durable { next } else { u64::MAX };
        Self { next, reserved, asked: reserved }
    }

    /// The next number, unless it is not reserved yet.
    pub(super) fn take(&mut self) -> Option<u64> {
        if self.is_dry() {
            return None;
        }
        let fence = self.next;
        self.next += 1;
        Some(fence)
    }

    /// Whether none can be given out now.
    pub(super) fn is_dry(&self) -> bool {
        self.next >= self.reserved
    }

    /// Up to where numbers are to be reserved now; asked once.
    pub(crate) fn ask(&mut self) -> Option<u64> {
        if self.next.saturating_add(limits::FENCES_AHEAD / 2) < self.asked {
            return None;
        }
        self.asked = self.next.saturating_add(limits::FENCES_AHEAD);
        Some(self.asked)
    }

    /// Numbers below `to` are reserved, or cannot be.
    pub(crate) fn reserved(&mut self, to: u64) {
        self.reserved = self.reserved.max(to);
    }

    /// Nobody reserves any more.
    pub(crate) fn unbound(&mut self) {
        self.reserved = u64::MAX;
        self.asked = u64::MAX;
    }

    /// Goes on behind those of another counter.
    pub(super) fn skip_to(&mut self, next: u64) {
        self.next = self.next.max(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_at_the_clock_or_behind_the_store() {
        assert_eq!(Fences::new(0, 1_700_000_000_000, false).take(), Some(1_700_000_000_000_000));
        assert_eq!(Fences::new(1_800_000_000_000_000, 5, false).take(), Some(1_800_000_000_000_000));
        assert_eq!(Fences::new(0, 0, false).take(), Some(1));
    }

    #[test]
    fn a_number_is_reserved_before_it_is_given_out() {
        let mut fences = Fences::new(7, 0, true);
        assert_eq!(fences.take(), None);
        let to = fences.ask().unwrap();
        assert_eq!(to, 7 + limits::FENCES_AHEAD);
        assert_eq!((fences.ask(), fences.take()), (None, None));
        fences.reserved(to);
        let half = limits::FENCES_AHEAD / 2;
        for expected in 7..7 + half {
            assert_eq!(fences.take(), Some(expected));
        }
        let next = fences.ask().unwrap();
        assert_eq!(next, 7 + half + limits::FENCES_AHEAD);
        fences.unbound();
        assert!(fences.ask().is_none() && fences.take().is_some());
    }
}
