//! Steps to floats.

use tally_reduce::Integer;

use crate::column::{Column, Input};
use crate::exact;
use crate::float;
use crate::graph::{Node, Op};
use crate::plan::{Kernel, Place, Step};
use crate::words::Function;

use super::source::{Source, Sources, WideSource, fails, map1, map2, select};

/// The nearest float: both halves are exact, and their sum is rounded once. AVX2 has no instruction for it.
#[inline(always)]
pub(super) fn float_of(x: i64) -> f64 {
    // 2^52, and 2^84 + 2^63, as the upper bits of floats whose lower bits are a half.
    const LOW: u64 = 0x4330_0000_0000_0000;
    const HIGH: u64 = 0x4530_0000_8000_0000;
    const BOTH: u64 = 0x4530_0000_8010_0000;
    let low = f64::from_bits((x.cast_unsigned() & 0xffff_ffff) | LOW);
    let high = f64::from_bits((x.cast_unsigned() >> 32) ^ HIGH);
    (high - f64::from_bits(BOTH)) + low
}

#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is what is wanted")]
pub(super) fn to_float(step: &Step, node: &Node, to: &mut [f64], sources: Sources<'_>) -> bool {
    let [a, b, c] = step.args;
    let guard = sources.bool(step.guard);
    if let Kernel::Load(column) = step.kernel {
        if let Input::Columns(columns) = sources.input
            && let Column::F32(lanes) = columns[column]
        {
            map1(to, Source::Lanes(lanes), f64::from);
        }
        return true;
    }
    let (x, y) = (sources.float(a), sources.float(b));
    match &node.op {
        Op::ToFloat => match sources.wide(a) {
            WideSource::Wide(lanes) => map1(to, Source::Lanes(lanes), |x| x as f64),
            WideSource::Int(lanes) => map1(to, Source::Lanes(lanes), float_of),
            WideSource::Same(value) => map1(to, Source::Same(value), |x| x as f64),
        },
        Op::Quotient if step.kernel == Kernel::ExactFloat => {
            let (x, y) = (sources.int(a), sources.int(b));
            if step.guard != Place::None && fails(y, guard, |y| y == 0) {
                return false;
            }
            map2(to, x, y, |x, y| float_of(x) / float_of(y));
        }
        Op::Quotient => {
            let (x, y) = (sources.wide(a), sources.wide(b));
            return each(to, guard, |lane| {
                let (x, y) = (x.get(lane), y.get(lane));
                let short = match (i64::try_from(x), i64::try_from(y)) {
                    (Ok(x), Ok(y)) if y != 0 => exact::short_quotient(x, y),
                    _ => None,
                };
                short.or_else(|| exact::quotient(&Integer::from(x), &Integer::from(y)).ok())
            });
        }
        Op::FNeg => map1(to, x, |x| -x),
        Op::FAbs => map1(to, x, f64::abs),
        Op::FAdd => map2(to, x, y, |x, y| x + y),
        Op::FSub => map2(to, x, y, |x, y| x - y),
        Op::FMul => map2(to, x, y, |x, y| x * y),
        Op::FDiv => {
            if step.guard != Place::None && fails(y, guard, |y| y == 0.0) {
                return false;
            }
            map2(to, x, y, |x, y| x / y);
        }
        Op::FMin => map2(to, x, y, float::min),
        Op::FMax => map2(to, x, y, float::max),
        Op::FCall(Function::Sqrt) => {
            if fails(x, guard, |x| x < 0.0) {
                return false;
            }
            map1(to, x, f64::sqrt);
        }
        Op::FCall(function) => return each1(to, guard, x, |x| float::call(*function, x).ok()),
        Op::FFloorDiv => return each2(to, guard, x, y, |x, y| float::floor_div(x, y).ok()),
        Op::FMod => return each2(to, guard, x, y, |x, y| float::modulo(x, y).ok()),
        Op::FPow => return each2(to, guard, x, y, |x, y| float::power(x, y).ok()),
        Op::Select => select(to, sources.bool(a), sources.float(b), sources.float(c)),
        _ => return false,
    }
    true
}

/// Lane by lane, for what is no loop for vectors; NaN where there is no answer.
pub(super) fn each(to: &mut [f64], guard: Source<'_, bool>, f: impl Fn(usize) -> Option<f64>) -> bool {
    let mut all = true;
    for (lane, to) in to.iter_mut().enumerate() {
        let answer = f(lane);
        let wanted = match guard {
            Source::Lanes(guard) => guard[lane],
            Source::Same(guard) => guard,
        };
        all &= answer.is_some() | !wanted;
        *to = answer.unwrap_or(f64::NAN);
    }
    all
}

pub(super) fn each1(
    to: &mut [f64],
    guard: Source<'_, bool>,
    x: Source<'_, f64>,
    f: impl Fn(f64) -> Option<f64>,
) -> bool {
    match x {
        Source::Lanes(x) => each(to, guard, |lane| f(x[lane])),
        Source::Same(x) => each(to, guard, |_| f(x)),
    }
}

pub(super) fn each2(
    to: &mut [f64],
    guard: Source<'_, bool>,
    x: Source<'_, f64>,
    y: Source<'_, f64>,
    f: impl Fn(f64, f64) -> Option<f64>,
) -> bool {
    match (x, y) {
        (Source::Lanes(x), Source::Lanes(y)) => each(to, guard, |lane| f(x[lane], y[lane])),
        (Source::Lanes(x), Source::Same(y)) => each(to, guard, |lane| f(x[lane], y)),
        (Source::Same(x), Source::Lanes(y)) => each(to, guard, |lane| f(x, y[lane])),
        (Source::Same(x), Source::Same(y)) => each(to, guard, |_| f(x, y)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "it is what is compared")]
    fn floats_are_the_nearest() {
        let mut x: i64 = 0;
        for bit in 0..63 {
            for near in -3..=3 {
                for value in
                    [(1i64 << bit) + near, -(1i64 << bit) + near, i64::MAX - (1 << bit) + near.min(0)]
                {
                    assert_eq!(float_of(value).to_bits(), (value as f64).to_bits(), "{value}");
                }
            }
        }
        for _ in 0..100_000 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            assert_eq!(float_of(x).to_bits(), (x as f64).to_bits(), "{x}");
        }
        assert_eq!(float_of(0).to_bits(), 0);
        assert_eq!(float_of(i64::MIN), -(2f64.powi(63)));
    }
}
