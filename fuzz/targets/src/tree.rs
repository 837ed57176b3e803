//! Expressions that bytes choose: as text for the program, and as a tree for the plain evaluation of it.
//!
//! Integers, floats and conditions; what is left out is what has another judge: texts, elementary functions, `//` and
//! `%` of floats (`expr/tests/python.rs`).

use num_bigint::{BigInt, Sign};

use crate::exact::{self, Value};
use crate::feed::Feed;

/// A number.
#[derive(Clone, Debug)]
pub enum Number {
    /// The integer `i`.
    I,
    /// The float `x`.
    X,
    /// An integer as it is written.
    Whole(BigInt),
    /// A float as it is written.
    Real(f64),
    /// `-a`, `+a`.
    Sign(char, Box<Self>),
    /// `~a`, of an integer.
    Not(Box<Self>),
    /// `abs(a)`.
    Abs(Box<Self>),
    /// `+ - * /` of anything.
    Arithmetic(char, Box<Self>, Box<Self>),
    /// `// % & | xor << >>` of integers.
    Integers(&'static str, Box<Self>, Box<Self>),
    /// `a ** n` of an integer.
    Power(Box<Self>, u8),
    /// `min` or `max`.
    Extreme(bool, Box<Self>, Box<Self>),
    /// `floor ceil round int float`.
    Round(&'static str, Box<Self>),
    /// `if(c, a, b)`.
    If(Box<Condition>, Box<Self>, Box<Self>),
    /// A condition that counts as 1 or 0.
    Count(Box<Condition>),
}

/// Something that holds or does not.
#[derive(Clone, Debug)]
pub enum Condition {
    /// `a < b` and so on.
    Compare(&'static str, Number, Number),
    /// `and`, `or`.
    Both(bool, Box<Self>, Box<Self>),
    /// `not`.
    Not(Box<Self>),
}

/// The row an expression is evaluated for.
#[derive(Clone, Debug)]
pub struct Element {
    /// `i`.
    pub i: BigInt,
    /// `x`.
    pub x: f64,
}

impl Number {
    /// One that the bytes choose, at most so deep. Where `real` is false it is of integers.
    pub fn chosen(feed: &mut Feed<'_>, depth: u8, real: bool) -> Self {
        let inner = |feed: &mut Feed<'_>| Box::new(Self::chosen(feed, depth - 1, real));
        let whole = |feed: &mut Feed<'_>| Box::new(Self::chosen(feed, depth - 1, false));
        match if depth == 0 || feed.is_empty() { feed.below(4) } else { feed.below(24) } {
            0 if real => Self::X,
            2 if real => Self::Real(Self::float(feed)),
            0 | 1 => Self::I,
            2 | 3 => Self::Whole(Self::integer(feed)),
            4 | 5 => Self::Sign(feed.one_of(&['-', '-', '+']), inner(feed)),
            6 => Self::Not(whole(feed)),
            7 => Self::Abs(inner(feed)),
            8..=12 => Self::Arithmetic(feed.one_of(&['+', '-', '*', '*']), inner(feed), inner(feed)),
            13 if real => Self::Arithmetic('/', inner(feed), inner(feed)),
            13..=15 => Self::Integers(feed.one_of(&["//", "%", "&", "|", "xor"]), whole(feed), whole(feed)),
            16 => {
                let count = Self::Whole(BigInt::from(feed.below(80)) - 2);
                Self::Integers(feed.one_of(&["<<", ">>"]), whole(feed), Box::new(count))
            }
            17 => Self::Power(whole(feed), feed.byte() % 5),
            18 => Self::Extreme(feed.coin(), inner(feed), inner(feed)),
            19 => {
                let how = feed.one_of(&["floor", "ceil", "round", "int"]);
                Self::Round(how, Box::new(Self::chosen(feed, depth - 1, true)))
            }
            20 if real => Self::Round("float", inner(feed)),
            20 | 21 => Self::Count(Box::new(Condition::chosen(feed, depth - 1, real))),
            _ => {
                let condition = Box::new(Condition::chosen(feed, depth - 1, real));
                Self::If(condition, inner(feed), inner(feed))
            }
        }
    }

    /// Integers around every limit of a width.
    pub fn integer(feed: &mut Feed<'_>) -> BigInt {
        match feed.below(4) {
            0 | 1 => BigInt::from(feed.below(41)) - 20,
            2 => {
                let power: BigInt = (BigInt::from(1) << feed.below(130)) + feed.below(5) - 2;
                if feed.coin() { -power } else { power }
            }
            _ => BigInt::from(feed.word().cast_signed()),
        }
    }

    /// Floats that are written as they are: finite ones.
    fn float(feed: &mut Feed<'_>) -> f64 {
        let special = [0.0, 0.5, 1.0, 2.5, -1.5, 1e300, 5e-324, 9_007_199_254_740_993.0, 0.1, 1e15];
        let chosen = if feed.coin() { feed.one_of(&special) } else { f64::from_bits(feed.word()) };
        if chosen.is_finite() { chosen } else { 0.25 }
    }

    /// Whether its answers are floats.
    #[must_use]
    pub fn is_real(&self) -> bool {
        match self {
            Self::X | Self::Real(_) => true,
            Self::I
            | Self::Whole(_)
            | Self::Not(_)
            | Self::Integers(..)
            | Self::Power(..)
            | Self::Count(_) => false,
            Self::Sign(_, a) | Self::Abs(a) => a.is_real(),
            Self::Arithmetic(sign, a, b) => *sign == '/' || a.is_real() || b.is_real(),
            Self::Extreme(_, a, b) | Self::If(_, a, b) => a.is_real() || b.is_real(),
            Self::Round(how, _) => *how == "float",
        }
    }

    /// Whether it names `x`.
    #[must_use]
    pub fn names_x(&self) -> bool {
        match self {
            Self::X => true,
            Self::I | Self::Whole(_) | Self::Real(_) => false,
            Self::Sign(_, a) | Self::Not(a) | Self::Abs(a) | Self::Power(a, _) | Self::Round(_, a) => {
                a.names_x()
            }
            Self::Arithmetic(_, a, b) | Self::Integers(_, a, b) | Self::Extreme(_, a, b) => {
                a.names_x() || b.names_x()
            }
            Self::If(c, a, b) => c.names_x() || a.names_x() || b.names_x(),
            Self::Count(c) => c.names_x(),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::I => "i".to_owned(),
            Self::X => "x".to_owned(),
            Self::Whole(value) => format!("({value})"),
            Self::Real(value) => format!("({value:?})"),
            Self::Sign(sign, a) => format!("{sign}({})", a.text()),
            Self::Not(a) => format!("~({})", a.text()),
            Self::Abs(a) => format!("abs({})", a.text()),
            Self::Arithmetic(sign, a, b) => format!("({} {sign} {})", a.text(), b.text()),
            Self::Integers(sign, a, b) => format!("({} {sign} {})", a.text(), b.text()),
            Self::Power(a, exponent) => format!("({}) ** {exponent}", a.text()),
            Self::Extreme(least, a, b) => {
                format!("{}({}, {})", if *least { "min" } else { "max" }, a.text(), b.text())
            }
            Self::Round(how, a) => format!("{how}({})", a.text()),
            Self::If(c, a, b) => format!("if({}, {}, {})", c.text(), a.text(), b.text()),
            Self::Count(c) => format!("({} + 0)", c.text()),
        }
    }

    /// What it comes to; nothing where it has no answer.
    #[must_use]
    pub fn value(&self, at: &Element) -> Option<Value> {
        Some(match self {
            Self::I => Value::Integer(at.i.clone()),
            Self::X => Value::Float(at.x),
            Self::Whole(value) => Value::Integer(value.clone()),
            Self::Real(value) => Value::Float(*value),
            Self::Sign('-', a) => match a.value(at)? {
                Value::Integer(value) => Value::Integer(-value),
                Value::Float(value) => Value::Float(-value),
            },
            Self::Sign(_, a) => a.value(at)?,
            Self::Not(a) => Value::Integer(-a.integral(at)? - 1),
            Self::Abs(a) => match a.value(at)? {
                Value::Integer(value) => Value::Integer(BigInt::from(value.magnitude().clone())),
                Value::Float(value) => Value::Float(value.abs()),
            },
            Self::Arithmetic(sign, a, b) => arithmetic(*sign, a.value(at)?, b.value(at)?)?,
            Self::Integers(sign, a, b) => Value::Integer(integers(sign, &a.integral(at)?, &b.integral(at)?)?),
            Self::Power(a, exponent) => {
                let a = a.integral(at)?;
                Value::Integer(exact::bounded(a.pow(u32::from(*exponent)))?)
            }
            Self::Extreme(least, a, b) => extreme(*least, a.value(at)?, b.value(at)?)?,
            Self::Round("float", a) => Value::Float(real(a.value(at)?)?),
            Self::Round(how, a) => match a.value(at)? {
                Value::Float(value) => Value::Integer(whole(how, value)?),
                integer @ Value::Integer(_) => integer,
            },
            Self::If(c, a, b) => {
                let value = if c.holds(at)? { a } else { b }.value(at)?;
                if self.is_real() { Value::Float(real(value)?) } else { value }
            }
            Self::Count(c) => Value::Integer(BigInt::from(u8::from(c.holds(at)?))),
        })
    }

    fn integral(&self, at: &Element) -> Option<BigInt> {
        match self.value(at)? {
            Value::Integer(value) => Some(value),
            Value::Float(_) => unreachable!("it was chosen to be of integers"),
        }
    }
}

fn real(value: Value) -> Option<f64> {
    match value {
        Value::Integer(value) => exact::to_float(&value),
        Value::Float(value) => Some(value),
    }
}

fn arithmetic(sign: char, a: Value, b: Value) -> Option<Value> {
    Some(match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => match sign {
            '+' => Value::Integer(exact::bounded(a + b)?),
            '-' => Value::Integer(exact::bounded(a - b)?),
            '*' => Value::Integer(exact::bounded(a * b)?),
            _ => match b.sign() {
                Sign::NoSign => return None,
                // As Python has it: the sign of the quotient is there, although zero has none.
                Sign::Minus if a.sign() == Sign::NoSign => Value::Float(-0.0),
                Sign::Minus => Value::Float(exact::nearest(&-a, &-b)?),
                Sign::Plus => Value::Float(exact::nearest(&a, &b)?),
            },
        },
        (a, b) => {
            let (a, b) = (real(a)?, real(b)?);
            Value::Float(match sign {
                '+' => exact::add(a, b),
                '-' => exact::add(a, -b),
                '*' => exact::multiply(a, b),
                _ if b == 0.0 => return None,
                _ => exact::divide(a, b),
            })
        }
    })
}

fn integers(sign: &str, a: &BigInt, b: &BigInt) -> Option<BigInt> {
    match sign {
        "//" => Some(exact::floored(a, b)?.0),
        "%" => Some(exact::floored(a, b)?.1),
        "&" => Some(a & b),
        "|" => Some(a | b),
        "xor" => Some(a ^ b),
        shift => {
            let count = u32::try_from(b).ok()?;
            if shift == "<<" {
                exact::bounded(a << count)
            } else {
                Some(exact::floored(a, &(BigInt::from(1) << count))?.0)
            }
        }
    }
}

fn extreme(least: bool, a: Value, b: Value) -> Option<Value> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => {
            Some(Value::Integer(if least { a.min(b) } else { a.max(b) }))
        }
        (a, b) => {
            let (a, b) = (real(a)?, real(b)?);
            Some(Value::Float(if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if (least && b < a) || (!least && b > a) {
                b
            } else {
                a
            }))
        }
    }
}

