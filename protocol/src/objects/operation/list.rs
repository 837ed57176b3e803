//! What is done to a list.

use super::wire::{OperationWire, data, datum, missing, no_such, place};
use super::{ObjectKind, Word};
use crate::control::BadCall;
use crate::objects::Datum;

/// What is done to a list.
#[derive(Clone, Debug, PartialEq)]
pub enum ListVerb {
    /// Puts data at an end.
    Push {
        /// In this order.
        values: Vec<Datum>,
        /// At the front, each before the last.
        front: bool,
    },
    /// Takes an element out. Negative indices count from the end.
    Pop(i64),
    /// Tells an element.
    Get(i64),
    /// Replaces an element.
    Set(i64, Datum),
    /// Tells how many elements there are.
    Length,
    /// Tells the elements from this one on.
    All(u64),
}

impl ListVerb {
    pub(super) fn read(wire: OperationWire<'_>) -> Result<Self, BadCall> {
        Ok(match wire.operation {
            Word::Push => {
                let front = wire.front.unwrap_or(false);
                Self::Push { values: data(wire.value, wire.values)?, front }
            }
            Word::Pop => Self::Pop(wire.index.unwrap_or(-1)),
            Word::Get => Self::Get(wire.index.ok_or_else(|| missing("index"))?),
            Word::Set => {
                let index = wire.index.ok_or_else(|| missing("index"))?;
                Self::Set(index, datum(wire.value, "value")?)
            }
            Word::Len => Self::Length,
            Word::All => Self::All(place(wire.index)?),
            other => return Err(no_such(ObjectKind::List, other)),
        })
    }

    pub(super) fn write(&self, wire: &mut OperationWire<'_>) {
        match self {
            Self::Push { values, front } => {
                wire.values = Some(values.clone());
                wire.front = front.then_some(true);
            }
            Self::Pop(index) | Self::Get(index) => wire.index = Some(*index),
            Self::Set(index, value) => {
                wire.index = Some(*index);
                wire.value = Some(value.clone());
            }
            Self::Length => {}
            Self::All(from) => wire.index = i64::try_from(*from).ok(),
        }
    }

    pub(super) fn word(&self) -> Word {
        match self {
            Self::Push { .. } => Word::Push,
            Self::Pop(_) => Word::Pop,
            Self::Get(_) => Word::Get,
            Self::Set(..) => Word::Set,
            Self::Length => Word::Len,
            Self::All(_) => Word::All,
        }
    }

    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Push { .. })
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Length | Self::All(_))
    }
}
