//! Who may do what, and how much.

use tally_protocol::limits;
use tally_protocol::objects::Others;

use super::*;

fn open_to(others: Others, verb: Verb) -> Operation {
    let creation = Creation { others: Some(others), ..Creation::default() };
    Operation { creation: Some(Box::new(creation)), ..Operation::new("x", verb) }
}

fn code_of(told: Told) -> Result<(), ErrorCode> {
    told.into_iter().next().unwrap().1.map(drop).map_err(|failure| failure.code)
}

#[test]
fn others_may_what_the_owner_lets_them() {
    const NO: Result<(), ErrorCode> = Err(ErrorCode::NotPermitted);
    for (others, read, write) in
        [(Others::None, NO, NO), (Others::Read, Ok(()), NO), (Others::Write, Ok(()), Ok(()))]
    {
        let mut bench = Bench::new();
        bench.operate(1, open_to(others, set(1)));
        let mut ask = |who, request: ObjectRequest| code_of(bench.ask_as(who, 2, request, false));
        let one = |verb| ObjectRequest::Operate(Box::new(Operation::new("x", verb)));
        assert_eq!(ask(STRANGER, one(get())), read);
        assert_eq!(ask(STRANGER, one(add(1))), write);
        assert_eq!(ask(STRANGER, ObjectRequest::Watch { object: "x".into(), since: Some(9) }), read);
        assert_eq!(ask(STRANGER, ObjectRequest::Remove { object: "x".into() }), NO);
        assert_eq!(ask(READER, one(get())), Ok(()));
        assert_eq!(ask(READER, one(add(1))), write);
        let listed = bench.ask_as(STRANGER, 2, ObjectRequest::List, false).remove(0).1.unwrap();
        let ObjectReply::Objects { objects } = listed else { panic!("{listed:?}") };
        assert_eq!(objects.len(), usize::from(read.is_ok()));
        let told = bench.ask_as(OPERATOR, 2, ObjectRequest::Remove { object: "x".into() }, false);
        assert_eq!(code_of(told), Ok(()));
    }
}

#[test]
fn a_watch_tells_nothing_of_an_object_that_may_not_be_read() {
    let mut bench = Bench::new();
    let watch = ObjectRequest::Watch { object: "x".into(), since: None };
    bench.ask_as(STRANGER, 2, watch, true);
    assert_eq!(bench.at(1, "x", set(1)).len(), 1, "only the one who asked");
}

#[test]
fn nobody_takes_all() {
    let mut bench = Bench::new();
    for number in 0..limits::OBJECTS_PER_USER_MAX {
        bench.objects.said(
            Scene { now: Moment(0), client: ClientId(1), who: OWNER },
            ObjectRequest::Operate(Box::new(Operation::new(number.to_string(), set(1)))),
            false,
        );
    }
    bench.told();
    let (code, why) = bench.refused("one more", set(1));
    assert_eq!(code, ErrorCode::TooMany);
    assert_eq!(why, "could not make one more: user 7 has 10000 objects, which is the most");
    let operation = || ObjectRequest::Operate(Box::new(Operation::new("another's", set(1))));
    assert_eq!(code_of(bench.ask_as(STRANGER, 2, operation(), false)), Ok(()));
}

#[test]
fn bytes_are_bounded_and_come_back() {
    let mut bench = Bench::new();
    let large = "x".repeat(limits::DATUM_BYTES_MAX);
    let mut count = 0;
    let why = loop {
        let operation = Operation::new("d", dict_set(&format!("{count:08}"), large.as_str()));
        let scene = Scene { now: Moment(0), client: ClientId(1), who: OWNER };
        bench.objects.said(scene, ObjectRequest::Operate(Box::new(operation)), false);
        match bench.told().remove(0).1 {
            Ok(_) => count += 1,
            Err(failure) => break failure.message,
        }
    };
    assert!(why.contains("the objects of user 7 take") && why.contains("the most is 67108864"), "{why}");
    assert!(bench.objects.bytes() <= limits::OBJECTS_BYTES_PER_USER_MAX);
    bench.ask_as(OWNER, 1, ObjectRequest::Remove { object: "d".into() }, false);
    assert_eq!(bench.objects.bytes(), 0);
    assert!(bench.objects.users.is_empty());
}
