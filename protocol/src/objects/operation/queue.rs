//! What is done to a queue.

use super::wire::{OperationWire, data, missing, no_such, place, receipt};
use super::{ObjectKind, Receipt, Word};
use crate::control::BadCall;
use crate::limits;
use crate::objects::Datum;

/// What is done to a queue.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueVerb {
    /// Puts items at its end, all of them; waits for room.
    Put(Vec<Datum>),
    /// Takes the next item; waits for one.
    Get {
        /// It is gone at once. Otherwise it comes back unless it is acknowledged.
        take: bool,
        /// Milliseconds after which it comes back even if its consumer lives.
        lease_ms: Option<u64>,
    },
    /// An item is done with.
    Acknowledge(Receipt),
    /// An item goes back to its place.
    Return(Receipt),
    /// Tells how many items wait.
    Size,
    /// No more items come.
    Close,
    /// Tells the dead items from this number on.
    Dead(u64),
    /// Dead items are alive again, as if never delivered.
    Revive,
}

impl QueueVerb {
    pub(super) fn read(wire: OperationWire<'_>) -> Result<Self, BadCall> {
        Ok(match wire.operation {
            Word::Put => Self::Put(data(wire.value, wire.values)?),
            Word::Get => {
                if wire.lease_ms.is_some_and(|ms| ms == 0 || ms > limits::TIMEOUT_MS_MAX) {
                    return Err(missing("lease_ms"));
                }
                Self::Get { take: wire.take.unwrap_or(false), lease_ms: wire.lease_ms }
            }
            Word::Ack => Self::Acknowledge(receipt(wire.receipt)?),
            Word::Return => Self::Return(receipt(wire.receipt)?),
            Word::Size => Self::Size,
            Word::Close => Self::Close,
            Word::Dead => Self::Dead(place(wire.index)?),
            Word::Revive => Self::Revive,
            other => return Err(no_such(ObjectKind::Queue, other)),
        })
    }

    pub(super) fn write(&self, wire: &mut OperationWire<'_>) {
        match self {
            Self::Put(values) => wire.values = Some(values.clone()),
            Self::Get { take, lease_ms } => {
                wire.take = take.then_some(true);
                wire.lease_ms = *lease_ms;
            }
            Self::Acknowledge(receipt) | Self::Return(receipt) => {
                wire.receipt = Some(receipt.to_string().into());
            }
            Self::Dead(from) => wire.index = i64::try_from(*from).ok(),
            Self::Size | Self::Close | Self::Revive => {}
        }
    }

    pub(super) fn word(&self) -> Word {
        match self {
            Self::Put(_) => Word::Put,
            Self::Get { .. } => Word::Get,
            Self::Acknowledge(_) => Word::Ack,
            Self::Return(_) => Word::Return,
            Self::Size => Word::Size,
            Self::Close => Word::Close,
            Self::Dead(_) => Word::Dead,
            Self::Revive => Word::Revive,
        }
    }

    /// Whoever waits for something may come first.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Put(_) | Self::Get { .. } | Self::Close)
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Size | Self::Dead(_))
    }

    pub(super) fn may_wait(&self) -> bool {
        matches!(self, Self::Put(_) | Self::Get { .. })
    }
}
