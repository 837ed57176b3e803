//! The inner loops: one step of a plan over all lanes of a chunk.
//!
//! A plan has proved that no integer leaves its width, so nothing is checked here and additions may wrap in name
//! only. Every function that loops is compiled twice, plainly and for AVX2, and computes the same bits in both.

use crate::ast::Comparison;
use crate::column::{Column, Input};
use crate::cpu::Work;
use crate::exact;
use crate::graph::{Node, Op, holds, without_fraction};
use crate::interval;
use crate::plan::{Kernel, Place, Step};
use crate::value::Kind;
use crate::words::Function;

mod floats;
mod source;
mod wide;

use floats::{float_of, to_float};
use source::{Source, Sources, Text, compare, fails, map1, map2, select};
use wide::{to_int_from_wide, to_wide, wide2, wrapping_pow};

/// Lanes of a chunk: 8 KiB of 64-bit numbers, so that a few buffers stay in the first-level cache.
pub const LANES: usize = 1024;

/// The buffers of an evaluator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Banks {
    pub(crate) ints: Vec<Vec<i64>>,
    pub(crate) wides: Vec<Vec<i128>>,
    pub(crate) floats: Vec<Vec<f64>>,
    pub(crate) bools: Vec<Vec<bool>>,
}

impl Banks {
    pub(crate) fn reserve(&mut self, [ints, wides, floats, bools]: [usize; 4]) {
        if self.ints.len() < ints {
            self.ints.resize(ints, vec![0; LANES]);
        }
        if self.wides.len() < wides {
            self.wides.resize(wides, vec![0; LANES]);
        }
        if self.floats.len() < floats {
            self.floats.resize(floats, vec![0.0; LANES]);
        }
        if self.bools.len() < bools {
            self.bools.resize(bools, vec![false; LANES]);
        }
    }
}

/// Steps over one chunk; says whether every wanted answer exists.
pub(crate) struct Run<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) steps: &'a [Step],
    pub(crate) banks: &'a mut Banks,
    pub(crate) input: Input<'a>,
    pub(crate) lanes: usize,
}

impl Work for Run<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        for step in self.steps {
            if !run(step, &self.nodes[step.node], self.banks, self.input, self.lanes) {
                return false;
            }
        }
        true
    }
}

/// One step. False if an answer that is wanted does not exist in lanes; the chunk is then done element by element.
#[inline(always)]
fn run(step: &Step, node: &Node, banks: &mut Banks, input: Input<'_>, lanes: usize) -> bool {
    match step.to {
        Place::Int(buffer) => {
            let mut to = std::mem::take(&mut banks.ints[buffer]);
            let sources = Sources { banks, input, lanes };
            let done = if step.kernel == Kernel::Wide {
                to_int_from_wide(step, node, &mut to[..lanes], sources)
            } else {
                to_int(step, node, &mut to[..lanes], sources)
            };
            banks.ints[buffer] = to;
            done
        }
        Place::Wide(buffer) => {
            let mut to = std::mem::take(&mut banks.wides[buffer]);
            let done = to_wide(step, node, &mut to[..lanes], Sources { banks, input, lanes });
            banks.wides[buffer] = to;
            done
        }
        Place::Float(buffer) => {
            let mut to = std::mem::take(&mut banks.floats[buffer]);
            let done = to_float(step, node, &mut to[..lanes], Sources { banks, input, lanes });
            banks.floats[buffer] = to;
            done
        }
        Place::Bool(buffer) => {
            let mut to = std::mem::take(&mut banks.bools[buffer]);
            let done = to_bool(step, node, &mut to[..lanes], Sources { banks, input, lanes });
            banks.bools[buffer] = to;
            done
        }
        _ => false,
    }
}

