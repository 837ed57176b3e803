//! The words for what can be done to objects, as they stand on the wire.

use serde::{Deserialize, Serialize};

/// The words for what can be done, whatever to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are what they say; docs/objects.md tells which kind has which")]
pub enum Word {
    Get,
    Set,
    Add,
    Cas,
    Update,
    Del,
    Keys,
    Items,
    Len,
    Push,
    Pop,
    All,
    Put,
    Ack,
    Return,
    Size,
    Close,
    Dead,
    Revive,
    Clear,
    Wait,
    Reset,
    Check,
}

impl Word {
    /// As it stands on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Add => "add",
            Self::Cas => "cas",
            Self::Update => "update",
            Self::Del => "del",
            Self::Keys => "keys",
            Self::Items => "items",
            Self::Len => "len",
            Self::Push => "push",
            Self::Pop => "pop",
            Self::All => "all",
            Self::Put => "put",
            Self::Ack => "ack",
            Self::Return => "return",
            Self::Size => "size",
            Self::Close => "close",
            Self::Dead => "dead",
            Self::Revive => "revive",
            Self::Clear => "clear",
            Self::Wait => "wait",
            Self::Reset => "reset",
            Self::Check => "check",
        }
    }
}
