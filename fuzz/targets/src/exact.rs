//! Arithmetic as plain as it can be: fractions of big integers of another library than the program's, rounded to a float
//! where the language says so. Slow, and the judge of what is fast.

use num_bigint::{BigInt, Sign};

/// Bits of an integer beyond which there is no answer.
const BITS_MAX: u64 = tally_expr::INTEGER_BITS_MAX as u64;

/// A value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(BigInt),
    /// A float.
    Float(f64),
}

/// A finite float as `numerator / 2^shift`.
#[must_use]
pub fn fraction(value: f64) -> (BigInt, u64) {
    let bits = value.to_bits();
    let exponent = bits >> 52 & 0x7ff;
    let mantissa = bits & ((1 << 52) - 1) | if exponent == 0 { 0 } else { 1 << 52 };
    let signed = if value.is_sign_negative() { -BigInt::from(mantissa) } else { BigInt::from(mantissa) };
    // The value is `signed * 2^(exponent - 1075)`, or `- 1074` of the smallest.
    match exponent.max(1) {
        up @ 1075.. => (signed << (up - 1075), 0),
        down => (signed, 1075 - down),
    }
}

/// The float nearest to a quotient, of two the even one; nothing where that is infinite. The divisor is positive.
#[must_use]
pub fn nearest(numerator: &BigInt, divisor: &BigInt) -> Option<f64> {
    let (sign, above) = (numerator.sign(), numerator.magnitude());
    let below = divisor.magnitude();
    if sign == Sign::NoSign {
        return Some(0.0);
    }
    // As many bits as are needed and two more: the quotient is `quotient * 2^-shift`, and something if `sticky`.
    let shift = 55 - (above.bits().cast_signed() - below.bits().cast_signed());
    let (quotient, sticky) = {
        let scaled = if shift >= 0 { above << shift } else { above.clone() };
        let by = if shift >= 0 { below.clone() } else { below << -shift };
        (&scaled / &by, &scaled % &by != 0_u32.into())
    };
    // The last place that counts is never below that of the smallest float.
    let dropped = (quotient.bits().cast_signed() - 53).max(shift - 1074).cast_unsigned();
    let mut kept = &quotient >> dropped;
    let rest = &quotient - (&kept << dropped);
    let half = num_bigint::BigUint::from(1_u8) << (dropped - 1);
    if rest > half || (rest == half && (sticky || kept.bit(0))) {
        kept += 1_u8;
    }
    let kept = u64::try_from(&kept).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "it has 53 bits")]
    let rounded = scaled(kept as f64, dropped.cast_signed() - shift)?;
    Some(if sign == Sign::Minus { -rounded } else { rounded })
}

/// `value * 2^power` where that is a float; nothing where it is infinite.
fn scaled(value: f64, power: i64) -> Option<f64> {
    let step = |power: i64| match power {
        -1022..=1023 => f64::from_bits((power + 1023).cast_unsigned() << 52),
        _ => f64::from_bits(1 << (power + 1074)),
    };
    let mut value = value;
    let mut power = power;
    while power > 1023 {
        value *= step(1023);
        power -= 1023;
    }
    let value = value * step(power.max(-1074));
    value.is_finite().then_some(value)
}

/// An integer as the nearest float; nothing where that is infinite.
#[must_use]
pub fn to_float(value: &BigInt) -> Option<f64> {
    nearest(value, &BigInt::from(1))
}

/// The exact result of an operation of two finite floats, rounded once; infinite where it is too large.
fn rounded(numerator: BigInt, shift: u64, sign_of_zero: f64) -> f64 {
    if numerator == BigInt::from(0) {
        return sign_of_zero;
    }
    let infinite = if numerator.sign() == Sign::Minus { f64::NEG_INFINITY } else { f64::INFINITY };
    nearest(&numerator, &(BigInt::from(1) << shift)).unwrap_or(infinite)
}

/// The sum of two floats.
#[must_use]
pub fn add(a: f64, b: f64) -> f64 {
    if !a.is_finite() || !b.is_finite() {
        return a + b;
    }
    let ((x, down), (y, by)) = (fraction(a), fraction(b));
    let shift = down.max(by);
    // The sum of two zeros is negative only where both are, that of opposites is positive.
    let zero = if a == 0.0 && b == 0.0 && a.is_sign_negative() && b.is_sign_negative() { -0.0 } else { 0.0 };
    rounded((x << (shift - down)) + (y << (shift - by)), shift, zero)
}

