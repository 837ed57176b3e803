//! One object: whose it is, how long it lives, what is in it.

use tally_protocol::ClientId;
use tally_protocol::objects::{
    BarrierVerb, Creation, EventVerb, Lifetime, ObjectKind, ObjectView, Others, StatsVerb, Verb,
};
use tally_protocol::objects::{DictVerb, ListVerb, QueueVerb, ValueVerb};
use tally_protocol::{limits, objects::Datum};
use tally_reduce::Partial;

use super::barrier::Barrier;
use super::dict::Dict;
use super::event::Event;
use super::fault::{Fault, conflict};
use super::held::Held;
use super::list::List;
use super::queue::Queue;
use super::{stats, value};
use crate::moment::{Moment, Span};
use crate::permission::{Rights, Who};

/// What is in an object.
#[derive(Clone, Debug)]
pub(super) enum State {
    Value(Held),
    Dict(Dict),
    List(List),
    Queue(Box<Queue>),
    Event(Event),
    Barrier(Barrier),
    Stats(Box<Partial>),
}

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) others: Others,
    pub(super) lifetime: Lifetime,
    /// Whose connection made it.
    pub(super) maker: Option<ClientId>,
    /// How long after its last change it ends.
    pub(super) ttl: Option<Span>,
    pub(super) ends: Option<Moment>,
    /// 0 until something has changed it: it is only waited for.
    pub(super) version: u64,
    /// What its owner is charged with.
    pub(super) charged: usize,
    /// The last record of it that the store has not answered.
    pub(super) unsynced: Option<u64>,
    /// The store does not have it as it is.
    pub(super) owed: bool,
    pub(super) state: State,
}

impl State {
    /// Of a kind, with nothing in it.
    pub(super) fn new(kind: ObjectKind, creation: &Creation) -> Self {
        match kind {
            ObjectKind::Value => Self::Value(value::nothing()),
            ObjectKind::Dict => Self::Dict(Dict::default()),
            ObjectKind::List => Self::List(List::default()),
            ObjectKind::Queue => Self::Queue(Box::new(Queue::new(creation.capacity, creation.deliveries))),
            ObjectKind::Event => Self::Event(Event::default()),
            ObjectKind::Barrier => Self::Barrier(Barrier::default()),
            ObjectKind::Stats => Self::Stats(stats::nothing()),
        }
    }

    pub(super) fn kind(&self) -> ObjectKind {
        match self {
            Self::Value(_) => ObjectKind::Value,
            Self::Dict(_) => ObjectKind::Dict,
            Self::List(_) => ObjectKind::List,
            Self::Queue(_) => ObjectKind::Queue,
            Self::Event(_) => ObjectKind::Event,
            Self::Barrier(_) => ObjectKind::Barrier,
            Self::Stats(_) => ObjectKind::Stats,
        }
    }

    /// Keys, elements, ready items, who waits at a barrier, numbers taken in; of others one.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Value(_) | Self::Event(_) => 1,
            Self::Dict(dict) => dict.cells.len() as u64,
            Self::List(list) => list.elements.len() as u64,
            Self::Queue(queue) => queue.ready.len() as u64,
            Self::Barrier(barrier) => barrier.waiting.len() as u64,
            Self::Stats(partial) => partial.elements(),
        }
    }

    /// Who waits for it.
    pub(super) fn waiting(&self) -> Vec<ClientId> {
        match self {
            Self::Queue(queue) => {
                let getters = queue.getters.iter().map(|getter| getter.client);
                getters.chain(queue.putters.iter().map(|(client, _)| *client)).collect()
            }
            Self::Event(event) => event.waiting.iter().copied().collect(),
            Self::Barrier(barrier) => barrier.waiting.iter().copied().collect(),
            Self::Value(_) | Self::Dict(_) | Self::List(_) | Self::Stats(_) => Vec::new(),
        }
    }
}

