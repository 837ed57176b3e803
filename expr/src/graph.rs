//! The typed program: operations in an order in which arguments come first, each distinct one once.
//!
//! An operation that can fail carries its guard, the condition under which its answer is wanted: its failure counts
//! only where the guard holds. Operations that cannot fail have no guard and are shared freely.

use tally_reduce::Integer;

use crate::ast::Comparison;
use crate::exact;
use crate::fault::Span;
use crate::float;
use crate::limits::INTEGER_BITS_MAX;
use crate::parse::bits;
use crate::value::{Kind, Trouble, Value};
use crate::words::Function;

/// Index of an operation.
pub(crate) type Id = usize;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    // Leaves.
    Column(usize),
    Integer(Integer),
    /// The bits of a float.
    Float(u64),
    Bool(bool),
    Text(Box<[u8]>),
    // Integers to an integer.
    Neg,
    Invert,
    Abs,
    Add,
    Sub,
    Mul,
    FloorDiv,
    Mod,
    Pow,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    Min,
    Max,
    // Something else to an integer.
    FromBool,
    /// A float without its fraction, by `int`, `floor`, `ceil` or `round`.
    Whole(Function),
    // To a float.
    ToFloat,
    /// The true quotient of two integers.
    Quotient,
    FNeg,
    FAbs,
    FAdd,
    FSub,
    FMul,
    FDiv,
    FFloorDiv,
    FMod,
    FPow,
    FMin,
    FMax,
    FCall(Function),
    // To a condition.
    Compare(Comparison),
    FCompare(Comparison),
    /// An integer with a float.
    MCompare(Comparison),
    TCompare(Comparison),
    /// A text that is one of these, which are in order.
    TextIn(Box<[Box<[u8]>]>),
    /// The second is wanted only where the first holds.
    And,
    /// The second is wanted only where the first does not hold.
    Or,
    /// Both are always wanted.
    BothAnd,
    BothOr,
    Xor,
    Not,
    /// The second where the first holds, else the third. Its kind is the node's.
    Select,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) args: Vec<Id>,
    pub(crate) kind: Kind,
    pub(crate) guard: Option<Id>,
    pub(crate) span: Span,
    /// The same integer computed with smaller numbers; it stands before this node.
    pub(crate) other_way: Option<Id>,
}

/// What an operation makes of its arguments. Leaves but constants and lazy operations are not for this function.
pub(crate) fn apply<'a>(op: &Op, args: &[Value<'a>]) -> Result<Value<'a>, Trouble> {
    use Value::{Bool, Float, Integer as Int, Text};
    let value = match (op, args) {
        (Op::Integer(value), []) => Int(value.clone()),
        (Op::Float(value), []) => Float(f64::from_bits(*value)),
        (Op::Bool(value), []) => Bool(*value),

        (Op::Neg, [Int(a)]) => Int(-a),
        (Op::Invert, [Int(a)]) => Int(!a),
        (Op::Abs, [Int(a)]) => Int(if *a < Integer::ZERO { -a } else { a.clone() }),
        (Op::Add, [Int(a), Int(b)]) => Int(limited(a + b)?),
        (Op::Sub, [Int(a), Int(b)]) => Int(limited(a - b)?),
        (Op::Mul, [Int(a), Int(b)]) => {
            // A product of that size is not even begun.
            if bits(a) + bits(b) > INTEGER_BITS_MAX + 1 {
                return Err(Trouble::IntegerTooLarge);
            }
            Int(limited(a * b)?)
        }
        (Op::FloorDiv, [Int(a), Int(b)]) => Int(div_mod(a, b)?.0),
        (Op::Mod, [Int(a), Int(b)]) => Int(div_mod(a, b)?.1),
        (Op::Pow, [Int(a), Int(b)]) => Int(power(a, b)?),
        (Op::BitAnd, [Int(a), Int(b)]) => Int(a & b),
        (Op::BitOr, [Int(a), Int(b)]) => Int(a | b),
        (Op::BitXor, [Int(a), Int(b)]) => Int(a ^ b),
        (Op::Shl, [Int(a), Int(b)]) => Int(shift_left(a, b)?),
        (Op::Shr, [Int(a), Int(b)]) => Int(shift_right(a, b)?),
        (Op::Min, [Int(a), Int(b)]) => Int(a.min(b).clone()),
        (Op::Max, [Int(a), Int(b)]) => Int(a.max(b).clone()),
        (Op::FromBool, [Bool(a)]) => Int(Integer::from(u8::from(*a))),
        (Op::Whole(function), [Float(a)]) => Int(exact::whole(without_fraction(*function, *a))?),

        (Op::ToFloat, [Int(a)]) => Float(exact::to_float(a)?),
        (Op::Quotient, [Int(a), Int(b)]) => Float(exact::quotient(a, b)?),
        (Op::FNeg, [Float(a)]) => Float(-a),
        (Op::FAbs, [Float(a)]) => Float(a.abs()),
        (Op::FAdd, [Float(a), Float(b)]) => Float(a + b),
        (Op::FSub, [Float(a), Float(b)]) => Float(a - b),
        (Op::FMul, [Float(a), Float(b)]) => Float(a * b),
        (Op::FDiv, [Float(_), Float(b)]) if *b == 0.0 => return Err(Trouble::DivisionByZero),
        (Op::FDiv, [Float(a), Float(b)]) => Float(a / b),
        (Op::FFloorDiv, [Float(a), Float(b)]) => Float(float::floor_div(*a, *b)?),
        (Op::FMod, [Float(a), Float(b)]) => Float(float::modulo(*a, *b)?),
        (Op::FPow, [Float(a), Float(b)]) => Float(float::power(*a, *b)?),
        (Op::FMin, [Float(a), Float(b)]) => Float(float::min(*a, *b)),
        (Op::FMax, [Float(a), Float(b)]) => Float(float::max(*a, *b)),
        (Op::FCall(function), [Float(a)]) => Float(float::call(*function, *a)?),

        (Op::Compare(c), [Int(a), Int(b)]) => Bool(c.holds(a.cmp(b))),
        (Op::FCompare(c), [Float(a), Float(b)]) => Bool(holds(*c, a.partial_cmp(b))),
        (Op::MCompare(c), [Int(a), Float(b)]) => Bool(holds(*c, exact::compare(a, *b))),
        (Op::TCompare(c), [Text(a), Text(b)]) => Bool(c.holds(a.cmp(b))),
        (Op::TextIn(texts), [Text(a)]) => Bool(texts.binary_search_by(|text| text.as_ref().cmp(a)).is_ok()),
        (Op::And | Op::BothAnd, [Bool(a), Bool(b)]) => Bool(*a && *b),
        (Op::Or | Op::BothOr, [Bool(a), Bool(b)]) => Bool(*a || *b),
        (Op::Xor, [Bool(a), Bool(b)]) => Bool(a != b),
        (Op::Not, [Bool(a)]) => Bool(!a),
        (Op::Select, [Bool(c), a, b]) => {
            if *c {
                a.clone()
            } else {
                b.clone()
            }
        }
        _ => return Err(Trouble::Mistyped),
    };
    Ok(value)
}

