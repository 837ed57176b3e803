//! A decimal text as the nearest double, ties to even.
//!
//! The way most cells go: up to 19 digits around a point become an integer `m` and a count `p` of decimals, and the
//! double nearest to `m / 10^p` is found by one multiplication by a 64-bit reciprocal whose error is bounded. If the bound
//! leaves the rounding open, and for every other spelling, the general reader decides. Both give the correctly rounded value always.

use crate::digits::{DIGITS_MAX, masked, number, word};

/// The double nearest to the cell `bytes[start..end]`, if it is a plain decimal of at most 19 digits.
#[inline(always)]
pub(crate) fn plain(bytes: &[u8], start: usize, end: usize) -> Option<f64> {
    let minus = *bytes.get(start)? == b'-';
    let first = start + usize::from(minus);
    let (mantissa, decimals) = mantissa(bytes, first, end)?;
    let size = quotient(mantissa, decimals)?;
    Some(f64::from_bits(size.to_bits() | u64::from(minus) << 63))
}

/// The digits without their point, and how many stood after it.
#[inline(always)]
pub(crate) fn mantissa(bytes: &[u8], first: usize, end: usize) -> Option<(u64, usize)> {
    let length = end.checked_sub(first)?;
    if length <= 8
        && let Some(chunk) = bytes.get(..end)?.last_chunk()
    {
        return short_mantissa(masked(chunk, length), length);
    }
    if length == 0 {
        return None;
    }
    let point = point(bytes, first, end);
    let whole = number(bytes, first, point)?;
    if point == end {
        return Some((whole, 0));
    }
    let decimals = end - point - 1;
    if length - 1 > DIGITS_MAX || length == 1 {
        return None;
    }
    let fraction = number(bytes, point + 1, end)?;
    Some((whole * INTEGER_TENS[decimals] + fraction, decimals))
}

/// The same for the `length` last bytes of a word, the others being zeros: what is before the point is moved over it.
#[inline(always)]
fn short_mantissa(text: u64, length: usize) -> Option<(u64, usize)> {
    let points = points(text);
    if length == usize::from(points != 0) {
        return None;
    }
    if points == 0 {
        return Some((word(text)?, 0));
    }
    // The lowest bit of the byte that is the point, and all bits below it.
    let point = (points & points.wrapping_neg()) >> 7;
    let before = point - 1;
    let moved = text & !(before | point.wrapping_mul(0xff)) | (text & before) << 8 | u64::from(b'0');
    Some((word(moved)?, 7 - (point.trailing_zeros() / 8) as usize))
}

/// The highest bit of each byte that is a point; above the lowest of them, others may be set too.
#[inline(always)]
fn points(text: u64) -> u64 {
    let odd = text ^ 0x2e2e_2e2e_2e2e_2e2e;
    odd.wrapping_sub(0x0101_0101_0101_0101) & !odd & 0x8080_8080_8080_8080
}

/// Where the point is, or `end`. The first eight bytes are looked at at once: it is nearly always there.
#[inline(always)]
fn point(bytes: &[u8], first: usize, end: usize) -> usize {
    if let Some(chunk) = bytes.get(first..).and_then(|rest| rest.first_chunk()) {
        let at = first + (points(u64::from_le_bytes(*chunk)).trailing_zeros() / 8) as usize;
        if at < first + 8 || at >= end {
            return at.min(end);
        }
    }
    later_point(bytes, first, end)
}

#[inline(never)]
fn later_point(bytes: &[u8], first: usize, end: usize) -> usize {
    bytes[first..end].iter().position(|byte| *byte == b'.').map_or(end, |at| first + at)
}

/// `mantissa / 10^decimals`, correctly rounded, or `None` where that is not certain.
#[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is what is asked for")]
#[inline(always)]
fn quotient(mantissa: u64, decimals: usize) -> Option<f64> {
    if mantissa == 0 || decimals == 0 {
        return Some(mantissa as f64);
    }
    let (reciprocal, width) = RECIPROCALS[decimals];
    let shift = mantissa.leading_zeros();
    // The true product is less than 2^64 above this one, as the reciprocal is cut off.
    let mut product = u128::from(mantissa << shift) * u128::from(reciprocal);
    let doubled = u32::from(product >> 127 == 0);
    product <<= doubled;
    let high = (product >> 64) as u64;
    let rest = high & 0x7ff;
    // The truth lies in [rest, rest + 3): it must be on one side of the middle.
    if (0x3fe..=0x400).contains(&rest) {
        return None;
    }
    let rounded = (high >> 11) + u64::from(rest > 0x400);
    // The value is rounded * 2^exponent; the hidden bit of `rounded` adds one to the exponent field.
    let exponent = 12 - i64::from(shift + width + doubled) - decimals as i64;
    let field = (exponent + 52 + 1023 - 1).cast_unsigned();
    Some(f64::from_bits((field << 52) + rounded))
}

