//! One operation and its answer, also when the daemon goes away meanwhile.
//!
//! What was refused because the daemon stops was not done, and is asked of the next one. When it is gone without a word
//! nobody knows: then only that is asked again which may be done twice, or which it cannot have read. A delivery of a
//! queue may be done twice, as one that nobody has heard of ends with its connection; a put may not.

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{BarrierVerb, ObjectRequest, ObjectResult, Operation, QueueVerb, Verb};
use tally_sys::clock;

use super::super::{Context, answer_to};
use super::doing::doing;
use crate::conversation::{Conversation, interrupted};
use crate::reconnect::{Absence, Back, WAIT_MS};

/// Asks one question and waits for its result.
pub(super) fn operate(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    operation: Operation,
) -> Result<ObjectResult, Failure> {
    let doing = doing(&operation);
    let timeout_ms = operation.timeout_ms;
    let begun = clock::monotonic_ns();
    let mut absence: Option<Absence> = None;
    let mut operation = operation;
    loop {
        let may = Again::of(&operation);
        let request = Request::Object(ObjectRequest::Operate(Box::new(operation)));
        let answer = answer_to(context, talk, &request, &doing).and_then(|reply| part(reply, "result"));
        let failure = match answer {
            Err(failure) if may.asks_again(&failure, talk.client().is_unread()) => failure,
            Err(failure) => return Err(may.told(&doing, failure)),
            answer => return answer,
        };
        let Request::Object(ObjectRequest::Operate(same)) = request else { return Err(failure) };
        operation = *same;
        let absence = absence.get_or_insert_with(|| {
            let patience_ms = timeout_ms.unwrap_or(u64::MAX);
            let wait_ms = context.style.reconnect_ms.unwrap_or(WAIT_MS).min(patience_ms);
            let mut absence = Absence::new(talk, Some(wait_ms));
            // Whoever refuses because it stops is about to be followed by another one.
            absence.over();
            absence
        });
        let back = absence.outlast(talk, context.terminal, failure);
        if let Back::Signal(signal) = back.map_err(|failure| may.told(&doing, failure))? {
            return Err(interrupted(signal, ""));
        }
        absence.over();
        if let Some(ms) = timeout_ms.filter(|&ms| ms > 0) {
            let left = ms.saturating_sub(clock::monotonic_ns().saturating_sub(begun) / 1_000_000);
            operation.timeout_ms = Some(left.max(1));
        }
    }
}

/// What of an operation may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// All of it: it changes nothing, or the same twice.
    Always,
    /// It, if nobody has done it: it was refused, or not read.
    Undone,
    /// The same, of one who stands at a barrier. Whether the others were let go while the daemon died nobody knows.
    Party,
    /// Nothing: it is about what this connection has, which ends with it.
    Never,
}

impl Again {
    fn of(operation: &Operation) -> Self {
        match &operation.verb {
            Verb::Event(_) | Verb::Queue(QueueVerb::Get { take: false, .. }) => Self::Always,
            Verb::Queue(QueueVerb::Acknowledge(_) | QueueVerb::Return(_)) => Self::Never,
            Verb::Barrier(BarrierVerb::Wait { .. }) => Self::Party,
            verb if verb.reads() => Self::Always,
            _ => Self::Undone,
        }
    }

    /// Whether to ask the next daemon. `unread`: this one cannot have taken the request in.
    fn asks_again(self, failure: &Failure, unread: bool) -> bool {
        match failure.code {
            ErrorCode::Stopping => self != Self::Never,
            ErrorCode::SupervisorGone => self == Self::Always || (unread && self != Self::Never),
            _ => false,
        }
    }

    /// A failure that ends it, with what was tried.
    fn told(self, doing: &str, failure: Failure) -> Failure {
        if !matches!(failure.code, ErrorCode::SupervisorGone | ErrorCode::NoDaemon) {
            return failure;
        }
        if self == Self::Party && failure.code == ErrorCode::SupervisorGone {
            let message =
                format!("could not {doing}: it is broken: the daemon went away before all were told");
            return Failure::new(ErrorCode::BarrierBroken, message)
                .hint("who comes now waits at the next daemon, for as many parties");
        }
        match failure.message.strip_prefix("could not finish: ") {
            Some(why) => Failure { message: format!("could not {doing}: {why}"), ..failure },
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_protocol::objects::{EventVerb, ValueVerb};

    #[test]
    fn only_what_may_be_done_twice_is_asked_again_of_a_daemon_that_is_gone() {
        let gone = Failure::new(ErrorCode::SupervisorGone, "gone");
        let stopping = Failure::new(ErrorCode::Stopping, "stopping");
        let again = |verb| Again::of(&Operation::new("x", verb));
        let twice = [
            Verb::Event(EventVerb::Wait),
            Verb::Queue(QueueVerb::Get { take: false, lease_ms: None }),
            Verb::Value(ValueVerb::Get),
        ];
        for verb in twice {
            assert!(again(verb.clone()).asks_again(&gone, false) && again(verb).asks_again(&stopping, false));
        }
        let once = [
            Verb::Queue(QueueVerb::Get { take: true, lease_ms: None }),
            Verb::Queue(QueueVerb::Put(Vec::new())),
            Verb::Value(ValueVerb::Add(1.into())),
            Verb::Barrier(BarrierVerb::Wait { parties: 2 }),
        ];
        for verb in once {
            let may = again(verb);
            assert!(!may.asks_again(&gone, false) && may.asks_again(&stopping, false));
            assert!(may.asks_again(&gone, true), "the one that is gone has not read it");
        }
        let acknowledge = Verb::Queue(QueueVerb::Acknowledge("1.1".parse().unwrap()));
        assert!(!again(acknowledge).asks_again(&stopping, false), "the next daemon knows nothing of it");
        assert!(
            !again(Verb::Event(EventVerb::Wait))
                .asks_again(&Failure::new(ErrorCode::TimedOut, "late"), false)
        );
    }

    #[test]
    fn what_nobody_knows_of_is_told_with_the_name() {
        let gone = || Failure::new(ErrorCode::SupervisorGone, "could not finish: the daemon at /s hung up");
        let told = |verb| {
            let operation = Operation::new("x", verb);
            Again::of(&operation).told(&doing(&operation), gone())
        };
        let put = told(Verb::Queue(QueueVerb::Put(Vec::new())));
        assert_eq!(
            (put.message.as_str(), put.exit),
            ("could not put into queue x: the daemon at /s hung up", 1)
        );
        let party = told(Verb::Barrier(BarrierVerb::Wait { parties: 2 }));
        let line = "could not wait at barrier x: it is broken: the daemon went away before all were told";
        assert_eq!((party.code, party.message.as_str(), party.exit), (ErrorCode::BarrierBroken, line, 1));
    }
}
