//! Counting statistics: numbers in; count, exact sum, least, greatest and mean out, whatever the order they came in.

use tally_protocol::objects::{Datum, ObjectResult, StatsVerb};
use tally_protocol::view::ResultView;
use tally_reduce::{Indices, NanPolicy, Partial, Reduction};

use super::fault::{Fault, wrong};
use super::pen::{Pen, Undo};

/// The figures, in the order in which they are told.
const FIGURES: [Reduction; 5] =
    [Reduction::Count, Reduction::Sum, Reduction::Min, Reduction::Max, Reduction::Mean];

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
    if partial.elements() == 0 { 0 } else { 1024 }
}

pub(super) fn apply(partial: &mut Partial, verb: StatsVerb, pen: &mut Pen) -> Result<ObjectResult, Fault> {
    match verb {
        StatsVerb::Get => {
            let answers = partial.finish(false).into_iter().filter_map(|(reduction, answer)| {
                let answer = answer.ok()?;
                let (kind, value) = (answer.kind().to_owned(), answer.to_string());
                Some(ResultView::new(reduction.name(), &kind, value))
            });
            Ok(ObjectResult { results: Some(answers.collect()), ..ObjectResult::default() })
        }
        StatsVerb::Add(values) => {
            if let Some(other) = values.iter().find(|value| matches!(value, Datum::Text(_) | Datum::Bytes(_)))
            {
                return Err(wrong(format!("{} is no number", other.kind())));
            }
            pen.step(|| Undo::Stats(Box::new(partial.clone())));
            for value in &values {
                add(partial, value)?;
            }
            Ok(ObjectResult { length: Some(partial.elements()), ..ObjectResult::default() })
        }
    }
}

fn add(partial: &mut Partial, value: &Datum) -> Result<(), Fault> {
    let index = partial.elements();
    let added = match value {
        Datum::Integer(value) => match i64::try_from(value) {
            Ok(small) => partial.absorb_i64(&[small], Indices::From(index)),
            Err(_) => partial.absorb_integer(value, Some(index)),
        },
        Datum::Float(value) => partial.absorb_f64(&[*value], Indices::From(index), NanPolicy::Keep),
        Datum::Text(_) | Datum::Bytes(_) => return Ok(()),
    };
    added.map_err(|why| wrong(why.to_string()))
}