/// The product of two floats.
#[must_use]
pub fn multiply(a: f64, b: f64) -> f64 {
    if !a.is_finite() || !b.is_finite() {
        return a * b;
    }
    let ((x, down), (y, by)) = (fraction(a), fraction(b));
    let zero = if a.is_sign_negative() == b.is_sign_negative() { 0.0 } else { -0.0 };
    match rounded(x * y, down + by, zero) {
        // What rounds to nothing keeps its sign, which is that of the exact product.
        0.0 => zero,
        other => other,
    }
}

/// The quotient of two floats, of which the second is not zero.
#[must_use]
pub fn divide(a: f64, b: f64) -> f64 {
    if !a.is_finite() || !b.is_finite() || a == 0.0 {
        return a / b;
    }
    let ((x, down), (y, by)) = (fraction(a), fraction(b));
    let (x, y) = (x << by, y << down);
    let (x, y) = if y.sign() == Sign::Minus { (-x, -y) } else { (x, y) };
    let negative = x.sign() == Sign::Minus;
    let infinite = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
    match nearest(&x, &y).unwrap_or(infinite) {
        0.0 => {
            if negative {
                -0.0
            } else {
                0.0
            }
        }
        other => other,
    }
}

/// The order of an integer and a float that is a number; exact.
#[must_use]
pub fn compare(a: &BigInt, b: f64) -> std::cmp::Ordering {
    if b.is_infinite() {
        return if b > 0.0 { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
    }
    let (numerator, shift) = fraction(b);
    (a << shift).cmp(&numerator)
}

/// An integer, unless it is larger than there can be.
#[must_use]
pub fn bounded(value: BigInt) -> Option<BigInt> {
    (value.bits() <= BITS_MAX).then_some(value)
}

/// The quotient rounded down, and what is left, which has the sign of the divisor; nothing of a division by zero.
#[must_use]
pub fn floored(a: &BigInt, b: &BigInt) -> Option<(BigInt, BigInt)> {
    if b.sign() == Sign::NoSign {
        return None;
    }
    let (mut quotient, mut rest) = (a / b, a % b);
    if rest.sign() != Sign::NoSign && rest.sign() != b.sign() {
        quotient -= 1;
        rest += b;
    }
    Some((quotient, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The judge is judged by the processor.
    #[test]
    fn the_plain_arithmetic_is_that_of_ieee_754() {
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.5,
            0.1,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            -5e-324,
            1e-310,
            1e308,
            3e-200,
            9_007_199_254_740_993.0,
            f64::INFINITY,
            f64::NAN,
            2.0_f64.powi(-1074),
            1.0 + f64::EPSILON,
        ];
        let mut seed = 7_u64;
        let mut any = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from_bits(seed ^ seed >> 29)
        };
        let random: Vec<f64> = (0..400).map(|_| any()).collect();
        let pairs = special.iter().flat_map(|a| special.iter().map(move |b| (*a, *b)));
        for (a, b) in pairs.chain(random.windows(2).map(|pair| (pair[0], pair[1]))) {
            let same = |found: f64, right: f64| {
                found.to_bits() == right.to_bits() || (found.is_nan() && right.is_nan())
            };
            assert!(same(add(a, b), a + b), "{a:e} + {b:e}: {:e}", add(a, b));
            assert!(same(multiply(a, b), a * b), "{a:e} * {b:e}: {:e}", multiply(a, b));
            assert!(b == 0.0 || same(divide(a, b), a / b), "{a:e} / {b:e}: {:e}", divide(a, b));
        }
    }

    #[test]
    fn integers_are_rounded_to_even() {
        let power = |bits: u32| BigInt::from(1) << bits;
        assert_eq!(to_float(&(power(53) + 1)), Some(9_007_199_254_740_992.0));
        assert_eq!(to_float(&(power(53) + 3)), Some(9_007_199_254_740_996.0));
        assert_eq!(to_float(&(power(1024) - power(970))), None);
        assert_eq!(to_float(&(power(1024) - power(970) - 1)), Some(f64::MAX));
        let floor = |a: i32, b: i32| floored(&a.into(), &b.into());
        assert_eq!(floor(-7, 2), Some((BigInt::from(-4), BigInt::from(1))));
        assert_eq!(floor(7, -2), Some((BigInt::from(-4), BigInt::from(-1))));
        assert_eq!(floor(7, 0), None);
    }
}