/// A float without its fraction, in the way that is asked for.
fn whole(how: &str, value: f64) -> Option<BigInt> {
    if !value.is_finite() {
        return None;
    }
    let (numerator, shift) = exact::fraction(value);
    let one = BigInt::from(1) << shift;
    let (below, rest) = exact::floored(&numerator, &one)?;
    let twice = &rest * 2;
    let up = match how {
        "floor" => false,
        "ceil" => rest.sign() != Sign::NoSign,
        "int" => numerator.sign() == Sign::Minus && rest.sign() != Sign::NoSign,
        _ => twice > one || (twice == one && below.bit(0)),
    };
    Some(if up { below + 1 } else { below })
}

impl Condition {
    /// One that the bytes choose, at most so deep.
    pub fn chosen(feed: &mut Feed<'_>, depth: u8, real: bool) -> Self {
        match if depth == 0 { 0 } else { feed.below(6) } {
            4 => Self::Both(
                feed.coin(),
                Box::new(Self::chosen(feed, depth - 1, real)),
                Box::new(Self::chosen(feed, depth - 1, real)),
            ),
            5 => Self::Not(Box::new(Self::chosen(feed, depth - 1, real))),
            _ => {
                let sign = feed.one_of(&["<", "<=", ">", ">=", "==", "!="]);
                let depth = depth.saturating_sub(1);
                // One side is of integers as often as not.
                let left = real && feed.coin();
                Self::Compare(sign, Number::chosen(feed, depth, left), Number::chosen(feed, depth, real))
            }
        }
    }

