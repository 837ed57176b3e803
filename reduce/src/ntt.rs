//! Convolutions by number-theoretic transforms modulo 2^64 - 2^32 + 1: the road of every processor, and for numbers that
//! are too long for the other one (`twin`).

use crate::convolver::Convolver;

/// The prime. 2^32 divides what is one below it, so there are roots of unity for every length wanted.
const PRIME: u64 = 0xffff_ffff_0000_0001;
/// 2^64 modulo the prime.
const WRAP: u64 = 0xffff_ffff;
/// A generator of the multiplicative group.
const GENERATOR: u64 = 7;

/// Below this length a transform stays in the first-level cache and need not be cut further.
const CACHED: usize = 2_048;

/// Roots of unity for transforms of every power of two up to a length.
pub(crate) struct Roots {
    /// From `half` on, the first `half` powers of the root of order `2 * half`.
    forward: Vec<u64>,
    backward: Vec<u64>,
}

impl Roots {
    /// For lengths up to `length`, a power of two.
    pub(crate) fn new(length: usize) -> Self {
        let mut tables = [vec![0; length.max(2)], vec![0; length.max(2)]];
        let mut half = 1;
        while half < length {
            let root = power(GENERATOR, (PRIME - 1) / (2 * half as u64));
            for (table, root) in tables.iter_mut().zip([root, power(root, PRIME - 2)]) {
                let mut value = 1;
                for slot in &mut table[half..2 * half] {
                    *slot = value;
                    value = times(value, root);
                }
            }
            half *= 2;
        }
        let [forward, backward] = tables;
        Self { forward, backward }
    }

    /// The transform, in an order of its own.
    fn split_all(&self, values: &mut [u64]) {
        let length = values.len();
        if length <= CACHED {
            let mut span = length;
            while span > 1 {
                for part in values.chunks_exact_mut(span) {
                    self.part(part);
                }
                span /= 2;
            }
            return;
        }
        self.part(values);
        let (low, high) = values.split_at_mut(length / 2);
        self.split_all(low);
        self.split_all(high);
    }

    #[inline(always)]
    fn part(&self, values: &mut [u64]) {
        let half = values.len() / 2;
        let (low, high) = values.split_at_mut(half);
        for ((a, b), root) in low.iter_mut().zip(high).zip(&self.forward[half..]) {
            let (x, y) = (*a, *b);
            *a = plus(x, y);
            *b = times(minus(x, y), *root);
        }
    }

    /// Undoes [`Roots::split_all`].
    fn undo(&self, values: &mut [u64]) {
        self.join_all(values);
        let scale = power(values.len() as u64, PRIME - 2);
        for value in values {
            *value = times(*value, scale);
        }
    }

    fn join_all(&self, values: &mut [u64]) {
        let length = values.len();
        if length <= CACHED {
            let mut span = 2;
            while span <= length {
                for part in values.chunks_exact_mut(span) {
                    self.join(part);
                }
                span *= 2;
            }
            return;
        }
        let (low, high) = values.split_at_mut(length / 2);
        self.join_all(low);
        self.join_all(high);
        self.join(values);
    }

    #[inline(always)]
    fn join(&self, values: &mut [u64]) {
        let half = values.len() / 2;
        let (low, high) = values.split_at_mut(half);
        for ((a, b), root) in low.iter_mut().zip(high).zip(&self.backward[half..]) {
            let (x, y) = (*a, times(*b, *root));
            *a = plus(x, y);
            *b = minus(x, y);
        }
    }
}

impl Convolver for Roots {
    type Transformed = Vec<u64>;
    const DIGIT_BITS: usize = 20;
    const LIMB_DIGITS: u32 = 6;
    const COEFFICIENT_MAX: u128 = PRIME as u128 - 1;
    const LENGTH_MIN: usize = 2;

    fn transform(&self, numbers: &[u64], length: usize) -> Vec<u64> {
        let mut values = Vec::with_capacity(length);
        values.extend_from_slice(numbers);
        values.resize(length, 0);
        self.split_all(&mut values);
        values
    }

    fn multiply(&self, ours: &mut Vec<u64>, theirs: &Vec<u64>) {
        for (value, other) in ours.iter_mut().zip(theirs) {
            *value = times(*value, *other);
        }
    }

    fn transform_back(&self, mut values: Vec<u64>) -> impl Iterator<Item = u128> {
        self.undo(&mut values);
        values.into_iter().map(u128::from)
    }

    #[inline]
    fn divide(coefficient: u128) -> (u64, u64) {
        let coefficient = low(coefficient);
        (coefficient / Self::LIMB, coefficient % Self::LIMB)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is wanted")]
fn low(value: u128) -> u64 {
    value as u64
}

#[inline(always)]
fn plus(a: u64, b: u64) -> u64 {
    let (sum, over) = a.overflowing_add(b);
    if over || sum >= PRIME { sum.wrapping_sub(PRIME) } else { sum }
}

#[inline(always)]
fn minus(a: u64, b: u64) -> u64 {
    let (difference, under) = a.overflowing_sub(b);
    if under { difference.wrapping_add(PRIME) } else { difference }
}

/// Both below the prime, and so is the product.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a double word")]
fn times(a: u64, b: u64) -> u64 {
    // With e = 2^32: e^2 = e - 1 and e^3 = -1 modulo the prime.
    let product = u128::from(a) * u128::from(b);
    let (low, high) = (product as u64, (product >> 64) as u64);
    let (difference, under) = low.overflowing_sub(high >> 32);
    // The difference is so large after an underflow that this cannot underflow again.
    let difference = if under { difference.wrapping_sub(WRAP) } else { difference };
    let middle = (high & WRAP) * WRAP;
    let (sum, over) = difference.overflowing_add(middle);
    let sum = if over { sum.wrapping_add(WRAP) } else { sum };
    if sum >= PRIME { sum - PRIME } else { sum }
}

fn power(base: u64, exponent: u64) -> u64 {
    crate::power::power(base, exponent, times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_root_has_the_right_order() {
        for bits in 1..=32 {
            let root = power(GENERATOR, (PRIME - 1) >> bits);
            assert_eq!(power(root, 1 << (bits - 1)), PRIME - 1);
        }
        let edges = [0, 1, 2, WRAP - 1, WRAP, WRAP + 1, 1 << 63, PRIME - WRAP, PRIME - 2, PRIME - 1];
        for a in edges {
            for b in edges {
                let (wide, prime) = (u128::from(a) * u128::from(b), u128::from(PRIME));
                assert_eq!(u128::from(times(a, b)), wide % prime, "{a} {b}");
                assert_eq!(u128::from(plus(a, b)), (u128::from(a) + u128::from(b)) % prime);
                assert_eq!(u128::from(minus(a, b)), (u128::from(a) + prime - u128::from(b)) % prime);
            }
        }
    }

    proptest! {
        #[test]
        fn products_are_products(a in 0..PRIME, b in 0..PRIME) {
            prop_assert_eq!(u128::from(times(a, b)), u128::from(a) * u128::from(b) % u128::from(PRIME));
        }
    }
}
