//! The mergeable answer for some of the elements.
//!
//! A partial never depends on the order in which elements or other partials came in: two partials over the same
//! elements are equal and have the same bytes.

use std::fmt;

use crate::basis::Basis;
use crate::extrema::{Extremum, NOWHERE};
use crate::float::FloatSum;
use crate::indices::Indices;
use crate::round::{ratio_to_f64, sqrt_ratio_to_f64};
use crate::{Answer, Integer, NoAnswer, Reduction, integer_fold};

/// Binary places of the exact sums of floats, and of their squares.
const PLACES: usize = 1074;

/// The mergeable answer for some elements, for a list of reductions asked together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partial {
    pub(crate) reductions: Vec<Reduction>,
    pub(crate) elements: u64,
    pub(crate) skipped: u64,
    /// Values that were made a NaN.
    pub(crate) made_nan: u64,
    /// The answers are floats, also if no element came that is one.
    pub(crate) of_floats: bool,
    pub(crate) basis: Basis,
}

/// Why two partials cannot become one. The text fits after "could not".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// They were made for different reductions, or for the same in a different order.
    Reductions,
    /// Together they would count 2^64 elements or more.
    Elements,
    /// The groups would take too much memory.
    Groups {
        /// How many there were when it became too much.
        groups: usize,
        /// How much they may take.
        bytes_max: usize,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reductions => f.write_str("merge partials of different reductions"),
            Self::Elements => f.write_str("merge partials of 2^64 elements or more"),
            Self::Groups { groups, bytes_max } => {
                write!(
                    f,
                    "hold all groups: {groups} of them need more than the {bytes_max} bytes that groups may take"
                )
            }
        }
    }
}

impl std::error::Error for Mismatch {}

impl Partial {
    /// The partial of no elements. The order of the list is the order of the answers.
    pub fn identity(reductions: &[Reduction]) -> Self {
        Self {
            reductions: reductions.to_vec(),
            elements: 0,
            skipped: 0,
            made_nan: 0,
            of_floats: false,
            basis: Basis::identity(reductions),
        }
    }

    /// The reductions this is for, in the order asked.
    pub fn reductions(&self) -> &[Reduction] {
        &self.reductions
    }

    /// Bytes of memory that it takes, roughly: what grows is counted, and what is of one size.
    pub fn memory_bytes(&self) -> usize {
        let factors = self.basis.product.as_ref().map_or(0, crate::product::Product::memory_bytes);
        let floats = self.basis.floats.as_ref().map_or(0, |floats| floats.memory_bytes());
        size_of::<Self>() + self.reductions.len() + factors + floats
    }

    /// Bytes of integers beyond 128 bits in the sum and the extrema, roughly.
    pub fn large_integer_bytes(&self) -> usize {
        let sum = self.basis.sum.as_ref().map_or(0, crate::total::Total::spilled_bytes);
        let extrema = [&self.basis.least, &self.basis.greatest];
        let extreme = |extremum: &Extremum| match extremum.best() {
            Some((Answer::Integer(value), _)) => crate::byte_length(value),
            Some((Answer::Float(_), _)) | None => 0,
        };
        sum + extrema.into_iter().flatten().map(extreme).filter(|&bytes| bytes > 16).sum::<usize>()
    }

    /// How many elements were folded; those left out are not counted here.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// How many were left out: NaN that were to be skipped, and what [`Partial::skip`] was told.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many values were made a NaN, as [`Partial::make_nan`] was told.
    pub fn made_nan(&self) -> u64 {
        self.made_nan
    }

    /// Whether it matters to it where elements stand.
    pub fn wants_places(&self) -> bool {
        self.basis.least.is_some() || self.basis.greatest.is_some()
    }

    /// Where the answer of [`Reduction::Min`] or [`Reduction::Max`] first stands, if that was asked for and is
    /// known; if the answer is NaN, where the first NaN is.
    pub fn first_index(&self, reduction: Reduction) -> Option<u64> {
        let extremum = self.extremum(reduction)?;
        let index = extremum.nan().or_else(|| extremum.best().map(|(_, index)| *index))?;
        (index != NOWHERE).then_some(index)
    }

