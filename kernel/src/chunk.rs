//! What an expression made of a chunk of elements goes into the partial.

use tally_expr::{Chunk, Values};
use tally_protocol::job::{Nan, OnBad};
use tally_reduce::{Indices, NanPolicy, Partial};

use crate::Fault;

/// The policy as the partial knows it.
pub(crate) fn policy(nan: Nan) -> NanPolicy {
    match nan {
        Nan::Keep => NanPolicy::Keep,
        Nan::Skip => NanPolicy::Skip,
    }
}

/// Too many elements to count.
pub(crate) fn too_many(_: tally_reduce::Mismatch) -> Fault {
    Fault::new("count 2^64 elements or more")
}

/// Folds the answers of a chunk, whose first element stands at `place` and the others behind it. Conditions count as 0
/// and 1.
pub(crate) fn absorb(
    partial: &mut Partial,
    chunk: &Chunk<'_>,
    place: Option<u64>,
    nan: NanPolicy,
) -> Result<(), Fault> {
    let each: Vec<u64>;
    let places = match (place.filter(|_| partial.wants_places()), chunk.rows) {
        (None, _) => Indices::Unknown,
        (Some(first), None) => Indices::From(first),
        (Some(first), Some(rows)) => {
            each = rows.iter().map(|row| first + u64::from(*row)).collect();
            Indices::Each(&each)
        }
    };
    match chunk.values {
        Values::I64(values) => partial.absorb_i64(values, places),
        Values::I128(values) => partial.absorb_i128(values, places),
        Values::Big(values) => (values.iter().enumerate())
            .try_for_each(|(at, value)| partial.absorb_integer(value, places.get(at))),
        Values::F64(values) => partial.absorb_f64(values, places, nan),
        Values::Bool(values) => {
            let bits: Vec<u8> = values.iter().map(|&bit| u8::from(bit)).collect();
            partial.absorb_u8(&bits, places)
        }
    }
    .map_err(too_many)
}

/// An element that has no answer, where that is no reason to stop: it is left out and counted, or a NaN.
pub(crate) fn without_answer(
    partial: &mut Partial,
    place: Option<u64>,
    on_bad: OnBad,
    nan: NanPolicy,
) -> Result<(), Fault> {
    if on_bad == OnBad::Skip {
        partial.skip(1);
        return Ok(());
    }
    partial.make_nan(1);
    let place = place.map_or(Indices::Unknown, Indices::From);
    partial.absorb_f64(&[f64::NAN], place, nan).map_err(too_many)
}
