//! Why something could not be done to an object, before it is told with the object's name.

use tally_protocol::error::ErrorCode;
use tally_protocol::objects::Datum;

/// A code, and the reason as a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: ErrorCode,
    pub(super) why: String,
}

/// It is not of a type that this can be done to.
pub(super) fn wrong(why: impl Into<String>) -> Fault {
    Fault { code: ErrorCode::WrongState, why: why.into() }
}

/// It is not there.
pub(super) fn missing(why: impl Into<String>) -> Fault {
    Fault { code: ErrorCode::NoSuchObject, why: why.into() }
}

/// It is not what it was said to be.
pub(super) fn conflict(why: impl Into<String>) -> Fault {
    Fault { code: ErrorCode::Conflict, why: why.into() }
}

/// It would have to wait.
pub(super) fn late(why: impl Into<String>) -> Fault {
    Fault { code: ErrorCode::TimedOut, why: why.into() }
}

/// A bound is reached.
pub(super) fn full(why: impl Into<String>) -> Fault {
    Fault { code: ErrorCode::TooMany, why: why.into() }
}

/// A text of a client in the middle of a sentence.
pub(super) fn quoted(text: impl std::fmt::Display) -> String {
    const CHARS: usize = 60;
    let text = text.to_string();
    let shown: String = text.chars().take(CHARS).collect();
    if shown.len() < text.len() { format!("'{shown}...'") } else { format!("'{shown}'") }
}

/// Why something is not swapped: what is there, and what was said to be. Of two that look the same, what they are.
pub(super) fn unlike(is: &Datum, old: &Datum) -> String {
    let (shown, said) = (quoted(is), quoted(old));
    if shown == said {
        return format!("the {} {shown}, not the {} {said}", is.kind(), old.kind());
    }
    format!("{shown}, not {said}")
}
