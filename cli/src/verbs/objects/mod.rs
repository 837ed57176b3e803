//! Hosted objects: `value dict list queue event barrier stats objects watch`.
//!
//! One operation is one call. What comes line by line goes to the daemon in large pieces (`fill`); an item for a
//! command is leased until that ends (`hold`).

mod again;
mod batch;
mod doing;
mod fill;
mod hold;
mod show;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{
    DictVerb, Happening, ListVerb, ObjectChange, ObjectRequest, ObjectResult, ObjectView, Operation,
    QueueVerb, Receipt, Verb,
};
use tally_sys::clock;

use super::{Context, answer_to, ask, talk_to};
use crate::conversation::{Conversation, Heard, interrupted};
use crate::meaning::objects::{ObjectAsk, Shown};
use crate::place::Reach;
use crate::reconnect::{Absence, Back};
use crate::report;
use crate::show::json::{self, Document};
use crate::show::number;
use crate::show::table::{Side, Table};
use crate::show::template::Template;
use again::operate;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, what: ObjectAsk) -> Result<u8, Failure> {
    match what {
        ObjectAsk::One(operation, shown) => one(context, reach, operation, shown),
        ObjectAsk::Fill { pattern, kind } => fill::lines(context, reach, &pattern, kind.as_deref()),
        ObjectAsk::Slurp { pattern, kind } => fill::slurp(context, reach, pattern, kind.as_deref()),
        ObjectAsk::Hold { operation, command, each } => hold::run(context, reach, &operation, &command, each),
        ObjectAsk::List(template) => list(context, reach, template.as_ref()),
        ObjectAsk::Remove(names) => remove(context, reach, names),
        ObjectAsk::Batch { file, atomic } => batch::run(context, reach, file.as_deref(), atomic),
        ObjectAsk::Watch { name, count, timeout_ms } => watch(context, reach, name, count, timeout_ms),
    }
}

fn one(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    operation: Operation,
    shown: Shown,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let name = operation.object.clone();
    let kind = operation.verb.kind().map_or("object", |kind| kind.name());
    let mut next = Some(operation);
    while let Some(operation) = next.take() {
        let mut result = operate(context, &mut talk, operation.clone())?;
        if context.style.json {
            // One object whatever its size.
            while let Some(from) = result.next.take() {
                let Some(page) = page(&operation, &from) else { break };
                merge(&mut result, operate(context, &mut talk, page)?);
            }
            let document = Document::new(&format!("tally.{kind}/1")).value("object", &name);
            context.terminal.answer(&document.flattened(&result).line())?;
        } else {
            let text = show::text(&result, shown, context.terminal.is_for_people());
            context.terminal.answer_bytes(&text)?;
            next = result.next.as_deref().and_then(|from| page(&operation, from));
        }
        if shown == Shown::Item {
            acknowledge(context, &mut talk, &name, &result)?;
        }
    }
    talk.end();
    Ok(0)
}

/// The same question for what comes behind.
fn page(operation: &Operation, from: &str) -> Option<Operation> {
    let verb = match &operation.verb {
        Verb::Dict(DictVerb::Keys(_)) => Verb::Dict(DictVerb::Keys(Some(from.to_owned()))),
        Verb::Dict(DictVerb::Items(_)) => Verb::Dict(DictVerb::Items(Some(from.to_owned()))),
        Verb::List(ListVerb::All(_)) => Verb::List(ListVerb::All(from.parse().ok()?)),
        Verb::Queue(QueueVerb::Dead(_)) => Verb::Queue(QueueVerb::Dead(from.parse().ok()?)),
        _ => return None,
    };
    Some(Operation { verb, ..operation.clone() })
}

fn merge(all: &mut ObjectResult, page: ObjectResult) {
    all.keys.get_or_insert_default().extend(page.keys.unwrap_or_default());
    all.values.get_or_insert_default().extend(page.values.unwrap_or_default());
    all.items.get_or_insert_default().0.extend(page.items.unwrap_or_default().0);
    // What this kind of question has none of stays away.
    all.keys = all.keys.take().filter(|keys| !keys.is_empty());
    all.values = all.values.take().filter(|values| !values.is_empty());
    all.items = all.items.take().filter(|items| !items.0.is_empty());
    all.next = page.next;
}

/// An item that has been handed on is done with.
fn acknowledge(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    name: &str,
    result: &ObjectResult,
) -> Result<(), Failure> {
    let Some(receipt) = receipt(result) else { return Ok(()) };
    operate(context, talk, Operation::new(name, Verb::Queue(QueueVerb::Acknowledge(receipt)))).map(drop)
}

fn receipt(result: &ObjectResult) -> Option<Receipt> {
    result.receipt.as_ref()?.parse().ok()
}

