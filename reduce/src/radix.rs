//! The decimal text of huge integers, in time that grows little faster than their length.
//!
//! The number is cut into leaves of equal length, each leaf is written in decimal, and neighbours are joined in
//! decimal arithmetic: high * 2^(bits of low) + low. There is no division; the power of two is transformed once
//! for all joints of a level.

use dashu_int::UBig;

use crate::ntt::{COEFFICIENT_MAX, Roots, multiply};

/// Decimal arithmetic is done on limbs of six digits, the least significant first.
const LIMB: u64 = 1_000_000;
const LIMB_DIGITS: usize = 6;

/// Words of a leaf: 2^(64 * 318) has 1022 limbs, so two of them just fit a transform of 2048, and so on upwards.
const LEAF: usize = 318;

/// Shorter numbers are left to the library.
const WORDS_MIN: usize = 8 * LEAF;

/// Limbs of a factor for which a coefficient cannot reach the prime.
const LIMBS_MAX: u64 = COEFFICIENT_MAX / ((LIMB - 1) * (LIMB - 1));

/// The digits of a magnitude, given by its words.
pub(crate) fn decimal_text(magnitude: &UBig) -> String {
    let words = magnitude.as_words();
    // A word has less than 20 digits, a limb six.
    if words.len() < WORDS_MIN || words.len() as u64 * 4 > LIMBS_MAX {
        return magnitude.to_string();
    }
    let mut parts: Vec<Vec<u64>> =
        words.chunks(LEAF).map(|leaf| limbs(&UBig::from_words(leaf).to_string())).collect();
    let mut weight = limbs(&(UBig::ONE << (64 * LEAF)).to_string());
    let length = |weight: &[u64]| (2 * weight.len()).next_power_of_two();
    // Parts join two by two; the last joint is half of this long.
    let roots = Roots::new(length(&weight) * parts.len().next_power_of_two() / 2);
    while parts.len() > 1 {
        let length = length(&weight);
        let mut transformed = weight;
        transformed.resize(length, 0);
        roots.transform(&mut transformed);
        parts = join_neighbours(parts, &transformed, &roots);
        if parts.len() > 1 {
            let mut square = transformed.clone();
            multiply(&mut square, &transformed);
            roots.transform_back(&mut square);
            weight = carried(square, &[]);
        } else {
            weight = Vec::new();
        }
    }
    text(&parts.pop().unwrap_or_default())
}

fn join_neighbours(parts: Vec<Vec<u64>>, weight: &[u64], roots: &Roots) -> Vec<Vec<u64>> {
    let mut joined = Vec::with_capacity(parts.len().div_ceil(2));
    let mut parts = parts.into_iter();
    while let Some(low) = parts.next() {
        joined.push(match parts.next() {
            None => low,
            Some(high) if high.is_empty() => low,
            Some(mut high) => {
                high.resize(weight.len(), 0);
                roots.transform(&mut high);
                multiply(&mut high, weight);
                roots.transform_back(&mut high);
                carried(high, &low)
            }
        });
    }
    joined
}

/// Coefficients plus limbs, carried until they are limbs, without zeros at the end.
fn carried(mut coefficients: Vec<u64>, more: &[u64]) -> Vec<u64> {
    let mut carry = 0_u128;
    let mut more = more.iter();
    for coefficient in &mut coefficients {
        let sum = carry + u128::from(*coefficient) + u128::from(more.next().copied().unwrap_or(0));
        // Carries stay below 2^64, so this is a division of words in all but name.
        let (whole, rest) = match u64::try_from(sum) {
            Ok(sum) => (u128::from(sum / LIMB), sum % LIMB),
            Err(_) => (sum / u128::from(LIMB), u64::try_from(sum % u128::from(LIMB)).unwrap_or(0)),
        };
        *coefficient = rest;
        carry = whole;
    }
    let used = coefficients.iter().rposition(|limb| *limb != 0).map_or(0, |last| last + 1);
    coefficients.truncate(used);
    coefficients
}

/// The limbs of a decimal text.
fn limbs(text: &str) -> Vec<u64> {
    let limb = |digits: &[u8]| digits.iter().fold(0, |limb, digit| limb * 10 + u64::from(digit - b'0'));
    let mut limbs: Vec<u64> = text.as_bytes().rchunks(LIMB_DIGITS).map(limb).collect();
    if limbs == [0] {
        limbs.clear();
    }
    limbs
}

fn text(limbs: &[u64]) -> String {
    let Some((first, rest)) = limbs.split_last() else { return "0".to_owned() };
    let mut text = first.to_string();
    text.reserve(LIMB_DIGITS * rest.len());
    for limb in rest.iter().rev() {
        let mut place = LIMB / 10;
        while place > 0 {
            text.push(char::from(b'0' + u8::try_from(limb / place % 10).unwrap_or(0)));
            place /= 10;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

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
                assert_eq!(decimal_text(&value), value.to_string());
            }
        }
        // Whole leaves of zeros and of ones.
        let gap = (UBig::ONE << (64 * 12 * LEAF)) + UBig::from(7_u8);
        assert_eq!(decimal_text(&gap), gap.to_string());
        assert_eq!(decimal_text(&UBig::ZERO), "0");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

        #[test]
        fn any_words_have_the_same_text(words in vec(any::<u64>(), WORDS_MIN..6 * WORDS_MIN)) {
            let value = UBig::from_words(&words);
            prop_assert_eq!(decimal_text(&value), value.to_string());
        }
    }

    #[test]
    fn coefficients_stay_below_the_prime() {
        // The largest number that takes this road: every limb 999999, as many as the shorter factor may have.
        const { assert!(LIMBS_MAX * (LIMB - 1) * (LIMB - 1) <= COEFFICIENT_MAX) };
        const { assert!(LIMBS_MAX > 18_000_000) };
    }
}
