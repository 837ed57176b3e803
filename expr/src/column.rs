//! What an evaluator reads: the numbers of a range, or lanes of columns.

use tally_reduce::Integer;

use crate::interval::Interval;
use crate::lanes::LANES;
use crate::plan::{Fact, Shape};
use crate::value::{Kind, Value};

/// Lanes of one column, as many as there are rows in the chunk.
///
/// Any width of integer may stand for an integer column, and another one in the next chunk.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names say what the lanes are")]
pub enum Column<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    I128(&'a [i128]),
    Big(&'a [Integer]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Bool(&'a [bool]),
    Text(&'a [&'a [u8]]),
    /// Not read by the program, so not given; see [`crate::Program::columns`].
    Absent,
    /// Cells without a value, so many, of whatever kind was agreed: whoever wants one has no answer.
    Valueless(usize),
}

/// What a chunk is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// `start`, `start + step` and so on; only if all of it fits in 128 bits.
    Range {
        start: i128,
        step: i128,
    },
    Columns(&'a [Column<'a>]),
}

impl<'a> Column<'a> {
    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::I8(lanes) => lanes.len(),
            Self::I16(lanes) => lanes.len(),
            Self::I32(lanes) => lanes.len(),
            Self::I64(lanes) => lanes.len(),
            Self::U8(lanes) => lanes.len(),
            Self::U16(lanes) => lanes.len(),
            Self::U32(lanes) => lanes.len(),
            Self::U64(lanes) => lanes.len(),
            Self::I128(lanes) => lanes.len(),
            Self::Big(lanes) => lanes.len(),
            Self::F32(lanes) => lanes.len(),
            Self::F64(lanes) => lanes.len(),
            Self::Bool(lanes) => lanes.len(),
            Self::Text(lanes) => lanes.len(),
            Self::Absent => 0,
            Self::Valueless(rows) => *rows,
        }
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of schema that it fits.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::F32(_) | Self::F64(_) => Some(Kind::Float),
            Self::Bool(_) => Some(Kind::Bool),
            Self::Text(_) => Some(Kind::Text),
            Self::Absent | Self::Valueless(_) => None,
            _ => Some(Kind::Integer),
        }
    }

    pub(crate) fn value(&self, row: usize) -> Option<Value<'a>> {
        Some(match self {
            Self::I8(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::I16(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::I32(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::I64(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::U8(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::U16(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::U32(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::U64(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::I128(lanes) => Value::Integer((*lanes.get(row)?).into()),
            Self::Big(lanes) => Value::Integer(lanes.get(row)?.clone()),
            Self::F32(lanes) => Value::Float((*lanes.get(row)?).into()),
            Self::F64(lanes) => Value::Float(*lanes.get(row)?),
            Self::Bool(lanes) => Value::Bool(*lanes.get(row)?),
            Self::Text(lanes) => Value::Text(lanes.get(row)?),
            Self::Absent | Self::Valueless(_) => return None,
        })
    }

    /// What is known without looking at a lane.
    pub(crate) fn fact(&self) -> Option<Fact> {
        let (shape, bounds) = match self {
            Self::I8(_) => (Shape::Narrow, Some((i8::MIN.into(), i8::MAX.into()))),
            Self::I16(_) => (Shape::Narrow, Some((i16::MIN.into(), i16::MAX.into()))),
            Self::I32(_) => (Shape::Narrow, Some((i32::MIN.into(), i32::MAX.into()))),
            Self::I64(_) => (Shape::I64, Some((i64::MIN.into(), i64::MAX.into()))),
            Self::U8(_) => (Shape::Narrow, Some((0, u8::MAX.into()))),
            Self::U16(_) => (Shape::Narrow, Some((0, u16::MAX.into()))),
            Self::U32(_) => (Shape::Narrow, Some((0, u32::MAX.into()))),
            Self::U64(_) => (Shape::U64, Some((0, u64::MAX.into()))),
            Self::I128(_) => (Shape::I128, Some((i128::MIN, i128::MAX))),
            Self::Big(_) => (Shape::Big, None),
            Self::F32(_) => (Shape::F32, None),
            Self::F64(_) => (Shape::F64, None),
            Self::Bool(_) => (Shape::Bool, None),
            Self::Text(_) => (Shape::Text, None),
            Self::Absent | Self::Valueless(_) => return None,
        };
        Some(Fact { shape, bounds: bounds.map(|(low, high)| Interval::new(low, high)) })
    }

    /// What its lanes lie between, by reading them all.
    pub(crate) fn scanned(&self) -> Option<Fact> {
        let mut fact = self.fact()?;
        let ends = match self {
            Self::I8(lanes) => ends(lanes, i8::MAX, i8::MIN),
            Self::I16(lanes) => ends(lanes, i16::MAX, i16::MIN),
            Self::I32(lanes) => ends(lanes, i32::MAX, i32::MIN),
            Self::I64(lanes) => ends(lanes, i64::MAX, i64::MIN),
            Self::U8(lanes) => ends(lanes, u8::MAX, u8::MIN),
            Self::U16(lanes) => ends(lanes, u16::MAX, u16::MIN),
            Self::U32(lanes) => ends(lanes, u32::MAX, u32::MIN),
            Self::U64(lanes) => ends(lanes, u64::MAX, u64::MIN),
            Self::I128(lanes) => ends(lanes, i128::MAX, i128::MIN),
            _ => return Some(fact),
        };
        fact.bounds = Some(ends);
        Some(fact)
    }
}

/// Four of each, so that one comparison does not wait for the one before it.
fn ends<T: Copy + Ord + Into<Wide>>(lanes: &[T], top: T, bottom: T) -> Interval {
    let (mut low, mut high) = ([top; 4], [bottom; 4]);
    let (fours, rest) = lanes.as_chunks::<4>();
    for four in fours {
        for lane in 0..4 {
            low[lane] = low[lane].min(four[lane]);
            high[lane] = high[lane].max(four[lane]);
        }
    }
    let low = low.into_iter().chain(rest.iter().copied()).fold(top, T::min);
    let high = high.into_iter().chain(rest.iter().copied()).fold(bottom, T::max);
    let (low, high): (Wide, Wide) = (low.into(), high.into());
    if lanes.is_empty() { Interval::point(0) } else { Interval::new(low.0, high.0) }
}

/// Any fixed width in 128 bits.
struct Wide(i128);

macro_rules! into_wide {
    ($($width:ty),*) => {$(
        impl From<$width> for Wide {
            fn from(value: $width) -> Self {
                Self(value.into())
            }
        }
    )*};
}

into_wide!(i8, i16, i32, i64, u8, u16, u32, u64, i128);

/// The numbers of a range: `start`, `start + step`, …, `length` of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRange {
    start: Integer,
    step: Integer,
    length: u64,
    /// Both in 128 bits, if every number of the range is.
    short: Option<(i128, i128)>,
}

impl IndexRange {
    /// A range of any integers.
    #[must_use]
    pub fn new(start: Integer, step: Integer, length: u64) -> Self {
        // One chunk beyond the end, as a counter is advanced past the last lane.
        let last = &start + &step * Integer::from(length.saturating_add(LANES as u64));
        let short = i128::try_from(&last)
            .ok()
            .and_then(|_| Some((i128::try_from(&start).ok()?, i128::try_from(&step).ok()?)));
        Self { start, step, length, short }
    }

    /// How many numbers there are.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The number at an offset.
    #[must_use]
    pub fn at(&self, offset: u64) -> Integer {
        &self.start + &self.step * Integer::from(offset)
    }

    pub(crate) fn short_at(&self, offset: u64) -> Option<i128> {
        let (start, step) = self.short?;
        step.checked_mul(offset.into())?.checked_add(start)
    }

    pub(crate) fn short_step(&self) -> Option<i128> {
        self.short.map(|(_, step)| step)
    }
}
