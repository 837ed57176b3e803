//! What the daemon answers about objects. Fields are only ever added; what is unknown is absent.

use serde::{Deserialize, Serialize};

use super::{Datum, Lifetime, ObjectKind, Others, Pairs, Word};
use crate::view::ResultView;

/// What an operation came to. Each kind of operation fills in what it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectResult {
    /// The object's version: another one after each change, and never one that was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What is there, what it became, or what was taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Datum>,
    /// Elements, or dead items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Datum>>,
    /// Keys, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Keys with their data, in their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Pairs>,
    /// There is more: the key behind which it begins, or the number with which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Keys, elements, items that wait, or clients that wait at a barrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Items of a queue that were delivered and are not acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased: Option<u64>,
    /// Items of a queue that were delivered too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<u64>,
    /// Whether no more items come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
    /// Whether an event is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<bool>,
    /// Which of the parties this one was, by its arrival, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Parties of a barrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parties: Option<u32>,
    /// Whether a barrier is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<bool>,
    /// What acknowledges or returns the item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Deliveries of the item so far, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<u32>,
    /// Statistics, as the answers of reductions; those that nothing has none of are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<ResultView>>,
}

/// One change of an object, or what is there when a watch begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObjectChange {
    /// Its name.
    pub object: String,
    /// What happened.
    pub what: Happening,
    /// Its kind, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ObjectKind>,
    /// Its version, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What was done to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Word>,
    /// To which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is there now, or was taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Datum>,
    /// Keys, elements or items that are in it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// What can happen to an object that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Happening {
    /// The watch begins, and it is there.
    Present,
    /// The watch begins, and it is not there.
    Absent,
    /// It was made or changed.
    Changed,
    /// It is gone.
    Removed,
}

impl Happening {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// An object in a list of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectView {
    /// Its name.
    pub object: String,
    /// Its kind.
    pub kind: ObjectKind,
    /// Whose it is.
    pub uid: u32,
    /// What others may do.
    pub others: Others,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Milliseconds until it ends, if nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_in_ms: Option<u64>,
    /// Its version.
    pub version: u64,
    /// Keys, elements, items that wait; 1 for a value.
    pub length: u64,
    /// Bytes it is counted with.
    pub bytes: u64,
    /// Clients that wait for it.
    pub waiting: u64,
    /// Items of a queue that were delivered and are not acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased: Option<u64>,
    /// Items of a queue that were delivered too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<u64>,
    /// Items that may wait in a queue at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u64>,
    /// Whether no more items come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<bool>,
}
