//! The words about objects survive the wire on both roads, and what is wrong with them is named.

use serde_json::json;

use super::*;

fn every_verb() -> Vec<Verb> {
    let (key, one) = ("k".to_owned(), Datum::from(1));
    let receipt = Receipt { item: 7, delivery: 2 };
    vec![
        Verb::Check,
        Verb::Value(ValueVerb::Get),
        Verb::Value(ValueVerb::Set(Datum::Float(0.5))),
        Verb::Value(ValueVerb::Add(one.clone())),
        Verb::Value(ValueVerb::Swap { old: None, new: one.clone() }),
        Verb::Value(ValueVerb::Swap { old: Some(Datum::from("x")), new: one.clone() }),
        Verb::Dict(DictVerb::Get(key.clone())),
        Verb::Dict(DictVerb::Set(key.clone(), one.clone())),
        Verb::Dict(DictVerb::Add(key.clone(), one.clone())),
        Verb::Dict(DictVerb::Swap { key: key.clone(), old: Some(one.clone()), new: one.clone() }),
        Verb::Dict(DictVerb::Update(vec![("b".into(), Datum::Bytes(vec![1])), (key.clone(), one.clone())])),
        Verb::Dict(DictVerb::Delete(key.clone())),
        Verb::Dict(DictVerb::Keys(None)),
        Verb::Dict(DictVerb::Items(Some(key))),
        Verb::Dict(DictVerb::Length),
        Verb::List(ListVerb::Push { values: vec![one.clone(), one.clone()], front: true }),
        Verb::List(ListVerb::Pop(-1)),
        Verb::List(ListVerb::Get(3)),
        Verb::List(ListVerb::Set(-2, one.clone())),
        Verb::List(ListVerb::Length),
        Verb::List(ListVerb::All(5)),
        Verb::Queue(QueueVerb::Put(vec![one.clone()])),
        Verb::Queue(QueueVerb::Get { take: true, lease_ms: Some(5) }),
        Verb::Queue(QueueVerb::Acknowledge(receipt)),
        Verb::Queue(QueueVerb::Return(receipt)),
        Verb::Queue(QueueVerb::Size),
        Verb::Queue(QueueVerb::Close),
        Verb::Queue(QueueVerb::Dead(3)),
        Verb::Queue(QueueVerb::Revive),
        Verb::Event(EventVerb::Get),
        Verb::Event(EventVerb::Set),
        Verb::Event(EventVerb::Clear),
        Verb::Event(EventVerb::Wait),
        Verb::Barrier(BarrierVerb::Get),
        Verb::Barrier(BarrierVerb::Wait { parties: 3 }),
        Verb::Barrier(BarrierVerb::Reset),
        Verb::Stats(StatsVerb::Add(vec![one])),
        Verb::Stats(StatsVerb::Get),
    ]
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[test]
fn every_operation_survives_the_wire_on_both_roads() {
    for verb in every_verb() {
        let creation = Creation {
            lifetime: Some(Lifetime::Persistent),
            ttl_ms: Some(9),
            others: Some(Others::Read),
            capacity: (verb.kind() == Some(ObjectKind::Queue)).then_some(4),
            deliveries: None,
        };
        let mut operation = Operation::new("a b", verb);
        operation.if_version = Some(0);
        operation.timeout_ms = Some(10);
        operation.creation = Some(Box::new(creation));
        let several = vec![operation.clone(), Operation::new("x", Verb::Check)];
        for request in [ObjectRequest::Operate(Box::new(operation)), ObjectRequest::Transact(several)] {
            let (method, parameters) = request.to_call();
            assert_eq!(ObjectRequest::from_call(method, object(parameters.clone())), Ok(request.clone()));
            let message =
                json!({ "method": format!("io.tally.{method}"), "parameters": parameters, "more": true });
            let text = message.to_string();
            // Its keys are sorted: the method comes first.
            let quick = quick_call(text.as_bytes()).unwrap();
            assert_eq!(quick, QuickCall { request, oneway: false, more: true });
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let call = |operation: Value| {
        let parameters = object(json!({ "operation": operation }));
        ObjectRequest::from_call("Operate", parameters).unwrap_err()
    };
    let parameter = |name: &str| BadCall::Parameter(name.to_owned());
    assert_eq!(call(json!({ "kind": "value", "operation": "get" })), parameter("object"));
    assert_eq!(call(json!({ "object": "x", "operation": "get" })), parameter("kind"));
    assert_eq!(call(json!({ "object": "x", "kind": "value", "operation": "set" })), parameter("value"));
    assert_eq!(call(json!({ "object": "x", "kind": "dict", "operation": "get" })), parameter("key"));
    assert_eq!(
        call(json!({ "object": "x", "kind": "value", "operation": "get", "capacity": 3 })),
        parameter("capacity")
    );
    assert_eq!(
        call(json!({ "object": "x", "kind": "queue", "operation": "ack", "receipt": "1.x" })),
        parameter("receipt")
    );
    let long = "k".repeat(limits::OBJECT_KEY_BYTES_MAX + 1);
    for bad in [
        json!({ "object": "", "kind": "value", "operation": "get" }),
        json!({ "object": "a\nb", "kind": "value", "operation": "get" }),
        json!({ "object": "n".repeat(256), "kind": "value", "operation": "get" }),
        json!({ "object": "x", "kind": "value", "operation": "push" }),
        json!({ "object": "x", "kind": "dict", "operation": "get", "key": long }),
        json!({ "object": "x", "kind": "barrier", "operation": "wait", "parties": 0 }),
        json!({ "object": "x", "kind": "queue", "operation": "put", "value": 1, "capacity": 0 }),
        json!({ "object": "x", "kind": "value", "operation": "set", "value": "v".repeat(limits::DATUM_BYTES_MAX + 1) }),
    ] {
        assert!(matches!(call(bad.clone()), BadCall::Meaning(_)), "{bad}");
    }
}

#[test]
fn quick_replies_say_the_same() {
    let result = ObjectResult { version: Some(3), value: Some(Datum::from("x")), ..ObjectResult::default() };
    let change = ObjectChange {
        object: "x".to_owned(),
        what: Happening::Changed,
        kind: Some(ObjectKind::List),
        version: Some(1),
        operation: Some(Word::Push),
        key: None,
        value: None,
        length: Some(2),
    };
    for reply in [
        ObjectReply::Result { result: Box::new(result.clone()) },
        ObjectReply::Results { results: vec![result] },
        ObjectReply::Change { change: Box::new(change) },
        ObjectReply::Objects { objects: Vec::new() },
        ObjectReply::Removed {},
    ] {
        for continues in [false, true] {
            let quick = serde_json::to_value(QuickReply::new(&reply, continues)).unwrap();
            let long = crate::control::Reply::Object(reply.clone()).to_message(continues);
            assert_eq!(quick, serde_json::to_value(long).unwrap());
        }
    }
}

#[test]
fn the_quick_road_leaves_what_is_odd_to_the_long_one() {
    for odd in [
        r#"{"method":"io.tally.Ping","parameters":{"x":"io.tally.Operate"}}"#,
        r#"{"method":"io.tally.Operate","parameters":{}}"#,
        r#"{"method":"io.tally.Operate","parameters":{"operation":{"object":"","operation":"check"}}}"#,
        r#"{"a":"io.tally.Operate","method":"io.tally.Transact","parameters":{"operations":[]}}"#,
        r#"{"method":"io.tally.Operate","upgrade":true,"parameters":{"operation":{"object":"x","operation":"check"}}}"#,
        "[]",
        "",
    ] {
        assert_eq!(quick_call(odd.as_bytes()), None, "{odd}");
    }
}

#[test]
fn rows_are_put_together_and_bad_ones_named() {
    let head = |id: u64| HeadRow {
        id,
        name: format!("o{id}"),
        kind: ObjectKind::Dict,
        uid: 3,
        others: Others::Write,
        version: 9,
        lifetime: Lifetime::Persistent,
        ttl_ms: Some(5),
        ends_at_ms: None,
        value: Some(Datum::Float(0.1)),
        sum: Some(tally_reduce::FloatSum::new().to_bytes()),
        stats: None,
        capacity: None,
        deliveries: Some(2),
        closed: true,
        set: false,
        next: 12,
    };
    let cell = |of: u64, key: &str| CellRow {
        of,
        key: Some(key.to_owned()),
        at: -4,
        value: Datum::from("v"),
        sum: None,
        deliveries: 1,
        dead: true,
    };
    let bytes = |row: ObjectRow| row.to_bytes();
    let twin = HeadRow { name: "o2".to_owned(), ..head(8) };
    let no_value = HeadRow { kind: ObjectKind::Value, value: None, ..head(9) };
    let rows = std::collections::BTreeMap::from([
        (1, bytes(ObjectRow::Cell(Box::new(cell(2, "a"))))),
        (2, bytes(ObjectRow::Head(Box::new(head(2))))),
        (3, bytes(ObjectRow::Cell(Box::new(cell(2, "b"))))),
        (4, bytes(ObjectRow::Cell(Box::new(cell(5, "c"))))),
        (5, bytes(ObjectRow::Head(Box::new(head(7))))),
        (6, b"?".to_vec()),
        (7, bytes(ObjectRow::Cell(Box::new(CellRow { key: None, ..cell(2, "") })))),
        (8, bytes(ObjectRow::Head(Box::new(twin)))),
        (9, bytes(ObjectRow::Head(Box::new(no_value)))),
        (10, bytes(ObjectRow::Cell(Box::new(CellRow { sum: Some(vec![1]), ..cell(2, "d") })))),
    ]);
    let mut problems = Vec::new();
    let objects = row::read_objects(rows, |row, why| problems.push(format!("{row}: {why}")));
    let expected = [
        "5: it is that of object 7",
        "6: it is cut off",
        "8: there is another object of that name",
        "9: what a value holds is not in it",
        "10: its sum is none",
        "4: there is no object 5",
        "7: it has no key",
    ];
    assert_eq!(problems, expected);
    let cells = vec![SavedCell { row: 1, cell: cell(2, "a") }, SavedCell { row: 3, cell: cell(2, "b") }];
    assert_eq!(objects, [SavedObject { head: head(2), cells }]);
}
