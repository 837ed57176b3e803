//! The product of two huge integers, by one convolution of their digits.

use dashu_int::{Sign, UBig};

use crate::Integer;
use crate::convolver::Convolver;
use crate::float::cpu::Cpu;
use crate::ntt::Roots;

/// Words of a group, which has a whole number of digits.
const WORDS: usize = 5;

/// Shorter factors are left to the library.
const WORDS_MIN: usize = 8_000;
/// The same where the processor has the fast road.
const WORDS_MIN_FAST: usize = 400;

/// Words of the shorter factor for which a coefficient cannot pass the greatest.
const fn words_max<C: Convolver>() -> u128 {
    let digit_max = (1 << C::DIGIT_BITS) - 1;
    C::COEFFICIENT_MAX / (digit_max * digit_max) * C::DIGIT_BITS as u128 / 64 - WORDS as u128
}

/// Multiplies `into` by `factor`.
pub(crate) fn multiply_by(into: &mut Integer, factor: &Integer) {
    multiply_on(Cpu::best(), into, factor);
}

fn multiply_on(cpu: Cpu, into: &mut Integer, factor: &Integer) {
    let (mine, other) = (into.as_sign_words(), factor.as_sign_words());
    let short = mine.1.len().min(other.1.len());
    let long = mine.1.len().max(other.1.len());
    // A factor much longer than the other is better cut up, which the library does.
    let magnitude = match cpu {
        _ if long > 4 * short => None,
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(avx2) if short >= WORDS_MIN_FAST && short as u128 <= words_max::<crate::twin::Twins>() => {
            Some(product(mine.1, other.1, |length| crate::twin::Twins::new(length, avx2)))
        }
        _ if short >= WORDS_MIN && short as u128 <= words_max::<Roots>() => {
            Some(product(mine.1, other.1, Roots::new))
        }
        _ => None,
    };
    let sign = if mine.0 == other.0 { Sign::Positive } else { Sign::Negative };
    match magnitude {
        Some(magnitude) => *into = Integer::from_parts(sign, magnitude),
        None => *into *= factor,
    }
}

fn product<C: Convolver>(a: &[u64], b: &[u64], make: impl FnOnce(usize) -> C) -> UBig {
    let (a, b) = (digits::<C>(a), digits::<C>(b));
    let length = (a.len() + b.len()).next_power_of_two().max(C::LENGTH_MIN);
    let convolver = make(length);
    let mut product = convolver.transform(&a, length);
    convolver.multiply(&mut product, &convolver.transform(&b, length));
    UBig::from_words(&words::<C>(convolver.transform_back(product), length))
}

/// The digits of words.
fn digits<C: Convolver>(words: &[u64]) -> Vec<u64> {
    let mut digits = Vec::with_capacity(words.len().div_ceil(WORDS) * WORDS * 64 / C::DIGIT_BITS);
    for group in words.chunks(WORDS) {
        let mut five = [0; WORDS + 1];
        for (to, word) in five.iter_mut().zip(group) {
            *to = *word;
        }
        for from in (0..WORDS * 64).step_by(C::DIGIT_BITS) {
            let (word, shift) = (from / 64, from % 64);
            let pair = u128::from(five[word]) | u128::from(five[word + 1]) << 64;
            digits.push(low(pair >> shift) & ((1 << C::DIGIT_BITS) - 1));
        }
    }
    digits
}

/// Words from coefficients, which carry into each other.
fn words<C: Convolver>(coefficients: impl Iterator<Item = u128>, count: usize) -> Vec<u64> {
    let mut words = Vec::with_capacity(count * C::DIGIT_BITS / 64 + 4);
    // Digits that are done, above them the carry.
    let (mut carry, mut word, mut bits) = (0_u128, 0_u128, 0);
    for coefficient in coefficients.chain([0; 4]) {
        carry += coefficient;
        word |= (carry & ((1 << C::DIGIT_BITS) - 1)) << bits;
        carry >>= C::DIGIT_BITS;
        bits += C::DIGIT_BITS;
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
        let expected = UBig::from_words(a) * UBig::from_words(b);
        assert_eq!(product(a, b, Roots::new), expected);
        #[cfg(target_arch = "x86_64")]
        if let Cpu::Avx2(avx2) = Cpu::best() {
            assert_eq!(product(a, b, |length| crate::twin::Twins::new(length, avx2)), expected);
        }
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
        const { assert!(words_max::<Roots>() > 1_000_000) };
        #[cfg(target_arch = "x86_64")]
        const {
            assert!(words_max::<crate::twin::Twins>() > 600_000)
        };
    }

    #[test]
    fn signs_and_lengths() {
        let value = |words: usize| Integer::from(UBig::from_words(&vec![0xdead_beef_0123_4567; words]));
        for (a, b) in [
            (499, 500),
            (500, 501),
            (500, 2_001),
            (7_999, 8_000),
            (8_000, 8_000),
            (8_001, 12_000),
            (8_000, 32_001),
        ] {
            for (a, b) in [(value(a), value(b)), (-value(a), value(b)), (-value(b), -value(a))] {
                for cpu in Cpu::all() {
                    let mut mine = a.clone();
                    multiply_on(cpu, &mut mine, &b);
                    assert_eq!(mine, &a * &b);
                }
            }
        }
    }
}
