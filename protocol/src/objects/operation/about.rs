//! What is said of objects whatever their kind: kinds, lifetimes, rights of others, receipts, how they are made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    /// One datum.
    Value,
    /// Data by keys, which are text, in their order.
    Dict,
    /// Data in a row.
    List,
    /// Items that are handed to one consumer each.
    Queue,
    /// Set or not.
    Event,
    /// Where some wait for each other.
    Barrier,
    /// Count, sum, least, greatest and mean of numbers.
    Stats,
}

impl ObjectKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Value, Self::Dict, Self::List, Self::Queue, Self::Event, Self::Barrier, Self::Stats];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Dict => "dict",
            Self::List => "list",
            Self::Queue => "queue",
            Self::Event => "event",
            Self::Barrier => "barrier",
            Self::Stats => "stats",
        }
    }

    /// With its article, for sentences.
    #[must_use]
    pub fn one(self) -> String {
        match self {
            Self::Event => "an event".to_owned(),
            Self::Stats => "statistics".to_owned(),
            Self::Value | Self::Dict | Self::List | Self::Queue | Self::Barrier => {
                format!("a {}", self.name())
            }
        }
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How long an object lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifetime {
    /// As long as the daemon.
    #[default]
    Daemon,
    /// As long as the connection that made it.
    Connection,
    /// Until it is removed; it survives the daemon.
    Persistent,
}

impl Lifetime {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Connection => "connection",
            Self::Persistent => "persistent",
        }
    }
}

/// What users may do who do not own it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// Nothing.
    #[default]
    None,
    /// See what is in it, wait for an event.
    Read,
    /// Everything but removing it.
    Write,
}

impl Others {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The right to one delivery of one item of a queue: the item, and which delivery of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The item's number in its queue.
    pub item: u64,
    /// Its delivery, counting from 1.
    pub delivery: u32,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.item, self.delivery)
    }
}

impl FromStr for Receipt {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (item, delivery) = text.split_once('.').ok_or(())?;
        Ok(Self { item: item.parse().map_err(drop)?, delivery: delivery.parse().map_err(drop)? })
    }
}

/// How an object is to be made if it is not there. What is said must be so if it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// How long it lives.
    pub lifetime: Option<Lifetime>,
    /// Milliseconds after its last change at which it ends.
    pub ttl_ms: Option<u64>,
    /// What others may do.
    pub others: Option<Others>,
    /// Items of a queue that wait at once.
    pub capacity: Option<u64>,
    /// Deliveries of an item of a queue after which it is dead.
    pub deliveries: Option<u32>,
}
