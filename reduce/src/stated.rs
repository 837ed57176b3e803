//! A partial that somebody else has worked out: the values are taken, the elements are not seen.
//!
//! It is made so that some elements could have it: the values as one element, and neutral ones besides. So it merges with
//! others, and goes over a wire, as if it had been folded here.

use crate::bytes::possible;
use crate::extrema::NOWHERE;
use crate::{Answer, Integer, Partial, Reduction};

/// What is said of some elements; each only where it is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stated {
    /// Their sum.
    pub sum: Option<Answer>,
    /// Their product.
    pub product: Option<Answer>,
    /// The least.
    pub least: Option<Answer>,
    /// The greatest.
    pub greatest: Option<Answer>,
    /// How many there are.
    pub count: Option<u64>,
    /// There are none: no least and no greatest.
    pub none: bool,
}

impl Partial {
    /// The partial of elements of which only this is known. The values of all of `reductions` are there, but those that
    /// nothing has; no variance among them. Where the count is not stated, `elements` is what they are counted as.
    ///
    /// `None`: no elements have these values.
    #[must_use]
    pub fn stated(reductions: &[Reduction], stated: &Stated, elements: u64) -> Option<Self> {
        let mut partial = Self::identity(reductions);
        if stated.none || stated.count == Some(0) {
            let nothing = [(&stated.sum, Integer::ZERO), (&stated.product, Integer::ONE)];
            let empty = nothing
                .into_iter()
                .all(|(value, of_none)| value.as_ref().is_none_or(|value| is(value, &of_none)));
            let ends = stated.least.is_some() || stated.greatest.is_some();
            return (empty && !ends && stated.count.unwrap_or(0) == 0).then_some(partial);
        }
        // With two, one may be a float and the other an integer.
        partial.elements = stated.count.unwrap_or(elements.max(2));
        let values = [&stated.sum, &stated.product, &stated.least, &stated.greatest];
        let nan = [&stated.least, &stated.greatest].into_iter().flatten().any(is_nan);
        if values.into_iter().flatten().any(|value| matches!(value, Answer::Float(_))) {
            partial.take_floats(stated);
        }
        let basis = &mut partial.basis;
        if let (Some(sum), Some(Answer::Integer(value))) = (&mut basis.sum, &stated.sum) {
            sum.add_integer(value);
        }
        if let (Some(product), Some(Answer::Integer(value))) = (&mut basis.product, &stated.product) {
            product.absorb(value.clone());
        }
        let ends = [(&mut basis.least, &stated.least), (&mut basis.greatest, &stated.greatest)];
        for (end, value) in ends {
            let (Some(end), Some(value)) = (end, value) else { continue };
            if nan {
                // A NaN among the elements is the answer of both; what stands beside it does not matter.
                end.absorb_nan(NOWHERE);
                if partial.elements > 1 {
                    end.absorb(Answer::Integer(Integer::ZERO), NOWHERE);
                }
            } else {
                end.absorb(value.clone(), NOWHERE);
            }
        }
        possible(&partial).then_some(partial)
    }

    fn take_floats(&mut self, stated: &Stated) {
        self.of_floats = true;
        // Only floats that are -0.0, all of them, add up to that.
        let of_nothing_else =
            matches!(stated.sum, Some(Answer::Float(sum)) if sum.to_bits() == (-0.0_f64).to_bits());
        let others = [&stated.product, &stated.least, &stated.greatest];
        let integers = others.into_iter().flatten().any(|value| matches!(value, Answer::Integer(_)));
        let floats = self.basis.floats(if of_nothing_else && !integers { self.elements } else { 1 });
        if let Some(sum) = &mut floats.sum {
            sum.add(float(&stated.sum).unwrap_or(0.0));
        }
        if let (Some(product), Some(value)) = (&mut floats.product, float(&stated.product)) {
            product.add_all(&[value]);
        }
    }
}

fn float(value: &Option<Answer>) -> Option<f64> {
    match value {
        Some(Answer::Float(value)) => Some(*value),
        Some(Answer::Integer(_)) | None => None,
    }
}

fn is_nan(value: &Answer) -> bool {
    matches!(value, Answer::Float(value) if value.is_nan())
}

