//! An operation as it stands on the wire: one flat shape for all kinds, checked on its way in.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    BarrierVerb, Creation, DictVerb, EventVerb, Lifetime, ListVerb, ObjectKind, Operation, Others, QueueVerb,
    Receipt, StatsVerb, ValueVerb, Verb, Word,
};
use crate::control::BadCall;
use crate::error::{ErrorCode, Failure};
use crate::limits;
use crate::objects::{Datum, Pairs};
use crate::printable;

/// An operation as it stands on the wire.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationWire<'a> {
    #[serde(borrow)]
    pub(super) object: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<ObjectKind>,
    pub(super) operation: Word,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    pub(super) key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Datum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<Vec<Datum>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Pairs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) old: Option<Datum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) front: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) take: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) receipt: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parties: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) if_version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lifetime: Option<Lifetime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) others: Option<Others>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) capacity: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deliveries: Option<u32>,
}

pub(super) fn missing(name: &str) -> BadCall {
    BadCall::Parameter(name.to_owned())
}

pub(super) fn bad(why: String) -> BadCall {
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
    } else if name.chars().any(printable::steers) {
        "it has control characters in it, or marks that turn the direction of writing".to_owned()
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(40).collect();
    Err(Failure::new(ErrorCode::BadUsage, format!("could not use '{shown}' as the name of an object: {why}")))
}

pub(super) fn key(key: Option<Cow<'_, str>>) -> Result<String, BadCall> {
    let key = key.ok_or_else(|| missing("key"))?;
    check_key(&key)?;
    Ok(key.into_owned())
}

pub(super) fn check_key(key: &str) -> Result<(), BadCall> {
    let most = limits::OBJECT_KEY_BYTES_MAX;
    if key.len() <= most {
        Ok(())
    } else {
        Err(bad(format!("could not use a key of more than {most} bytes")))
    }
}

pub(super) fn datum(value: Option<Datum>, name: &str) -> Result<Datum, BadCall> {
    let value = value.ok_or_else(|| missing(name))?;
    check_datum(&value)?;
    Ok(value)
}

pub(super) fn check_datum(value: &Datum) -> Result<(), BadCall> {
    let most = limits::DATUM_BYTES_MAX;
    if value.size() <= most {
        Ok(())
    } else {
        Err(bad(format!("could not keep more than {most} bytes in one place")))
    }
}

/// One or several.
pub(super) fn data(value: Option<Datum>, values: Option<Vec<Datum>>) -> Result<Vec<Datum>, BadCall> {
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
            ObjectKind::Value => Verb::Value(ValueVerb::read(self)?),
            ObjectKind::Dict => Verb::Dict(DictVerb::read(self)?),
            ObjectKind::List => Verb::List(ListVerb::read(self)?),
            ObjectKind::Queue => Verb::Queue(QueueVerb::read(self)?),
            ObjectKind::Event => Verb::Event(EventVerb::read(self.operation)?),
            ObjectKind::Barrier => Verb::Barrier(BarrierVerb::read(&self)?),
            ObjectKind::Stats => Verb::Stats(StatsVerb::read(self)?),
        })
    }
}

/// Where a page begins.
pub(super) fn place(index: Option<i64>) -> Result<u64, BadCall> {
    u64::try_from(index.unwrap_or(0)).map_err(|_| missing("index"))
}

pub(super) fn receipt(receipt: Option<Cow<'_, str>>) -> Result<Receipt, BadCall> {
    receipt.and_then(|text| text.parse().ok()).ok_or_else(|| missing("receipt"))
}

pub(super) fn no_such(kind: ObjectKind, word: Word) -> BadCall {
    bad(format!("could not do '{}' to {}: there is no such operation", word.name(), kind.one()))
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
        match &operation.verb {
            Verb::Value(verb) => verb.write(&mut wire),
            Verb::Dict(verb) => verb.write(&mut wire),
            Verb::List(verb) => verb.write(&mut wire),
            Verb::Queue(verb) => verb.write(&mut wire),
            Verb::Barrier(verb) => verb.write(&mut wire),
            Verb::Stats(verb) => verb.write(&mut wire),
            Verb::Event(_) | Verb::Check => {}
        }
        wire
    }
}
