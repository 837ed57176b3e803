//! The least and the greatest element so far.
//!
//! Neither has a value before the first element: there is no integer that could stand for "none".

use crate::Integer;

/// Which end is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Least,
    Greatest,
}

/// The element nearest to one end, if there was any.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Extremum {
    end: End,
    best: Option<Integer>,
}

impl Extremum {
    pub(crate) fn new(end: End, best: Option<Integer>) -> Self {
        Self { end, best }
    }

    pub(crate) fn best(&self) -> Option<&Integer> {
        self.best.as_ref()
    }

    pub(crate) fn absorb(&mut self, value: Integer) {
        let better = match (&self.best, self.end) {
            (None, _) => true,
            (Some(best), End::Least) => value < *best,
            (Some(best), End::Greatest) => value > *best,
        };
        if better {
            self.best = Some(value);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        if let Some(value) = other.best {
            self.absorb(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_end() {
        let mut least = Extremum::new(End::Least, None);
        let mut greatest = Extremum::new(End::Greatest, None);
        assert_eq!(least.best(), None);
        for value in [3, -7, 12, 0] {
            least.absorb(Integer::from(value));
            greatest.absorb(Integer::from(value));
        }
        least.merge(Extremum::new(End::Least, None));
        greatest.merge(Extremum::new(End::Greatest, Some(Integer::ONE << 99)));
        assert_eq!(least.best(), Some(&Integer::from(-7)));
        assert_eq!(greatest.best(), Some(&(Integer::ONE << 99)));
    }
}