impl Object {
    /// Bytes that it is counted with.
    pub(super) fn bytes(&self) -> usize {
        let inside = match &self.state {
            State::Value(held) => held.size(),
            State::Dict(dict) => dict.bytes,
            State::List(list) => list.bytes,
            State::Queue(queue) => queue.bytes,
            State::Event(_) | State::Barrier(_) => 0,
            State::Stats(partial) => stats::size(partial),
        };
        limits::OBJECT_CELL_BYTES + self.name.len() + inside
    }

    /// Whether a client may do this to it.
    pub(super) fn lets(&self, who: Who, reads: bool) -> bool {
        let others = if reads { Others::Read } else { Others::Write };
        who.uid == self.uid
            || who.rights == Rights::Operate
            || (reads && who.rights >= Rights::Read)
            || self.others >= others
    }

    /// Whether a client may remove it.
    pub(super) fn is_of(&self, who: Who) -> bool {
        who.uid == self.uid || who.rights == Rights::Operate
    }

    pub(super) fn is_kept(&self) -> bool {
        self.lifetime == Lifetime::Persistent
    }

    /// Takes what nobody has said of it so far. Whether it lives from now on as long as this client's connection.
    pub(super) fn shape(&mut self, creation: &Creation, client: ClientId) -> bool {
        let (before, usual) = (self.lifetime, Lifetime::default());
        if before == usual {
            self.lifetime = creation.lifetime.unwrap_or(usual);
        }
        self.ttl = self.ttl.or(creation.ttl_ms.map(Span::ms));
        if self.others == Others::None {
            self.others = creation.others.unwrap_or(Others::None);
        }
        if let State::Queue(queue) = &mut self.state {
            queue.capacity = queue.capacity.or(creation.capacity);
            queue.deliveries = queue.deliveries.or(creation.deliveries);
        }
        let tied = before == usual && self.lifetime == Lifetime::Connection;
        if tied {
            self.maker = Some(client);
        }
        tied
    }

    /// Whether it is as it would have been made.
    pub(super) fn fits(&self, creation: &Creation) -> Result<(), Fault> {
        let other = |what: &str| Err(conflict(format!("it was made with another {what}")));
        let queue = match &self.state {
            State::Queue(queue) => Some(&**queue),
            _ => None,
        };
        if creation.lifetime.is_some_and(|lifetime| lifetime != self.lifetime) {
            return Err(conflict(format!("it was made with the lifetime '{}'", self.lifetime.name())));
        }
        if creation.ttl_ms.is_some_and(|ms| Some(Span::ms(ms)) != self.ttl) {
            return other("time to live");
        }
        if creation.others.is_some_and(|others| others != self.others) {
            return Err(conflict(format!("it was made with '{}' for others", self.others.name())));
        }
        if creation.capacity.is_some() && queue.is_some_and(|queue| queue.capacity != creation.capacity) {
            return other("capacity");
        }
        if creation.deliveries.is_some() && queue.is_some_and(|queue| queue.deliveries != creation.deliveries)
        {
            return other("bound of deliveries");
        }
        Ok(())
    }

    /// As it stands in a list of all.
    pub(super) fn view(&self, now: Moment) -> ObjectView {
        let queue = match &self.state {
            State::Queue(queue) => Some(&**queue),
            _ => None,
        };
        ObjectView {
            object: self.name.clone(),
            kind: self.state.kind(),
            uid: self.uid,
            others: self.others,
            lifetime: self.lifetime,
            ends_in_ms: self.ends.map(|ends| ends.since(now).as_ms()),
            version: self.version,
            length: self.state.length(),
            bytes: self.bytes() as u64,
            waiting: self.state.waiting().len() as u64,
            leased: queue.map(|queue| queue.leased.len() as u64),
            dead: queue.map(|queue| queue.dead.len() as u64),
            capacity: queue.and_then(|queue| queue.capacity),
            closed: queue.map(|queue| queue.closed),
        }
    }
}