/// A comparison with NaN holds only if it is `!=`.
pub(crate) fn holds(comparison: Comparison, order: Option<std::cmp::Ordering>) -> bool {
    order.map_or(comparison == Comparison::Ne, |order| comparison.holds(order))
}

#[inline(always)]
pub(crate) fn without_fraction(function: Function, a: f64) -> f64 {
    match function {
        Function::Floor => a.floor(),
        Function::Ceil => a.ceil(),
        Function::Round => a.round_ties_even(),
        _ => a.trunc(),
    }
}

fn limited(integer: Integer) -> Result<Integer, Trouble> {
    if bits(&integer) > INTEGER_BITS_MAX { Err(Trouble::IntegerTooLarge) } else { Ok(integer) }
}

/// Quotient rounded down, and the rest, whose sign is the divisor's.
fn div_mod(a: &Integer, b: &Integer) -> Result<(Integer, Integer), Trouble> {
    if *b == Integer::ZERO {
        return Err(Trouble::DivisionByZero);
    }
    let (quotient, rest) = (a / b, a % b);
    if rest != Integer::ZERO && (rest < Integer::ZERO) != (*b < Integer::ZERO) {
        Ok((quotient - Integer::ONE, rest + b))
    } else {
        Ok((quotient, rest))
    }
}

fn power(a: &Integer, b: &Integer) -> Result<Integer, Trouble> {
    if *b < Integer::ZERO {
        return Err(Trouble::NegativeExponent);
    }
    if *b == Integer::ZERO || *a == Integer::ONE {
        return Ok(Integer::ONE);
    }
    if *a == Integer::ZERO {
        return Ok(Integer::ZERO);
    }
    if *a == Integer::NEG_ONE {
        let even = b & Integer::ONE == Integer::ZERO;
        return Ok(if even { Integer::ONE } else { Integer::NEG_ONE });
    }
    let exponent = usize::try_from(b).map_err(|_| Trouble::IntegerTooLarge)?;
    // The answer has at least this many bits; more than twice the limit is never computed.
    let least = (bits(a) - 1).saturating_mul(exponent);
    if least > INTEGER_BITS_MAX {
        return Err(Trouble::IntegerTooLarge);
    }
    limited(a.pow(exponent))
}

fn shift_left(a: &Integer, b: &Integer) -> Result<Integer, Trouble> {
    if *b < Integer::ZERO {
        return Err(Trouble::NegativeShift);
    }
    if *a == Integer::ZERO {
        return Ok(Integer::ZERO);
    }
    match usize::try_from(b) {
        Ok(count) if bits(a).saturating_add(count) <= INTEGER_BITS_MAX => Ok(a << count),
        _ => Err(Trouble::IntegerTooLarge),
    }
}

fn shift_right(a: &Integer, b: &Integer) -> Result<Integer, Trouble> {
    if *b < Integer::ZERO {
        return Err(Trouble::NegativeShift);
    }
    // Beyond every bit, only the sign is left.
    let count = usize::try_from(b).map_or(INTEGER_BITS_MAX + 1, |count| count.min(INTEGER_BITS_MAX + 1));
    Ok(a >> count)
}
