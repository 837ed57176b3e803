//! A client of hosted objects that survive the daemon: a value that is counted up, a dict, a queue. What was acknowledged
//! is there; what was not may be; nothing else is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::plan::Round;
use super::shared::Shared;
use super::talk::{NoAnswer, Talk, pause};
use super::talkers::with;
use crate::World;

/// All that it makes.
const OBJECTS: [&str; 3] = ["count", "table", "line"];

/// Removes what may have come back.
pub(super) fn remove_all(world: &World) {
    let mut talk = None;
    for object in OBJECTS {
        // What cannot be removed is seen by whoever looks next.
        remove(world, &mut talk, object).ok();
    }
}

/// What is known of the objects.
#[derive(Debug, Default)]
struct Ledger {
    added: i64,
    perhaps_added: i64,
    dict: BTreeMap<String, BTreeSet<i64>>,
    put: BTreeSet<i64>,
    perhaps_put: BTreeSet<i64>,
    taken: BTreeSet<i64>,
    perhaps_taken: usize,
}

fn operation(object: &str, kind: &str, verb: &str, more: &Value) -> Value {
    let mut operation = json!({ "object": object, "kind": kind, "operation": verb });
    if let (Value::Object(into), Value::Object(more)) = (&mut operation, more) {
        into.extend(more.clone());
    }
    json!({ "operation": operation })
}

/// Works with the objects, then compares and removes them.
pub(super) fn run(world: &World, round: &Round, jobs: usize, shared: &Arc<Shared>) {
    let mut random = round.random(&[3]);
    let (mut talk, mut ledger) = (None, Ledger::default());
    for number in 0..i64::try_from(jobs * 6).expect("it is small") {
        let told = match random.below(4) {
            0 => add(world, &mut talk, &mut ledger),
            1 => set(world, &mut talk, &mut ledger, &format!("k{}", random.below(5)), number),
            2 => put(world, &mut talk, &mut ledger, number),
            _ => take(world, &mut talk, &mut ledger),
        };
        match told {
            Ok(()) => shared.count("operation on an object"),
            Err(Trouble::Cut) => shared.count("operation on an object, cut"),
            Err(Trouble::Refused(why)) if round.fault.refuses() || why.contains("stopping") => {
                shared.count("operation on an object, refused");
                // A store that has refused is tried again after a second, and all is refused till then.
                pause(random.below(60));
            }
            Err(Trouble::Refused(why)) => shared.wrong(format!("{round}: an operation was refused: {why}")),
            Err(Trouble::Wrong(why)) => shared.wrong(format!("{round}: {why}")),
        }
    }
    if let Err(why) = compare(world, &mut talk, &mut ledger) {
        shared.wrong(format!("{round}: {why}: {ledger:?}"));
    }
}

/// What an operation may come to, other than its end.
enum Trouble {
    Cut,
    Refused(String),
    Wrong(String),
}

impl Trouble {
    /// Whether what was asked may have been done all the same.
    fn may_hold(&self) -> bool {
        matches!(self, Self::Cut | Self::Refused(_))
    }
}

/// One operation that makes its object, where it is not there, and makes it last.
fn operate(
    world: &World,
    talk: &mut Option<Talk>,
    object: &str,
    kind: &str,
    verb: &str,
    mut more: Value,
) -> Result<Value, Trouble> {
    more["lifetime"] = json!("persistent");
    match with(world, talk, "io.tally.Operate", &operation(object, kind, verb, &more)) {
        Ok(mut reply) => Ok(reply["result"].take()),
        Err(NoAnswer::Refused(reply)) => Err(Trouble::Refused(reply.to_string())),
        Err(NoAnswer::Cut | NoAnswer::Silent) => Err(Trouble::Cut),
    }
}

fn number(datum: &Value) -> Option<i64> {
    datum["value"].as_str()?.parse().ok()
}

fn add(world: &World, talk: &mut Option<Talk>, ledger: &mut Ledger) -> Result<(), Trouble> {
    match operate(world, talk, "count", "value", "add", json!({ "value": 1 })) {
        Ok(result) => {
            ledger.added += 1;
            let (least, most) = (ledger.added, ledger.added + ledger.perhaps_added);
            match number(&result["value"]) {
                Some(value) if (least..=most).contains(&value) => Ok(()),
                value => Err(Trouble::Wrong(format!("the count is {value:?}, and {least} to {most} can be"))),
            }
        }
        Err(trouble) => {
            // One that was refused because it could not be recorded holds while its daemon lives.
            ledger.perhaps_added += i64::from(trouble.may_hold());
            Err(trouble)
        }
    }
}

fn set(
    world: &World,
    talk: &mut Option<Talk>,
    ledger: &mut Ledger,
    key: &str,
    value: i64,
) -> Result<(), Trouble> {
    let result = operate(world, talk, "table", "dict", "set", json!({ "key": key, "value": value }));
    let known = ledger.dict.entry(key.to_owned()).or_default();
    match result {
        Ok(_) => {
            known.clear();
            known.insert(value);
            Ok(())
        }
        Err(trouble) => {
            if known.is_empty() {
                // There may be nothing, which is told apart from every number.
                known.insert(i64::MIN);
            }
            if trouble.may_hold() {
                known.insert(value);
            }
            Err(trouble)
        }
    }
}