fn list(context: &mut Context<'_, '_>, reach: &Reach, template: Option<&Template>) -> Result<u8, Failure> {
    let request = Request::Object(ObjectRequest::List);
    let objects: Vec<ObjectView> = part(ask(context, reach, &request, "list the objects")?, "objects")?;
    if let Some(template) = template {
        context.terminal.answer(&json::lines(template, objects.as_slice()))?;
    } else if context.style.json {
        let document = Document::new("tally.objects/1").value("objects", objects.as_slice());
        context.terminal.answer(&document.line())?;
    } else if objects.is_empty() {
        context.terminal.note("tally: no objects\n");
    } else {
        let text = table(&objects).for_answer(context.terminal);
        context.terminal.answer(&text)?;
    }
    Ok(0)
}

fn table(objects: &[ObjectView]) -> Table {
    let mut table = Table::new(&[
        ("OBJECT", Side::Left),
        ("KIND", Side::Left),
        ("LENGTH", Side::Right),
        ("BYTES", Side::Right),
        ("WAITING", Side::Right),
        ("USER", Side::Right),
        ("OTHERS", Side::Left),
        ("LIVES", Side::Left),
        ("NOTES", Side::Left),
    ]);
    for object in objects {
        let lives = match object.ends_in_ms {
            Some(ms) => format!("{}, {}", object.lifetime.name(), number::duration(ms)),
            None => object.lifetime.name().to_owned(),
        };
        table.row(vec![
            object.object.clone(),
            object.kind.to_string(),
            number::grouped(&object.length.to_string()),
            number::grouped(&object.bytes.to_string()),
            object.waiting.to_string(),
            object.uid.to_string(),
            object.others.name().to_owned(),
            lives,
            notes(object),
        ]);
    }
    table
}

fn notes(object: &ObjectView) -> String {
    let count = |count: Option<u64>, what: &str| {
        count.filter(|&count| count > 0).map(|count| format!("{count} {what}"))
    };
    let notes = [
        object.capacity.map(|most| format!("capacity {most}")),
        count(object.leased, "leased"),
        count(object.dead, "dead"),
        (object.closed == Some(true)).then(|| "closed".to_owned()),
    ];
    notes.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn remove(context: &mut Context<'_, '_>, reach: &Reach, names: Vec<String>) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    for name in &names {
        let request = Request::Object(ObjectRequest::Remove { object: name.clone() });
        answer_to(context, &mut talk, &request, &format!("remove {name}"))?;
    }
    if context.style.json {
        let document = Document::new("tally.objects/1").value("removed", names.as_slice());
        context.terminal.answer(&document.line())?;
    }
    talk.end();
    Ok(0)
}

fn watch(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    name: String,
    count: Option<u32>,
    timeout_ms: Option<u64>,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let mut absence = Absence::new(&mut talk, context.style.reconnect_ms);
    absence.over();
    let doing = format!("watch {name}");
    let request = Request::Object(ObjectRequest::Watch { object: name, since: None });
    talk.ask(&request, true).map_err(|failure| report::about(&doing, failure))?;
    let (mut told, mut begun) = (0, false);
    while !begun || count.is_none_or(|count| told < count) {
        let until = timeout_ms.map(|ms| clock::monotonic_ns().saturating_add(ms.saturating_mul(1_000_000)));
        let heard = talk.hear(until).and_then(|heard| match heard {
            Heard::Reply(reply) => part(reply, "change").map(Some),
            Heard::Signal(signal) => Err(interrupted(signal, "")),
            Heard::Nothing => Ok(None),
        });
        let change: ObjectChange = match heard {
            Ok(Some(change)) => change,
            Ok(None) => {
                let failure = Failure::new(ErrorCode::TimedOut, "nothing has changed");
                return Err(report::about(&doing, failure));
            }
            // The next daemon begins with what is there: what happened in between is not told.
            Err(failure) => match absence.outlast(&mut talk, context.terminal, failure) {
                Ok(Back::Ask) => {
                    absence.over();
                    talk.ask(&request, true)?;
                    continue;
                }
                Ok(Back::Signal(signal)) => return Err(interrupted(signal, "")),
                Err(failure) => return Err(report::about(&doing, failure)),
            },
        };
        let line = if context.style.json {
            Document::new("tally.watch/1").flattened(&change).line()
        } else {
            show::change(&change)
        };
        context.terminal.answer(&line)?;
        if context.terminal.answer_is_unread() {
            break;
        }
        begun = true;
        // What says how it is when the watch begins is no change.
        told += u32::from(matches!(change.what, Happening::Changed | Happening::Removed));
    }
    talk.end();
    Ok(0)
}
