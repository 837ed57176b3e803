//! What can be done to an object: as it stands on the wire, and what it means once it has been checked.
//!
//! The wire has one flat shape for all kinds, so that any varlink client can write it. `Operation` is what it means:
//! each verb has what it needs and nothing else, and every bound but those of the object itself has been checked.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Datum, Pairs};
use crate::control::BadCall;
use crate::error::{ErrorCode, Failure};
use crate::limits;

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
        let article = if self == Self::Event { "an" } else { "a" };
        format!("{article} {}", self.name())
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

/// What is done to statistics.
#[derive(Clone, Debug, PartialEq)]
pub enum StatsVerb {
    /// Takes numbers in.
    Add(Vec<Datum>),
    /// Tells count, sum, least, greatest, mean.
    Get,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// To a value.
    Value(ValueVerb),
    /// To a dict.
    Dict(DictVerb),
    /// To a list.
    List(ListVerb),
    /// To a queue.
    Queue(QueueVerb),
    /// To an event.
    Event(EventVerb),
    /// To a barrier.
    Barrier(BarrierVerb),
    /// To statistics.
    Stats(StatsVerb),
    /// Nothing: only the condition counts.
    Check,
}

/// One operation on one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// The object's name.
    pub object: String,
    /// What is done to it.
    pub verb: Verb,
    /// Only if its version is this; 0 if it must not be there.
    pub if_version: Option<u64>,
    /// How long to wait; for ever, when absent, not at all, when 0.
    pub timeout_ms: Option<u64>,
    /// How it is made.
    pub creation: Option<Box<Creation>>,
}

impl Operation {
    /// With no condition, no time-out and the usual creation.
    #[must_use]
    pub fn new(object: impl Into<String>, verb: Verb) -> Self {
        Self { object: object.into(), verb, if_version: None, timeout_ms: None, creation: None }
    }
}

impl Verb {
    /// The kind of object it is for; any, for a check.
    #[must_use]
    pub fn kind(&self) -> Option<ObjectKind> {
        match self {
            Self::Value(_) => Some(ObjectKind::Value),
            Self::Dict(_) => Some(ObjectKind::Dict),
            Self::List(_) => Some(ObjectKind::List),
            Self::Queue(_) => Some(ObjectKind::Queue),
            Self::Event(_) => Some(ObjectKind::Event),
            Self::Barrier(_) => Some(ObjectKind::Barrier),
            Self::Stats(_) => Some(ObjectKind::Stats),
            Self::Check => None,
        }
    }

