//! Steps in 128 bits.

use crate::column::{Column, Input};
use crate::graph::{Node, Op};
use crate::interval;
use crate::plan::{Kernel, Place, Step};

use super::LANES;
use super::source::{Source, Sources, WideSource, map1};

pub(super) fn wrapping_pow(base: i128, exponent: u64) -> i128 {
    let (mut base, mut exponent, mut power) = (base, exponent, 1i128);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    power
}

#[inline(always)]
pub(super) fn wide1(to: &mut [i128], a: WideSource<'_>, f: impl Fn(i128) -> i128) {
    for (lane, to) in to.iter_mut().enumerate() {
        *to = f(a.get(lane));
    }
}

#[inline(always)]
pub(super) fn wide2<T>(to: &mut [T], a: WideSource<'_>, b: WideSource<'_>, f: impl Fn(i128, i128) -> T) {
    match (a, b) {
        (WideSource::Int(a), WideSource::Int(b)) => {
            to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = f((*a).into(), (*b).into()));
        }
        _ => to.iter_mut().enumerate().for_each(|(lane, to)| *to = f(a.get(lane), b.get(lane))),
    }
}

/// Whether a second argument that must not be so is so where it counts.
pub(super) fn wide_fails(
    y: WideSource<'_>,
    guard: Source<'_, bool>,
    lanes: usize,
    bad: impl Fn(i128) -> bool,
) -> bool {
    (0..lanes).any(|lane| {
        bad(y.get(lane))
            && match guard {
                Source::Lanes(guard) => guard[lane],
                Source::Same(guard) => guard,
            }
    })
}

/// Computed in 128 bits, and proved to fit in 64.
#[expect(clippy::cast_possible_truncation, reason = "the plan has proved the size")]
pub(super) fn to_int_from_wide(step: &Step, node: &Node, to: &mut [i64], sources: Sources<'_>) -> bool {
    let mut wide = [0; LANES];
    let wide = &mut wide[..to.len()];
    let done = to_wide(step, node, wide, sources);
    to.iter_mut().zip(wide).for_each(|(to, wide)| *to = *wide as i64);
    done
}

pub(super) fn to_wide(step: &Step, node: &Node, to: &mut [i128], sources: Sources<'_>) -> bool {
    let [a, b, c] = step.args;
    if let Kernel::Load(column) = step.kernel {
        match sources.input {
            Input::Range { start, step } => {
                let mut at = start;
                for to in to.iter_mut() {
                    *to = at;
                    at = at.wrapping_add(step);
                }
            }
            Input::Columns(columns) => {
                if let Column::U64(lanes) = columns[column] {
                    map1(to, Source::Lanes(lanes), i128::from);
                }
            }
        }
        return true;
    }
    let (x, y) = (sources.wide(a), sources.wide(b));
    let guard = sources.bool(step.guard);
    let can_fail = step.guard != Place::None;
    match &node.op {
        Op::Neg => wide1(to, x, i128::wrapping_neg),
        Op::Invert => wide1(to, x, |x| !x),
        Op::Abs => wide1(to, x, i128::wrapping_abs),
        Op::Add => wide2(to, x, y, i128::wrapping_add),
        Op::Sub => wide2(to, x, y, i128::wrapping_sub),
        Op::Mul => wide2(to, x, y, i128::wrapping_mul),
        Op::BitAnd => wide2(to, x, y, |x, y| x & y),
        Op::BitOr => wide2(to, x, y, |x, y| x | y),
        Op::BitXor => wide2(to, x, y, |x, y| x ^ y),
        Op::Min => wide2(to, x, y, i128::min),
        Op::Max => wide2(to, x, y, i128::max),
        Op::FloorDiv | Op::Mod => {
            if can_fail && wide_fails(y, guard, to.len(), |y| y == 0) {
                return false;
            }
            if node.op == Op::FloorDiv {
                wide2(to, x, y, |x, y| interval::floor_div(x, y).unwrap_or(0));
            } else {
                wide2(to, x, y, |x, y| {
                    let rest = x.checked_rem(y).unwrap_or(0);
                    if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }
                });
            }
        }
        Op::Pow => {
            if can_fail && wide_fails(y, guard, to.len(), |y| y < 0) {
                return false;
            }
            // An exponent beyond 64 bits is proved to meet nothing but -1, 0 and 1, for which parity is enough.
            let exponent = |y: i128| u64::try_from(y).unwrap_or(if y & 1 == 1 { 3 } else { 2 });
            wide2(to, x, y, |x, y| if y < 0 { 0 } else { wrapping_pow(x, exponent(y)) });
        }
        Op::Shl | Op::Shr => {
            if can_fail && wide_fails(y, guard, to.len(), |y| y < 0) {
                return false;
            }
            if node.op == Op::Shl {
                wide2(to, x, y, |x, y| if (0..128).contains(&y) { x << y } else { 0 });
            } else {
                wide2(to, x, y, |x, y| if y < 0 { 0 } else { x >> y.min(127) });
            }
        }
        Op::Select => {
            let (c, x, y) = (sources.bool(a), sources.wide(b), sources.wide(c));
            for (lane, to) in to.iter_mut().enumerate() {
                let holds = match c {
                    Source::Lanes(c) => c[lane],
                    Source::Same(c) => c,
                };
                *to = if holds { x.get(lane) } else { y.get(lane) };
            }
        }
        _ => return false,
    }
    true
}
