//! A value: one datum.

use tally_protocol::objects::{Datum, ObjectResult, ValueVerb};

use super::fault::{Fault, conflict, quoted, unlike};
use super::held::Held;
use super::pen::{Pen, Undo};

/// What it was, and what it is to be.
pub(super) fn apply(
    held: &mut Held,
    verb: ValueVerb,
    fresh: bool,
    pen: &mut Pen,
) -> Result<ObjectResult, Fault> {
    let next = match verb {
        ValueVerb::Get => return Ok(shown(held)),
        ValueVerb::Set(datum) => {
            replace(held, datum.into(), pen);
            return Ok(ObjectResult::default());
        }
        ValueVerb::Add(by) => held.plus(&by)?,
        ValueVerb::Swap { old, new } => match old {
            None if !fresh => return Err(conflict(format!("it is there, and is {}", quoted(&held.datum)))),
            Some(old) if old != held.datum => {
                return Err(conflict(format!("it is {}", unlike(&held.datum, &old))));
            }
            None | Some(_) => new.into(),
        },
    };
    replace(held, next, pen);
    Ok(shown(held))
}

fn replace(held: &mut Held, next: Held, pen: &mut Pen) {
    let before = std::mem::replace(held, next);
    pen.step(|| Undo::Value(before));
}

fn shown(held: &Held) -> ObjectResult {
    ObjectResult { value: Some(held.datum.clone()), ..ObjectResult::default() }
}

/// What a value is before anything is put into it.
pub(super) fn nothing() -> Held {
    Datum::from(0).into()
}
