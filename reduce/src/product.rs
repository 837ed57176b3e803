//! An exact product, kept as a few factors of falling size until its value is asked for.
//!
//! Multiplying each new factor into one huge number would cost the square of the size of the answer.
//! Here equals meet equals, as the carries of a binary counter do, up to a size at which a multiplication takes
//! a millisecond: longer factors are kept side by side until somebody wants to know.
//! The factors depend on the order of arrival, their product does not: equality and bytes use the product only.

use std::cmp::Reverse;

use dashu_int::UBig;
use dashu_int::ops::BitTest;

use crate::Integer;
use crate::huge::multiply_by;

/// An exact running product.
#[derive(Clone, Debug, Default)]
pub(crate) struct Product {
    /// Those after the last long one: largest first, each at least one and a half times as long as the next. A zero is
    /// alone.
    factors: Vec<Integer>,
}

/// Bits of a factor that is long.
const LONG: usize = 1 << 20;

impl Product {
    pub(crate) fn new(value: Integer) -> Self {
        let mut product = Self::default();
        product.absorb(value);
        product
    }

    pub(crate) fn absorb(&mut self, mut factor: Integer) {
        if factor.is_one() || self.is_zero() {
            return;
        }
        if factor.is_zero() {
            self.factors.clear();
        }
        while let Some(last) = self.factors.last() {
            let bits = factor.bit_len();
            if bits >= LONG || last.bit_len() >= LONG || last.bit_len() > bits + bits / 2 {
                break;
            }
            multiply_by(&mut factor, last);
            self.factors.pop();
        }
        self.factors.push(factor);
    }

    /// Multiplies in signs and magnitudes, gathering small ones into double words first.
    pub(crate) fn absorb_all(&mut self, elements: impl Iterator<Item = (bool, u128)>) {
        if self.is_zero() {
            return;
        }
        let mut gathered = Vec::new();
        let (mut negative, mut word) = (false, 1_u128);
        for (minus, magnitude) in elements {
            negative ^= minus;
            match word.checked_mul(magnitude) {
                Some(product) => word = product,
                None => gathered.push(std::mem::replace(&mut word, magnitude)),
            }
            if word == 0 {
                self.absorb(Integer::ZERO);
                return;
            }
        }
        gathered.push(word);
        let magnitude = Integer::from(multiply(&gathered));
        self.absorb(if negative { -magnitude } else { magnitude });
    }

    /// Bytes of its factors, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.factors.iter().map(|factor| size_of::<Integer>() + factor.bit_len() / 8).sum()
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for factor in other.factors {
            self.absorb(factor);
        }
    }

    /// The whole product, multiplied out: the two shortest factors first, as long as there are two.
    pub(crate) fn value(&self) -> Integer {
        let length = |factor: &Integer| Reverse(factor.bit_len());
        let mut factors = self.factors.clone();
        factors.sort_by_key(length);
        while let Some(mut factor) = factors.pop() {
            let Some(other) = factors.pop() else { return factor };
            multiply_by(&mut factor, &other);
            let place = factors.partition_point(|longer| length(longer) < length(&factor));
            factors.insert(place, factor);
        }
        Integer::ONE
    }

    /// Multiplies it out, so that its copies are.
    pub(crate) fn settle(&mut self) {
        if self.factors.len() > 1 {
            self.factors = vec![self.value()];
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.factors.first().is_some_and(Integer::is_zero)
    }
}

impl PartialEq for Product {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Product {}

/// Binary splitting, with leaves of a few double words that are multiplied one after another.
fn multiply(words: &[u128]) -> UBig {
    const LEAF: usize = 8;
    if words.len() <= LEAF {
        let mut product = UBig::ONE;
        for word in words {
            product *= *word;
        }
        return product;
    }
    let (low, high) = words.split_at(words.len() / 2);
    multiply(low) * multiply(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(values: &[i128]) -> impl Iterator<Item = (bool, u128)> {
        values.iter().map(|value| (*value < 0, value.unsigned_abs()))
    }

    #[test]
    fn gathers_and_splits() {
        let values: Vec<i128> = (1..=300).map(|i| if i % 3 == 0 { -i } else { i * 1_000_003 }).collect();
        let mut expected = Integer::ONE;
        for value in &values {
            expected *= *value;
        }
        let mut together = Product::default();
        together.absorb_all(signed(&values));
        let mut singly = Product::default();
        for value in values.iter().rev() {
            singly.absorb(Integer::from(*value));
        }
        assert_eq!(together.value(), expected);
        assert_eq!(singly.value(), expected);
        assert_eq!(together, singly);
    }

    #[test]
    fn extremes_of_the_words() {
        let mut product = Product::default();
        product.absorb_all(signed(&[i128::MIN, i128::MIN, -1, 1, i128::MAX]));
        assert_eq!(product.value(), -(Integer::ONE << 254) * Integer::from(i128::MAX));
    }

    #[test]
    fn zero_ends_it_and_one_is_nothing() {
        let mut product = Product::default();
        assert_eq!(product.value(), Integer::ONE);
        product.absorb(Integer::ONE);
        product.absorb(Integer::from(7));
        product.absorb_all(signed(&[3, 0, 5]));
        assert!(product.is_zero());
        product.absorb(Integer::from(9));
        product.merge(Product::new(Integer::from(4)));
        assert_eq!(product.value(), Integer::ZERO);
        assert_eq!(product, Product::new(Integer::ZERO));
    }

    #[test]
    fn long_factors_wait() {
        let long = |bits: usize, more: u8| (Integer::ONE << bits) + Integer::from(more);
        let mut product = Product::default();
        let mut expected = Integer::ONE;
        for factor in [long(LONG, 1), long(LONG, 5), 7.into(), 9.into(), long(2 * LONG, 3), 11.into()] {
            expected *= &factor;
            product.absorb(factor);
        }
        assert_eq!(product.factors.len(), 5);
        assert_eq!(product.value(), expected);
        let mut settled = product.clone();
        settled.settle();
        assert_eq!(settled.factors, [expected]);
        assert_eq!(settled, product);
        settled.absorb(Integer::ZERO);
        assert!(settled.is_zero() && settled.factors.len() == 1);
    }

    #[test]
    fn few_factors_are_kept() {
        let mut product = Product::default();
        for factor in 2..5_000 {
            product.absorb(Integer::from(factor));
            assert!(product.factors.len() <= 40, "{} factors", product.factors.len());
        }
    }
}
