//! The product of two huge integers, by one convolution of their 20-bit digits.

use dashu_int::{Sign, UBig};

use crate::Integer;
use crate::ntt::{COEFFICIENT_MAX, Roots, multiply};

const BITS: usize = 20;
const DIGIT_MAX: u64 = (1 << BITS) - 1;
/// Sixteen digits are five words.
const WORDS: usize = 5;
const DIGITS: usize = 16;

/// Shorter factors are left to the library.
const WORDS_MIN: usize = 8_000;
/// Words of the shorter factor for which a coefficient cannot reach the prime.
const WORDS_MAX: u64 = COEFFICIENT_MAX / (DIGIT_MAX * DIGIT_MAX) / 4;

/// Multiplies `into` by `factor`.
pub(crate) fn multiply_by(into: &mut Integer, factor: &Integer) {
    let (mine, other) = (into.as_sign_words(), factor.as_sign_words());
    let short = mine.1.len().min(other.1.len());
    let long = mine.1.len().max(other.1.len());
    // A factor much longer than the other is better cut up, which the library does.
    if short < WORDS_MIN || short as u64 > WORDS_MAX || long > 4 * short {
        *into *= factor;
        return;
    }
    let sign = if mine.0 == other.0 { Sign::Positive } else { Sign::Negative };
    *into = Integer::from_parts(sign, product(mine.1, other.1));
}

fn product(a: &[u64], b: &[u64]) -> UBig {
    let (a, b) = (digits(a), digits(b));
    let length = (a.len() + b.len()).next_power_of_two();
    let roots = Roots::new(length);
    let [mut a, mut b] = [a, b].map(|mut digits| {
        digits.resize(length, 0);
        roots.transform(&mut digits);
        digits
    });
    multiply(&mut a, &b);
    b.clear();
    roots.transform_back(&mut a);
    UBig::from_words(&words(&a))
}

/// The 20-bit digits of words.
fn digits(words: &[u64]) -> Vec<u64> {
    let mut digits = Vec::with_capacity(words.len().div_ceil(WORDS) * DIGITS);
    for group in words.chunks(WORDS) {
        let mut five = [0; WORDS + 1];
        for (to, word) in five.iter_mut().zip(group) {
            *to = *word;
        }
        for digit in 0..DIGITS {
            let (word, shift) = (digit * BITS / 64, digit * BITS % 64);
            let pair = u128::from(five[word]) | u128::from(five[word + 1]) << 64;
            digits.push(low(pair >> shift) & DIGIT_MAX);
        }
    }
    digits
}

/// Words from coefficients, which carry into each other.
fn words(coefficients: &[u64]) -> Vec<u64> {
    let mut words = Vec::with_capacity(coefficients.len() * BITS / 64 + 2);
    // Digits that are done, above them the carry.
    let (mut carry, mut word, mut bits) = (0_u128, 0_u128, 0);
    for coefficient in coefficients.iter().copied().chain([0; 4]) {
        carry += u128::from(coefficient);
        word |= u128::from(low(carry) & DIGIT_MAX) << bits;
        carry >>= BITS;
        bits += BITS;
        if bits >= 64 {
            words.push(low(word));
            word >>= 64;
            bits -= 64;
        }
    }
    words.push(low(word));
    words
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is wanted")]
fn low(value: u128) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn check(a: &[u64], b: &[u64]) {
        assert_eq!(product(a, b), UBig::from_words(a) * UBig::from_words(b));
    }

    proptest! {
        #[test]
        fn products_are_the_library_s(a in vec(any::<u64>(), 1..60), b in vec(any::<u64>(), 1..60)) {
            check(&a, &b);
        }
    }

    #[test]
    fn all_bits_set() {
        for length in [1, 4, 5, 6, 799, 8_000] {
            check(&vec![u64::MAX; length], &vec![u64::MAX; length]);
            check(&vec![u64::MAX; length], &[1]);
        }
        const { assert!(WORDS_MAX > 1_000_000) };
    }

    #[test]
    fn signs_and_lengths() {
        let value = |words: usize| Integer::from(UBig::from_words(&vec![0xdead_beef_0123_4567; words]));
        for (a, b) in [(7_999, 8_000), (8_000, 8_000), (8_001, 12_000), (8_000, 32_001)] {
            for (a, b) in [(value(a), value(b)), (-value(a), value(b)), (-value(b), -value(a))] {
                let mut mine = a.clone();
                multiply_by(&mut mine, &b);
                assert_eq!(mine, a * b);
            }
        }
    }
}