    /// Whether it may let its client wait.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        matches!(
            self,
            Self::Queue(QueueVerb::Put(_) | QueueVerb::Get { .. })
                | Self::Event(EventVerb::Wait)
                | Self::Barrier(BarrierVerb::Wait { .. })
        )
    }

    /// Whether it makes the object if it is not there.
    #[must_use]
    pub fn makes(&self) -> bool {
        match self {
            Self::Value(verb) => match verb {
                ValueVerb::Set(_) | ValueVerb::Add(_) | ValueVerb::Swap { old: None, .. } => true,
                ValueVerb::Get | ValueVerb::Swap { old: Some(_), .. } => false,
            },
            Self::Dict(verb) => match verb {
                DictVerb::Set(..)
                | DictVerb::Add(..)
                | DictVerb::Update(_)
                | DictVerb::Swap { old: None, .. } => true,
                DictVerb::Get(_)
                | DictVerb::Swap { old: Some(_), .. }
                | DictVerb::Delete(_)
                | DictVerb::Keys(_)
                | DictVerb::Items(_)
                | DictVerb::Length => false,
            },
            Self::List(verb) => matches!(verb, ListVerb::Push { .. }),
            // Whoever waits for something may come first.
            Self::Queue(verb) => matches!(verb, QueueVerb::Put(_) | QueueVerb::Get { .. } | QueueVerb::Close),
            Self::Event(verb) => !matches!(verb, EventVerb::Get),
            Self::Barrier(verb) => matches!(verb, BarrierVerb::Wait { .. }),
            Self::Stats(verb) => matches!(verb, StatsVerb::Add(_)),
            Self::Check => false,
        }
    }

    /// Whether it only looks.
    #[must_use]
    pub fn reads(&self) -> bool {
        match self {
            Self::Value(verb) => matches!(verb, ValueVerb::Get),
            Self::Dict(verb) => {
                matches!(verb, DictVerb::Get(_) | DictVerb::Keys(_) | DictVerb::Items(_) | DictVerb::Length)
            }
            Self::List(verb) => matches!(verb, ListVerb::Get(_) | ListVerb::Length | ListVerb::All(_)),
            Self::Queue(verb) => matches!(verb, QueueVerb::Size | QueueVerb::Dead(_)),
            Self::Event(verb) => matches!(verb, EventVerb::Get | EventVerb::Wait),
            Self::Barrier(verb) => matches!(verb, BarrierVerb::Get),
            Self::Stats(verb) => matches!(verb, StatsVerb::Get),
            Self::Check => true,
        }
    }

    /// The word for it on the wire.
    #[must_use]
    pub fn word(&self) -> Word {
        match self {
            Self::Value(ValueVerb::Get)
            | Self::Dict(DictVerb::Get(_))
            | Self::List(ListVerb::Get(_))
            | Self::Queue(QueueVerb::Get { .. })
            | Self::Event(EventVerb::Get)
            | Self::Barrier(BarrierVerb::Get)
            | Self::Stats(StatsVerb::Get) => Word::Get,
            Self::Value(ValueVerb::Set(_))
            | Self::Dict(DictVerb::Set(..))
            | Self::List(ListVerb::Set(..))
            | Self::Event(EventVerb::Set) => Word::Set,
            Self::Value(ValueVerb::Add(_))
            | Self::Dict(DictVerb::Add(..))
            | Self::Stats(StatsVerb::Add(_)) => Word::Add,
            Self::Value(ValueVerb::Swap { .. }) | Self::Dict(DictVerb::Swap { .. }) => Word::Cas,
            Self::Dict(DictVerb::Update(_)) => Word::Update,
            Self::Dict(DictVerb::Delete(_)) => Word::Del,
            Self::Dict(DictVerb::Keys(_)) => Word::Keys,
            Self::Dict(DictVerb::Items(_)) => Word::Items,
            Self::Dict(DictVerb::Length) | Self::List(ListVerb::Length) => Word::Len,
            Self::List(ListVerb::Push { .. }) => Word::Push,
            Self::List(ListVerb::Pop(_)) => Word::Pop,
            Self::List(ListVerb::All(_)) => Word::All,
            Self::Queue(QueueVerb::Put(_)) => Word::Put,
            Self::Queue(QueueVerb::Acknowledge(_)) => Word::Ack,
            Self::Queue(QueueVerb::Return(_)) => Word::Return,
            Self::Queue(QueueVerb::Size) => Word::Size,
            Self::Queue(QueueVerb::Close) => Word::Close,
            Self::Queue(QueueVerb::Dead(_)) => Word::Dead,
            Self::Queue(QueueVerb::Revive) => Word::Revive,
            Self::Event(EventVerb::Clear) => Word::Clear,
            Self::Event(EventVerb::Wait) | Self::Barrier(BarrierVerb::Wait { .. }) => Word::Wait,
            Self::Barrier(BarrierVerb::Reset) => Word::Reset,
            Self::Check => Word::Check,
        }
    }
}

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

/// An operation as it stands on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationWire<'a> {
    #[serde(borrow)]
    object: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<ObjectKind>,
    operation: Word,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Datum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Datum>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items: Option<Pairs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old: Option<Datum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    front: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    take: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parties: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<Lifetime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<Others>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capacity: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deliveries: Option<u32>,
}

fn missing(name: &str) -> BadCall {
    BadCall::Parameter(name.to_owned())
}

fn bad(why: String) -> BadCall {
    BadCall::Meaning(Failure::new(ErrorCode::BadUsage, why))
}

/// Checks the name of an object.
///
/// # Errors
/// `BadUsage` when it is empty, too long, or has control characters in it.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let most = limits::OBJECT_NAME_BYTES_MAX;
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > most {
        format!("it is longer than {most} bytes")
    } else if name.bytes().any(|byte| byte.is_ascii_control()) {
        "it has control characters in it".to_owned()
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(40).collect();
    Err(Failure::new(ErrorCode::BadUsage, format!("could not use '{shown}' as the name of an object: {why}")))
}

