//! The least and the greatest element so far, and where it was first seen.
//!
//! Neither has a value before the first element: there is no number that could stand for "none". Integers and
//! floats compare by their exact values, -0.0 lies below 0, and NaN lies nowhere: it is kept apart.

use std::cmp::Ordering;

use crate::float::FloatSum;
use crate::{Answer, Integer};

/// Which end is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Least,
    Greatest,
}

/// The index of an element of which nobody said where it is. It gives way to every other.
pub(crate) const NOWHERE: u64 = u64::MAX;

/// The element nearest to one end, if there was any.
#[derive(Clone, Debug)]
pub(crate) struct Extremum {
    end: End,
    best: Option<(Answer, u64)>,
    /// Where the first NaN was, if there was one.
    nan: Option<u64>,
}

impl Extremum {
    pub(crate) fn new(end: End, best: Option<(Answer, u64)>, nan: Option<u64>) -> Self {
        Self { end, best, nan }
    }

    pub(crate) fn best(&self) -> Option<&(Answer, u64)> {
        self.best.as_ref()
    }

    pub(crate) fn nan(&self) -> Option<u64> {
        self.nan
    }

    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// How `value` compares with the best; `Greater` is better.
    pub(crate) fn judge(&self, value: &Answer) -> Ordering {
        let Some((best, _)) = &self.best else { return Ordering::Greater };
        match self.end {
            End::Least => order(best, value),
            End::Greatest => order(value, best),
        }
    }

    /// Takes a value that is no NaN.
    pub(crate) fn absorb(&mut self, value: Answer, index: u64) {
        let better = match self.judge(&value) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => self.best.as_ref().is_some_and(|(best, first)| {
                index < *first || (index == *first && matches!(best, Answer::Float(_)))
            }),
        };
        if better {
            self.best = Some((value, index));
        }
    }

    pub(crate) fn absorb_nan(&mut self, index: u64) {
        self.nan = Some(self.nan.map_or(index, |first| first.min(index)));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        if let Some((value, index)) = other.best {
            self.absorb(value, index);
        }
        if let Some(index) = other.nan {
            self.absorb_nan(index);
        }
    }
}

impl PartialEq for Extremum {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.best, &other.best) {
            (Some((Answer::Integer(a), i)), Some((Answer::Integer(b), j))) => a == b && i == j,
            (Some((Answer::Float(a), i)), Some((Answer::Float(b), j))) => {
                a.to_bits() == b.to_bits() && i == j
            }
            (None, None) => true,
            _ => false,
        };
        same && self.end == other.end && self.nan == other.nan
    }
}

impl Eq for Extremum {}

/// The order of exact values, with -0.0 below 0; no NaN.
pub(crate) fn order(a: &Answer, b: &Answer) -> Ordering {
    match (a, b) {
        (Answer::Integer(a), Answer::Integer(b)) => a.cmp(b),
        (Answer::Float(a), Answer::Float(b)) => a.total_cmp(b),
        (Answer::Integer(a), Answer::Float(b)) => mixed(a, *b),
        (Answer::Float(a), Answer::Integer(b)) => mixed(b, *a).reverse(),
    }
}

fn mixed(integer: &Integer, float: f64) -> Ordering {
    const EXACT: i64 = 1 << 53;
    match i64::try_from(integer) {
        Ok(short) if (-EXACT..=EXACT).contains(&short) => (short as f64).total_cmp(&float),
        _ if float.is_infinite() => 0.0_f64.total_cmp(&float),
        _ => {
            let mut units = FloatSum::new();
            units.add(float);
            (integer << 1074).cmp(&units.units())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: i64) -> Answer {
        Answer::Integer(value.into())
    }

    #[test]
    fn keeps_its_end_and_the_first_of_equals() {
        let mut least = Extremum::new(End::Least, None, None);
        let mut greatest = Extremum::new(End::Greatest, None, None);
        assert_eq!(least.best(), None);
        for (index, value) in [3, -7, 12, 0, -7, 12].into_iter().enumerate() {
            least.absorb(integer(value), index as u64);
            greatest.absorb(integer(value), index as u64);
        }
        least.merge(Extremum::new(End::Least, None, None));
        assert_eq!(least.best(), Some(&(integer(-7), 1)));
        assert_eq!(greatest.best(), Some(&(integer(12), 2)));
        greatest.merge(Extremum::new(End::Greatest, Some((integer(12), 1)), Some(9)));
        assert_eq!(greatest.best(), Some(&(integer(12), 1)));
        greatest.merge(Extremum::new(End::Greatest, Some((integer(13), NOWHERE)), Some(8)));
        assert_eq!((greatest.best(), greatest.nan()), (Some(&(integer(13), NOWHERE)), Some(8)));
    }

    #[test]
    fn integers_and_floats_compare_exactly() {
        let float = Answer::Float;
        let big = |text: &str| Answer::Integer(text.parse().unwrap());
        for (low, high) in [
            (integer(1), float(1.5)),
            (float(-0.0), integer(0)),
            (float(-0.0), float(0.0)),
            (float(9_007_199_254_740_992.0), integer(9_007_199_254_740_993)),
            (integer(9_007_199_254_740_993), float(9_007_199_254_740_994.0)),
            (float(f64::MAX), big(&format!("1{}", "0".repeat(309)))),
            (big(&format!("1{}", "0".repeat(309))), float(f64::INFINITY)),
            (float(f64::NEG_INFINITY), big(&format!("-1{}", "0".repeat(309)))),
            (big("-100000000000000000000"), float(5e-324)),
        ] {
            assert_eq!(order(&low, &high), Ordering::Less, "{low} {high}");
            assert_eq!(order(&high, &low), Ordering::Greater, "{low} {high}");
        }
        assert_eq!(order(&integer(0), &float(0.0)), Ordering::Equal);
        assert_eq!(order(&float(1e22), &big("10000000000000000000000")), Ordering::Equal);
    }

    #[test]
    fn equals_of_both_kinds_have_one_winner() {
        let kinds = [(integer(2), 5), (Answer::Float(2.0), 5), (Answer::Float(2.0), NOWHERE)];
        for a in &kinds {
            for b in &kinds {
                let [mut ab, mut ba] = [(a, b), (b, a)].map(|(one, two)| {
                    let mut extremum = Extremum::new(End::Least, None, None);
                    extremum.absorb(one.0.clone(), one.1);
                    extremum.absorb(two.0.clone(), two.1);
                    extremum
                });
                assert_eq!(ab, ba);
                ab.merge(ba.clone());
                ba.merge(ab.clone());
                assert_eq!(ab, ba);
            }
        }
    }
}
