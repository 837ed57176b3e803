//! Between which integers every lane of an operation lies, given the same of its arguments.
//!
//! This is the proof that lets a chunk be computed in 64 bits without a check: bounds may be wider than the truth,
//! never narrower. Nothing stands for bounds beyond 128 bits. Where an operation has no answer, its lane holds 0,
//! so 0 is within the bounds of whatever can fail.

use crate::graph::Op;

/// Both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) low: i128,
    pub(crate) high: i128,
}

/// What a float without fraction is taken to lie between; a lane beyond is not computed by lanes.
pub(crate) const WHOLE: Interval = Interval { low: -(1 << 53), high: 1 << 53 };

impl Interval {
    pub(crate) fn new(low: i128, high: i128) -> Self {
        Self { low, high }
    }

    pub(crate) fn point(value: i128) -> Self {
        Self { low: value, high: value }
    }

    pub(crate) fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    pub(crate) fn contains(self, value: i128) -> bool {
        self.low <= value && value <= self.high
    }

    pub(crate) fn within(self, other: Self) -> bool {
        other.low <= self.low && self.high <= other.high
    }

    pub(crate) fn fits_i64(self) -> bool {
        self.within(Self { low: i64::MIN.into(), high: i64::MAX.into() })
    }

    fn with_zero(self) -> Self {
        self.hull(Self::point(0))
    }

    /// The hull of what a function that is monotone in each argument makes of the four corners.
    fn corners(self, other: Self, f: impl Fn(i128, i128) -> Option<i128>) -> Option<Self> {
        let first = Self::point(f(self.low, other.low)?);
        let rest = [f(self.low, other.high)?, f(self.high, other.low)?, f(self.high, other.high)?];
        Some(rest.into_iter().fold(first, |hull, value| hull.hull(Self::point(value))))
    }

    /// The smallest `[-2^k, 2^k - 1]` that holds it.
    fn bits(self) -> Self {
        let magnitude = |value: i128| if value < 0 { !value } else { value };
        let largest = magnitude(self.low).max(magnitude(self.high));
        let mask = if largest == 0 { 0 } else { i128::MAX >> (largest.leading_zeros() - 1) };
        Self { low: !mask, high: mask }
    }
}

pub(crate) fn floor_div(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
}

