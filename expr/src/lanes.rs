//! The inner loops: one step of a plan over all lanes of a chunk.
//!
//! A plan has proved that no integer leaves its width, so nothing is checked here and additions may wrap in name
//! only. Every function that loops is compiled twice, plainly and for AVX2, and computes the same bits in both.

use tally_reduce::Integer;

use crate::ast::Comparison;
use crate::column::{Column, Input};
use crate::cpu::Work;
use crate::exact;
use crate::float;
use crate::graph::{Node, Op, holds, without_fraction};
use crate::interval;
use crate::plan::{Kernel, Place, Step};
use crate::value::Kind;
use crate::words::Function;

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

/// Lanes to read: many, or one for all.
#[derive(Clone, Copy)]
enum Source<'a, T> {
    Lanes(&'a [T]),
    Same(T),
}

/// Integers to read in 128 bits.
#[derive(Clone, Copy)]
enum WideSource<'a> {
    Wide(&'a [i128]),
    Int(&'a [i64]),
    Same(i128),
}

impl WideSource<'_> {
    #[inline(always)]
    fn get(self, lane: usize) -> i128 {
        match self {
            Self::Wide(lanes) => lanes[lane],
            Self::Int(lanes) => lanes[lane].into(),
            Self::Same(value) => value,
        }
    }
}

/// What a step reads from.
#[derive(Clone, Copy)]
struct Sources<'a> {
    banks: &'a Banks,
    input: Input<'a>,
    lanes: usize,
}

// A place of the wrong kind cannot occur: the plan gives every kind its own places. The empty answers below
// would leave a buffer unwritten, which the tests against the plain evaluator would notice.
impl<'a> Sources<'a> {
    #[inline(always)]
    fn int(self, place: Place) -> Source<'a, i64> {
        match place {
            Place::Int(buffer) => Source::Lanes(&self.banks.ints[buffer][..self.lanes]),
            Place::IntConst(value) => Source::Same(value),
            Place::IntColumn(column) => match self.input {
                Input::Columns(columns) => match columns[column] {
                    Column::I64(lanes) => Source::Lanes(lanes),
                    _ => Source::Lanes(&[]),
                },
                Input::Range { .. } => Source::Lanes(&[]),
            },
            _ => Source::Lanes(&[]),
        }
    }

    #[inline(always)]
    fn wide(self, place: Place) -> WideSource<'a> {
        match place {
            Place::Wide(buffer) => WideSource::Wide(&self.banks.wides[buffer][..self.lanes]),
            Place::WideConst(value) => WideSource::Same(value),
            Place::WideColumn(column) => match self.input {
                Input::Columns(columns) => match columns[column] {
                    Column::I128(lanes) => WideSource::Wide(lanes),
                    _ => WideSource::Same(0),
                },
                Input::Range { .. } => WideSource::Same(0),
            },
            other => match self.int(other) {
                Source::Lanes(lanes) => WideSource::Int(lanes),
                Source::Same(value) => WideSource::Same(value.into()),
            },
        }
    }

    #[inline(always)]
    fn float(self, place: Place) -> Source<'a, f64> {
        match place {
            Place::Float(buffer) => Source::Lanes(&self.banks.floats[buffer][..self.lanes]),
            Place::FloatConst(value) => Source::Same(value),
            Place::FloatColumn(column) => match self.input {
                Input::Columns(columns) => match columns[column] {
                    Column::F64(lanes) => Source::Lanes(lanes),
                    _ => Source::Lanes(&[]),
                },
                Input::Range { .. } => Source::Lanes(&[]),
            },
            _ => Source::Lanes(&[]),
        }
    }

    #[inline(always)]
    fn bool(self, place: Place) -> Source<'a, bool> {
        match place {
            Place::Bool(buffer) => Source::Lanes(&self.banks.bools[buffer][..self.lanes]),
            Place::BoolConst(value) => Source::Same(value),
            Place::BoolColumn(column) => match self.input {
                Input::Columns(columns) => match columns[column] {
                    Column::Bool(lanes) => Source::Lanes(lanes),
                    _ => Source::Lanes(&[]),
                },
                Input::Range { .. } => Source::Lanes(&[]),
            },
            _ => Source::Same(true),
        }
    }

    fn text(self, nodes: Text<'a>, place: Place) -> Source<'a, &'a [u8]> {
        match (place, self.input) {
            (Place::TextColumn(column), Input::Columns(columns)) => match columns[column] {
                Column::Text(lanes) => Source::Lanes(lanes),
                _ => Source::Lanes(&[]),
            },
            _ => Source::Same(nodes.0),
        }
    }
}