    fn names_x(&self) -> bool {
        match self {
            Self::Compare(_, a, b) => a.names_x() || b.names_x(),
            Self::Both(_, a, b) => a.names_x() || b.names_x(),
            Self::Not(a) => a.names_x(),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Compare(sign, a, b) => format!("({} {sign} {})", a.text(), b.text()),
            Self::Both(all, a, b) => {
                format!("({} {} {})", a.text(), if *all { "and" } else { "or" }, b.text())
            }
            Self::Not(a) => format!("(not {})", a.text()),
        }
    }

    /// Whether it holds; nothing where it has no answer.
    #[must_use]
    pub fn holds(&self, at: &Element) -> Option<bool> {
        Some(match self {
            Self::Compare(sign, a, b) => {
                let order = order(&a.value(at)?, &b.value(at)?);
                match *sign {
                    "<" => order.is_some_and(std::cmp::Ordering::is_lt),
                    "<=" => order.is_some_and(std::cmp::Ordering::is_le),
                    ">" => order.is_some_and(std::cmp::Ordering::is_gt),
                    ">=" => order.is_some_and(std::cmp::Ordering::is_ge),
                    "==" => order.is_some_and(std::cmp::Ordering::is_eq),
                    // NaN is equal to nothing.
                    _ => order.is_none_or(std::cmp::Ordering::is_ne),
                }
            }
            Self::Both(true, a, b) => a.holds(at)? && b.holds(at)?,
            Self::Both(false, a, b) => a.holds(at)? || b.holds(at)?,
            Self::Not(a) => !a.holds(at)?,
        })
    }
}

fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Integer(a), Value::Float(b)) => (!b.is_nan()).then(|| exact::compare(a, *b)),
        (Value::Float(a), Value::Integer(b)) => (!a.is_nan()).then(|| exact::compare(b, *a).reverse()),
    }
}