/// Bytes that an operation may add at the most.
pub(super) fn cost(verb: &Verb) -> usize {
    let each = |value: &Datum| limits::OBJECT_CELL_BYTES + value.size();
    let all = |values: &[Datum]| values.iter().map(each).sum();
    // An exact sum of floats, or one more bit.
    let sum = limits::OBJECT_CELL_BYTES + tally_reduce::FloatSum::BYTES;
    match verb {
        Verb::Value(ValueVerb::Set(value) | ValueVerb::Swap { new: value, .. }) => each(value),
        Verb::Value(ValueVerb::Add(value)) => each(value) + sum,
        Verb::Dict(DictVerb::Set(key, value) | DictVerb::Swap { key, new: value, .. }) => {
            key.len() + each(value)
        }
        Verb::Dict(DictVerb::Add(key, value)) => key.len() + each(value) + sum,
        Verb::Dict(DictVerb::Update(items)) => items.iter().map(|(key, value)| key.len() + each(value)).sum(),
        Verb::List(ListVerb::Push { values, .. }) | Verb::Queue(QueueVerb::Put(values)) => all(values),
        Verb::List(ListVerb::Set(_, value)) => each(value),
        Verb::Stats(StatsVerb::Add(_)) => sum,
        Verb::Value(ValueVerb::Get)
        | Verb::Dict(
            DictVerb::Get(_)
            | DictVerb::Delete(_)
            | DictVerb::Keys(_)
            | DictVerb::Items(_)
            | DictVerb::Length,
        )
        | Verb::List(ListVerb::Pop(_) | ListVerb::Get(_) | ListVerb::Length | ListVerb::All(_))
        | Verb::Queue(
            QueueVerb::Get { .. }
            | QueueVerb::Acknowledge(_)
            | QueueVerb::Return(_)
            | QueueVerb::Size
            | QueueVerb::Close
            | QueueVerb::Dead(_)
            | QueueVerb::Revive,
        )
        | Verb::Event(_)
        | Verb::Barrier(_)
        | Verb::Stats(StatsVerb::Get | StatsVerb::Reset)
        | Verb::Check => 0,
    }
}

/// What an operation does, to fit between "could not" and the object's name.
pub(super) fn doing(verb: &Verb) -> &'static str {
    match verb {
        Verb::Value(ValueVerb::Get)
        | Verb::Dict(DictVerb::Get(_) | DictVerb::Keys(_) | DictVerb::Items(_) | DictVerb::Length)
        | Verb::List(ListVerb::Get(_) | ListVerb::Length | ListVerb::All(_))
        | Verb::Queue(QueueVerb::Size | QueueVerb::Dead(_))
        | Verb::Event(EventVerb::Get)
        | Verb::Barrier(BarrierVerb::Get)
        | Verb::Stats(StatsVerb::Get) => "read",
        Verb::Value(ValueVerb::Set(_)) | Verb::Event(EventVerb::Set) => "set",
        Verb::Value(ValueVerb::Add(_)) | Verb::Dict(DictVerb::Add(..)) | Verb::Stats(StatsVerb::Add(_)) => {
            "add to"
        }
        Verb::Value(ValueVerb::Swap { .. }) | Verb::Dict(DictVerb::Swap { .. }) => "swap",
        Verb::Dict(DictVerb::Set(..) | DictVerb::Update(_)) | Verb::List(ListVerb::Set(..)) => "set in",
        Verb::Dict(DictVerb::Delete(_)) => "delete from",
        Verb::List(ListVerb::Push { .. }) => "push to",
        Verb::List(ListVerb::Pop(_)) => "pop from",
        Verb::Queue(QueueVerb::Put(_)) => "put into",
        Verb::Queue(QueueVerb::Get { .. }) => "get from",
        Verb::Queue(QueueVerb::Acknowledge(_)) => "acknowledge to",
        Verb::Queue(QueueVerb::Return(_)) => "return to",
        Verb::Queue(QueueVerb::Close) => "close",
        Verb::Queue(QueueVerb::Revive) => "revive the dead of",
        Verb::Event(EventVerb::Clear) => "clear",
        Verb::Event(EventVerb::Wait) => "wait for",
        Verb::Barrier(BarrierVerb::Wait { .. }) => "wait at",
        Verb::Barrier(BarrierVerb::Reset) | Verb::Stats(StatsVerb::Reset) => "reset",
        Verb::Check => "check",
    }
}
