//! What is done to a value.

use super::wire::{OperationWire, datum, no_such};
use super::{ObjectKind, Word};
use crate::control::BadCall;
use crate::objects::Datum;

/// What is done to a value.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueVerb {
    /// Tells it.
    Get,
    /// Replaces it.
    Set(Datum),
    /// Adds a number, to 0 if it is not there.
    Add(Datum),
    /// Replaces it if it is this.
    Swap {
        /// What it must be; nothing, if it must not be there.
        old: Option<Datum>,
        /// What it becomes.
        new: Datum,
    },
}

impl ValueVerb {
    pub(super) fn read(wire: OperationWire<'_>) -> Result<Self, BadCall> {
        Ok(match wire.operation {
            Word::Get => Self::Get,
            Word::Set => Self::Set(datum(wire.value, "value")?),
            Word::Add => Self::Add(datum(wire.value, "value")?),
            Word::Cas => Self::Swap { old: wire.old, new: datum(wire.value, "value")? },
            other => return Err(no_such(ObjectKind::Value, other)),
        })
    }

    pub(super) fn write(&self, wire: &mut OperationWire<'_>) {
        match self {
            Self::Get => {}
            Self::Set(value) | Self::Add(value) => wire.value = Some(value.clone()),
            Self::Swap { old, new } => {
                wire.old.clone_from(old);
                wire.value = Some(new.clone());
            }
        }
    }

    pub(super) fn word(&self) -> Word {
        match self {
            Self::Get => Word::Get,
            Self::Set(_) => Word::Set,
            Self::Add(_) => Word::Add,
            Self::Swap { .. } => Word::Cas,
        }
    }

    pub(super) fn makes(&self) -> bool {
        match self {
            Self::Set(_) | Self::Add(_) | Self::Swap { old: None, .. } => true,
            Self::Get | Self::Swap { old: Some(_), .. } => false,
        }
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Get)
    }
}
