//! Between integers and floats, exactly or rounded once: conversions, quotients, comparisons.

use std::cmp::Ordering;

use dashu_int::UBig;
use tally_reduce::Integer;

use crate::parse::bits;
use crate::value::Trouble;

/// Every integer up to here is a float.
pub(crate) const EXACT_MAX: i64 = 1 << 53;

/// The nearest float, ties to even.
pub(crate) fn to_float(integer: &Integer) -> Result<f64, Trouble> {
    if let Ok(small) = i64::try_from(integer) {
        #[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is what is wanted")]
        return Ok(small as f64);
    }
    rounded(integer.clone().into_parts().1, 0, *integer < Integer::ZERO).ok_or(Trouble::TooLargeForFloat)
}

/// The float nearest to the quotient of two integers.
pub(crate) fn quotient(a: &Integer, b: &Integer) -> Result<f64, Trouble> {
    if *b == Integer::ZERO {
        return Err(Trouble::DivisionByZero);
    }
    if let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b))
        && let Some(quotient) = short_quotient(a, b)
    {
        return Ok(quotient);
    }
    let negative = (*a < Integer::ZERO) != (*b < Integer::ZERO);
    let (mut a, mut b) = (a.clone().into_parts().1, b.clone().into_parts().1);
    if a.is_zero() {
        return Ok(if negative { -0.0 } else { 0.0 });
    }
    // 66 bits of the quotient and whether anything follows them decide every rounding.
    let spare = bits(&a.clone().into()).cast_signed() - bits(&b.clone().into()).cast_signed();
    let shift = 66 - spare;
    if shift >= 0 {
        a <<= shift.unsigned_abs();
    } else {
        b <<= shift.unsigned_abs();
    }
    let rest = &a % &b;
    let mut quotient = a / b;
    if !rest.is_zero() {
        quotient |= UBig::ONE;
    }
    rounded(quotient, -shift, negative).ok_or(Trouble::QuotientTooLarge)
}

/// The quotient of integers that are floats themselves: one division, rounded once.
#[inline(always)]
pub(crate) fn short_quotient(a: i64, b: i64) -> Option<f64> {
    let short = a.unsigned_abs() <= EXACT_MAX.unsigned_abs() && b.unsigned_abs() <= EXACT_MAX.unsigned_abs();
    #[expect(clippy::cast_precision_loss, reason = "both are at most 2^53")]
    short.then(|| (a as f64) / (b as f64))
}

/// `magnitude * 2^exponent`, rounded to nearest even; nothing if too large. The last bit may stand for a tail.
fn rounded(magnitude: UBig, exponent: isize, negative: bool) -> Option<f64> {
    let length = bits(&magnitude.clone().into()).cast_signed();
    if length == 0 {
        return Some(0.0);
    }
    // The exponent of the leading bit says how many bits the float keeps.
    let top = length - 1 + exponent;
    let keep = if top >= -1022 { 53 } else { 53 - (-1022 - top) };
    let drop = length - keep;
    let (mantissa, scale) = if drop <= 0 {
        (u64::try_from(&magnitude).ok()?, exponent)
    } else if keep < 0 {
        (0, 0)
    } else {
        let drop_bits = drop.unsigned_abs();
        let mut kept = u64::try_from(&(&magnitude >> drop_bits)).ok()?;
        let tail = &magnitude - (UBig::from(kept) << drop_bits);
        let half = UBig::ONE << (drop_bits - 1);
        if tail > half || (tail == half && kept & 1 == 1) {
            kept += 1;
        }
        (kept, exponent + drop)
    };
    #[expect(clippy::cast_precision_loss, reason = "the mantissa has at most 53 bits, or is 2^53")]
    let value = scaled(mantissa as f64, scale);
    value.is_finite().then_some(if negative { -value } else { value })
}

/// `value * 2^exponent`, which must be a float or too large for one.
fn scaled(mut value: f64, mut exponent: isize) -> f64 {
    while exponent > 1000 && value.is_finite() {
        value *= power_of_two(1000);
        exponent -= 1000;
    }
    while exponent < -1000 && value != 0.0 {
        value *= power_of_two(-1000);
        exponent += 1000;
    }
    match i32::try_from(exponent) {
        Ok(exponent) if (-1022..=1023).contains(&exponent) => value * power_of_two(exponent),
        _ => value,
    }
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52)
}

/// The integer that a float without fraction is.
pub(crate) fn whole(value: f64) -> Result<Integer, Trouble> {
    if value.is_nan() {
        return Err(Trouble::NotANumber);
    }
    if value.is_infinite() {
        return Err(Trouble::Infinite);
    }
    if value.abs() < 9e18 {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^63")]
        return Ok(Integer::from(value as i64));
    }
    let bits = value.to_bits();
    let exponent = usize::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let magnitude = Integer::from(mantissa) << exponent.saturating_sub(1075);
    Ok(if value < 0.0 { -magnitude } else { magnitude })
}