fn put(world: &World, talk: &mut Option<Talk>, ledger: &mut Ledger, value: i64) -> Result<(), Trouble> {
    let result = operate(world, talk, "line", "queue", "put", json!({ "value": value }));
    match &result {
        Ok(_) => drop(ledger.put.insert(value)),
        Err(_) => drop(ledger.perhaps_put.insert(value)),
    }
    result.map(drop)
}

fn take(world: &World, talk: &mut Option<Talk>, ledger: &mut Ledger) -> Result<(), Trouble> {
    match operate(world, talk, "line", "queue", "get", json!({ "take": true, "timeout_ms": 0 })) {
        Ok(result) => match number(&result["value"]) {
            Some(item) => got(ledger, item),
            None => Err(Trouble::Wrong(format!("an item is no number: {result}"))),
        },
        // Nothing in it.
        Err(Trouble::Refused(why)) if why.contains("TimedOut") || why.contains("timed-out") => Ok(()),
        Err(trouble) => {
            ledger.perhaps_taken += usize::from(trouble.may_hold());
            Err(trouble)
        }
    }
}

fn got(ledger: &mut Ledger, item: i64) -> Result<(), Trouble> {
    if !ledger.put.contains(&item) && !ledger.perhaps_put.contains(&item) {
        return Err(Trouble::Wrong(format!("item {item} was never put in")));
    }
    if ledger.taken.insert(item) {
        Ok(())
    } else {
        Err(Trouble::Wrong(format!("item {item} was taken twice")))
    }
}

/// At the end: what is there is what may be. Daemons come and go meanwhile.
fn compare(world: &World, talk: &mut Option<Talk>, ledger: &mut Ledger) -> Result<(), String> {
    let count = asked(world, talk, "count", "value", "get", &json!({}))?;
    let count = count.and_then(|result| number(&result["value"])).unwrap_or(0);
    let items = asked(world, talk, "table", "dict", "items", &json!({}))?.unwrap_or_default();
    let emptied = empty(world, talk, ledger);
    for object in OBJECTS {
        remove(world, talk, object)?;
    }
    emptied?;
    if !(ledger.added..=ledger.added + ledger.perhaps_added).contains(&count) {
        return Err(format!("the count is {count}"));
    }
    for (key, values) in &ledger.dict {
        let value = number(&items["items"][key]).unwrap_or(i64::MIN);
        if !values.contains(&value) {
            return Err(format!("{key} is {value}"));
        }
    }
    let missing = ledger.put.difference(&ledger.taken).count();
    if missing > ledger.perhaps_taken {
        return Err(format!("{missing} items are gone, and {} may be", ledger.perhaps_taken));
    }
    Ok(())
}

/// How often something is asked that daemons do not answer.
const TRIES: usize = 500;

/// A question that may be asked again; nothing where there is no such object.
fn asked(
    world: &World,
    talk: &mut Option<Talk>,
    object: &str,
    kind: &str,
    verb: &str,
    more: &Value,
) -> Result<Option<Value>, String> {
    for _ in 0..TRIES {
        match with(world, talk, "io.tally.Operate", &operation(object, kind, verb, more)) {
            Ok(mut reply) => return Ok(Some(reply["result"].take())),
            Err(NoAnswer::Refused(reply)) if is_none(&reply) => return Ok(None),
            // The disk may be full still, for a moment.
            Err(NoAnswer::Refused(_)) => pause(20),
            Err(NoAnswer::Cut | NoAnswer::Silent) => {}
        }
    }
    Err(format!("no answer of {object}"))
}

fn is_none(reply: &Value) -> bool {
    reply.to_string().contains("NoSuchObject")
}

/// Takes all that is in the queue; an item whose answer was cut off may be gone.
fn empty(world: &World, talk: &mut Option<Talk>, ledger: &mut Ledger) -> Result<(), String> {
    let begun = tally_sys::clock::monotonic_ns();
    let mut refused = String::new();
    for _ in 0..TRIES {
        let size = asked(world, talk, "line", "queue", "size", &json!({}))?;
        if size.is_none_or(|size| size["length"] == json!(0)) {
            return Ok(());
        }
        match take(world, talk, ledger) {
            Ok(()) | Err(Trouble::Cut) => {}
            // Where the store has refused something, the daemon changes nothing persistent before it tries again, which
            // is after a second: it says so at once, so that tries without a pause are over long before.
            Err(Trouble::Refused(why)) => {
                pause(20);
                refused = why;
            }
            Err(Trouble::Wrong(why)) => return Err(why),
        }
    }
    let ms = (tally_sys::clock::monotonic_ns() - begun) / 1_000_000;
    Err(format!("the queue is not emptied in {ms} ms: {refused}"))
}

fn remove(world: &World, talk: &mut Option<Talk>, object: &str) -> Result<(), String> {
    for _ in 0..TRIES {
        match with(world, talk, "io.tally.RemoveObject", &json!({ "object": object })) {
            Ok(_) => return Ok(()),
            Err(NoAnswer::Refused(reply)) if is_none(&reply) => return Ok(()),
            Err(NoAnswer::Refused(_)) => pause(20),
            Err(NoAnswer::Cut | NoAnswer::Silent) => {}
        }
    }
    Err(format!("{object} could not be removed"))
}