/// Powers of ten that 64 bits hold.
pub(crate) const INTEGER_TENS: [u64; DIGITS_MAX + 1] = {
    let mut tens = [1; DIGITS_MAX + 1];
    let mut power = 1;
    while power <= DIGITS_MAX {
        tens[power] = tens[power - 1] * 10;
        power += 1;
    }
    tens
};

/// For each power `p` of five: `2^(63 + width) / 5^p` cut off to 64 bits, the highest of them set, and `width`, the bits
/// of `5^p`. The first is not used.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the quotient is below 2^64, as five is above 2^(width - 1)"
)]
const RECIPROCALS: [(u64, u32); DIGITS_MAX + 1] = {
    let mut table = [(0, 0); DIGITS_MAX + 1];
    let mut power = 1;
    let mut five: u128 = 1;
    while power <= DIGITS_MAX {
        five *= 5;
        let width = 128 - five.leading_zeros();
        // 5^19 has 45 bits, so 2^(63 + width) fits 128.
        table[power] = (((1_u128 << (63 + width)) / five) as u64, width);
        power += 1;
    }
    table
};

/// The general reader: any spelling of a number, or of an infinity or a NaN; `None` for anything else, and for a
/// number beyond the range of doubles.
pub(crate) fn general(cell: &[u8]) -> Result<f64, NotFloat> {
    let value: f64 = fast_float2::parse(cell).map_err(|_| NotFloat::NoNumber)?;
    if value.is_infinite() && cell.iter().any(u8::is_ascii_digit) {
        return Err(NotFloat::TooLarge);
    }
    Ok(value)
}

/// Why a cell is no float.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotFloat {
    NoNumber,
    TooLarge,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) {
        let expected: f64 = text.parse().unwrap();
        if let Some(found) = plain(text.as_bytes(), 0, text.len()) {
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}: {found:e} for {expected:e}");
        }
        assert_eq!(general(text.as_bytes()).unwrap().to_bits(), expected.to_bits(), "{text}");
    }

    #[test]
    fn hard_cases() {
        for text in [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "1",
            "5.",
            ".5",
            "-.5",
            "0.1",
            "9007199254740993",
            "9007199254740993.0",
            "9007199254740992.5",
            "0.9007199254740993",
            "9999999999999999999",
            "0.9999999999999999999",
            "0.000000000000000000",
            "0.30000000000000004",
            "1.7976931348623157",
            "4503599627370496.5",
            "4503599627370497.5",
            "0.5000000000000000000",
            "1152921504606846976",
            "0.1152921504606846976",
            "0.12345678901234567",
            "123456.7890123456789",
            "18446744073709551615",
            "1844674407370955161.5",
        ] {
            check(text);
        }
    }

    #[test]
    fn the_short_way_is_the_usual_way() {
        for text in ["0.12345678901234567", "-12345.25", "17", "0.1234567890123456", "1234567.89012345678"] {
            assert!(plain(text.as_bytes(), 0, text.len()).is_some(), "{text}");
        }
        for text in
            ["", "-", ".", "-.", "1e5", "1.2.3", "1,2", "+1", " 1", "0x1", "1_0", "inf", "nan", "--1", "1-"]
        {
            assert_eq!(plain(text.as_bytes(), 0, text.len()), None, "{text:?}");
        }
    }

    /// Texts that lie next to the middle between two doubles.
    #[test]
    fn next_to_the_middle() {
        for numerator in (1_u64 << 53..).step_by(0x1_2345_6789).take(20_000) {
            for decimals in 1..=19_u16 {
                let double = numerator as f64 / 10_f64.powi(i32::from(decimals));
                // Nineteen digits of the middle above the double, and its neighbours.
                let middle = double + (f64::from_bits(double.to_bits() + 1) - double) / 2.0;
                let text = format!(
                    "{middle:.*}",
                    17_usize.saturating_sub(decimals.into()).min(3) + usize::from(decimals)
                );
                check(&text);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn mantissas(mantissa in any::<u64>(), shrink in 0_u32..64, decimals in 0_usize..=19) {
            let mantissa = mantissa >> shrink;
            let digits = format!("{mantissa:0>20}");
            let (whole, fraction) = digits.split_at(20 - decimals);
            let whole = whole.trim_start_matches('0');
            check(&format!("{}.{fraction}", if whole.is_empty() { "0" } else { whole }));
        }

        #[test]
        fn doubles(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            check(&format!("{value:?}"));
        }

        #[test]
        fn ordinary_doubles(value in -1e9..1e9_f64, unit in 0.0..1.0_f64) {
            check(&format!("{value}"));
            check(&format!("{unit}"));
            check(&format!("{value:.2}"));
        }

        #[test]
        fn nothing_else_is_taken(text in "[-+.0-9eE_ ]{0,24}", before in "[0-9.,]{0,9}") {
            let whole = format!("{before}{text}");
            if let Some(found) = plain(whole.as_bytes(), before.len(), whole.len()) {
                prop_assert_eq!(Some(found.to_bits()), text.parse::<f64>().ok().map(f64::to_bits));
            }
        }
    }
}
