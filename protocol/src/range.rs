//! Range sources: from the text a person types (`0..1e9`, `1..=8_000_000`, `-5..5`) to a progression.
//!
//! A progression numbers its elements by position: element `p` is `first + p * step`. Positions are what is
//! cut into partitions, leased and covered; values may lie far beyond 64 bits.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tally_reduce::Integer;

use crate::limits;

/// `count` integers from `first` on, `step` apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progression {
    /// The first element; meaningless when `count` is 0.
    pub first: Integer,
    /// What is added to get the next element; never 0.
    pub step: Integer,
    /// How many elements there are.
    pub count: u64,
}

impl Progression {
    /// The element at a position, counted from 0.
    #[must_use]
    pub fn at(&self, position: u64) -> Integer {
        &self.first + &self.step * Integer::from(position)
    }
}

/// Why a text is not a range. Fits after "could not read the range 'TEXT': ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// There is no `..` in it.
    NotARange,
    /// Three dots.
    ThreeDots,
    /// One end is not an integer.
    NotAnInteger(String),
    /// The step is 0.
    ZeroStep,
    /// More elements than a position can number.
    TooLong,
    /// An end has too many digits.
    TooManyDigits,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARange => f.write_str("a range looks like 0..100 or 1..=100"),
            Self::ThreeDots => {
                f.write_str("two dots stand between the ends, and '=' after them takes in the last")
            }
            Self::NotAnInteger(text) if text.is_empty() => f.write_str("one end is missing"),
            Self::NotAnInteger(text) => write!(f, "'{text}' is not an integer"),
            Self::ZeroStep => f.write_str("the step is 0"),
            Self::TooLong => f.write_str("it has more than 2^64-1 elements"),
            Self::TooManyDigits => {
                write!(f, "a number has more than {} digits", limits::INTEGER_TEXT_BYTES_MAX)
            }
        }
    }
}

impl std::error::Error for RangeError {}

/// Whether a text is meant as a range at all, rather than as a file name.
#[must_use]
pub fn looks_like_range(text: &str) -> bool {
    let Some((start, end)) = text.split_once("..") else { return false };
    let end = end.strip_prefix('=').unwrap_or(end);
    let numeric = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
            && part.chars().all(|c| c.is_ascii_digit() || "+-_eE.*".contains(c))
    };
    (numeric(start) || start.is_empty())
        && (numeric(end) || end.is_empty())
        && !(start.is_empty() && end.is_empty())
}

/// What a range that cannot be read was meant as.
pub(crate) fn meant(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split("..").collect();
    match parts.as_slice() {
        [from, to, step] if [from, to, step].iter().all(|part| parse_integer(part).is_ok()) => {
            Some(format!("a step has its own option: {from}..{to} --step {step}"))
        }
        [from, "" | "="] if parse_integer(from).is_ok() => {
            Some(format!("a range has both ends: {from}..100, or {from}..=100 with the last"))
        }
        _ => None,
    }
}

/// Reads `A..B` (half-open) or `A..=B` (inclusive) with a step.
///
/// A negative step walks down from A. A range that its step leads away from is empty, as in Python.
///
/// # Errors
/// When an end is no integer, the step is 0, or there are more than 2^64-1 elements.
pub fn parse_range(text: &str, step: &Integer) -> Result<Progression, RangeError> {
    let (start, end) = text.split_once("..").ok_or(RangeError::NotARange)?;
    if end.starts_with('.') {
        return Err(RangeError::ThreeDots);
    }
    let (end, inclusive) = match end.strip_prefix('=') {
        Some(end) => (end, true),
        None => (end, false),
    };
    let first = parse_integer(start)?;
    let end = parse_integer(end)?;
    let zero = Integer::from(0);
    if *step == zero {
        return Err(RangeError::ZeroStep);
    }
    let up = *step > zero;
    let distance = if up { &end - &first } else { &first - &end };
    let pace = if up { step.clone() } else { -step.clone() };
    // Elements at 0, pace, 2*pace, ... that are < distance, or <= distance when the end belongs to it.
    let count = if inclusive {
        if distance < zero { zero } else { distance / &pace + Integer::from(1) }
    } else if distance <= zero {
        zero
    } else {
        (distance - Integer::from(1)) / &pace + Integer::from(1)
    };
    let count = u64::try_from(&count).map_err(|_| RangeError::TooLong)?;
    Ok(Progression { first, step: step.clone(), count })
}

/// Reads an integer as people write it: `8_000_000`, `-5`, `1e9`, `2.5e3`, `2**70`.
///
/// # Errors
/// When the text is no integer (`1e-3`, `1.5`), or its digits exceed the limit.
pub fn parse_integer(text: &str) -> Result<Integer, RangeError> {
    let not = || RangeError::NotAnInteger(text.to_owned());
    if text.len() > limits::INTEGER_TEXT_BYTES_MAX {
        return Err(RangeError::TooManyDigits);
    }
    if let Some((base, power)) = text.split_once("**") {
        let (negative, base) = match base.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, base),
        };
        let base = decimal(base).ok_or_else(not)?;
        let power: usize = digits(power).and_then(|d| d.parse().ok()).ok_or_else(not)?;
        // 10 digits of base at most double per bit; bound the size before the power is taken.
        if power.saturating_mul(base.to_string().len()) > limits::INTEGER_TEXT_BYTES_MAX {
            return Err(RangeError::TooManyDigits);
        }
        let value = base.pow(power);
        return Ok(if negative { -value } else { value });
    }
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let value = match exponent {
        None => decimal(mantissa).ok_or_else(not)?,
        Some(exponent) => {
            let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
            let exponent: usize = digits(exponent).and_then(|d| d.parse().ok()).ok_or_else(not)?;
            if exponent > limits::INTEGER_TEXT_BYTES_MAX {
                return Err(RangeError::TooManyDigits);
            }
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let fraction = fraction.trim_end_matches('0');
            let shift = exponent.checked_sub(fraction.len()).ok_or_else(not)?;
            let both = decimal(&format!("{whole}{fraction}")).ok_or_else(not)?;
            both * Integer::from(10).pow(shift)
        }
    };
    Ok(if negative { -value } else { value })
}