fn key(key: Option<Cow<'_, str>>) -> Result<String, BadCall> {
    let key = key.ok_or_else(|| missing("key"))?;
    check_key(&key)?;
    Ok(key.into_owned())
}

fn check_key(key: &str) -> Result<(), BadCall> {
    let most = limits::OBJECT_KEY_BYTES_MAX;
    if key.len() <= most {
        Ok(())
    } else {
        Err(bad(format!("could not use a key of more than {most} bytes")))
    }
}

fn datum(value: Option<Datum>, name: &str) -> Result<Datum, BadCall> {
    let value = value.ok_or_else(|| missing(name))?;
    check_datum(&value)?;
    Ok(value)
}

fn check_datum(value: &Datum) -> Result<(), BadCall> {
    let most = limits::DATUM_BYTES_MAX;
    if value.size() <= most {
        Ok(())
    } else {
        Err(bad(format!("could not keep more than {most} bytes in one place")))
    }
}

/// One or several.
fn data(value: Option<Datum>, values: Option<Vec<Datum>>) -> Result<Vec<Datum>, BadCall> {
    match (value, values) {
        (Some(value), None) => {
            check_datum(&value)?;
            Ok(vec![value])
        }
        (None, Some(values)) if !values.is_empty() => {
            values.iter().try_for_each(check_datum)?;
            Ok(values)
        }
        (None, None) => Err(missing("value")),
        (Some(_), Some(_)) | (None, Some(_)) => Err(missing("values")),
    }
}

impl<'a> OperationWire<'a> {
    /// What it means.
    ///
    /// # Errors
    /// With the parameter that is missing, or what cannot be meant.
    pub fn check(self) -> Result<Operation, BadCall> {
        check_name(&self.object).map_err(BadCall::Meaning)?;
        if self.timeout_ms.is_some_and(|ms| ms > limits::TIMEOUT_MS_MAX) {
            return Err(missing("timeout_ms"));
        }
        let creation = self.creation()?.map(Box::new);
        let (if_version, timeout_ms) = (self.if_version, self.timeout_ms);
        let object = self.object.clone().into_owned();
        Ok(Operation { object, verb: self.verb()?, if_version, timeout_ms, creation })
    }

    fn creation(&self) -> Result<Option<Creation>, BadCall> {
        let Self { lifetime, ttl_ms, others, capacity, deliveries, .. } = *self;
        let creation = Creation { lifetime, ttl_ms, others, capacity, deliveries };
        if creation == Creation::default() {
            return Ok(None);
        }
        if ttl_ms.is_some_and(|ms| ms == 0 || ms > limits::TIMEOUT_MS_MAX) {
            return Err(missing("ttl_ms"));
        }
        if capacity.is_some_and(|most| most == 0 || most > limits::QUEUE_ITEMS_MAX) {
            let most = limits::QUEUE_ITEMS_MAX;
            return Err(bad(format!("could not bound a queue so: its capacity is 1 to {most}")));
        }
        if deliveries.is_some_and(|most| most == 0 || most > limits::DELIVERIES_MAX) {
            let most = limits::DELIVERIES_MAX;
            return Err(bad(format!("could not bound deliveries so: there are 1 to {most}")));
        }
        let queue = self.kind == Some(ObjectKind::Queue);
        match (capacity, deliveries) {
            (Some(_), _) if !queue => Err(missing("capacity")),
            (_, Some(_)) if !queue => Err(missing("deliveries")),
            _ => Ok(Some(creation)),
        }
    }