fn is(value: &Answer, wanted: &Integer) -> bool {
    match value {
        Answer::Integer(value) => value == wanted,
        Answer::Float(value) => Integer::try_from(*value).is_ok_and(|value| value == *wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(partials: &[Stated], reductions: &[Reduction]) -> Vec<String> {
        let mut whole = Partial::identity(reductions);
        for stated in partials {
            let partial = Partial::stated(reductions, stated, 10).expect("possible");
            // What goes over a link is what was made.
            assert_eq!(Partial::from_bytes(&partial.to_bytes()), Ok(partial.clone()));
            whole.merge(partial).unwrap();
        }
        let text = |answer: Result<Answer, _>| {
            answer.map_or_else(|_| "none".to_owned(), |answer| answer.to_string())
        };
        whole.finish(false).into_iter().map(|(_, answer)| text(answer)).collect()
    }

    fn int(value: i64) -> Option<Answer> {
        Some(Answer::Integer(value.into()))
    }

    fn real(value: f64) -> Option<Answer> {
        Some(Answer::Float(value))
    }

    #[test]
    fn values_merge_as_if_they_had_been_folded() {
        let sum = [Reduction::Sum];
        let of = |sum| Stated { sum, ..Stated::default() };
        assert_eq!(texts(&[of(int(3)), of(int(-5))], &sum), ["-2"]);
        assert_eq!(texts(&[of(real(0.1)), of(real(0.2)), of(int(1))], &sum), ["1.3"]);
        assert_eq!(texts(&[of(real(f64::NAN)), of(int(1))], &sum), ["nan"]);
        assert_eq!(texts(&[of(real(1e308)), of(real(1e308)), of(real(-1e308))], &sum), ["1e+308"]);
        // As if they had been folded.
        assert_eq!(texts(&[of(real(-0.0)), of(real(-0.0))], &sum), ["-0.0"]);
        assert_eq!(texts(&[of(real(-0.0)), of(real(0.0))], &sum), ["0.0"]);
        assert_eq!(texts(&[of(real(-0.0)), of(int(0))], &sum), ["0.0"]);
        assert_eq!(texts(&[of(real(-0.0)), of(int(3)), of(real(0.5))], &sum), ["3.5"]);
        let ends = [Reduction::Sum, Reduction::Max];
        let beside = Stated { greatest: int(0), ..of(real(-0.0)) };
        assert_eq!(texts(&[beside], &ends), ["0.0", "0"], "one of them is an integer");
        let product = [Reduction::Product];
        let of = |product| Stated { product, ..Stated::default() };
        assert_eq!(texts(&[of(int(3)), of(real(0.5)), of(int(-5))], &product), ["-7.5"]);
    }

    #[test]
    fn ends_of_nothing_give_way() {
        let ends = [Reduction::Min, Reduction::Max];
        let none = Stated { none: true, ..Stated::default() };
        let of = |least, greatest| Stated { least, greatest, ..Stated::default() };
        assert_eq!(texts(std::slice::from_ref(&none), &ends), ["none", "none"]);
        assert_eq!(texts(&[none, of(int(2), real(7.5)), of(real(2.5), int(3))], &ends), ["2", "7.5"]);
        assert_eq!(texts(&[of(int(2), real(f64::NAN)), of(int(1), int(1))], &ends), ["nan", "nan"]);
    }

    #[test]
    fn a_mean_is_of_what_was_counted() {
        let mean = [Reduction::Mean, Reduction::Count];
        let of = |sum, count| Stated { sum, count: Some(count), ..Stated::default() };
        assert_eq!(texts(&[of(int(6), 3), of(int(0), 0), of(int(4), 1)], &mean), ["2.5", "4"]);
        assert_eq!(texts(&[of(real(0.5), 1), of(int(0), 0)], &mean), ["0.5", "1"]);
    }

    #[test]
    fn what_no_elements_have_is_refused() {
        let list = [Reduction::Sum, Reduction::Min, Reduction::Count];
        let made = |stated: Stated| Partial::stated(&list, &stated, 10);
        assert!(made(Stated { sum: int(5), count: Some(0), ..Stated::default() }).is_none());
        assert!(made(Stated { sum: int(0), least: int(1), count: Some(0), ..Stated::default() }).is_none());
        assert!(made(Stated { sum: int(0), none: true, count: Some(3), ..Stated::default() }).is_none());
        assert!(
            made(Stated { sum: real(1.5), least: int(1), count: Some(1), ..Stated::default() }).is_none()
        );
    }
}
