//! What is done to statistics.

use super::wire::{OperationWire, data, no_such};
use super::{ObjectKind, Word};
use crate::control::BadCall;
use crate::objects::Datum;

/// What is done to statistics.
#[derive(Clone, Debug, PartialEq)]
pub enum StatsVerb {
    /// Takes numbers in.
    Add(Vec<Datum>),
    /// Tells count, sum, least, greatest, mean.
    Get,
    /// Forgets all numbers.
    Reset,
}

impl StatsVerb {
    pub(super) fn read(wire: OperationWire<'_>) -> Result<Self, BadCall> {
        Ok(match wire.operation {
            Word::Get => Self::Get,
            Word::Add => Self::Add(data(wire.value, wire.values)?),
            Word::Reset => Self::Reset,
            other => return Err(no_such(ObjectKind::Stats, other)),
        })
    }

    pub(super) fn write(&self, wire: &mut OperationWire<'_>) {
        if let Self::Add(values) = self {
            wire.values = Some(values.clone());
        }
    }

    pub(super) fn word(&self) -> Word {
        match self {
            Self::Add(_) => Word::Add,
            Self::Get => Word::Get,
            Self::Reset => Word::Reset,
        }
    }

    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Add(_))
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Get)
    }
}
