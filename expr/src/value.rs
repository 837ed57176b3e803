//! One value, and what can go wrong in computing one.

use std::fmt;

use tally_reduce::Integer;

use crate::limits::INTEGER_BITS_MAX;

/// What a value is. An expression has one kind, whatever the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A whole number of any size.
    Integer,
    /// An IEEE 754 double.
    Float,
    /// A condition: true or false.
    Bool,
    /// Bytes, compared byte by byte.
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Bool => "a condition",
            Self::Text => "a text",
        })
    }
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Integer(Integer),
    Float(f64),
    Bool(bool),
    Text(&'a [u8]),
}

/// Why a value does not exist. It is an error of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    DivisionByZero,
    NegativeExponent,
    ZeroToNegative,
    ComplexPower,
    NegativeShift,
    IntegerTooLarge,
    TooLargeForFloat,
    QuotientTooLarge,
    PowerTooLarge,
    ExpTooLarge,
    SqrtNegative,
    LogNotPositive,
    AngleInfinite,
    NotANumber,
    Infinite,
    /// The cell of a column has no value.
    Valueless(usize),
    /// A defect of this crate: types that the lowering has excluded.
    Mistyped,
}

impl Trouble {
    pub(crate) fn message(self) -> String {
        let text = match self {
            Self::DivisionByZero => "division by zero",
            Self::NegativeExponent => "a negative exponent of an integer",
            Self::ZeroToNegative => "zero to a negative power",
            Self::ComplexPower => "a fractional power of a negative number",
            Self::NegativeShift => "a shift by a negative count",
            Self::IntegerTooLarge => return format!("an integer of more than {INTEGER_BITS_MAX} bits"),
            Self::TooLargeForFloat => "the integer is too large for a float",
            Self::QuotientTooLarge => "the quotient is too large for a float",
            Self::PowerTooLarge => "the power is too large for a float",
            Self::ExpTooLarge => "the exponential is too large for a float",
            Self::SqrtNegative => "the square root of a negative number",
            Self::LogNotPositive => "the logarithm of a number that is not positive",
            Self::AngleInfinite => "an angle that is infinite",
            Self::NotANumber => "NaN has no integer",
            Self::Infinite => "infinity has no integer",
            Self::Valueless(_) => "a cell without a value",
            Self::Mistyped => "a value of the wrong kind",
        };
        text.to_owned()
    }

    pub(crate) fn hint(self) -> Option<&'static str> {
        match self {
            Self::DivisionByZero => Some("guard it, for example `if(d != 0, n // d, 0)`"),
            Self::NegativeExponent => Some("write `float(x) ** y` for a float"),
            _ => None,
        }
    }
}
