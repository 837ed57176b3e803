//! Hosted objects as clients speak of them: what is asked, what is answered, what a store keeps.
//!
//! `operation` is what can be done to an object, `datum` what it holds, `view` what is answered, `row` what survives.
//! Nothing here decides: that is crate machine's (`machine/src/objects`).

mod datum;
pub mod handover;
mod operation;
mod pairs;
mod row;
mod view;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use datum::Datum;
pub use operation::{
    BarrierVerb, Creation, DictVerb, EventVerb, Lifetime, ListVerb, ObjectKind, Operation, OperationWire,
    Others, QueueVerb, Receipt, StatsVerb, ValueVerb, Verb, Word, check_name,
};
pub use pairs::Pairs;
pub(crate) use row::read_objects;
pub use row::{CellRow, HeadRow, ObjectRow, SavedCell, SavedObject};
pub use view::{Happening, ObjectChange, ObjectResult, ObjectView};

use crate::control::{BadCall, read};
use crate::error::{ErrorCode, Failure};
use crate::limits;

/// What is asked about objects.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectRequest {
    /// One operation.
    Operate(Box<Operation>),
    /// Several, all of them or none.
    Transact(Vec<Operation>),
    /// The changes of an object.
    Watch {
        /// Its name.
        object: String,
        /// Answer at once if its version is another one.
        since: Option<u64>,
    },
    /// All that the client may see.
    List,
    /// An end to an object.
    Remove {
        /// Its name.
        object: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ObjectReply {
    /// To `Operate`.
    Result {
        /// What it came to.
        result: Box<ObjectResult>,
    },
    /// To `Transact`, one for each operation.
    Results {
        /// In the order of the operations.
        results: Vec<ObjectResult>,
    },
    /// To `WatchObject`.
    Change {
        /// What happened.
        change: Box<ObjectChange>,
    },
    /// To `Objects`.
    Objects {
        /// By their names.
        objects: Vec<ObjectView>,
    },
    /// To `RemoveObject`.
    Removed {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operate<'a> {
    #[serde(borrow)]
    operation: OperationWire<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transact<'a> {
    #[serde(borrow)]
    operations: Vec<OperationWire<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Watch {
    object: String,
    #[serde(default)]
    since: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    object: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The methods of `io.tally` that are about objects.
pub const METHODS: [&str; 5] = ["Operate", "Transact", "WatchObject", "Objects", "RemoveObject"];

impl ObjectRequest {
    /// Parses a call of one of [`METHODS`].
    ///
    /// # Errors
    /// With what is wrong.
    pub fn from_call(method: &str, parameters: Map<String, Value>) -> Result<Self, BadCall> {
        match method {
            "Operate" => operate(read(parameters)?),
            "Transact" => transact(read(parameters)?),
            "WatchObject" => {
                let Watch { object, since } = read(parameters)?;
                check_name(&object).map_err(BadCall::Meaning)?;
                Ok(Self::Watch { object, since })
            }
            "Objects" => read::<Nothing>(parameters).map(|Nothing {}| Self::List),
            "RemoveObject" => read(parameters).map(|Remove { object }| Self::Remove { object }),
            _ => Err(BadCall::Method(format!("io.tally.{method}"))),
        }
    }

    /// The method and parameters of the call that asks for this.
    #[must_use]
    pub fn to_call(&self) -> (&'static str, Value) {
        match self {
            Self::Operate(operation) => {
                ("Operate", json!({ "operation": OperationWire::from(&**operation) }))
            }
            Self::Transact(operations) => {
                let operations: Vec<_> = operations.iter().map(OperationWire::from).collect();
                ("Transact", json!({ "operations": operations }))
            }
            Self::Watch { object, since: None } => ("WatchObject", json!({ "object": object })),
            Self::Watch { object, since } => ("WatchObject", json!({ "object": object, "since": since })),
            Self::List => ("Objects", json!({})),
            Self::Remove { object } => ("RemoveObject", json!({ "object": object })),
        }
    }
}

fn operate(call: Operate<'_>) -> Result<ObjectRequest, BadCall> {
    Ok(ObjectRequest::Operate(Box::new(call.operation.check()?)))
}

fn transact(call: Transact<'_>) -> Result<ObjectRequest, BadCall> {
    let most = limits::OPERATIONS_MAX;
    if call.operations.len() > most {
        let why = format!("could not do {} operations at once: the most is {most}", call.operations.len());
        return Err(BadCall::Meaning(Failure::new(ErrorCode::BadUsage, why)));
    }
    call.operations
        .into_iter()
        .map(OperationWire::check)
        .collect::<Result<_, _>>()
        .map(ObjectRequest::Transact)
}

/// A call of the usual kind, read without the detour through a tree of JSON values.
#[derive(Clone, Debug, PartialEq)]
pub struct QuickCall {
    /// What is asked.
    pub request: ObjectRequest,
    /// The client reads no reply.
    pub oneway: bool,
    /// The client reads several.
    pub more: bool,
}

#[derive(Deserialize)]
struct Raw<P> {
    method: Method,
    parameters: P,
    #[serde(default)]
    more: bool,
    #[serde(default)]
    oneway: bool,
    #[serde(default)]
    upgrade: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Method {
    #[serde(rename = "io.tally.Operate")]
    Operate,
    #[serde(rename = "io.tally.Transact")]
    Transact,
}

/// A reply to one of [`METHODS`] as it stands on the wire, the same that `Reply::to_message` makes by a detour.
#[derive(Debug, Serialize)]
pub struct QuickReply<'a> {
    parameters: &'a ObjectReply,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    continues: bool,
}

impl<'a> QuickReply<'a> {
    /// Whether more replies to the same call follow.
    #[must_use]
    pub fn new(reply: &'a ObjectReply, continues: bool) -> Self {
        Self { parameters: reply, continues }
    }
}

/// How far into a message its method is looked for.
const METHOD_WITHIN: usize = 48;

/// Reads a message that is an `Operate` or a `Transact` and nothing out of the ordinary. `None` for all others, and for
/// what is wrong with these: the long way has the words for that.
#[must_use]
pub fn quick_call(message: &[u8]) -> Option<QuickCall> {
    let head = &message[..message.len().min(METHOD_WITHIN)];
    let holds = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    if holds(b"\"io.tally.Operate\"") {
        let raw: Raw<Operate<'_>> = serde_json::from_slice(message).ok()?;
        let Raw { method, parameters, more, oneway, upgrade } = raw;
        let request = (method == Method::Operate && !upgrade).then(|| operate(parameters).ok())??;
        Some(QuickCall { request, oneway, more })
    } else if holds(b"\"io.tally.Transact\"") {
        let raw: Raw<Transact<'_>> = serde_json::from_slice(message).ok()?;
        let Raw { method, parameters, more, oneway, upgrade } = raw;
        let request = (method == Method::Transact && !upgrade).then(|| transact(parameters).ok())??;
        Some(QuickCall { request, oneway, more })
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