/// Compares without rounding; nothing with NaN.
pub(crate) fn compare(integer: &Integer, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.is_infinite() {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let floor = float.floor();
    let below = whole(floor).ok()?;
    // With a fraction, the float lies above its floor.
    Some(integer.cmp(&below).then(if float > floor { Ordering::Less } else { Ordering::Equal }))
}

/// [`compare`] for what fits in 128 bits.
pub(crate) fn compare_i128(integer: i128, float: f64) -> Option<Ordering> {
    const TOP: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    if float.is_nan() {
        return None;
    }
    if float >= TOP {
        return Some(Ordering::Less);
    }
    if float < -TOP {
        return Some(Ordering::Greater);
    }
    let floor = float.floor();
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the range")]
    let below = floor as i128;
    Some(integer.cmp(&below).then(if float > floor { Ordering::Less } else { Ordering::Equal }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(text: &str) -> Integer {
        Integer::from_str_radix(text, 10).unwrap()
    }

    #[test]
    fn quotients_are_rounded_once() {
        for (a, b, quotient_bits) in [
            ("1", "3", 1.0 / 3.0),
            ("-7", "2", -3.5),
            ("0", "-5", -0.0),
            // Both round up on their own; the quotient must not be computed from the rounded ones.
            ("9007199254740993", "9007199254740991", 1.000_000_000_000_000_2),
            ("1000000000000000000000000000000", "999999999999999999999999999999", 1.0),
            ("1", "10000000000000000000000000000000000000000", 1e-40),
        ] {
            let found = quotient(&integer(a), &integer(b)).unwrap();
            assert_eq!(found.to_bits(), f64::to_bits(quotient_bits), "{a}/{b} = {found:?}");
        }
        let huge = integer("10").pow(400);
        assert_eq!(quotient(&huge, &integer("1")), Err(Trouble::QuotientTooLarge));
        assert_eq!(quotient(&integer("1"), &integer("0")), Err(Trouble::DivisionByZero));
        assert_eq!(quotient(&integer("1"), &huge), Ok(0.0));
        assert_eq!(quotient(&(&huge * &huge), &(&huge * integer("4"))), Err(Trouble::QuotientTooLarge));
        assert_eq!(quotient(&(&huge * integer("3")), &(&huge * integer("4"))), Ok(0.75));
    }

    #[test]
    fn subnormal_quotients_are_rounded_once() {
        let one = Integer::ONE;
        assert_eq!(quotient(&one, &(&one << 1074)), Ok(f64::from_bits(1)));
        assert_eq!(quotient(&one, &(&one << 1075)), Ok(0.0));
        assert_eq!(quotient(&Integer::from(3), &(&one << 1075)), Ok(f64::from_bits(2)));
        assert_eq!(quotient(&Integer::from(5), &(&one << 1076)), Ok(f64::from_bits(1)));
        assert_eq!(quotient(&((&one << 60) + 1), &(&one << 1135)), Ok(f64::from_bits(1)));
        assert_eq!(quotient(&-&one, &(&one << 1022)), Ok(-f64::MIN_POSITIVE));
    }

    #[test]
    fn integers_become_the_nearest_float() {
        assert_eq!(to_float(&integer("9007199254740993")), Ok(9_007_199_254_740_992.0));
        assert_eq!(to_float(&integer("9007199254740995")), Ok(9_007_199_254_740_996.0));
        assert_eq!(to_float(&integer("-340282366920938463463374607431768211457")), Ok(-(2f64.powi(128))));
        let below = (Integer::ONE << 1024) - (Integer::ONE << 970);
        assert_eq!(to_float(&(&below - 1)), Ok(f64::MAX));
        assert_eq!(to_float(&below), Err(Trouble::TooLargeForFloat));
    }

    #[test]
    fn comparisons_are_exact() {
        let odd = integer("9007199254740993");
        assert_eq!(compare(&odd, 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(compare_i128(9_007_199_254_740_993, 9_007_199_254_740_994.0), Some(Ordering::Less));
        for (integer, float) in [
            (3, 3.0),
            (3, 3.5),
            (-3, -3.5),
            (-4, -3.5),
            (0, -0.0),
            (0, f64::NAN),
            (1, f64::INFINITY),
            (1, -1e300),
        ] {
            assert_eq!(
                compare(&Integer::from(integer), float),
                compare_i128(integer, float),
                "{integer} {float}"
            );
        }
        assert_eq!(compare_i128(i128::MAX, 2f64.powi(127)), Some(Ordering::Less));
        assert_eq!(compare_i128(i128::MIN, -(2f64.powi(127))), Some(Ordering::Equal));
    }

    #[test]
    fn whole_floats_become_integers() {
        assert_eq!(whole(1e23).unwrap(), integer("99999999999999991611392"));
        assert_eq!(whole(-1e19).unwrap(), integer("-10000000000000000000"));
        assert_eq!(whole(f64::NAN), Err(Trouble::NotANumber));
        assert_eq!(whole(f64::NEG_INFINITY), Err(Trouble::Infinite));
    }
}