#[inline(always)]
#[expect(clippy::cast_sign_loss, clippy::cast_possible_wrap, reason = "the plan has proved the sign")]
#[expect(clippy::cast_possible_truncation, reason = "the plan has proved the size")]
fn to_int(step: &Step, node: &Node, to: &mut [i64], sources: Sources<'_>) -> bool {
    let [a, b, c] = step.args;
    let (x, y) = (sources.int(a), sources.int(b));
    let guard = sources.bool(step.guard);
    let can_fail = step.guard != Place::None;
    match step.kernel {
        Kernel::Load(column) => {
            load_int(to, column, sources.input);
            return true;
        }
        Kernel::MulUnsigned32 => {
            map2(to, x, y, |x, y| ((x as u64 & 0xffff_ffff) * (y as u64 & 0xffff_ffff)) as i64);
            return true;
        }
        Kernel::MulSigned32 => {
            map2(to, x, y, |x, y| i64::from(x as i32) * i64::from(y as i32));
            return true;
        }
        Kernel::ModShort(by, 0) => {
            map1(to, x, |x| by.rest(x as u64 & 0xffff_ffff) as i64);
            return true;
        }
        Kernel::ModShort(by, bias) => {
            map1(to, x, |x| by.rest(x.wrapping_add(bias) as u64 & 0xffff_ffff) as i64);
            return true;
        }
        Kernel::ModLong(by, bias) => {
            map1(to, x, |x| by.rest(x.wrapping_add(bias) as u64) as i64);
            return true;
        }
        Kernel::DivShort(by, bias, back) => {
            map1(to, x, |x| (by.quotient(x.wrapping_add(bias) as u64) as i64).wrapping_sub(back));
            return true;
        }
        Kernel::DivLong(by, bias, back) => {
            map1(to, x, |x| (by.quotient(x.wrapping_add(bias) as u64) as i64).wrapping_sub(back));
            return true;
        }
        _ => {}
    }
    match &node.op {
        Op::Neg => map1(to, x, i64::wrapping_neg),
        Op::Invert => map1(to, x, |x| !x),
        Op::Abs => map1(to, x, i64::wrapping_abs),
        Op::Add => map2(to, x, y, i64::wrapping_add),
        Op::Sub => map2(to, x, y, i64::wrapping_sub),
        Op::Mul => map2(to, x, y, i64::wrapping_mul),
        Op::BitAnd => map2(to, x, y, |x, y| x & y),
        Op::BitOr => map2(to, x, y, |x, y| x | y),
        Op::BitXor => map2(to, x, y, |x, y| x ^ y),
        Op::Min => map2(to, x, y, i64::min),
        Op::Max => map2(to, x, y, i64::max),
        Op::FloorDiv | Op::Mod => {
            if can_fail && fails(y, guard, |y| y == 0) {
                return false;
            }
            if node.op == Op::Mod {
                map2(to, x, y, |x, y| if y == 0 { 0 } else { floor_mod(x, y) });
            } else {
                map2(to, x, y, |x, y| if y == 0 { 0 } else { floor_div(x, y) });
            }
        }
        Op::Pow => {
            if can_fail && fails(y, guard, |y| y < 0) {
                return false;
            }
            map2(to, x, y, |x, y| if y < 0 { 0 } else { wrapping_pow(x.into(), y as u64) as i64 });
        }
        Op::Shl | Op::Shr => {
            if can_fail && fails(y, guard, |y| y < 0) {
                return false;
            }
            if node.op == Op::Shl {
                // A count beyond the width is proved to meet nothing but 0.
                map2(to, x, y, |x, y| if (0..64).contains(&y) { x << y } else { 0 });
            } else {
                map2(to, x, y, |x, y| if y < 0 { 0 } else { x >> y.min(63) });
            }
        }
        Op::FromBool => map1(to, sources.bool(a), i64::from),
        Op::Whole(function) => {
            let x = sources.float(a);
            let limit = interval::WHOLE.high as f64;
            let fits = move |x: f64| without_fraction(*function, x).abs() <= limit;
            if fails(x, guard, |x| !fits(x)) {
                return false;
            }
            match function {
                Function::Floor => {
                    map1(to, x, |x| if x.floor().abs() <= limit { x.floor() as i64 } else { 0 })
                }
                Function::Ceil => map1(to, x, |x| if x.ceil().abs() <= limit { x.ceil() as i64 } else { 0 }),
                Function::Round => {
                    map1(to, x, |x: f64| {
                        let x = x.round_ties_even();
                        if x.abs() <= limit { x as i64 } else { 0 }
                    });
                }
                _ => map1(to, x, |x| if x.trunc().abs() <= limit { x as i64 } else { 0 }),
            }
        }
        Op::Select => select(to, sources.bool(a), sources.int(b), sources.int(c)),
        _ => return false,
    }
    true
}

#[inline(always)]
fn floor_div(x: i64, y: i64) -> i64 {
    let (quotient, rest) = (x.wrapping_div(y), x.wrapping_rem(y));
    if rest != 0 && (rest < 0) != (y < 0) { quotient - 1 } else { quotient }
}