    /// Folds the `count` elements `first`, `first + step`, `first + 2 * step`, ...
    ///
    /// Every element is visited; there is no closed form. `keep_going` is told how many elements of this call
    /// are done, at least about once a millisecond and not after the last element. If it returns false the
    /// fold stops and so does this function, with false; the partial is then good for nothing.
    /// The exception is a long product: one multiplication of large factors is never interrupted, and near the
    /// end of a million factors that can be some tenths of a second.
    /// Also false, at once, if 2^64 elements or more would be counted.
    /// Where the elements stand is not noted.
    #[must_use = "after false the partial must be thrown away"]
    pub fn absorb_progression(
        &mut self,
        first: &Integer,
        step: &Integer,
        count: u64,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> bool {
        self.absorb_placed_progression(first, step, count, Indices::Unknown, keep_going)
    }

    /// [`Partial::absorb_progression`] of elements whose indices are known.
    #[must_use = "after false the partial must be thrown away"]
    pub fn absorb_placed_progression(
        &mut self,
        first: &Integer,
        step: &Integer,
        count: u64,
        indices: Indices<'_>,
        keep_going: &mut dyn FnMut(u64) -> bool,
    ) -> bool {
        let Some(elements) = self.elements.checked_add(count) else { return false };
        self.elements = elements;
        integer_fold::fold(&mut self.basis, first, step, count, indices, keep_going)
    }

    /// Adds the elements of another partial. Commutative and associative, and `identity` changes nothing.
    ///
    /// # Errors
    /// If the two do not fit together; then `self` is as it was.
    pub fn merge(&mut self, other: Self) -> Result<(), Mismatch> {
        if self.reductions != other.reductions {
            return Err(Mismatch::Reductions);
        }
        self.elements = self.elements.checked_add(other.elements).ok_or(Mismatch::Elements)?;
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.made_nan = self.made_nan.saturating_add(other.made_nan);
        self.of_floats |= other.of_floats;
        self.basis.merge(other.basis);
        Ok(())
    }

    /// Multiplies out what was put off.
    pub(crate) fn settle(&mut self) {
        if let Some(product) = &mut self.basis.product {
            product.settle();
        }
    }

    /// Gives back the room that fast adding took, for one of many partials that are kept; all else stays as it is.
    pub fn tidy(&mut self) {
        if let Some(sum) = self.basis.floats.as_mut().and_then(|floats| floats.sum.as_mut()) {
            sum.tidy();
        }
    }

    /// The answers, in the order asked; variance and standard deviation of a `population` or of a sample.
    pub fn finish(&self, population: bool) -> Vec<(Reduction, Result<Answer, NoAnswer>)> {
        self.reductions.iter().map(|reduction| (*reduction, self.answer(*reduction, population))).collect()
    }

    fn answer(&self, reduction: Reduction, population: bool) -> Result<Answer, NoAnswer> {
        let empty = NoAnswer::Empty { reduction };
        match reduction {
            Reduction::Sum => Ok(self.sum()),
            Reduction::Product => self.product(),
            Reduction::Count => Ok(Answer::Integer(self.elements.into())),
            Reduction::Min | Reduction::Max => match self.extremum(reduction) {
                Some(extremum) if extremum.nan().is_some() => Ok(Answer::Float(f64::NAN)),
                Some(extremum) => extremum.best().map(|(value, _)| value.clone()).ok_or(empty),
                None => Err(empty),
            },
            Reduction::Mean if self.elements == 0 => Err(empty),
            Reduction::Mean => Ok(Answer::Float(self.mean())),
            Reduction::Variance | Reduction::Stddev => {
                self.spread(reduction, population).map(|spread| Answer::Float(spread.unwrap_or(f64::NAN)))
            }
        }
    }

    fn extremum(&self, reduction: Reduction) -> Option<&Extremum> {
        match reduction {
            Reduction::Min => self.basis.least.as_ref(),
            Reduction::Max => self.basis.greatest.as_ref(),
            _ => None,
        }
    }

    fn float_sum(&self) -> Option<&FloatSum> {
        self.basis.floats.as_ref().and_then(|floats| floats.sum.as_ref())
    }

    fn only_floats(&self) -> bool {
        self.basis.floats.as_ref().is_some_and(|floats| floats.count == self.elements)
    }

    fn sum(&self) -> Answer {
        match self.float_sum() {
            None if self.of_floats => Answer::Float(self.sum_over(&Integer::ONE)),
            None => Answer::Integer(self.integer_sum()),
            Some(floats) if self.only_floats() => Answer::Float(floats.value()),
            Some(_) => Answer::Float(self.sum_over(&Integer::ONE)),
        }
    }

    fn mean(&self) -> f64 {
        self.sum_over(&self.elements.into())
    }

    /// The sum of integers and floats over a positive integer, rounded once.
    fn sum_over(&self, divisor: &Integer) -> f64 {
        let Some(floats) = self.float_sum() else { return ratio_to_f64(&self.integer_sum(), divisor) };
        if let Some(special) = floats.special() {
            return special;
        }
        if self.only_floats() && floats.is_negative_zero() {
            return -0.0;
        }
        ratio_to_f64(&self.sum_units(), &(divisor << PLACES))
    }

    fn integer_sum(&self) -> Integer {
        self.basis.sum.as_ref().map_or(Integer::ZERO, |sum| sum.value())
    }

    /// The sum of all finite elements, in units of 2^-1074 if there are floats.
    fn sum_units(&self) -> Integer {
        match self.float_sum() {
            None => self.integer_sum(),
            Some(floats) => (self.integer_sum() << PLACES) + floats.units(),
        }
    }

    /// The sum of the squares of all finite elements, in the squares of those units.
    fn square_units(&self) -> Integer {
        let squares = self.basis.squares.as_ref().map_or(Integer::ZERO, |squares| squares.value());
        match self.basis.floats.as_ref().and_then(|floats| floats.squares.as_ref()) {
            None => squares,
            Some(floats) => (squares << (2 * PLACES)) + floats.units(),
        }
    }

    /// n * sum of squares - sum^2, which is never negative, in the squares of the units.
    pub(crate) fn spread_units(&self) -> Integer {
        let sum = self.sum_units();
        Integer::from(self.elements) * self.square_units() - &sum * &sum
    }

    /// The variance or its root; none if an element is not finite.
    fn spread(&self, reduction: Reduction, population: bool) -> Result<Option<f64>, NoAnswer> {
        match self.elements {
            0 => return Err(NoAnswer::Empty { reduction }),
            1 if !population => return Err(NoAnswer::TooFew { reduction }),
            _ => {}
        }
        let floats = self.float_sum();
        if floats.is_some_and(|floats| floats.special().is_some()) {
            return Ok(None);
        }
        let count = Integer::from(self.elements);
        let below = if population { &count * &count } else { &count * (&count - 1) };
        let below = if floats.is_some() { below << (2 * PLACES) } else { below };
        let above = self.spread_units();
        Ok(Some(match reduction {
            Reduction::Variance => ratio_to_f64(&above, &below),
            _ => sqrt_ratio_to_f64(&above, &below),
        }))
    }

    fn product(&self) -> Result<Answer, NoAnswer> {
        let integers = self.basis.product.as_ref().map_or(Integer::ONE, |product| product.value());
        match self.basis.floats.as_ref().and_then(|floats| floats.product.as_ref()) {
            None if self.of_floats => Ok(Answer::Float(ratio_to_f64(&integers, &Integer::ONE))),
            None => Ok(Answer::Integer(integers)),
            Some(floats) => floats.times(&integers).map(Answer::Float).ok_or(NoAnswer::TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reductions: &[Reduction], values: &[i64]) -> Partial {
        let mut partial = Partial::identity(reductions);
        for value in values {
            assert!(partial.absorb_progression(&(*value).into(), &Integer::ZERO, 1, &mut |_| true));
        }
        partial
    }

    fn texts(partial: &Partial, population: bool) -> Vec<String> {
        let text = |answer: Result<Answer, NoAnswer>| match answer {
            Ok(answer) => answer.to_string(),
            Err(why) => format!("could not compute {why}"),
        };
        partial.finish(population).into_iter().map(|(_, answer)| text(answer)).collect()
    }

    #[test]
    fn of_nothing() {
        let partial = of(&Reduction::ALL, &[]);
        assert_eq!(
            texts(&partial, true),
            [
                "0",
                "1",
                "could not compute the minimum: there are no elements",
                "could not compute the maximum: there are no elements",
                "0",
                "could not compute the mean: there are no elements",
                "could not compute the variance: there are no elements",
                "could not compute the standard deviation: there are no elements",
            ]
        );
        assert_eq!(texts(&partial, true), texts(&partial, false));
    }

    #[test]
    fn of_one() {
        let partial = of(&Reduction::ALL, &[-4]);
        assert_eq!(
            texts(&partial, false),
            [
                "-4",
                "-4",
                "-4",
                "-4",
                "1",
                "-4.0",
                "could not compute the sample variance of one element: it needs at least two",
                "could not compute the sample standard deviation of one element: it needs at least two",
            ]
        );
        assert_eq!(texts(&partial, true)[5..], ["-4.0", "0.0", "0.0"]);
    }

    #[test]
    fn of_some() {
        let partial = of(&Reduction::ALL, &[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!(texts(&partial, true), ["40", "201600", "2", "9", "8", "5.0", "4.0", "2.0"]);
        assert_eq!(texts(&partial, false)[6..], ["4.571428571428571", "2.138089935299395"]);
    }

    #[test]
    fn answers_that_others_get_wrong() {
        let max = of(&[Reduction::Sum], &[i64::MAX, i64::MAX]);
        assert_eq!(texts(&max, false), ["18446744073709551614"]);
        let e16 = 10_000_000_000_000_000;
        let around = of(&[Reduction::Variance], &[e16, e16 + 2, e16 + 4]);
        assert_eq!(texts(&around, true), ["2.6666666666666665"]);
        let cancelling = of(&[Reduction::Mean], &[e16, 3, -e16]);
        assert_eq!(texts(&cancelling, true), ["1.0"]);
    }

    #[test]
    fn no_floats_come_to_a_float() {
        let mut none = Partial::identity(&Reduction::ALL);
        none.expect_floats();
        none.make_nan(3);
        assert_eq!(texts(&none, true)[..2], ["0.0", "1.0"]);
        assert_eq!(texts(&none, true)[4], "0");
        let back = Partial::from_bytes(&none.to_bytes()).unwrap();
        assert_eq!((&back, back.made_nan(), back.to_bytes()), (&none, 3, none.to_bytes()));
        // A NaN that is left out says nothing.
        let mut left_out = Partial::identity(&[Reduction::Sum, Reduction::Max]);
        left_out.absorb_f64(&[f64::NAN], Indices::Unknown, crate::NanPolicy::Skip).unwrap();
        let left_out = Partial::from_bytes(&left_out.to_bytes()).unwrap();
        assert_eq!((left_out.skipped(), &*texts(&left_out, false)[0]), (1, "0"));
        // Whoever says so, in any order.
        let mut integers = of(&Reduction::ALL, &[1, 2]);
        let mut other = none.clone();
        other.merge(integers.clone()).unwrap();
        integers.merge(none).unwrap();
        assert_eq!(integers.to_bytes(), other.to_bytes());
        assert_eq!(texts(&Partial::from_bytes(&other.to_bytes()).unwrap(), true)[..2], ["3.0", "2.0"]);
    }

    #[test]
    fn order_and_repeats_of_the_list_are_kept() {
        let list = [Reduction::Max, Reduction::Sum, Reduction::Max];
        let partial = of(&list, &[1, 2, 3]);
        assert_eq!(partial.reductions(), list);
        assert_eq!(texts(&partial, false), ["3", "6", "3"]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut partial = of(&[Reduction::Sum, Reduction::Max], &[5]);
        let before = partial.clone();
        for list in [&[Reduction::Sum][..], &[Reduction::Max, Reduction::Sum], &[]] {
            assert_eq!(partial.merge(Partial::identity(list)), Err(Mismatch::Reductions));
        }
        let mut most = Partial::identity(&before.reductions);
        most.elements = u64::MAX;
        assert_eq!(partial.merge(most.clone()), Err(Mismatch::Elements));
        assert_eq!(partial, before);
        assert!(!most.absorb_progression(&Integer::ONE, &Integer::ONE, 1, &mut |_| true));
        assert_eq!(Mismatch::Reductions.to_string(), "merge partials of different reductions");
    }
}
