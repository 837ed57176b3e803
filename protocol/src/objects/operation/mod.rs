//! What can be done to an object: as it stands on the wire, and what it means once it has been checked.
//!
//! The wire has one flat shape for all kinds (`wire`), so that any varlink client can write it. `Operation` is what it
//! means: each verb has what it needs and nothing else, and every bound but those of the object itself has been checked.
//! `about` is what is said of objects of any kind, and each kind has a file for what is done to it.

mod about;
mod barrier;
mod dict;
mod event;
mod list;
mod queue;
mod stats;
mod value;
mod wire;
mod word;

pub use about::{Creation, Lifetime, ObjectKind, Others, Receipt};
pub use barrier::BarrierVerb;
pub use dict::DictVerb;
pub use event::EventVerb;
pub use list::ListVerb;
pub use queue::QueueVerb;
pub use stats::StatsVerb;
pub use value::ValueVerb;
pub use wire::{OperationWire, check_name};
pub use word::Word;

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
        match self {
            Self::Queue(verb) => verb.may_wait(),
            Self::Event(verb) => *verb == EventVerb::Wait,
            Self::Barrier(verb) => matches!(verb, BarrierVerb::Wait { .. }),
            Self::Value(_) | Self::Dict(_) | Self::List(_) | Self::Stats(_) | Self::Check => false,
        }
    }

    /// Whether it makes the object if it is not there.
    #[must_use]
    pub fn makes(&self) -> bool {
        match self {
            Self::Value(verb) => verb.makes(),
            Self::Dict(verb) => verb.makes(),
            Self::List(verb) => verb.makes(),
            Self::Queue(verb) => verb.makes(),
            Self::Event(verb) => verb.makes(),
            Self::Barrier(verb) => verb.makes(),
            Self::Stats(verb) => verb.makes(),
            Self::Check => false,
        }
    }

    /// Whether it is done only if what is there is what it says.
    #[must_use]
    pub fn compares(&self) -> bool {
        matches!(self, Self::Value(ValueVerb::Swap { .. }) | Self::Dict(DictVerb::Swap { .. }))
    }

    /// Whether it only looks.
    #[must_use]
    pub fn reads(&self) -> bool {
        match self {
            Self::Value(verb) => verb.reads(),
            Self::Dict(verb) => verb.reads(),
            Self::List(verb) => verb.reads(),
            Self::Queue(verb) => verb.reads(),
            Self::Event(verb) => verb.reads(),
            Self::Barrier(verb) => verb.reads(),
            Self::Stats(verb) => verb.reads(),
            Self::Check => true,
        }
    }

    /// The word for it on the wire.
    #[must_use]
    pub fn word(&self) -> Word {
        match self {
            Self::Value(verb) => verb.word(),
            Self::Dict(verb) => verb.word(),
            Self::List(verb) => verb.word(),
            Self::Queue(verb) => verb.word(),
            Self::Event(verb) => verb.word(),
            Self::Barrier(verb) => verb.word(),
            Self::Stats(verb) => verb.word(),
            Self::Check => Word::Check,
        }
    }
}
