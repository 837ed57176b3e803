//! What an operation does, to fit between "could not" and a reason.

use tally_protocol::objects::{
    BarrierVerb, DictVerb, EventVerb, ListVerb, Operation, QueueVerb, StatsVerb, ValueVerb, Verb,
};

/// With the name of the object: `list the items of dict prices`.
pub(super) fn doing(operation: &Operation) -> String {
    let kind = operation.verb.kind().map_or("object", |kind| kind.name());
    format!("{} {kind} {}", words(&operation.verb), operation.object)
}

fn words(verb: &Verb) -> &'static str {
    match verb {
        Verb::Value(ValueVerb::Get)
        | Verb::Dict(DictVerb::Get(_))
        | Verb::List(ListVerb::Get(_))
        | Verb::Event(EventVerb::Get)
        | Verb::Barrier(BarrierVerb::Get)
        | Verb::Stats(StatsVerb::Get) => "get",
        Verb::Value(ValueVerb::Set(_)) | Verb::Event(EventVerb::Set) => "set",
        Verb::Dict(DictVerb::Set(..) | DictVerb::Update(_)) | Verb::List(ListVerb::Set(..)) => "set in",
        Verb::Value(ValueVerb::Add(_)) | Verb::Dict(DictVerb::Add(..)) | Verb::Stats(StatsVerb::Add(_)) => {
            "add to"
        }
        Verb::Value(ValueVerb::Swap { .. }) | Verb::Dict(DictVerb::Swap { .. }) => "swap",
        Verb::Dict(DictVerb::Delete(_)) => "delete from",
        Verb::Dict(DictVerb::Keys(_)) => "list the keys of",
        Verb::Dict(DictVerb::Items(_)) => "list the items of",
        Verb::Dict(DictVerb::Length) => "count the keys of",
        Verb::List(ListVerb::Length) => "count the elements of",
        Verb::List(ListVerb::All(_)) => "list the elements of",
        Verb::List(ListVerb::Push { .. }) => "push to",
        Verb::List(ListVerb::Pop(_)) => "pop from",
        Verb::Queue(QueueVerb::Put(_)) => "put into",
        Verb::Queue(QueueVerb::Get { .. }) => "get from",
        Verb::Queue(QueueVerb::Acknowledge(_)) => "acknowledge an item of",
        Verb::Queue(QueueVerb::Return(_)) => "give an item back to",
        Verb::Queue(QueueVerb::Size) => "count the items of",
        Verb::Queue(QueueVerb::Close) => "close",
        Verb::Queue(QueueVerb::Dead(_)) => "list the dead items of",
        Verb::Queue(QueueVerb::Revive) => "revive the dead items of",
        Verb::Event(EventVerb::Clear) => "clear",
        Verb::Event(EventVerb::Wait) => "wait for",
        Verb::Barrier(BarrierVerb::Wait { .. }) => "wait at",
        Verb::Barrier(BarrierVerb::Reset) | Verb::Stats(StatsVerb::Reset) => "reset",
        Verb::Check => "check",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_done_is_a_sentence() {
        let said = |verb| doing(&Operation::new("x", verb));
        assert_eq!(said(Verb::Dict(DictVerb::Items(None))), "list the items of dict x");
        assert_eq!(said(Verb::Dict(DictVerb::Length)), "count the keys of dict x");
        assert_eq!(said(Verb::Queue(QueueVerb::Size)), "count the items of queue x");
        assert_eq!(said(Verb::Queue(QueueVerb::Dead(0))), "list the dead items of queue x");
        assert_eq!(said(Verb::List(ListVerb::All(0))), "list the elements of list x");
        assert_eq!(said(Verb::Barrier(BarrierVerb::Wait { parties: 2 })), "wait at barrier x");
        assert_eq!(said(Verb::Check), "check object x");
    }
}