#[inline(always)]
fn floor_mod(x: i64, y: i64) -> i64 {
    let rest = x.wrapping_rem(y);
    if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the plan has proved the size")]
#[expect(clippy::cast_possible_wrap, reason = "the plan has proved the size")]
fn load_int(to: &mut [i64], column: usize, input: Input<'_>) {
    match input {
        Input::Range { start, step } => {
            let (start, step) = (start as i64, step as i64);
            // One counter for each lane of a register is faster than a multiplication.
            let mut at = start;
            for to in to.iter_mut() {
                *to = at;
                at = at.wrapping_add(step);
            }
        }
        Input::Columns(columns) => match columns[column] {
            Column::I8(lanes) => map1(to, Source::Lanes(lanes), i64::from),
            Column::I16(lanes) => map1(to, Source::Lanes(lanes), i64::from),
            Column::I32(lanes) => map1(to, Source::Lanes(lanes), i64::from),
            Column::U8(lanes) => map1(to, Source::Lanes(lanes), i64::from),
            Column::U16(lanes) => map1(to, Source::Lanes(lanes), i64::from),
            Column::U32(lanes) => map1(to, Source::Lanes(lanes), i64::from),
            Column::U64(lanes) => map1(to, Source::Lanes(lanes), |x| x as i64),
            Column::I128(lanes) => map1(to, Source::Lanes(lanes), |x| x as i64),
            _ => {}
        },
    }
}

#[inline(always)]
fn to_bool(step: &Step, node: &Node, to: &mut [bool], sources: Sources<'_>) -> bool {
    let [a, b, c] = step.args;
    match &node.op {
        Op::Compare(comparison) if step.kernel == Kernel::Wide => {
            let (x, y) = (sources.wide(a), sources.wide(b));
            wide2(to, x, y, |x, y| comparison.holds(x.cmp(&y)));
        }
        Op::Compare(comparison) => compare(to, *comparison, sources.int(a), sources.int(b)),
        Op::FCompare(comparison) => compare(to, *comparison, sources.float(a), sources.float(b)),
        Op::MCompare(comparison) if step.kernel == Kernel::ExactFloat => {
            // Through a stack buffer, so that the comparison is the one of floats.
            let mut floats = [0.0; LANES];
            let floats = &mut floats[..to.len()];
            map1(floats, sources.int(a), float_of);
            compare(to, *comparison, Source::Lanes(floats), sources.float(b));
        }
        Op::MCompare(comparison) => {
            let x = sources.wide(a);
            let order = |lane: usize, y: f64| holds(*comparison, exact::compare_i128(x.get(lane), y));
            match sources.float(b) {
                Source::Lanes(y) => {
                    to.iter_mut().zip(y).enumerate().for_each(|(lane, (to, y))| *to = order(lane, *y));
                }
                Source::Same(y) => to.iter_mut().enumerate().for_each(|(lane, to)| *to = order(lane, y)),
            }
        }
        Op::And | Op::BothAnd => map2(to, sources.bool(a), sources.bool(b), |x, y| x & y),
        Op::Or | Op::BothOr => map2(to, sources.bool(a), sources.bool(b), |x, y| x | y),
        Op::Xor => map2(to, sources.bool(a), sources.bool(b), |x, y| x ^ y),
        Op::Not => map1(to, sources.bool(a), |x| !x),
        Op::Select => select(to, sources.bool(a), sources.bool(b), sources.bool(c)),
        _ => return false,
    }
    true
}

/// Steps that read texts, which need the constants of the program.
pub(crate) fn run_text(
    step: &Step,
    nodes: &[Node],
    banks: &mut Banks,
    input: Input<'_>,
    lanes: usize,
) -> bool {
    let Place::Bool(buffer) = step.to else { return false };
    let mut to = std::mem::take(&mut banks.bools[buffer]);
    let sources = Sources { banks, input, lanes };
    let constant = |place: Place| match place {
        Place::TextConst(id) => match &nodes[id].op {
            Op::Text(text) => Text(text),
            _ => Text(&[]),
        },
        _ => Text(&[]),
    };
    let [a, b, _] = step.args;
    let x = sources.text(constant(a), a);
    let y = sources.text(constant(b), b);
    match &nodes[step.node].op {
        Op::TCompare(Comparison::Eq) => map2(&mut to[..lanes], x, y, |x, y| x == y),
        Op::TCompare(comparison) => map2(&mut to[..lanes], x, y, |x, y| comparison.holds(x.cmp(y))),
        Op::TextIn(texts) => {
            map1(&mut to[..lanes], x, |x| texts.binary_search_by(|text| text.as_ref().cmp(x)).is_ok());
        }
        _ => {}
    }
    banks.bools[buffer] = to;
    true
}

/// Whether a step reads texts.
pub(crate) fn is_text(step: &Step, nodes: &[Node]) -> bool {
    nodes[step.node].args.iter().any(|id| nodes[*id].kind == Kind::Text)
}
