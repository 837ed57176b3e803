//! What one cell says, for the cells that the short paths leave over: blanks, quotes, signs, exponents, long integers,
//! and everything that is no number.
//!
//! A number is `[+-] digits [. digits] [e [+-] digits]` with a digit on either side of the point, or `inf`,
//! `infinity`, `nan` in any case of letters with or without a sign. Blanks and quotes around it are left out.
//! Nothing else is a number: no `NA`, no `1_000`, no `1,5`, no `0x10`.

use std::fmt;
use std::str::FromStr;

use tally_reduce::Integer;

use crate::digits::{DIGITS_MAX, number};
use crate::float::{self, NotFloat};

/// Why a cell has no value of the kind that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadCell {
    /// There is nothing in it.
    Empty,
    /// It is no number.
    NotNumber,
    /// It is a finite number beyond the range of doubles.
    TooLarge,
    /// It is no finite decimal number, or its exponent is beyond 9999 either way.
    NotDecimal,
    /// Its row has another number of cells than the table, so that nobody knows which cell it is.
    Ragged,
}

impl fmt::Display for BadCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::NotNumber => "is not a number",
            Self::TooLarge => "is beyond the range of floats",
            Self::NotDecimal => "is not a finite decimal number",
            Self::Ragged => "is in a row with another number of cells",
        })
    }
}

/// What a cell of a column of integers says.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Numeral {
    Small(i64),
    Wide(Integer),
    /// A number, but not written as an integer.
    Float,
}

/// Whether a cell would be a number with a point in the place of its comma.
pub fn has_decimal_comma(cell: &[u8]) -> bool {
    let cell = trimmed(cell, Some(b'"'));
    let digits = cell.strip_prefix(b"-").or(cell.strip_prefix(b"+")).unwrap_or(cell);
    let mut parts = digits.split(|byte| *byte == b',');
    let (whole, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let some_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    parts.next().is_none() && some_digits(whole) && some_digits(rest)
}

/// A cell without the quotes and blanks around it.
pub(crate) fn trimmed(cell: &[u8], quote: Option<u8>) -> &[u8] {
    let inner = match (quote, cell) {
        (Some(quote), [first, inner @ .., last]) if *first == quote && *last == quote => inner,
        _ => cell,
    };
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = inner.iter().position(|byte| !blank(byte)).unwrap_or(inner.len());
    let end = inner.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &inner[start..end]
}

/// The integer of the cell `bytes[start..end]`, if it is plain digits with or without a minus and fits.
#[inline(always)]
pub(crate) fn small_integer(bytes: &[u8], start: usize, end: usize) -> Option<i64> {
    let minus = *bytes.get(start)? == b'-';
    let first = start + usize::from(minus);
    if first >= end {
        return None;
    }
    let size = i64::try_from(number(bytes, first, end)?).ok()?;
    let sign = -i64::from(minus);
    Some((size ^ sign) - sign)
}

/// Any other cell of a column of integers.
pub(crate) fn numeral(cell: &[u8]) -> Result<Numeral, BadCell> {
    let digits = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return float(cell).map(|_| Numeral::Float);
    }
    let text = std::str::from_utf8(cell).map_err(|_| BadCell::NotNumber)?;
    let text = text.strip_prefix('+').unwrap_or(text);
    match i64::from_str(text) {
        Ok(small) => Ok(Numeral::Small(small)),
        Err(_) => Integer::from_str(text).map(Numeral::Wide).map_err(|_| BadCell::NotNumber),
    }
}

/// Any cell of a column of floats.
pub(crate) fn float(cell: &[u8]) -> Result<f64, BadCell> {
    match float::general(cell) {
        Ok(value) => Ok(value),
        Err(NotFloat::TooLarge) => Err(BadCell::TooLarge),
        Err(NotFloat::NoNumber) if cell.is_empty() => Err(BadCell::Empty),
        Err(NotFloat::NoNumber) => Err(BadCell::NotNumber),
    }
}

/// A decimal number as it was written: `units / 10^scale`.
#[derive(Clone, PartialEq, Debug)]
pub struct Decimal {
    /// All digits, without the point.
    pub units: Integer,
    /// Digits after the point, less the exponent; negative for `1e3`.
    pub scale: i32,
}

/// A short decimal, as most are: `units / 10^scale`.
#[inline(always)]
pub(crate) fn short_decimal(bytes: &[u8], start: usize, end: usize) -> Option<(i128, i32)> {
    let minus = *bytes.get(start)? == b'-';
    let (units, decimals) = float::mantissa(bytes, start + usize::from(minus), end)?;
    let units = i128::from(units);
    Some((if minus { -units } else { units }, i32::try_from(decimals).ok()?))
}

/// The largest exponent of a decimal, either way.
const EXPONENT_MAX: i32 = 9_999;

