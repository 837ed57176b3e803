//! The one rounding: from an exact ratio of integers, or the square root of one, to the nearest `f64`.
//!
//! Ties go to the even neighbour, tiny values to subnormals or zero, huge ones to infinity, as IEEE 754 says.
//! No floating-point arithmetic happens here: the result is put together from its bits.

use std::cmp::Ordering;

use dashu_int::UBig;
use dashu_int::ops::{BitTest, DivRem, SquareRootRem};

use crate::Integer;

/// Bits asked of a quotient or root: the 53 of an `f64` and at least two more to round by.
const BITS_WANTED: i64 = 55;

/// The `f64` nearest to `numerator / denominator`; over zero it is what IEEE 754 division says.
pub(crate) fn ratio_to_f64(numerator: &Integer, denominator: &Integer) -> f64 {
    let (sign, above) = numerator.clone().into_parts();
    let (under_sign, below) = denominator.clone().into_parts();
    let magnitude = match (above.is_zero(), below.is_zero()) {
        (true, true) => return f64::NAN,
        (true, false) => return 0.0,
        (false, true) => f64::INFINITY,
        (false, false) => {
            let scale = BITS_WANTED - (bits(&above) - bits(&below));
            let (quotient, inexact) = scaled_quotient(above, below, scale);
            assemble(low_word(&quotient), inexact, scale)
        }
    };
    if sign == under_sign { magnitude } else { -magnitude }
}

/// The `f64` nearest to the square root of `numerator / denominator`; NaN if that is negative.
pub(crate) fn sqrt_ratio_to_f64(numerator: &Integer, denominator: &Integer) -> f64 {
    let (sign, above) = numerator.clone().into_parts();
    let (under_sign, below) = denominator.clone().into_parts();
    if above.is_zero() || below.is_zero() || sign != under_sign {
        // Zero, infinity and NaN are their own roots, and a negative number has none.
        return ratio_to_f64(numerator, denominator).sqrt();
    }
    let scale = BITS_WANTED + 1 - (bits(&above) - bits(&below)) / 2;
    let (square, inexact) = scaled_quotient(above, below, 2 * scale);
    // The root of the floor has the same floor as the root itself; what either cut off makes it inexact.
    let (root, rest) = square.sqrt_rem();
    assemble(low_word(&root), inexact || !rest.is_zero(), scale)
}

/// The `f64` nearest to `digits * 2^exponent`, which is not zero.
pub(crate) fn scaled_to_f64(digits: UBig, exponent: i128) -> f64 {
    let top = exponent.saturating_add(bits(&digits).into());
    if top > 1_100 {
        return f64::INFINITY;
    }
    if top < -1_100 {
        return 0.0;
    }
    // `top` is small, so `exponent` fits as well as the number of bits does.
    let exponent = i64::try_from(exponent).unwrap_or(i64::MIN);
    let scale = BITS_WANTED - bits(&digits);
    let (leading, inexact) = scaled_quotient(digits, UBig::ONE, scale);
    assemble(low_word(&leading), inexact, scale - exponent)
}

/// The floor of `above / below * 2^scale`, and whether anything was cut off.
fn scaled_quotient(above: UBig, below: UBig, scale: i64) -> (UBig, bool) {
    let shift = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
    let (quotient, rest) =
        if scale >= 0 { (above << shift).div_rem(below) } else { above.div_rem(below << shift) };
    (quotient, !rest.is_zero())
}

fn bits(value: &UBig) -> i64 {
    i64::try_from(value.bit_len()).unwrap_or(i64::MAX / 4)
}

/// A quotient or root of at most 64 bits.
fn low_word(value: &UBig) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The `f64` nearest to `digits / 2^scale`, or to something just above it if `inexact`.
///
/// `digits` must have at least [`BITS_WANTED`] bits, and less than 64.
pub(crate) fn assemble(digits: u64, inexact: bool, scale: i64) -> f64 {
    const LEAST_EXPONENT: i64 = -1074;
    const GREATEST_EXPONENT: i64 = 1023;
    let exponent = i64::from(u64::BITS - digits.leading_zeros()) - 1 - scale;
    if exponent > GREATEST_EXPONENT {
        return f64::INFINITY;
    }
    // The last place of the result; below the normal numbers it stops falling.
    let last_place = (exponent - 52).max(LEAST_EXPONENT);
    let places = u32::try_from(last_place + scale).unwrap_or(u32::MAX);
    let mantissa = round_off(digits, inexact, places);
    // A mantissa without its leading bit is subnormal and has the exponent field 0; with it, that bit adds one
    // to the field. A mantissa rounded up to 2^53 carries into the field, if need be as far as infinity.
    let field = (last_place - LEAST_EXPONENT).unsigned_abs();
    f64::from_bits((field << 52) + mantissa)
}

