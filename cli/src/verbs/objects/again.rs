//! One operation and its answer, also when the daemon goes away meanwhile.
//!
//! What was refused because the daemon stops was not done, and is asked of the next one. When it is gone without a word
//! nobody knows: then only that is asked again which may be done twice. A delivery of a queue is such a thing, as one
//! that nobody has heard of ends with its connection; a put is not.

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{ObjectRequest, ObjectResult, Operation, QueueVerb, Verb};
use tally_sys::clock;

use super::super::{Context, answer_to};
use super::doing;
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
            Err(failure) if may.asks_again(&failure) => failure,
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
        if let Back::Signal(signal) = absence.outlast(talk, context.terminal, failure)? {
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
    /// It, if it was refused.
    Refused,
    /// Nothing: it is about what this connection has, which ends with it.
    Never,
}

impl Again {
    fn of(operation: &Operation) -> Self {
        match &operation.verb {
            Verb::Event(_) | Verb::Queue(QueueVerb::Get { take: false, .. }) => Self::Always,
            Verb::Queue(QueueVerb::Acknowledge(_) | QueueVerb::Return(_)) => Self::Never,
            verb if verb.reads() => Self::Always,
            _ => Self::Refused,
        }
    }

    fn asks_again(self, failure: &Failure) -> bool {
        match failure.code {
            ErrorCode::Stopping => self != Self::Never,
            ErrorCode::SupervisorGone => self == Self::Always,
            _ => false,
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
            assert!(again(verb.clone()).asks_again(&gone) && again(verb).asks_again(&stopping));
        }
        let once = [
            Verb::Queue(QueueVerb::Get { take: true, lease_ms: None }),
            Verb::Queue(QueueVerb::Put(Vec::new())),
            Verb::Value(ValueVerb::Add(1.into())),
        ];
        for verb in once {
            assert!(!again(verb.clone()).asks_again(&gone) && again(verb).asks_again(&stopping));
        }
        let acknowledge = Verb::Queue(QueueVerb::Acknowledge("1.1".parse().unwrap()));
        assert!(!again(acknowledge).asks_again(&stopping), "the next daemon knows nothing of it");
        assert!(!again(Verb::Event(EventVerb::Wait)).asks_again(&Failure::new(ErrorCode::TimedOut, "late")));
    }
}
