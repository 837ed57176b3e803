//! What is done to a barrier.

use super::wire::{OperationWire, bad, missing, no_such};
use super::{ObjectKind, Word};
use crate::control::BadCall;
use crate::limits;

/// What is done to a barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierVerb {
    /// Tells how many wait.
    Get,
    /// Waits for the others.
    Wait {
        /// How many there are in all.
        parties: u32,
    },
    /// Mends it; those who wait hear that it is broken.
    Reset,
}

impl BarrierVerb {
    pub(super) fn read(wire: &OperationWire<'_>) -> Result<Self, BadCall> {
        Ok(match wire.operation {
            Word::Get => Self::Get,
            Word::Wait => {
                let parties = wire.parties.ok_or_else(|| missing("parties"))?;
                if parties == 0 || parties > limits::PARTIES_MAX {
                    let most = limits::PARTIES_MAX;
                    return Err(bad(format!("could not wait for {parties} parties: there are 1 to {most}")));
                }
                Self::Wait { parties }
            }
            Word::Reset => Self::Reset,
            other => return Err(no_such(ObjectKind::Barrier, other)),
        })
    }

    pub(super) fn write(self, wire: &mut OperationWire<'_>) {
        if let Self::Wait { parties } = self {
            wire.parties = Some(parties);
        }
    }

    pub(super) fn word(self) -> Word {
        match self {
            Self::Get => Word::Get,
            Self::Wait { .. } => Word::Wait,
            Self::Reset => Word::Reset,
        }
    }

    pub(super) fn makes(self) -> bool {
        matches!(self, Self::Wait { .. })
    }

    pub(super) fn reads(self) -> bool {
        matches!(self, Self::Get)
    }
}