/// Any decimal.
pub(crate) fn decimal(cell: &[u8]) -> Result<Decimal, BadCell> {
    if cell.is_empty() {
        return Err(BadCell::Empty);
    }
    // Whatever is a number and not a decimal is an infinity or a NaN, which have no digits.
    if matches!(float::general(cell), Err(NotFloat::NoNumber)) || !cell.iter().any(u8::is_ascii_digit) {
        return Err(if float(cell).is_ok() { BadCell::NotDecimal } else { BadCell::NotNumber });
    }
    let text = std::str::from_utf8(cell).map_err(|_| BadCell::NotNumber)?;
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse().map_err(|_| BadCell::NotDecimal)?),
        None => (text, 0_i32),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let decimals = i32::try_from(fraction.len()).map_err(|_| BadCell::NotDecimal)?;
    if !(-EXPONENT_MAX..=EXPONENT_MAX).contains(&exponent) {
        return Err(BadCell::NotDecimal);
    }
    let units = Integer::from_str(&format!("{whole}{fraction}")).map_err(|_| BadCell::NotNumber)?;
    Ok(Decimal { units, scale: decimals - exponent })
}

const _: () = assert!(DIGITS_MAX == 19, "an i64 is tried first for every run of digits that may fit one");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_commas_are_recognised_and_not_read() {
        for cell in ["1,5", "-0,25", "\"12,0\"", " +3,1 "] {
            assert!(
                has_decimal_comma(cell.as_bytes()) && float(trimmed(cell.as_bytes(), Some(b'"'))).is_err()
            );
        }
        for cell in ["", ",", "1,", ",5", "1,2,3", "1.5", "a,b", "1,5e3"] {
            assert!(!has_decimal_comma(cell.as_bytes()), "{cell}");
        }
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            ("007", 7),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("0000000000000000000000000000012", 12),
        ] {
            assert_eq!(numeral(text.as_bytes()), Ok(Numeral::Small(value)), "{text}");
            let short = small_integer(text.as_bytes(), 0, text.len());
            assert!(short.is_none_or(|short| short == value), "{text}");
        }
        let wide = "-123456789012345678901234567890";
        assert_eq!(numeral(wide.as_bytes()), Ok(Numeral::Wide(wide.parse().unwrap())));
        assert_eq!(numeral(b"9223372036854775808"), Ok(Numeral::Wide(Integer::ONE << 63)));
        assert_eq!(small_integer(b"9223372036854775808", 0, 19), None);
    }

    #[test]
    fn floats_and_what_is_no_number() {
        for text in
            ["1.0", "1.", ".5", "-.5e3", "1e5", "1E+05", "+1.5", "inf", "-Infinity", "NaN", "+nan", "1e-400"]
        {
            assert_eq!(numeral(text.as_bytes()), Ok(Numeral::Float), "{text}");
            assert!(float(text.as_bytes()).is_ok(), "{text}");
        }
        for text in [
            "NA", "1_000", "1,5", "0x10", "1e", "e5", ".", "-", "+", "+-1", "1 2", "null", "--1", "1.2.3",
            "1f", "٣", "in",
        ] {
            assert_eq!(numeral(text.as_bytes()), Err(BadCell::NotNumber), "{text}");
            assert_eq!(float(text.as_bytes()), Err(BadCell::NotNumber), "{text}");
            assert_eq!(decimal(text.as_bytes()), Err(BadCell::NotNumber), "{text}");
        }
        assert_eq!(numeral(b""), Err(BadCell::Empty));
        assert_eq!(float(b""), Err(BadCell::Empty));
        assert_eq!(float(b"1e400"), Err(BadCell::TooLarge));
        assert_eq!(numeral(b"1e400"), Err(BadCell::TooLarge));
    }

    #[test]
    fn decimals() {
        for (text, units, scale) in [
            ("1.50", "150", 2),
            ("-0.1", "-1", 1),
            ("+3", "3", 0),
            ("1.5e3", "15", -2),
            ("1e-2", "1", 2),
            (".5", "5", 1),
            ("5.", "5", 0),
            ("123456789012345678901234567890.25", "12345678901234567890123456789025", 2),
            ("1e400", "1", -400),
        ] {
            let expected = Decimal { units: units.parse().unwrap(), scale };
            assert_eq!(decimal(text.as_bytes()), Ok(expected.clone()), "{text}");
            if let Some((units, scale)) = short_decimal(text.as_bytes(), 0, text.len()) {
                assert_eq!(Decimal { units: units.into(), scale }, expected, "{text}");
            }
        }
        for text in ["inf", "nan", "1e10000", "1e-99999999999"] {
            assert_eq!(decimal(text.as_bytes()), Err(BadCell::NotDecimal), "{text}");
        }
    }

    #[test]
    fn quotes_and_blanks_around_a_number() {
        let quote = Some(b'"');
        assert_eq!(trimmed(b"\"12\"", quote), b"12");
        assert_eq!(trimmed(b" 12\t", quote), b"12");
        assert_eq!(trimmed(b"\" 12 \"", quote), b"12");
        assert_eq!(trimmed(b"\"\"", quote), b"");
        assert_eq!(trimmed(b"  ", quote), b"");
        assert_eq!(trimmed(b"\"", quote), b"\"");
        assert_eq!(trimmed(b"\"12\"", None), b"\"12\"");
    }
}
