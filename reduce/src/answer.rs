//! What a reduction comes to, and how that is written.
//!
//! The text of a float is the shortest that reads back to the same bits, in the manner of Python's `repr`:
//! `3.0`, `0.1`, `1e+300`, `1e-05`, `inf`, `-inf`, `nan`.

use std::fmt;

use dashu_int::Sign;
use dashu_int::ops::BitTest as _;

use crate::radix::decimal_text;
use crate::{Integer, Reduction};

/// Bytes of the magnitude of an integer: what keeping it costs, about.
#[must_use]
pub fn byte_length(value: &Integer) -> usize {
    value.bit_len().div_ceil(8)
}

/// The value of one reduction.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// Exact; written in full decimal.
    Integer(Integer),
    /// Correctly rounded; written as the shortest text that reads back to the same bits.
    Float(f64),
}

impl Answer {
    /// `"integer"` or `"float"`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => {
                let (sign, magnitude) = value.clone().into_parts();
                f.pad_integral(sign == Sign::Positive, "", &decimal_text(&magnitude))
            }
            Self::Float(value) => f.pad(&float_text(*value)),
        }
    }
}

/// The shortest digits that are read as this value, and of those the nearest to it, of two the even ones.
///
/// Rust rounds a tie up; where rounding to as many digits, which takes even ones, is read as the value, it is nearer.
fn shortest(value: f64) -> String {
    let text = format!("{value:?}");
    if text.contains('e') || !value.is_finite() {
        // Too large or small for a tie: a value of 2^k has digits down to its last bit.
        let digits = text.split(['e']).next().unwrap_or_default();
        let places = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let even = format!("{value:.places$e}");
        return if same(&even, value) && even.len() == text.len() { even } else { text };
    }
    let places = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let even = format!("{value:.places$}");
    if same(&even, value) && even.len() == text.len() { even } else { text }
}

fn same(text: &str, value: f64) -> bool {
    text.parse().is_ok_and(|read: f64| read.to_bits() == value.to_bits())
}

/// Rust's `Debug` finds the shortest digits and changes to exponents where Python does (below 1e-4, from 1e16);
/// only the exponent is written differently: always with its sign, and with two digits at least.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let text = shortest(value);
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
    }
}

/// Why a reduction has no answer. The text fits after "could not compute".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// There were no elements.
    Empty {
        /// What was asked.
        reduction: Reduction,
    },
    /// There was one element, and a sample needs two.
    TooFew {
        /// What was asked.
        reduction: Reduction,
    },
    /// The exact product of the floats has too many digits to be kept.
    TooLong,
    /// The digits of a decimal mean never end.
    Endless,
    /// There is no such reduction of decimal numbers.
    NotDecimal {
        /// What was asked.
        reduction: Reduction,
    },
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { reduction } => write!(f, "the {}: there are no elements", noun(*reduction)),
            Self::TooFew { reduction } => {
                write!(f, "the sample {} of one element: it needs at least two", noun(*reduction))
            }
            Self::Endless => f.write_str(
                "the mean in decimal: its digits never end, and decimal answers are never rounded",
            ),
            Self::NotDecimal { reduction } => write!(
                f,
                "the {} in decimal: it would have to be rounded, or have digits without end",
                noun(*reduction)
            ),
            Self::TooLong => f.write_str(
                "the product of so many floats: their digits come to more than 16777216 bits, and rounding \
                 earlier would make the answer depend on the order",
            ),
        }
    }
}

impl std::error::Error for NoAnswer {}

fn noun(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Min => "minimum",
        Reduction::Max => "maximum",
        Reduction::Stddev => "standard deviation",
        Reduction::Sum | Reduction::Product | Reduction::Count | Reduction::Mean | Reduction::Variance => {
            reduction.name()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (3.0, "3.0"),
            (0.1, "0.1"),
            (2.5, "2.5"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.234_567_8e16, "1.2345678e+16"),
            (1e300, "1e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.0001, "0.0001"),
            (0.000_099, "9.9e-05"),
            (1e-5, "1e-05"),
            (5e-324, "5e-324"),
            // Ties between two of the same length: the even one.
            (6_246_873_754_346_289.0 / 4.0, "1561718438586572.2"),
            (6_246_873_754_346_291.0 / 4.0, "1561718438586572.8"),
            (9.5, "9.5"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(Answer::Float(value).to_string(), text);
        }
    }

    #[test]
    fn integers_are_written_in_full() {
        let value: Integer = "-123456789012345678901234567890123456789012345678901234567890".parse().unwrap();
        assert_eq!(
            Answer::Integer(value).to_string(),
            "-123456789012345678901234567890123456789012345678901234567890"
        );
        assert_eq!(Answer::Integer(Integer::ZERO).to_string(), "0");
        assert_eq!(Answer::Integer(Integer::ZERO).kind(), "integer");
        assert_eq!(Answer::Float(0.0).kind(), "float");
    }

    #[test]
    fn reasons_fit_after_could_not_compute() {
        let empty = |reduction| NoAnswer::Empty { reduction }.to_string();
        assert_eq!(empty(Reduction::Mean), "the mean: there are no elements");
        assert_eq!(empty(Reduction::Min), "the minimum: there are no elements");
        assert_eq!(
            NoAnswer::TooFew { reduction: Reduction::Stddev }.to_string(),
            "the sample standard deviation of one element: it needs at least two"
        );
    }

    proptest! {
        #[test]
        fn floats_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let back: f64 = Answer::Float(value).to_string().parse().unwrap();
            prop_assert!(back.to_bits() == bits || (value.is_nan() && back.is_nan()));
        }
    }
}
