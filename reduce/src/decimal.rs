//! A decimal number: an integer and how many of its digits stand after the point.
//!
//! This is for text such as money: what is written is what is meant, and nothing is ever rounded.

use std::cmp::Ordering;
use std::fmt;

use crate::Integer;

/// Digits before or after the point of one number; far beyond any column of data, and small enough that no text
/// of a few bytes, such as `1e999999999`, can take the memory.
pub(crate) const DIGITS_MAX: u32 = 4_096;

/// An exact decimal number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Decimal {
    /// The number without its point.
    pub(crate) digits: Integer,
    /// How many of the digits stand after the point.
    pub(crate) scale: u32,
}

/// Why a text is no decimal number. The text fits after "could not".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotDecimal {
    /// There is no digit.
    NoDigits,
    /// A byte that cannot stand there, counted from 0.
    Unexpected {
        /// Where it is.
        at: usize,
    },
    /// More digits before or after the point than are read.
    TooLong,
}

impl fmt::Display for NotDecimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDigits => f.write_str("read a decimal number: there is no digit"),
            Self::Unexpected { at } => {
                write!(f, "read a decimal number: byte {} does not belong there", at + 1)
            }
            Self::TooLong => write!(
                f,
                "read a decimal number: it has more than {DIGITS_MAX} digits before or after the point"
            ),
        }
    }
}

impl std::error::Error for NotDecimal {}

impl Decimal {
    /// Reads a sign or none, digits with at most one point among them, and an exponent or none; nothing else, not
    /// even spaces.
    ///
    /// The digits after the point are kept, zeros too; an exponent moves the point.
    ///
    /// # Errors
    /// If the text is anything else, or too long.
    pub fn parse(text: &[u8]) -> Result<Self, NotDecimal> {
        let (negative, start) = match text.first() {
            Some(b'-') => (true, 1),
            Some(b'+') => (false, 1),
            _ => (false, 0),
        };
        let mut digits = Gathered::default();
        let mut point = None;
        let mut at = start;
        while let Some(byte) = text.get(at) {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                b'.' if point.is_none() => point = Some(at),
                b'e' | b'E' => break,
                _ => return Err(NotDecimal::Unexpected { at }),
            }
            at += 1;
        }
        if at == start + usize::from(point.is_some()) {
            return Err(NotDecimal::NoDigits);
        }
        let after = point.map_or(0, |point| at - point - 1);
        let exponent = match text.get(at) {
            None => 0,
            Some(_) => exponent(text, at + 1)?,
        };
        let scale = i64::try_from(after).map_err(|_| NotDecimal::TooLong)? - exponent;
        let before = i64::try_from(at - start).map_err(|_| NotDecimal::TooLong)? - scale;
        let most = i64::from(DIGITS_MAX);
        if scale > most || before > most || (at - start) as u64 > 2 * u64::from(DIGITS_MAX) {
            return Err(NotDecimal::TooLong);
        }
        let magnitude = digits.value() * ten_to(u32::try_from(-scale).unwrap_or(0));
        Ok(Self {
            digits: if negative { -magnitude } else { magnitude },
            scale: u32::try_from(scale).unwrap_or(0),
        })
    }

    /// `units / 10^scale`.
    ///
    /// # Errors
    /// If it has more digits before or after the point than are read of a text.
    pub fn from_units(units: Integer, scale: i64) -> Result<Self, NotDecimal> {
        let most = i64::from(DIGITS_MAX);
        if !(-most..=most).contains(&scale) {
            return Err(NotDecimal::TooLong);
        }
        Ok(match u32::try_from(scale) {
            Ok(scale) => Self { digits: units, scale },
            Err(_) => Self { digits: units * ten_to(u32::try_from(-scale).unwrap_or(0)), scale: 0 },
        })
    }

    /// Digits after the point.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// The digits at a scale that is not smaller than its own.
    pub(crate) fn digits_at(&self, scale: u32) -> Integer {
        &self.digits * ten_to(scale.saturating_sub(self.scale))
    }

    /// The same number without zeros at the end of its fraction.
    pub(crate) fn stripped(mut self) -> Self {
        while self.scale > 0 && self.is_padded() {
            self.digits /= Integer::from(10);
            self.scale -= 1;
        }
        self
    }

    pub(crate) fn is_padded(&self) -> bool {
        self.scale > 0 && (&self.digits % Integer::from(10)).is_zero()
    }

    /// The order of the values.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let short = |this: &Self, scale: u32| {
            let digits = i64::try_from(&this.digits).ok()?;
            // 10^18 times 2^63 fits.
            (scale - this.scale <= 18).then(|| i128::from(digits) * 10_i128.pow(scale - this.scale))
        };
        let scale = self.scale.max(other.scale);
        match (short(self, scale), short(other, scale)) {
            (Some(mine), Some(other)) => mine.cmp(&other),
            _ => self.digits_at(scale).cmp(&other.digits_at(scale)),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.digits.to_string();
        let (sign, digits) = text.strip_prefix('-').map_or(("", &*text), |digits| ("-", digits));
        let scale = self.scale as usize;
        if scale == 0 {
            return f.pad(&text);
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (before, after) = padded.split_at(padded.len() - scale);
        f.pad(&format!("{sign}{before}.{after}"))
    }
}

