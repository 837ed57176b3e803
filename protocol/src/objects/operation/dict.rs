//! What is done to a dict.

use std::borrow::Cow;

use super::wire::{OperationWire, check_datum, check_key, datum, key, missing, no_such};
use super::{ObjectKind, Word};
use crate::control::BadCall;
use crate::objects::{Datum, Pairs};

/// What is done to a dict.
#[derive(Clone, Debug, PartialEq)]
pub enum DictVerb {
    /// Tells the datum of a key.
    Get(String),
    /// Sets the datum of a key.
    Set(String, Datum),
    /// Adds a number to the datum of a key, to 0 if it is not there.
    Add(String, Datum),
    /// Replaces the datum of a key if it is this.
    Swap {
        /// The key.
        key: String,
        /// What it must be; nothing, if the key must not be there.
        old: Option<Datum>,
        /// What it becomes.
        new: Datum,
    },
    /// Sets many.
    Update(Vec<(String, Datum)>),
    /// Removes a key.
    Delete(String),
    /// Tells the keys behind this one.
    Keys(Option<String>),
    /// Tells the keys behind this one with their data.
    Items(Option<String>),
    /// Tells how many keys there are.
    Length,
}

impl DictVerb {
    pub(super) fn read(wire: OperationWire<'_>) -> Result<Self, BadCall> {
        Ok(match wire.operation {
            Word::Get => Self::Get(key(wire.key)?),
            Word::Set => Self::Set(key(wire.key)?, datum(wire.value, "value")?),
            Word::Add => Self::Add(key(wire.key)?, datum(wire.value, "value")?),
            Word::Cas => Self::Swap { key: key(wire.key)?, old: wire.old, new: datum(wire.value, "value")? },
            Word::Update => {
                let items = wire.items.ok_or_else(|| missing("items"))?;
                for (key, value) in &items.0 {
                    check_key(key)?;
                    check_datum(value)?;
                }
                Self::Update(items.0)
            }
            Word::Del => Self::Delete(key(wire.key)?),
            Word::Keys => Self::Keys(wire.key.map(Cow::into_owned)),
            Word::Items => Self::Items(wire.key.map(Cow::into_owned)),
            Word::Len => Self::Length,
            other => return Err(no_such(ObjectKind::Dict, other)),
        })
    }

    pub(super) fn write<'a>(&'a self, wire: &mut OperationWire<'a>) {
        match self {
            Self::Get(key) | Self::Delete(key) => wire.key = Some(Cow::Borrowed(key)),
            Self::Set(key, value) | Self::Add(key, value) => {
                wire.key = Some(Cow::Borrowed(key));
                wire.value = Some(value.clone());
            }
            Self::Swap { key, old, new } => {
                wire.key = Some(Cow::Borrowed(key));
                wire.old.clone_from(old);
                wire.value = Some(new.clone());
            }
            Self::Update(items) => wire.items = Some(Pairs(items.clone())),
            Self::Keys(after) | Self::Items(after) => wire.key = after.as_deref().map(Cow::Borrowed),
            Self::Length => {}
        }
    }

    pub(super) fn word(&self) -> Word {
        match self {
            Self::Get(_) => Word::Get,
            Self::Set(..) => Word::Set,
            Self::Add(..) => Word::Add,
            Self::Swap { .. } => Word::Cas,
            Self::Update(_) => Word::Update,
            Self::Delete(_) => Word::Del,
            Self::Keys(_) => Word::Keys,
            Self::Items(_) => Word::Items,
            Self::Length => Word::Len,
        }
    }

    pub(super) fn makes(&self) -> bool {
        match self {
            Self::Set(..) | Self::Add(..) | Self::Update(_) | Self::Swap { old: None, .. } => true,
            Self::Get(_)
            | Self::Swap { old: Some(_), .. }
            | Self::Delete(_)
            | Self::Keys(_)
            | Self::Items(_)
            | Self::Length => false,
        }
    }

    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Keys(_) | Self::Items(_) | Self::Length)
    }
}