/// Of an integer operation with one or two integer arguments. `same` says that both arguments are one.
pub(crate) fn apply(op: &Op, a: Interval, b: Interval, same: bool) -> Option<Interval> {
    match op {
        Op::Neg => Some(Interval::new(a.high.checked_neg()?, a.low.checked_neg()?)),
        Op::Invert => Some(Interval::new(!a.high, !a.low)),
        Op::Abs => {
            let (low, high) = (a.low.checked_abs()?, a.high.checked_abs()?);
            Some(Interval::new(if a.contains(0) { 0 } else { low.min(high) }, low.max(high)))
        }
        Op::Add => Some(Interval::new(a.low.checked_add(b.low)?, a.high.checked_add(b.high)?)),
        Op::Sub => Some(Interval::new(a.low.checked_sub(b.high)?, a.high.checked_sub(b.low)?)),
        Op::Mul => {
            let product = a.corners(b, i128::checked_mul)?;
            Some(if same { Interval::new(product.low.max(0), product.high) } else { product })
        }
        Op::FloorDiv => {
            let mut found: Option<Interval> = None;
            for part in [Interval::new(b.low, b.high.min(-1)), Interval::new(b.low.max(1), b.high)] {
                if part.low <= part.high {
                    let quotients = a.corners(part, floor_div)?;
                    found = Some(found.map_or(quotients, |found| found.hull(quotients)));
                }
            }
            let found = found.unwrap_or(Interval::point(0));
            Some(if b.contains(0) { found.with_zero() } else { found })
        }
        Op::Mod => {
            if a.low >= 0 && b.low > a.high {
                return Some(a);
            }
            let low = if b.low < 0 { b.low.checked_add(1)? } else { 0 };
            let high = if b.high > 0 { b.high - 1 } else { 0 };
            Some(Interval::new(low, high))
        }
        Op::Pow => {
            let magnitude = a.low.unsigned_abs().max(a.high.unsigned_abs());
            let bound = match (magnitude, b.high) {
                (0 | 1, _) | (_, ..=0) => 1,
                (_, high) => i128::try_from(magnitude.checked_pow(u32::try_from(high).ok()?)?).ok()?,
            };
            Some(Interval::new(if a.low < 0 { -bound } else { 0 }, bound))
        }
        Op::BitAnd if a.low >= 0 || b.low >= 0 => {
            let high = match (a.low >= 0, b.low >= 0) {
                (true, true) => a.high.min(b.high),
                (true, false) => a.high,
                _ => b.high,
            };
            Some(Interval::new(0, high))
        }
        Op::BitAnd | Op::BitOr | Op::BitXor => {
            let hull = a.hull(b).bits();
            Some(if a.low >= 0 && b.low >= 0 { Interval::new(0, hull.high) } else { hull })
        }
        Op::Shl => {
            let most = match u32::try_from(b.high.max(0)) {
                Ok(most) if most <= 126 => most,
                _ if a == Interval::point(0) => 0,
                _ => return None,
            };
            let ends = [a.low.checked_mul(1 << most)?, a.high.checked_mul(1 << most)?];
            Some(a.hull(Interval::new(ends[0], ends[1])).with_zero())
        }
        Op::Shr => {
            let count = |value: i128| u32::try_from(value.clamp(0, 127)).unwrap_or(127);
            let counts = Interval::new(count(b.low).into(), count(b.high).into());
            let found = a.corners(counts, |a, b| Some(a >> b))?;
            Some(if b.low < 0 { found.with_zero() } else { found })
        }
        Op::Min => Some(Interval::new(a.low.min(b.low), a.high.min(b.high))),
        Op::Max => Some(Interval::new(a.low.max(b.low), a.high.max(b.high))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tally_reduce::Integer;

    use super::*;
    use crate::graph;
    use crate::value::Value;

    fn ops() -> impl Strategy<Value = Op> {
        proptest::sample::select(vec![
            Op::Neg,
            Op::Invert,
            Op::Abs,
            Op::Add,
            Op::Sub,
            Op::Mul,
            Op::FloorDiv,
            Op::Mod,
            Op::Pow,
            Op::BitAnd,
            Op::BitOr,
            Op::BitXor,
            Op::Shl,
            Op::Shr,
            Op::Min,
            Op::Max,
        ])
    }

    fn near_powers() -> impl Strategy<Value = i128> {
        prop_oneof![
            -20i128..20,
            (0u32..126, -3i128..4, any::<bool>()).prop_map(|(bit, off, minus)| if minus {
                -(1i128 << bit) + off
            } else {
                (1i128 << bit) + off
            }),
            any::<i64>().prop_map(i128::from),
        ]
    }

    fn unary(op: &Op) -> bool {
        matches!(op, Op::Neg | Op::Invert | Op::Abs)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn every_answer_lies_within_the_bounds(
            op in ops(), a in (near_powers(), near_powers()), b in (near_powers(), near_powers()),
            at in (0u8..=4, 0u8..=4),
        ) {
            let pick = |(p, q): (i128, i128), at: u8| {
                let (low, high) = (p.min(q), p.max(q));
                let inside = match at { 0 => low, 1 => high, 2 => low.midpoint(high), 3 => 0, _ => low.saturating_add(1) };
                (Interval::new(low, high), inside.clamp(low, high))
            };
            let ((ia, x), (ib, y)) = (pick(a, at.0), pick(b, at.1));
            if let Some(bounds) = apply(&op, ia, ib, false) {
                let args: Vec<_> = [x, y].into_iter().take(if unary(&op) { 1 } else { 2 })
                    .map(|value| Value::Integer(Integer::from(value))).collect();
                match graph::apply(&op, &args) {
                    Ok(Value::Integer(answer)) => prop_assert!(
                        answer >= bounds.low.into() && answer <= bounds.high.into(), "{op:?} {x} {y} = {answer}, {bounds:?}"),
                    Ok(_) => prop_assert!(false),
                    Err(_) => prop_assert!(bounds.contains(0), "{op:?} {x} {y} fails, {bounds:?}"),
                }
            }
        }
    }
}
