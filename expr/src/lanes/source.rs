//! What a step reads, lane by lane or one for all, and the loops over it.

use crate::ast::Comparison;
use crate::column::{Column, Input};
use crate::plan::Place;

use super::Banks;

/// Lanes to read: many, or one for all.
#[derive(Clone, Copy)]
pub(super) enum Source<'a, T> {
    Lanes(&'a [T]),
    Same(T),
}

/// Integers to read in 128 bits.
#[derive(Clone, Copy)]
pub(super) enum WideSource<'a> {
    Wide(&'a [i128]),
    Int(&'a [i64]),
    Same(i128),
}

impl WideSource<'_> {
    #[inline(always)]
    pub(super) fn get(self, lane: usize) -> i128 {
        match self {
            Self::Wide(lanes) => lanes[lane],
            Self::Int(lanes) => lanes[lane].into(),
            Self::Same(value) => value,
        }
    }
}

/// What a step reads from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) banks: &'a Banks,
    pub(super) input: Input<'a>,
    pub(super) lanes: usize,
}

// A place of the wrong kind cannot occur: the plan gives every kind its own places. The empty answers below
// would leave a buffer unwritten, which the tests against the plain evaluator would notice.
impl<'a> Sources<'a> {
    #[inline(always)]
    pub(super) fn int(self, place: Place) -> Source<'a, i64> {
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
    pub(super) fn wide(self, place: Place) -> WideSource<'a> {
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
    pub(super) fn float(self, place: Place) -> Source<'a, f64> {
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
    pub(super) fn bool(self, place: Place) -> Source<'a, bool> {
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

    pub(super) fn text(self, nodes: Text<'a>, place: Place) -> Source<'a, &'a [u8]> {
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
pub(super) struct Text<'a>(pub(super) &'a [u8]);

// Plain loops: what an iterator adaptor does out of line would not be compiled for AVX2.

#[inline(always)]
pub(super) fn map1<A: Copy, T>(to: &mut [T], a: Source<'_, A>, f: impl Fn(A) -> T) {
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
pub(super) fn map2<A: Copy, B: Copy, T>(
    to: &mut [T],
    a: Source<'_, A>,
    b: Source<'_, B>,
    f: impl Fn(A, B) -> T,
) {
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
pub(super) trait Blend: Copy {
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
pub(super) fn select<T: Blend>(to: &mut [T], c: Source<'_, bool>, a: Source<'_, T>, b: Source<'_, T>) {
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

/// Whether a failure in any lane where `bad` holds counts.
#[inline(always)]
pub(super) fn fails<A: Copy>(a: Source<'_, A>, guard: Source<'_, bool>, bad: impl Fn(A) -> bool) -> bool {
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
pub(super) fn compare<A: Copy + PartialOrd>(
    to: &mut [bool],
    c: Comparison,
    a: Source<'_, A>,
    b: Source<'_, A>,
) {
    match c {
        Comparison::Eq => map2(to, a, b, |a, b| a == b),
        Comparison::Ne => map2(to, a, b, |a, b| a != b),
        Comparison::Lt => map2(to, a, b, |a, b| a < b),
        Comparison::Le => map2(to, a, b, |a, b| a <= b),
        Comparison::Gt => map2(to, a, b, |a, b| a > b),
        Comparison::Ge => map2(to, a, b, |a, b| a >= b),
    }
}