/// The constant of a text step, if one of its arguments is one.
#[derive(Clone, Copy)]
struct Text<'a>(&'a [u8]);

// Plain loops: what an iterator adaptor does out of line would not be compiled for AVX2.

#[inline(always)]
fn map1<A: Copy, T>(to: &mut [T], a: Source<'_, A>, f: impl Fn(A) -> T) {
    match a {
        Source::Lanes(a) => {
            for (to, a) in to.iter_mut().zip(a) {
                *to = f(*a);
            }
        }
        Source::Same(a) => {
            for to in to {
                *to = f(a);
            }
        }
    }
}

#[inline(always)]
fn map2<A: Copy, B: Copy, T>(to: &mut [T], a: Source<'_, A>, b: Source<'_, B>, f: impl Fn(A, B) -> T) {
    match (a, b) {
        (Source::Lanes(a), Source::Lanes(b)) => {
            for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
                *to = f(*a, *b);
            }
        }
        (Source::Lanes(a), Source::Same(b)) => {
            for (to, a) in to.iter_mut().zip(a) {
                *to = f(*a, b);
            }
        }
        (Source::Same(a), Source::Lanes(b)) => {
            for (to, b) in to.iter_mut().zip(b) {
                *to = f(a, *b);
            }
        }
        (Source::Same(a), Source::Same(b)) => {
            for to in to {
                *to = f(a, b);
            }
        }
    }
}

/// Numbers of 64 bits between which a condition chooses without a branch.
trait Blend: Copy {
    fn blend(holds: bool, a: Self, b: Self) -> Self;
}

impl Blend for i64 {
    #[inline(always)]
    fn blend(holds: bool, a: Self, b: Self) -> Self {
        // All bits where it holds. A plain `if` is not made a loop of vectors.
        b ^ ((a ^ b) & -Self::from(holds))
    }
}

impl Blend for f64 {
    #[inline(always)]
    fn blend(holds: bool, a: Self, b: Self) -> Self {
        let (a, b) = (a.to_bits(), b.to_bits());
        Self::from_bits(b ^ ((a ^ b) & u64::from(holds).wrapping_neg()))
    }
}

impl Blend for bool {
    #[inline(always)]
    fn blend(holds: bool, a: Self, b: Self) -> Self {
        (a & holds) | (b & !holds)
    }
}

#[inline(always)]
fn select<T: Blend>(to: &mut [T], c: Source<'_, bool>, a: Source<'_, T>, b: Source<'_, T>) {
    let Source::Lanes(c) = c else {
        let Source::Same(c) = c else { return };
        return map1(to, if c { a } else { b }, |value| value);
    };
    match (a, b) {
        (Source::Lanes(a), Source::Lanes(b)) => {
            for (((to, c), a), b) in to.iter_mut().zip(c).zip(a).zip(b) {
                *to = T::blend(*c, *a, *b);
            }
        }
        (Source::Lanes(a), Source::Same(b)) => {
            for ((to, c), a) in to.iter_mut().zip(c).zip(a) {
                *to = T::blend(*c, *a, b);
            }
        }
        (Source::Same(a), Source::Lanes(b)) => {
            for ((to, c), b) in to.iter_mut().zip(c).zip(b) {
                *to = T::blend(*c, a, *b);
            }
        }
        (Source::Same(a), Source::Same(b)) => {
            for (to, c) in to.iter_mut().zip(c) {
                *to = T::blend(*c, a, b);
            }
        }
    }
}

