//! Counting statistics: numbers in; count, exact sum, least, greatest and mean out, whatever the order they came in.
//!
//! An infinity or a NaN would be all that is told from then on: it is left out and counted, as `--nan skip` does.

use tally_protocol::limits;
use tally_protocol::objects::{Datum, ObjectResult, StatsVerb};
use tally_protocol::view::ResultView;
use tally_reduce::{Answer, Indices, NanPolicy, Partial, Reduction};

use super::fault::{Fault, full, wrong};
use super::held::digits;
use super::pen::{Pen, Undo};

/// The figures, in the order in which they are told.
const FIGURES: [Reduction; 5] =
    [Reduction::Count, Reduction::Sum, Reduction::Min, Reduction::Max, Reduction::Mean];

/// The name of the count of those left out; it is told only if there are any.
const SKIPPED: &str = "skipped";

/// Statistics of nothing.
pub(super) fn nothing() -> Box<Partial> {
    Box::new(Partial::identity(&FIGURES))
}

/// From a row; of nothing, if it is of other figures.
pub(super) fn restored(bytes: Option<&[u8]>) -> Box<Partial> {
    let partial = bytes.and_then(|bytes| Partial::from_bytes(bytes).ok());
    partial.filter(|partial| partial.reductions() == FIGURES).map_or_else(nothing, Box::new)
}

/// Bytes that they take, about.
pub(super) fn size(partial: &Partial) -> usize {
    // Exact sums of floats are the largest part; integers grow by a bit when their number doubles.
    if partial.elements() == 0 { 0 } else { 1024 + partial.large_integer_bytes() }
}

pub(super) fn apply(
    partial: &mut Box<Partial>,
    verb: StatsVerb,
    pen: &mut Pen,
) -> Result<ObjectResult, Fault> {
    match verb {
        StatsVerb::Get => {
            let answers = partial.finish(false).into_iter().filter_map(|(reduction, answer)| {
                let answer = answer.ok()?;
                let (kind, value) = (answer.kind().to_owned(), answer.to_string());
                Some(ResultView::new(reduction.name(), &kind, value))
            });
            let skipped = (partial.skipped() > 0)
                .then(|| ResultView::new(SKIPPED, "integer", partial.skipped().to_string()));
            let results = answers.chain(skipped).collect();
            Ok(ObjectResult { results: Some(results), ..ObjectResult::default() })
        }
        StatsVerb::Reset => {
            let before = std::mem::replace(partial, nothing());
            pen.step(|| Undo::Stats(before));
            Ok(ObjectResult::default())
        }
        StatsVerb::Add(values) => {
            if let Some(other) = values.iter().find(|value| matches!(value, Datum::Text(_) | Datum::Bytes(_)))
            {
                return Err(wrong(format!("{} is no number", other.kind())));
            }
            pen.step(|| Undo::Stats(partial.clone()));
            if is_near_the_bound(partial, &values) {
                // What is refused half-way has changed nothing.
                let mut next = partial.clone();
                values.iter().try_for_each(|value| add(&mut next, value))?;
                check(&next)?;
                *partial = next;
            } else {
                values.iter().try_for_each(|value| add(partial, value))?;
            }
            Ok(ObjectResult { length: Some(partial.elements()), ..ObjectResult::default() })
        }
    }
}

/// Whether so large integers are in it or come that their sum may get too long.
fn is_near_the_bound(partial: &Partial, values: &[Datum]) -> bool {
    let large = |value: &Datum| matches!(value, Datum::Integer(value) if i64::try_from(value).is_err());
    // Less than the bytes of the longest integer.
    partial.large_integer_bytes() > limits::INTEGER_TEXT_BYTES_MAX / 4 || values.iter().any(large)
}

/// A sum is no longer than any other integer that is told.
fn check(partial: &Partial) -> Result<(), Fault> {
    let most = limits::INTEGER_TEXT_BYTES_MAX;
    let sum = partial.finish(false).into_iter().find(|(reduction, _)| *reduction == Reduction::Sum);
    match sum {
        Some((_, Ok(Answer::Integer(sum)))) if digits(&sum) > most => {
            Err(full(format!("its sum would have more than {most} digits")))
        }
        _ => Ok(()),
    }
}

fn add(partial: &mut Partial, value: &Datum) -> Result<(), Fault> {
    let index = partial.elements();
    let added = match value {
        Datum::Integer(value) => match i64::try_from(value) {
            Ok(small) => partial.absorb_i64(&[small], Indices::From(index)),
            Err(_) => partial.absorb_integer(value, Some(index)),
        },
        Datum::Float(value) if !value.is_finite() => {
            partial.skip(1);
            Ok(())
        }
        Datum::Float(value) => partial.absorb_f64(&[*value], Indices::From(index), NanPolicy::Keep),
        Datum::Text(_) | Datum::Bytes(_) => return Ok(()),
    };
    added.map_err(|why| wrong(why.to_string()))
}
