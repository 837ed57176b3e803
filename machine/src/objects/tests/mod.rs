//! The book of objects, told events one by one and compared with a plain model.

mod kinds;
mod model;
mod paper;
mod queues;
mod rights;

use std::collections::BTreeMap;

use tally_protocol::ClientId;
use tally_protocol::control::Reply;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::{
    Creation, Datum, DictVerb, Lifetime, ListVerb, ObjectChange, ObjectReply, ObjectRequest, ObjectResult,
    Operation, QueueVerb, ValueVerb, Verb,
};
use tally_protocol::record::{Change, Saved, Table};

use super::{Deed, ObjectAlarm, Objects, Scene};
use crate::moment::{Moment, Span};
use crate::permission::{Rights, Who};

const OWNER: Who = Who { uid: 7, rights: Rights::Own };
const STRANGER: Who = Who { uid: 8, rights: Rights::Own };
const READER: Who = Who { uid: 9, rights: Rights::Read };
const OPERATOR: Who = Who { uid: 10, rights: Rights::Operate };

/// Objects with a clock, alarms and a store in hand.
struct Bench {
    objects: Objects,
    now: Moment,
    alarms: BTreeMap<ObjectAlarm, Moment>,
    rows: BTreeMap<u64, Vec<u8>>,
    /// Batches that the store has not answered.
    batches: Vec<(u64, Vec<Change>)>,
    /// The store answers at once.
    quick: bool,
}

/// Who was told what.
type Told = Vec<(u64, Result<ObjectReply, Failure>)>;

impl Bench {
    fn new() -> Self {
        Self::with(Objects::new(1_000_000, true))
    }

    fn with(objects: Objects) -> Self {
        let (alarms, rows) = (BTreeMap::new(), BTreeMap::new());
        Self { objects, now: Moment(0), alarms, rows, batches: Vec::new(), quick: true }
    }

    fn told(&mut self) -> Told {
        let mut told = Vec::new();
        loop {
            let deeds = self.objects.take_deeds();
            if deeds.is_empty() {
                break;
            }
            for deed in deeds {
                match deed {
                    Deed::Reply { client, reply: Reply::Object(reply), .. } => {
                        told.push((client.0, Ok(reply)))
                    }
                    Deed::Reply { client, reply: Reply::Refused(failure), .. } => {
                        told.push((client.0, Err(failure)));
                    }
                    Deed::Reply { reply, .. } => panic!("{reply:?}"),
                    Deed::Record { batch, changes } => self.batches.push((batch, changes)),
                    Deed::Alarm(alarm, at) => drop(self.alarms.insert(alarm, at)),
                    Deed::Silence(alarm) => drop(self.alarms.remove(&alarm)),
                }
            }
            if self.quick {
                self.commit_all();
            }
        }
        self.objects.check();
        told
    }

    fn commit_all(&mut self) {
        for (batch, changes) in std::mem::take(&mut self.batches) {
            for change in changes {
                match change {
                    Change::Put(Table::Objects, row, bytes) => drop(self.rows.insert(row, bytes)),
                    Change::Delete(Table::Objects, row) => drop(self.rows.remove(&row)),
                    other => panic!("{other:?}"),
                }
            }
            self.objects.recorded(batch);
        }
    }

    fn refuse_all(&mut self) {
        for (batch, _) in std::mem::take(&mut self.batches) {
            self.objects.not_recorded(batch, "no space left on device", self.now);
        }
    }

    fn ask_as(&mut self, who: Who, client: u64, request: ObjectRequest, more: bool) -> Told {
        let scene = Scene { now: self.now, client: ClientId(client), who };
        self.objects.said(scene, request, more);
        self.told()
    }

    fn operate(&mut self, client: u64, operation: Operation) -> Told {
        self.ask_as(OWNER, client, ObjectRequest::Operate(Box::new(operation)), false)
    }

    fn at(&mut self, client: u64, name: &str, verb: Verb) -> Told {
        self.operate(client, Operation::new(name, verb))
    }

