//! What is done to an event.

use super::wire::no_such;
use super::{ObjectKind, Word};
use crate::control::BadCall;

/// What is done to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventVerb {
    /// Tells whether it is set.
    Get,
    /// Sets it.
    Set,
    /// Clears it.
    Clear,
    /// Waits until it is set.
    Wait,
}

impl EventVerb {
    pub(super) fn read(word: Word) -> Result<Self, BadCall> {
        Ok(match word {
            Word::Get => Self::Get,
            Word::Set => Self::Set,
            Word::Clear => Self::Clear,
            Word::Wait => Self::Wait,
            other => return Err(no_such(ObjectKind::Event, other)),
        })
    }

    pub(super) fn word(self) -> Word {
        match self {
            Self::Get => Word::Get,
            Self::Set => Word::Set,
            Self::Clear => Word::Clear,
            Self::Wait => Word::Wait,
        }
    }

    pub(super) fn makes(self) -> bool {
        !matches!(self, Self::Get)
    }

    pub(super) fn reads(self) -> bool {
        matches!(self, Self::Get | Self::Wait)
    }
}