    fn verb(self) -> Result<Verb, BadCall> {
        let Some(kind) = self.kind else {
            return if self.operation == Word::Check { Ok(Verb::Check) } else { Err(missing("kind")) };
        };
        Ok(match kind {
            ObjectKind::Value => Verb::Value(match self.operation {
                Word::Get => ValueVerb::Get,
                Word::Set => ValueVerb::Set(datum(self.value, "value")?),
                Word::Add => ValueVerb::Add(datum(self.value, "value")?),
                Word::Cas => ValueVerb::Swap { old: self.old, new: datum(self.value, "value")? },
                other => return Err(no_such(kind, other)),
            }),
            ObjectKind::Dict => Verb::Dict(match self.operation {
                Word::Get => DictVerb::Get(key(self.key)?),
                Word::Set => DictVerb::Set(key(self.key)?, datum(self.value, "value")?),
                Word::Add => DictVerb::Add(key(self.key)?, datum(self.value, "value")?),
                Word::Cas => {
                    DictVerb::Swap { key: key(self.key)?, old: self.old, new: datum(self.value, "value")? }
                }
                Word::Update => {
                    let items = self.items.ok_or_else(|| missing("items"))?;
                    for (key, value) in &items.0 {
                        check_key(key)?;
                        check_datum(value)?;
                    }
                    DictVerb::Update(items.0)
                }
                Word::Del => DictVerb::Delete(key(self.key)?),
                Word::Keys => DictVerb::Keys(self.key.map(Cow::into_owned)),
                Word::Items => DictVerb::Items(self.key.map(Cow::into_owned)),
                Word::Len => DictVerb::Length,
                other => return Err(no_such(kind, other)),
            }),
            ObjectKind::List => Verb::List(match self.operation {
                Word::Push => {
                    let front = self.front.unwrap_or(false);
                    ListVerb::Push { values: data(self.value, self.values)?, front }
                }
                Word::Pop => ListVerb::Pop(self.index.unwrap_or(-1)),
                Word::Get => ListVerb::Get(self.index.ok_or_else(|| missing("index"))?),
                Word::Set => {
                    let index = self.index.ok_or_else(|| missing("index"))?;
                    ListVerb::Set(index, datum(self.value, "value")?)
                }
                Word::Len => ListVerb::Length,
                Word::All => {
                    let from = self.index.unwrap_or(0);
                    ListVerb::All(u64::try_from(from).map_err(|_| missing("index"))?)
                }
                other => return Err(no_such(kind, other)),
            }),
            ObjectKind::Queue => Verb::Queue(match self.operation {
                Word::Put => QueueVerb::Put(data(self.value, self.values)?),
                Word::Get => {
                    if self.lease_ms.is_some_and(|ms| ms == 0 || ms > limits::TIMEOUT_MS_MAX) {
                        return Err(missing("lease_ms"));
                    }
                    QueueVerb::Get { take: self.take.unwrap_or(false), lease_ms: self.lease_ms }
                }
                Word::Ack => QueueVerb::Acknowledge(receipt(self.receipt)?),
                Word::Return => QueueVerb::Return(receipt(self.receipt)?),
                Word::Size => QueueVerb::Size,
                Word::Close => QueueVerb::Close,
                Word::Dead => {
                    let from = self.index.unwrap_or(0);
                    QueueVerb::Dead(u64::try_from(from).map_err(|_| missing("index"))?)
                }
                Word::Revive => QueueVerb::Revive,
                other => return Err(no_such(kind, other)),
            }),
            ObjectKind::Event => Verb::Event(match self.operation {
                Word::Get => EventVerb::Get,
                Word::Set => EventVerb::Set,
                Word::Clear => EventVerb::Clear,
                Word::Wait => EventVerb::Wait,
                other => return Err(no_such(kind, other)),
            }),
            ObjectKind::Barrier => Verb::Barrier(match self.operation {
                Word::Get => BarrierVerb::Get,
                Word::Wait => {
                    let parties = self.parties.ok_or_else(|| missing("parties"))?;
                    if parties == 0 || parties > limits::PARTIES_MAX {
                        let most = limits::PARTIES_MAX;
                        return Err(bad(format!(
                            "could not wait for {parties} parties: there are 1 to {most}"
                        )));
                    }
                    BarrierVerb::Wait { parties }
                }
                Word::Reset => BarrierVerb::Reset,
                other => return Err(no_such(kind, other)),
            }),
            ObjectKind::Stats => Verb::Stats(match self.operation {
                Word::Get => StatsVerb::Get,
                Word::Add => StatsVerb::Add(data(self.value, self.values)?),
                other => return Err(no_such(kind, other)),
            }),
        })
    }
}