pub(crate) fn ten_to(exponent: u32) -> Integer {
    Integer::from(10).pow(exponent as usize)
}

/// The exponent that begins at a place; far too large ones are cut off where they are still too large.
fn exponent(text: &[u8], start: usize) -> Result<i64, NotDecimal> {
    const FAR: i64 = 1 << 40;
    let (negative, start) = match text.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    };
    let digits = text.get(start..).unwrap_or(&[]);
    if digits.is_empty() {
        return Err(NotDecimal::NoDigits);
    }
    let mut exponent = 0_i64;
    for (at, byte) in digits.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(NotDecimal::Unexpected { at: start + at });
        }
        exponent = (exponent * 10 + i64::from(byte - b'0')).min(FAR);
    }
    Ok(if negative { -exponent } else { exponent })
}

/// Digits as they come, in a word as long as they fit.
#[derive(Default)]
struct Gathered {
    word: u128,
    count: u32,
    before: Option<Integer>,
}

impl Gathered {
    /// Digits that any word holds.
    const DIGITS: u32 = 38;

    #[inline]
    fn push(&mut self, digit: u8) {
        if self.count == Self::DIGITS {
            self.spill();
        }
        self.word = self.word * 10 + u128::from(digit);
        self.count += 1;
    }

    #[cold]
    fn spill(&mut self) {
        let before = self.before.take().unwrap_or(Integer::ZERO);
        self.before = Some(before * ten_to(self.count) + self.word);
        (self.word, self.count) = (0, 0);
    }

    fn value(mut self) -> Integer {
        if self.before.is_none() {
            return self.word.into();
        }
        self.spill();
        self.before.unwrap_or(Integer::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, NotDecimal> {
        Decimal::parse(text.as_bytes()).map(|decimal| decimal.to_string())
    }

    #[test]
    fn what_is_written_is_what_is_meant() {
        for (text, wanted) in [
            ("0", "0"),
            ("-0.00", "0.00"),
            ("+1.10", "1.10"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("1e3", "1000"),
            ("1.25E+1", "12.5"),
            ("1.25e-1", "0.125"),
            ("-12e-4", "-0.0012"),
            ("1.50e1", "15.0"),
            ("1.50e9", "1500000000"),
            (
                "12345678901234567890123456789012345678901234567890.5",
                "12345678901234567890123456789012345678901234567890.5",
            ),
            ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
            ("1e4095", &format!("1{}", "0".repeat(4_095))),
        ] {
            assert_eq!(read(text), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_read() {
        use NotDecimal::{NoDigits, TooLong, Unexpected};
        for (text, wanted) in [
            ("", NoDigits),
            ("-", NoDigits),
            (".", NoDigits),
            ("+.e5", NoDigits),
            ("1e", NoDigits),
            ("1e-", NoDigits),
            (" 1", Unexpected { at: 0 }),
            ("1 ", Unexpected { at: 1 }),
            ("1.2.3", Unexpected { at: 3 }),
            ("--1", Unexpected { at: 1 }),
            ("1,000", Unexpected { at: 1 }),
            ("1e1.5", Unexpected { at: 3 }),
            ("nan", Unexpected { at: 0 }),
            ("0x10", Unexpected { at: 1 }),
            ("1e4096", TooLong),
            ("1e99999999999999999999", TooLong),
            ("1e-99999999999999999999", TooLong),
            ("1e-4097", TooLong),
        ] {
            assert_eq!(read(text), Err(wanted), "{text}");
        }
        assert_eq!(
            NotDecimal::Unexpected { at: 1 }.to_string(),
            "read a decimal number: byte 2 does not belong there"
        );
    }

    proptest! {
        #[test]
        fn texts_come_back(digits in any::<i128>(), scale in 0_u32..60) {
            let decimal = Decimal { digits: Integer::from(digits), scale };
            prop_assert_eq!(Decimal::parse(decimal.to_string().as_bytes()), Ok(decimal.clone()));
            prop_assert!(decimal.order(&decimal.clone().stripped()).is_eq());
            prop_assert!(!decimal.stripped().is_padded());
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in "[-+0-9.eE ]{0,12}") {
            if let Ok(decimal) = Decimal::parse(text.as_bytes()) {
                let same: f64 = text.parse().unwrap();
                let back: f64 = decimal.to_string().parse().unwrap();
                prop_assert_eq!(same.abs().to_bits(), back.abs().to_bits(), "{}", text);
            }
        }
    }
}