/// Digits with single underscores between them, underscores removed.
fn digits(text: &str) -> Option<String> {
    let well_formed = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && !text.starts_with('_')
        && !text.ends_with('_')
        && !text.contains("__");
    well_formed.then(|| text.replace('_', ""))
}

fn decimal(text: &str) -> Option<Integer> {
    digits(text)?.parse().ok()
}

/// An integer on the wire: decimal text for JSON, so that nothing is lost beyond 2^53; text in frames too.
pub(crate) fn serialize_integer<S: Serializer>(value: &Integer, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn deserialize_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Integer, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_integer(&text).map_err(serde::de::Error::custom)
}

#[derive(Serialize, Deserialize)]
struct WireProgression {
    #[serde(serialize_with = "serialize_integer", deserialize_with = "deserialize_integer")]
    first: Integer,
    #[serde(serialize_with = "serialize_integer", deserialize_with = "deserialize_integer")]
    step: Integer,
    count: u64,
}

impl Serialize for Progression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WireProgression { first: self.first.clone(), step: self.step.clone(), count: self.count }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Progression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireProgression::deserialize(deserializer)?;
        Ok(Self { first: wire.first, step: wire.step, count: wire.count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Result<(String, u64), RangeError> {
        parse_range(text, &Integer::from(1)).map(|p| (p.first.to_string(), p.count))
    }

    fn stepped(text: &str, step: i64) -> Vec<String> {
        let p = parse_range(text, &Integer::from(step)).unwrap();
        (0..p.count).map(|i| p.at(i).to_string()).collect()
    }

    #[test]
    fn ranges_as_people_write_them() {
        assert_eq!(range("0..100000000"), Ok(("0".into(), 100_000_000)));
        assert_eq!(range("1..=8_000_000"), Ok(("1".into(), 8_000_000)));
        assert_eq!(range("0..1e9"), Ok(("0".into(), 1_000_000_000)));
        assert_eq!(range("-5..5"), Ok(("-5".into(), 10)));
        assert_eq!(range("5..5"), Ok(("5".into(), 0)));
        assert_eq!(range("5..=5"), Ok(("5".into(), 1)));
        assert_eq!(range("7..3"), Ok(("7".into(), 0)));
        assert_eq!(range("2**64..=2**64"), Ok(("18446744073709551616".into(), 1)));
        assert_eq!(range("1.5e3..2e3"), Ok(("1500".into(), 500)));
        assert_eq!(range("-2**63..-9223372036854775807"), Ok(("-9223372036854775808".into(), 1)));
    }

    #[test]
    fn steps_go_both_ways() {
        assert_eq!(stepped("0..10", 3), ["0", "3", "6", "9"]);
        assert_eq!(stepped("0..=9", 3), ["0", "3", "6", "9"]);
        assert_eq!(stepped("0..9", 3), ["0", "3", "6"]);
        assert_eq!(stepped("10..0", -4), ["10", "6", "2"]);
        assert_eq!(stepped("10..=2", -4), ["10", "6", "2"]);
        assert_eq!(stepped("0..10", -1), Vec::<String>::new());
    }

    #[test]
    fn refusals_say_why() {
        assert_eq!(range("12"), Err(RangeError::NotARange));
        assert_eq!(range("a..3"), Err(RangeError::NotAnInteger("a".into())));
        assert_eq!(range("1.5..3"), Err(RangeError::NotAnInteger("1.5".into())));
        assert_eq!(range("1e-3..3"), Err(RangeError::NotAnInteger("1e-3".into())));
        assert_eq!(range("1__0..3"), Err(RangeError::NotAnInteger("1__0".into())));
        assert_eq!(range("0.."), Err(RangeError::NotAnInteger(String::new())));
        assert_eq!(range("0..1e20"), Err(RangeError::TooLong));
        assert_eq!(range("0..1e999999999"), Err(RangeError::TooManyDigits));
        assert_eq!(range("0..9**999999999"), Err(RangeError::TooManyDigits));
        assert_eq!(parse_range("0..3", &Integer::from(0)), Err(RangeError::ZeroStep));
    }

    #[test]
    fn ranges_are_told_from_files() {
        for yes in ["0..10", "-5..5", "1..=2", "1e3..2e3", "0..", "..5"] {
            assert!(looks_like_range(yes), "{yes}");
        }
        for no in ["a.csv", "../x.csv", "..", "dir..old/1.csv", "-"] {
            assert!(!looks_like_range(no), "{no}");
        }
    }
}
