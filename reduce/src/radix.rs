//! The decimal text of huge integers, in time that grows little faster than their length.
//!
//! The number is cut into leaves of equal length, each leaf is written in decimal, and neighbours are joined in
//! decimal arithmetic: high * 2^(bits of low) + low. There is no division; the power of two is transformed once
//! for all joints of a level.

use dashu_int::UBig;

use crate::convolver::Convolver;
use crate::float::cpu::Cpu;
use crate::ntt::Roots;

/// Words of a leaf: 2^(64 * 39) has 126 limbs of six digits and 63 of twelve, so two of them just fit a power of two, and
/// so on upwards.
const LEAF: usize = 39;

/// Shorter numbers are left to the library.
const WORDS_MIN: usize = 64 * LEAF;

/// Limbs of the shorter factor for which a coefficient cannot pass the greatest.
const fn limbs_max<C: Convolver>() -> u128 {
    let limb_max = C::LIMB as u128 - 1;
    C::COEFFICIENT_MAX / (limb_max * limb_max)
}

/// Whether a number of so many words can be written: a word has less than 20 digits.
const fn fits<C: Convolver>(words: usize) -> bool {
    words as u128 * 20 / (C::LIMB_DIGITS as u128) < limbs_max::<C>()
}

/// The digits of a magnitude.
pub(crate) fn decimal_text(magnitude: &UBig) -> String {
    decimal_text_on(Cpu::best(), magnitude)
}

fn decimal_text_on(cpu: Cpu, magnitude: &UBig) -> String {
    let words = magnitude.as_words();
    match cpu {
        _ if words.len() < WORDS_MIN => magnitude.to_string(),
        #[cfg(target_arch = "x86_64")]
        Cpu::Avx2(avx2) if fits::<crate::twin::Twins>(words.len()) => {
            joined(words, |length| crate::twin::Twins::new(length, avx2))
        }
        _ if fits::<Roots>(words.len()) => joined(words, Roots::new),
        _ => magnitude.to_string(),
    }
}

/// The text of words, by joining leaves.
fn joined<C: Convolver>(words: &[u64], make: impl FnOnce(usize) -> C) -> String {
    let mut parts: Vec<Vec<u64>> =
        words.chunks(LEAF).map(|leaf| limbs::<C>(&UBig::from_words(leaf).to_string())).collect();
    let mut weight = limbs::<C>(&(UBig::ONE << (64 * LEAF)).to_string());
    let length = |weight: &[u64]| (2 * weight.len()).next_power_of_two().max(C::LENGTH_MIN);
    // Parts join two by two; the last joint is half of this long.
    let convolver = make(length(&weight) * parts.len().next_power_of_two() / 2);
    while parts.len() > 1 {
        let length = length(&weight);
        let transformed = convolver.transform(&weight, length);
        parts = join_neighbours(parts, &transformed, length, &convolver);
        if parts.len() > 1 {
            let mut square = transformed.clone();
            convolver.multiply(&mut square, &transformed);
            weight = carried::<C>(convolver.transform_back(square), &[], length);
        }
    }
    text::<C>(&parts.pop().unwrap_or_default())
}

fn join_neighbours<C: Convolver>(
    parts: Vec<Vec<u64>>,
    weight: &C::Transformed,
    length: usize,
    convolver: &C,
) -> Vec<Vec<u64>> {
    let mut joined = Vec::with_capacity(parts.len().div_ceil(2));
    let mut parts = parts.into_iter();
    while let Some(low) = parts.next() {
        joined.push(match parts.next() {
            None => low,
            Some(high) if high.is_empty() => low,
            Some(high) => {
                let mut product = convolver.transform(&high, length);
                convolver.multiply(&mut product, weight);
                carried::<C>(convolver.transform_back(product), &low, length)
            }
        });
    }
    joined
}

/// Coefficients plus limbs, carried until they are limbs, without zeros at the end.
fn carried<C: Convolver>(coefficients: impl Iterator<Item = u128>, more: &[u64], count: usize) -> Vec<u64> {
    let mut limbs = Vec::with_capacity(count);
    // Each coefficient is cut into limbs on its own, and neighbours are added up: the processor does that for several at
    // once. What waits for the carry of the one before is short.
    let (mut carry, mut second, mut third) = (0, 0, [0; 2]);
    for (coefficient, more) in coefficients.zip(more.iter().copied().chain(std::iter::repeat(0))) {
        let (whole, first) = C::divide(coefficient);
        let sum = first + second + third[0] + more;
        let limb = sum % C::LIMB + carry;
        let over = u64::from(limb >= C::LIMB);
        limbs.push(limb - over * C::LIMB);
        carry = sum / C::LIMB + over;
        third = [third[1], whole / C::LIMB];
        second = whole % C::LIMB;
    }
    let used = limbs.iter().rposition(|limb| *limb != 0).map_or(0, |last| last + 1);
    limbs.truncate(used);
    limbs
}

/// The limbs of a decimal text.
fn limbs<C: Convolver>(text: &str) -> Vec<u64> {
    let limb = |digits: &[u8]| digits.iter().fold(0, |limb, digit| limb * 10 + u64::from(digit - b'0'));
    let mut limbs: Vec<u64> = text.as_bytes().rchunks(C::LIMB_DIGITS as usize).map(limb).collect();
    if limbs == [0] {
        limbs.clear();
    }
    limbs
}

fn text<C: Convolver>(limbs: &[u64]) -> String {
    let Some((first, rest)) = limbs.split_last() else { return "0".to_owned() };
    let mut text = first.to_string().into_bytes();
    let leading = text.len();
    text.resize(leading + C::LIMB_DIGITS as usize * rest.len(), b'0');
    let places = text[leading..].chunks_exact_mut(C::LIMB_DIGITS as usize);
    for (place, limb) in places.zip(rest.iter().rev()) {
        let mut limb = *limb;
        for digit in place.iter_mut().rev() {
            *digit += u8::try_from(limb % 10).unwrap_or(0);
            limb /= 10;
        }
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn check(value: &UBig) {
        for cpu in Cpu::all() {
            assert_eq!(decimal_text_on(cpu, value), value.to_string());
        }
    }

    #[test]
    fn the_same_text_as_the_library() {
        let ten = UBig::from(10_u8);
        for words in
            [WORDS_MIN - 1, WORDS_MIN, WORDS_MIN + 1, 9 * LEAF, 16 * LEAF, 16 * LEAF + 1, 33 * LEAF - 1]
        {
            let top = UBig::ONE << (64 * words);
            let nines = ten.pow(words * 19);
            for value in [
                &top - UBig::ONE,
                top.clone(),
                &top + UBig::ONE,
                &nines - UBig::ONE,
                nines.clone(),
                nines + UBig::ONE,
            ] {
                check(&value);
            }
        }
        // Whole leaves of zeros and of ones.
        let gap = (UBig::ONE << (64 * 12 * LEAF)) + UBig::from(7_u8);
        check(&gap);
        check(&UBig::ZERO);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn any_words_have_the_same_text(words in vec(any::<u64>(), WORDS_MIN..6 * WORDS_MIN)) {
            let value = UBig::from_words(&words);
            check(&value);
        }
    }

    #[test]
    fn numbers_of_tens_of_millions_of_digits_fit() {
        const { assert!(fits::<Roots>(5_000_000)) };
        #[cfg(target_arch = "x86_64")]
        const {
            assert!(fits::<crate::twin::Twins>(700_000))
        };
    }
}