/// The nearest float: both halves are exact, and their sum is rounded once. AVX2 has no instruction for it.
#[inline(always)]
fn float_of(x: i64) -> f64 {
    // 2^52, and 2^84 + 2^63, as the upper bits of floats whose lower bits are a half.
    const LOW: u64 = 0x4330_0000_0000_0000;
    const HIGH: u64 = 0x4530_0000_8000_0000;
    const BOTH: u64 = 0x4530_0000_8010_0000;
    let low = f64::from_bits((x.cast_unsigned() & 0xffff_ffff) | LOW);
    let high = f64::from_bits((x.cast_unsigned() >> 32) ^ HIGH);
    (high - f64::from_bits(BOTH)) + low
}

/// Whether a failure in any lane where `bad` holds counts.
#[inline(always)]
fn fails<A: Copy>(a: Source<'_, A>, guard: Source<'_, bool>, bad: impl Fn(A) -> bool) -> bool {
    let mut any = false;
    match (a, guard) {
        (Source::Lanes(a), Source::Lanes(guard)) => {
            for (a, guard) in a.iter().zip(guard) {
                any |= bad(*a) & *guard;
            }
        }
        (Source::Lanes(a), Source::Same(guard)) => {
            for a in a {
                any |= bad(*a) & guard;
            }
        }
        (Source::Same(a), Source::Lanes(guard)) => {
            for guard in guard {
                any |= bad(a) & *guard;
            }
        }
        (Source::Same(a), Source::Same(guard)) => any = bad(a) && guard,
    }
    any
}

#[inline(always)]
fn compare<A: Copy + PartialOrd>(to: &mut [bool], c: Comparison, a: Source<'_, A>, b: Source<'_, A>) {
    match c {
        Comparison::Eq => map2(to, a, b, |a, b| a == b),
        Comparison::Ne => map2(to, a, b, |a, b| a != b),
        Comparison::Lt => map2(to, a, b, |a, b| a < b),
        Comparison::Le => map2(to, a, b, |a, b| a <= b),
        Comparison::Gt => map2(to, a, b, |a, b| a > b),
        Comparison::Ge => map2(to, a, b, |a, b| a >= b),
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

fn wrapping_pow(base: i128, exponent: u64) -> i128 {
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
fn wide1(to: &mut [i128], a: WideSource<'_>, f: impl Fn(i128) -> i128) {
    for (lane, to) in to.iter_mut().enumerate() {
        *to = f(a.get(lane));
    }
}

#[inline(always)]
fn wide2<T>(to: &mut [T], a: WideSource<'_>, b: WideSource<'_>, f: impl Fn(i128, i128) -> T) {
    match (a, b) {
        (WideSource::Int(a), WideSource::Int(b)) => {
            to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = f((*a).into(), (*b).into()));
        }
        _ => to.iter_mut().enumerate().for_each(|(lane, to)| *to = f(a.get(lane), b.get(lane))),
    }
}

/// Whether a second argument that must not be so is so where it counts.
fn wide_fails(y: WideSource<'_>, guard: Source<'_, bool>, lanes: usize, bad: impl Fn(i128) -> bool) -> bool {
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
fn to_int_from_wide(step: &Step, node: &Node, to: &mut [i64], sources: Sources<'_>) -> bool {
    let mut wide = [0; LANES];
    let wide = &mut wide[..to.len()];
    let done = to_wide(step, node, wide, sources);
    to.iter_mut().zip(wide).for_each(|(to, wide)| *to = *wide as i64);
    done
}

fn to_wide(step: &Step, node: &Node, to: &mut [i128], sources: Sources<'_>) -> bool {
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

#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "rounding to the nearest is what is wanted")]
fn to_float(step: &Step, node: &Node, to: &mut [f64], sources: Sources<'_>) -> bool {
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
fn each(to: &mut [f64], guard: Source<'_, bool>, f: impl Fn(usize) -> Option<f64>) -> bool {
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

fn each1(
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

fn each2(
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