/// `digits / 2^places` (or just above it if `inexact`) rounded to the nearest integer, ties to even.
fn round_off(digits: u64, inexact: bool, places: u32) -> u64 {
    let Some(unit) = 1_u64.checked_shl(places) else { return 0 };
    let (whole, rest, half) = (digits >> places, digits & (unit - 1), unit >> 1);
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => inexact || whole & 1 == 1,
    };
    whole + u64::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn int(value: i128) -> Integer {
        value.into()
    }

    fn power(exponent: usize) -> Integer {
        Integer::ONE << exponent
    }

    /// A finite `f64` as an exact ratio.
    fn exact(value: f64) -> (Integer, Integer) {
        let field = value.abs().to_bits() >> 52;
        let fraction = value.to_bits() & ((1 << 52) - 1);
        let (digits, places) = if field == 0 { (fraction, 1) } else { (fraction | 1 << 52, field) };
        let digits = if value < 0.0 { -Integer::from(digits) } else { Integer::from(digits) };
        (digits << usize::try_from(places).unwrap(), power(1075))
    }

    /// The exact value half-way to the neighbour that is further from zero; beyond the largest it is where
    /// rounding to infinity begins.
    fn middle_above(value: f64) -> (Integer, Integer) {
        let (above, below) = exact(value);
        let next = f64::from_bits(value.to_bits() + 1);
        if next.is_infinite() {
            // 2^1024 - 2^970
            return ((power(54) - 1) << 970_usize, int(1));
        }
        let (next, _) = exact(next);
        (above + next, below * 2)
    }

    /// Whether `a.0 / a.1` compares so with `b.0 / b.1`; all below are positive.
    fn compare(a: &(Integer, Integer), b: &(Integer, Integer)) -> Ordering {
        (&a.0 * &b.1).cmp(&(&b.0 * &a.1))
    }

    /// The oracle: `result` is the right rounding of a positive value if the value lies between the two middles
    /// around `result`, and on a middle only if the last bit of `result` is 0. `order` compares the value with
    /// an exact ratio.
    fn is_nearest(result: f64, order: impl Fn(&(Integer, Integer)) -> Ordering) -> bool {
        let even = result.to_bits() & 1 == 0;
        let allowed = |seen: Ordering, wanted: Ordering| seen == wanted || (seen == Ordering::Equal && even);
        let low_enough = result.is_infinite() || allowed(order(&middle_above(result)), Ordering::Less);
        let high_enough = result == 0.0
            || allowed(order(&middle_above(f64::from_bits(result.to_bits() - 1))), Ordering::Greater);
        low_enough && high_enough
    }

    fn check_ratio(above: &Integer, below: &Integer) -> f64 {
        let result = ratio_to_f64(above, below);
        let value = (above.clone(), below.clone());
        assert!(is_nearest(result, |other| compare(&value, other)), "{above} / {below} gave {result:?}");
        assert_eq!(ratio_to_f64(&-above, below).to_bits(), (-result).to_bits());
        result
    }

    fn check_sqrt(above: &Integer, below: &Integer) -> f64 {
        let result = sqrt_ratio_to_f64(above, below);
        let value = (above.clone(), below.clone());
        let order = |other: &(Integer, Integer)| compare(&value, &(&other.0 * &other.0, &other.1 * &other.1));
        assert!(is_nearest(result, order), "sqrt({above} / {below}) gave {result:?}");
        result
    }

    #[test]
    fn known_ratios() {
        for (above, below, expected) in [
            (0, 5, 0.0),
            (1, 1, 1.0),
            (1, 3, 1.0 / 3.0),
            (2, 3, 2.0 / 3.0),
            (1, 10, 0.1),
            (-7, 2, -3.5),
            (7, -2, -3.5),
            (-7, -2, 3.5),
            (9_007_199_254_740_993, 1, 9_007_199_254_740_992.0),
            (9_007_199_254_740_995, 1, 9_007_199_254_740_996.0),
            (9_007_199_254_740_993 * 1_000_000 + 1, 1_000_000, 9_007_199_254_740_994.0),
            (i128::MAX, 1, 170_141_183_460_469_231_731_687_303_715_884_105_728.0),
        ] {
            assert_eq!(ratio_to_f64(&int(above), &int(below)).to_bits(), f64::to_bits(expected));
        }
        assert!(ratio_to_f64(&int(0), &int(0)).is_nan());
        assert_eq!(ratio_to_f64(&int(-3), &int(0)), f64::NEG_INFINITY);
    }

    #[test]
    fn ends_of_the_range() {
        let least = power(1074);
        assert_eq!(check_ratio(&int(1), &least), f64::from_bits(1));
        assert_eq!(check_ratio(&int(1), &(&least * 2)), 0.0);
        assert_eq!(check_ratio(&(power(200) + 1), &(&least * 2 * power(200))), f64::from_bits(1));
        assert_eq!(check_ratio(&int(3), &(&least * 2)), f64::from_bits(2));
        assert_eq!(check_ratio(&int(1), &power(5_000)), 0.0);
        // The largest subnormal, and half-way from it to the least normal.
        assert_eq!(check_ratio(&(power(52) - 1), &least), f64::from_bits((1 << 52) - 1));
        assert_eq!(check_ratio(&(power(53) - 1), &(&least * 2)), f64::MIN_POSITIVE);
        // The largest, and half-way from it to 2^1024.
        let largest = (power(53) - 1) << 971_usize;
        let middle = (power(54) - 1) << 970_usize;
        assert_eq!(check_ratio(&largest, &int(1)), f64::MAX);
        assert_eq!(check_ratio(&(&middle - 1), &int(1)), f64::MAX);
        assert_eq!(check_ratio(&middle, &int(1)), f64::INFINITY);
        assert_eq!(check_ratio(&power(1024), &int(1)), f64::INFINITY);
        assert_eq!(check_ratio(&power(90_000), &int(3)), f64::INFINITY);
    }

    #[test]
    fn known_roots() {
        for (above, below, expected) in
            [(0, 1, 0.0), (4, 1, 2.0), (9, 4, 1.5), (2, 1, std::f64::consts::SQRT_2), (1, 100, 0.1)]
        {
            assert_eq!(sqrt_ratio_to_f64(&int(above), &int(below)).to_bits(), f64::to_bits(expected));
        }
        assert!(sqrt_ratio_to_f64(&int(-1), &int(2)).is_nan());
        assert_eq!(check_sqrt(&power(2_046), &int(1)), f64::from_bits(2046 << 52));
        assert_eq!(check_sqrt(&power(2_048), &int(1)), f64::INFINITY);
        assert_eq!(check_sqrt(&int(1), &power(2_148)), f64::from_bits(1));
        assert_eq!(check_sqrt(&int(1), &power(2_150)), 0.0);
        assert_eq!(check_sqrt(&int(1), &power(2_149)), f64::from_bits(1));
        // Exactly half-way between 2^53 and 2^53 + 2, and one more or less.
        let middle = (power(53) + 1) * (power(53) + 1);
        assert_eq!(check_sqrt(&middle, &int(1)), 9_007_199_254_740_992.0);
        assert_eq!(check_sqrt(&(&middle + 1), &int(1)), 9_007_199_254_740_994.0);
        assert_eq!(check_sqrt(&(&middle - 1), &int(1)), 9_007_199_254_740_992.0);
        assert_eq!(check_sqrt(&(&middle * 3 + 1), &int(3)), 9_007_199_254_740_994.0);
    }

    #[test]
    fn the_oracle_can_say_no() {
        let third = (int(1), int(3));
        let order = |other: &(Integer, Integer)| compare(&third, other);
        assert!(is_nearest(1.0 / 3.0, order));
        assert!(!is_nearest(f64::from_bits((1.0_f64 / 3.0).to_bits() + 1), order));
        assert!(!is_nearest(f64::from_bits((1.0_f64 / 3.0).to_bits() - 1), order));
    }

    prop_compose! {
        /// Positive integers of all lengths up to 2,200 bits, many of them close to a power of two.
        fn positive()(digits in 1_u128.., shift in 0_usize..2_072, near in -2_i32..=2, plain in any::<bool>())
            -> Integer
        {
            if plain { Integer::from(digits) >> (shift % 128) } else { (Integer::from(digits) << shift) + near }
                .max(Integer::ONE)
        }
    }

    proptest! {
        #[test]
        fn ratios_are_nearest(above in positive(), below in positive()) {
            check_ratio(&above, &below);
        }

        #[test]
        fn roots_are_nearest(above in positive(), below in positive()) {
            check_sqrt(&above, &below);
        }

        #[test]
        fn floats_come_back(bits in 1_u64..(2047 << 52), scale in 1_u64..) {
            let value = f64::from_bits(bits);
            let (above, below) = exact(value);
            let (above, below) = (above * scale, below * scale);
            prop_assert_eq!(ratio_to_f64(&above, &below).to_bits(), bits);
            prop_assert_eq!(sqrt_ratio_to_f64(&(&above * &above), &(&below * &below)).to_bits(), bits);
        }

        /// Around the middle of two neighbours: exactly on it, and a hair to each side.
        #[test]
        fn middles_go_to_even(bits in 0_u64..(2047 << 52), hair in 1_usize..400) {
            let (above, below) = middle_above(f64::from_bits(bits));
            let even = bits + (bits & 1);
            prop_assert_eq!(check_ratio(&above, &below).to_bits(), even);
            let (above, below) = (above << hair, below << hair);
            prop_assert_eq!(check_ratio(&(&above + 1), &below).to_bits(), bits + 1);
            prop_assert_eq!(check_ratio(&(&above - 1), &below).to_bits(), bits);
            let (above, below) = (&above * &above, &below * &below);
            prop_assert_eq!(check_sqrt(&above, &below).to_bits(), even);
            prop_assert_eq!(check_sqrt(&(&above + 1), &below).to_bits(), bits + 1);
            prop_assert_eq!(check_sqrt(&(&above - 1), &below).to_bits(), bits);
        }
    }
}