    /// An operation of client 1 that is answered at once, and nobody else.
    #[track_caller]
    fn done(&mut self, name: &str, verb: Verb) -> ObjectResult {
        only_result(self.at(1, name, verb))
    }

    /// An operation of client 1 that is refused at once.
    #[track_caller]
    fn refused(&mut self, name: &str, verb: Verb) -> (ErrorCode, String) {
        only_refusal(self.at(1, name, verb))
    }

    fn transact(&mut self, operations: Vec<Operation>) -> Result<Vec<ObjectResult>, String> {
        let mut told = self.ask_as(OWNER, 1, ObjectRequest::Transact(operations), false);
        match told.remove(0).1 {
            Ok(ObjectReply::Results { results }) => Ok(results),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.message),
        }
    }

    fn gone(&mut self, client: u64) -> Told {
        self.objects.gone(ClientId(client), self.now);
        self.told()
    }

    /// Lets time pass, ringing each alarm at its time.
    fn later(&mut self, ms: u64) -> Told {
        let end = self.now + Span::ms(ms);
        let mut told = Vec::new();
        while let Some((&alarm, &at)) =
            self.alarms.iter().min_by_key(|(_, at)| **at).filter(|(_, at)| **at <= end)
        {
            self.now = self.now.max(at);
            self.alarms.remove(&alarm);
            self.objects.due(alarm, self.now);
            told.extend(self.told());
        }
        self.now = end;
        told
    }

    /// The daemon dies, and the next one starts with what the store has.
    fn restart(&mut self) {
        let rows = self.rows.iter().map(|(&row, bytes)| (Table::Objects, row, bytes.clone()));
        let saved = Saved::read(rows);
        assert_eq!(saved.problems, Vec::<String>::new());
        let mut objects = Objects::new(1_000_000 + self.now.0 / 1_000_000, true);
        objects.restore(saved.objects, saved.last_object_row);
        self.objects = objects;
        self.now = Moment(0);
        self.alarms.clear();
        self.batches.clear();
        assert_eq!(self.told(), vec![]);
    }
}

#[track_caller]
fn only_result(mut told: Told) -> ObjectResult {
    assert_eq!(told.len(), 1, "{told:?}");
    match told.remove(0).1 {
        Ok(ObjectReply::Result { result }) => *result,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn only_refusal(mut told: Told) -> (ErrorCode, String) {
    assert_eq!(told.len(), 1, "{told:?}");
    let failure = told.remove(0).1.expect_err("it is refused");
    (failure.code, failure.message)
}

fn changes(told: Told) -> Vec<ObjectChange> {
    let change = |(_, reply)| match reply {
        Ok(ObjectReply::Change { change }) => Some(*change),
        _ => None,
    };
    told.into_iter().filter_map(change).collect()
}

fn persistent(name: &str, verb: Verb) -> Operation {
    let creation = Creation { lifetime: Some(Lifetime::Persistent), ..Creation::default() };
    Operation { creation: Some(Box::new(creation)), ..Operation::new(name, verb) }
}

fn set(value: impl Into<Datum>) -> Verb {
    Verb::Value(ValueVerb::Set(value.into()))
}

fn add(value: impl Into<Datum>) -> Verb {
    Verb::Value(ValueVerb::Add(value.into()))
}

fn get() -> Verb {
    Verb::Value(ValueVerb::Get)
}

fn dict_set(key: &str, value: impl Into<Datum>) -> Verb {
    Verb::Dict(DictVerb::Set(key.to_owned(), value.into()))
}

fn push(values: &[i64], front: bool) -> Verb {
    Verb::List(ListVerb::Push { values: values.iter().map(|&value| value.into()).collect(), front })
}

fn put(values: &[i64]) -> Verb {
    Verb::Queue(QueueVerb::Put(values.iter().map(|&value| value.into()).collect()))
}

fn take() -> Verb {
    Verb::Queue(QueueVerb::Get { take: true, lease_ms: None })
}

fn lease() -> Verb {
    Verb::Queue(QueueVerb::Get { take: false, lease_ms: None })
}

fn value_of(result: &ObjectResult) -> String {
    result.value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
}