fn receipt(receipt: Option<Cow<'_, str>>) -> Result<Receipt, BadCall> {
    receipt.and_then(|text| text.parse().ok()).ok_or_else(|| missing("receipt"))
}

fn no_such(kind: ObjectKind, word: Word) -> BadCall {
    bad(format!("could not {} {}: there is no such operation", word.name(), kind.one()))
}

impl<'a> From<&'a Operation> for OperationWire<'a> {
    fn from(operation: &'a Operation) -> Self {
        let creation = operation.creation.as_deref().copied().unwrap_or_default();
        let mut wire = OperationWire {
            object: Cow::Borrowed(&operation.object),
            kind: operation.verb.kind(),
            operation: operation.verb.word(),
            key: None,
            index: None,
            value: None,
            values: None,
            items: None,
            old: None,
            front: None,
            take: None,
            lease_ms: None,
            receipt: None,
            parties: None,
            if_version: operation.if_version,
            timeout_ms: operation.timeout_ms,
            lifetime: creation.lifetime,
            ttl_ms: creation.ttl_ms,
            others: creation.others,
            capacity: creation.capacity,
            deliveries: creation.deliveries,
        };
        wire.fill(&operation.verb);
        wire
    }
}

impl<'a> OperationWire<'a> {
    fn fill(&mut self, verb: &'a Verb) {
        match verb {
            Verb::Value(ValueVerb::Set(value) | ValueVerb::Add(value)) => self.value = Some(value.clone()),
            Verb::Value(ValueVerb::Swap { old, new }) => {
                self.old.clone_from(old);
                self.value = Some(new.clone());
            }
            Verb::Dict(DictVerb::Get(key) | DictVerb::Delete(key)) => self.key = Some(Cow::Borrowed(key)),
            Verb::Dict(DictVerb::Set(key, value) | DictVerb::Add(key, value)) => {
                self.key = Some(Cow::Borrowed(key));
                self.value = Some(value.clone());
            }
            Verb::Dict(DictVerb::Swap { key, old, new }) => {
                self.key = Some(Cow::Borrowed(key));
                self.old.clone_from(old);
                self.value = Some(new.clone());
            }
            Verb::Dict(DictVerb::Update(items)) => self.items = Some(Pairs(items.clone())),
            Verb::Dict(DictVerb::Keys(after) | DictVerb::Items(after)) => {
                self.key = after.as_deref().map(Cow::Borrowed);
            }
            Verb::List(ListVerb::Push { values, front }) => {
                self.values = Some(values.clone());
                self.front = front.then_some(true);
            }
            Verb::List(ListVerb::Pop(index) | ListVerb::Get(index)) => self.index = Some(*index),
            Verb::List(ListVerb::Set(index, value)) => {
                self.index = Some(*index);
                self.value = Some(value.clone());
            }
            Verb::List(ListVerb::All(from)) | Verb::Queue(QueueVerb::Dead(from)) => {
                self.index = i64::try_from(*from).ok();
            }
            Verb::Queue(QueueVerb::Put(values)) | Verb::Stats(StatsVerb::Add(values)) => {
                self.values = Some(values.clone());
            }
            Verb::Queue(QueueVerb::Get { take, lease_ms }) => {
                self.take = take.then_some(true);
                self.lease_ms = *lease_ms;
            }
            Verb::Queue(QueueVerb::Acknowledge(receipt) | QueueVerb::Return(receipt)) => {
                self.receipt = Some(receipt.to_string().into());
            }
            Verb::Barrier(BarrierVerb::Wait { parties }) => self.parties = Some(*parties),
            Verb::Value(ValueVerb::Get)
            | Verb::Dict(DictVerb::Length)
            | Verb::List(ListVerb::Length)
            | Verb::Queue(QueueVerb::Size | QueueVerb::Close | QueueVerb::Revive)
            | Verb::Event(_)
            | Verb::Barrier(BarrierVerb::Get | BarrierVerb::Reset)
            | Verb::Stats(StatsVerb::Get)
            | Verb::Check => {}
        }
    }
}
