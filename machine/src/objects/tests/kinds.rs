//! Values, dicts, lists, statistics, events, barriers, transactions, watches.

use tally_protocol::limits;
use tally_protocol::objects::{BarrierVerb, EventVerb, Happening, StatsVerb, Word};

use super::*;

fn values(result: &ObjectResult) -> Vec<String> {
    result.values.iter().flatten().map(ToString::to_string).collect()
}

#[test]
fn a_value_is_set_added_to_and_swapped() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused("x", get()), (ErrorCode::NoSuchObject, "there is no object x".to_owned()));
    assert_eq!(value_of(&bench.done("x", add(5))), "5", "from nothing");
    assert_eq!(value_of(&bench.done("x", add(-7))), "-2");
    assert_eq!(bench.done("x", set("text")).value, None);
    let (code, why) = bench.refused("x", add(1));
    assert_eq!(code, ErrorCode::WrongState);
    assert_eq!(why, "could not add to value x: it holds text, to which nothing can be added");
    let swap = |old: Option<Datum>, new: i64| Verb::Value(ValueVerb::Swap { old, new: new.into() });
    let (code, why) = bench.refused("x", swap(Some(1.into()), 2));
    assert_eq!((code, why.as_str()), (ErrorCode::Conflict, "could not swap value x: it is 'text', not '1'"));
    assert_eq!(value_of(&bench.done("x", swap(Some("text".into()), 2))), "2");
    assert_eq!(bench.refused("x", swap(None, 3)).0, ErrorCode::Conflict);
    assert_eq!(value_of(&bench.done("new", swap(None, 3))), "3");
    assert_eq!(bench.refused("other", swap(Some(1.into()), 3)).0, ErrorCode::Conflict);
}

#[test]
fn versions_are_never_used_twice() {
    let mut bench = Bench::new();
    let first = bench.done("x", set(1)).version.unwrap();
    let second = bench.done("x", set(1)).version.unwrap();
    assert!(second > first);
    assert_eq!(bench.done("x", get()).version, Some(second));
    let at = |version| Operation { if_version: Some(version), ..Operation::new("x", set(2)) };
    let (code, why) = only_refusal(bench.operate(1, at(first)));
    assert_eq!(code, ErrorCode::Conflict);
    assert_eq!(why, format!("could not set x: its version is {second}, not {first}"));
    let third = only_result(bench.operate(1, at(second))).version.unwrap();
    bench.ask_as(OWNER, 1, ObjectRequest::Remove { object: "x".to_owned() }, false);
    assert!(only_result(bench.operate(1, at(0))).version.unwrap() > third, "0: it must not be there");
    assert_eq!(only_refusal(bench.operate(1, at(0))).0, ErrorCode::Conflict);
}

#[test]
fn a_name_has_one_kind() {
    let mut bench = Bench::new();
    bench.done("x", set(1));
    let (code, why) = bench.refused("x", dict_set("k", 1));
    assert_eq!(
        (code, why.as_str()),
        (ErrorCode::WrongState, "could not set in x: it is a value, not a dict")
    );
}

#[test]
fn a_dict_is_sorted_and_told_in_pages() {
    let mut bench = Bench::new();
    for key in ["b", "a", "ä", ""] {
        bench.done("d", dict_set(key, key));
    }
    let keys = |result: ObjectResult| result.keys.unwrap();
    assert_eq!(keys(bench.done("d", Verb::Dict(DictVerb::Keys(None)))), ["", "a", "b", "ä"]);
    assert_eq!(keys(bench.done("d", Verb::Dict(DictVerb::Keys(Some("a".into()))))), ["b", "ä"]);
    assert_eq!(value_of(&bench.done("d", Verb::Dict(DictVerb::Delete("a".into())))), "a");
    let (code, why) = bench.refused("d", Verb::Dict(DictVerb::Get("a".into())));
    assert_eq!((code, why.as_str()), (ErrorCode::NoSuchObject, "could not read dict d: there is no key 'a'"));
    assert_eq!(bench.done("d", Verb::Dict(DictVerb::Length)).length, Some(3));

    let large = "x".repeat(400_000);
    for key in ["1", "2", "3", "4", "5"] {
        bench.done("large", dict_set(key, large.as_str()));
    }
    let (mut after, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = bench.done("large", Verb::Dict(DictVerb::Items(after)));
        found.extend(page.items.unwrap().0.into_iter().map(|(key, _)| key));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found.join(""), pages), ("12345".to_owned(), 3));
}

#[test]
fn a_list_has_two_ends_and_negative_indices() {
    let mut bench = Bench::new();
    assert_eq!(bench.done("l", push(&[1, 2, 3], false)).length, Some(3));
    bench.done("l", push(&[0, -1], true));
    let all = |bench: &mut Bench| values(&bench.done("l", Verb::List(ListVerb::All(0)))).join(" ");
    assert_eq!(all(&mut bench), "-1 0 1 2 3");
    let pop = |index| Verb::List(ListVerb::Pop(index));
    assert_eq!(value_of(&bench.done("l", pop(-1))), "3");
    assert_eq!(value_of(&bench.done("l", pop(0))), "-1");
    assert_eq!(value_of(&bench.done("l", pop(1))), "1");
    bench.done("l", Verb::List(ListVerb::Set(-1, 9.into())));
    assert_eq!(all(&mut bench), "0 9");
    assert_eq!(value_of(&bench.done("l", Verb::List(ListVerb::Get(-2)))), "0");
    for index in [2, -3, i64::MIN, i64::MAX] {
        assert_eq!(bench.refused("l", pop(index)).0, ErrorCode::NoSuchObject);
    }
    bench.done("l", pop(-1));
    bench.done("l", pop(-1));
    assert_eq!(bench.refused("l", pop(-1)).1, "could not pop from list l: it is empty");
}

#[test]
fn statistics_are_exact() {
    let mut bench = Bench::new();
    let stats = |values: Vec<Datum>| Verb::Stats(StatsVerb::Add(values));
    bench.done("s", stats(vec![Datum::Float(1e100), 3.into()]));
    bench.done("s", stats(vec![Datum::Float(-1e100)]));
    let told = bench.done("s", Verb::Stats(StatsVerb::Get)).results.unwrap();
    let told: Vec<String> = told.iter().map(|one| format!("{}={}", one.reduction, one.value)).collect();
    assert_eq!(told, ["count=3", "sum=3.0", "min=-1e+100", "max=1e+100", "mean=1.0"]);
    assert_eq!(bench.refused("s", stats(vec![1.into(), "x".into()])).0, ErrorCode::WrongState);
    assert_eq!(bench.done("s", stats(vec![1.into()])).length, Some(4), "the refused ones count for nothing");
    let told = |bench: &mut Bench| -> String {
        let figures = bench.done("s", Verb::Stats(StatsVerb::Get)).results.unwrap();
        let figures: Vec<String> =
            figures.iter().map(|one| format!("{}={}", one.reduction, one.value)).collect();
        figures.join(" ")
    };
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Datum::Float);
    assert_eq!(bench.done("s", stats(odd.to_vec())).length, Some(4));
    assert_eq!(told(&mut bench), "count=4 sum=4.0 min=-1e+100 max=1e+100 mean=1.0 skipped=3");
    bench.done("s", Verb::Stats(StatsVerb::Reset));
    assert_eq!(told(&mut bench), "count=0 sum=0");
}

#[test]
fn a_sum_of_statistics_is_no_longer_than_an_integer_may_be() {
    let mut bench = Bench::new();
    let stats = |values: Vec<Datum>| Verb::Stats(StatsVerb::Add(values));
    let nines: tally_reduce::Integer = "9".repeat(limits::INTEGER_TEXT_BYTES_MAX).parse().unwrap();
    let nines = Datum::Integer(nines);
    assert_eq!(bench.done("s", stats(vec![nines.clone()])).length, Some(1));
    let too_long =
        (ErrorCode::TooMany, "could not add to stats s: its sum would have more than 10000 digits".into());
    assert_eq!(bench.refused("s", stats(vec![5.into(), nines])), too_long);
    assert_eq!(bench.refused("s", stats(vec![1.into()])), too_long, "by one is too much, too");
    assert_eq!(bench.done("s", stats(vec![Datum::from(-1)])).length, Some(2));
    bench.done("s", Verb::Stats(StatsVerb::Reset));
    assert_eq!(bench.done("s", stats(vec![1.into()])).length, Some(1));
}

#[test]
fn what_looks_the_same_and_is_not_says_what_it_is() {
    let mut bench = Bench::new();
    bench.done("v", Verb::Value(ValueVerb::Set(5.into())));
    let swap = |old: Datum| Verb::Value(ValueVerb::Swap { old: Some(old), new: 6.into() });
    let message = "could not swap value v: it is the integer '5', not the text '5'";
    assert_eq!(bench.refused("v", swap("5".into())).1, message);
    assert_eq!(bench.refused("v", swap(4.into())).1, "could not swap value v: it is '5', not '4'");
    bench.done("d", Verb::Dict(DictVerb::Set("k".into(), "5".into())));
    let swap = Verb::Dict(DictVerb::Swap { key: "k".into(), old: Some(5.into()), new: 6.into() });
    let message = "could not swap dict d: 'k' is the text '5', not the integer '5'";
    assert_eq!(bench.refused("d", swap).1, message);
}

#[test]
fn an_event_lets_all_go() {
    let mut bench = Bench::new();
    let event = Verb::Event;
    assert_eq!(bench.at(2, "e", event(EventVerb::Wait)), vec![]);
    assert_eq!(bench.at(3, "e", event(EventVerb::Wait)), vec![]);
    let told = bench.at(1, "e", event(EventVerb::Set));
    assert_eq!(told.iter().map(|(client, _)| *client).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(bench.done("e", event(EventVerb::Wait)).set, Some(true));
    bench.done("e", event(EventVerb::Clear));
    assert_eq!(bench.done("e", event(EventVerb::Get)).set, Some(false));
    let wait = Operation { timeout_ms: Some(50), ..Operation::new("e", event(EventVerb::Wait)) };
    assert_eq!(bench.operate(2, wait), vec![]);
    let (code, why) = only_refusal(bench.later(50));
    assert_eq!((code, why.as_str()), (ErrorCode::TimedOut, "could not wait for event e: timed out"));
}

#[test]
fn what_was_only_waited_for_goes_with_the_last_who_waited() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        assert_eq!(bench.at(2, "e", Verb::Event(EventVerb::Wait)), vec![]);
        assert_eq!(bench.objects.count(), 1);
        assert_eq!(bench.gone(2), vec![]);
        assert_eq!(bench.objects.count(), 0);
    }
    let now = Operation { timeout_ms: Some(0), ..Operation::new("q", take()) };
    assert_eq!(only_refusal(bench.operate(1, now)).0, ErrorCode::TimedOut);
    assert_eq!(bench.objects.count(), 0);
}

#[test]
fn a_barrier_lets_all_go_at_once_again_and_again() {
    let mut bench = Bench::new();
    let wait = || Verb::Barrier(BarrierVerb::Wait { parties: 3 });
    for _ in 0..2 {
        assert_eq!(bench.at(1, "b", wait()), vec![]);
        assert_eq!(bench.at(2, "b", wait()), vec![]);
        let mut told = bench.at(3, "b", wait());
        told.sort_by_key(|(client, _)| *client);
        let indices = told.into_iter().map(|(_, reply)| match reply {
            Ok(ObjectReply::Result { result }) => result.index.unwrap(),
            other => panic!("{other:?}"),
        });
        assert_eq!(indices.collect::<Vec<_>>(), [0, 1, 2]);
    }
    bench.at(1, "b", wait());
    let other = bench.refused("b", Verb::Barrier(BarrierVerb::Wait { parties: 2 }));
    assert_eq!(other.1, "could not wait at barrier b: it is for 3 parties, not 2");
}

#[test]
fn a_barrier_breaks_with_a_party_and_is_mended() {
    let mut bench = Bench::new();
    let wait = || Verb::Barrier(BarrierVerb::Wait { parties: 3 });
    bench.at(2, "b", wait());
    bench.at(3, "b", wait());
    let told = bench.gone(2);
    assert_eq!(told[0].0, 3);
    assert_eq!(only_refusal(told).0, ErrorCode::BarrierBroken);
    assert_eq!(bench.refused("b", wait()).0, ErrorCode::BarrierBroken);
    bench.done("b", Verb::Barrier(BarrierVerb::Reset));
    bench.at(2, "b", wait());
    bench.operate(3, Operation { timeout_ms: Some(10), ..Operation::new("b", wait()) });
    let mut told = bench.later(10);
    told.sort_by_key(|(client, _)| *client);
    let codes: Vec<ErrorCode> = told.into_iter().map(|(_, reply)| reply.unwrap_err().code).collect();
    assert_eq!(codes, [ErrorCode::BarrierBroken, ErrorCode::TimedOut]);
}

#[test]
fn a_transaction_is_done_as_a_whole_or_not_at_all() {
    let mut bench = Bench::new();
    bench.done("from", set(100));
    bench.done("d", dict_set("k", 1));
    bench.done("l", push(&[1, 2], false));
    bench.done("q", put(&[7, 8]));
    let everything = |last: Operation| {
        vec![
            Operation::new("from", add(-30)),
            Operation::new("to", add(30)),
            Operation::new("d", dict_set("k", 2)),
            Operation::new("d", dict_set("new", 3)),
            Operation::new("d", Verb::Dict(DictVerb::Delete("k".into()))),
            Operation::new("l", push(&[3], false)),
            Operation::new("l", push(&[0], true)),
            Operation::new("l", Verb::List(ListVerb::Pop(1))),
            Operation::new("l", Verb::List(ListVerb::Set(0, 5.into()))),
            Operation::new("q", take()),
            Operation::new("q", lease()),
            Operation::new("q", put(&[9])),
            Operation::new("e", Verb::Event(EventVerb::Set)),
            Operation::new("s", Verb::Stats(StatsVerb::Add(vec![1.into()]))),
            last,
        ]
    };
    let before = format!("{:?}", bench.objects.all);
    let bad = everything(Operation::new("from", dict_set("k", 1)));
    let why = bench.transact(bad).unwrap_err();
    assert_eq!(why, "could not set in from: it is a value, not a dict (operation 15 of 15; none is done)");
    assert_eq!(format!("{:?}", bench.objects.all), before, "all is as it was");
    bench.objects.check();
    let results = bench.transact(everything(Operation::new("from", get()))).unwrap();
    assert_eq!(value_of(&results[14]), "70");
    assert_eq!(value_of(&bench.done("to", get())), "30");
    assert_eq!(values(&bench.done("l", Verb::List(ListVerb::All(0)))), ["5", "2", "3"]);
    let size = bench.done("q", Verb::Queue(QueueVerb::Size));
    assert_eq!((size.length, size.leased), (Some(1), Some(1)));
}

#[test]
fn a_transaction_waits_for_nothing_and_serves_those_who_wait() {
    let mut bench = Bench::new();
    assert_eq!(bench.at(2, "q", take()), vec![]);
    assert!(bench.transact(vec![Operation::new("other", take())]).unwrap_err().contains("it is empty"));
    assert_eq!(bench.objects.count(), 1);
    let put_twice = vec![Operation::new("q", put(&[1])), Operation::new("q", put(&[2]))];
    let told = bench.ask_as(OWNER, 1, ObjectRequest::Transact(put_twice), false);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].0, 2);
    let check = Operation { if_version: Some(0), ..Operation::new("none", Verb::Check) };
    assert_eq!(bench.transact(vec![check]).unwrap().len(), 1);
    assert_eq!(bench.transact(vec![]).unwrap().len(), 0);
}

#[test]
fn a_watch_tells_every_change_in_order() {
    let mut bench = Bench::new();
    let watch = |since| ObjectRequest::Watch { object: "x".to_owned(), since };
    let first = changes(bench.ask_as(OWNER, 2, watch(None), true));
    assert_eq!(first[0].what, Happening::Absent);
    bench.at(1, "x", set(1));
    let told = changes(bench.at(1, "x", add(2)));
    assert_eq!((told[0].what, told[0].operation), (Happening::Changed, Some(Word::Add)));
    assert_eq!(told[0].value, Some(3.into()));
    assert_eq!(bench.at(1, "x", get()).len(), 1, "looking changes nothing");
    assert_eq!(bench.at(1, "y", set(1)).len(), 1, "others are not told of");
    let told = changes(bench.ask_as(OWNER, 1, ObjectRequest::Remove { object: "x".to_owned() }, false));
    assert_eq!(told[0].what, Happening::Removed);
    assert_eq!(changes(bench.at(1, "x", set(5)))[0].what, Happening::Changed, "it goes on");
    bench.gone(2);
    assert_eq!(bench.at(1, "x", set(5)).len(), 1);

    let version = bench.done("x", get()).version;
    assert_eq!(bench.ask_as(OWNER, 3, watch(version), false), vec![], "it waits for the next change");
    assert_eq!(changes(bench.at(1, "x", set(6))).len(), 1);
    assert_eq!(bench.at(1, "x", set(7)).len(), 1, "it was told once");
    assert_eq!(
        changes(bench.ask_as(OWNER, 3, watch(version), false)).len(),
        1,
        "another version is told at once"
    );
}

#[test]
fn an_object_ends_with_its_time_or_its_maker() {
    let mut bench = Bench::new();
    let creation = Creation { ttl_ms: Some(100), ..Creation::default() };
    let make = Operation { creation: Some(Box::new(creation)), ..Operation::new("x", set(1)) };
    bench.operate(1, make);
    bench.later(60);
    bench.done("x", add(1));
    bench.later(60);
    assert_eq!(value_of(&bench.done("x", get())), "2", "a change makes it live longer");
    bench.later(41);
    assert_eq!(bench.refused("x", get()).0, ErrorCode::NoSuchObject);

    let creation = Creation { lifetime: Some(Lifetime::Connection), ..Creation::default() };
    let make = Operation { creation: Some(Box::new(creation)), ..Operation::new("q", put(&[])) };
    bench.operate(5, make);
    assert_eq!(bench.at(2, "q", take()), vec![]);
    let (code, why) = only_refusal(bench.gone(5));
    assert_eq!(code, ErrorCode::NoSuchObject);
    assert_eq!(why, "could not wait for q: the connection that made it is gone");
    assert_eq!(bench.alarms.len(), 0, "nothing is left to ring");
}

#[test]
fn what_was_made_otherwise_is_not_passed_over() {
    let mut bench = Bench::new();
    bench.done("x", set(1));
    let (code, why) = only_refusal(bench.operate(1, persistent("x", set(2))));
    assert_eq!(
        (code, why.as_str()),
        (ErrorCode::Conflict, "could not set x: it was made with the lifetime 'daemon'")
    );
}

#[test]
fn what_is_not_there_is_a_conflict_for_who_compares() {
    let mut bench = Bench::new();
    let value = || Verb::Value(ValueVerb::Swap { old: Some(1.into()), new: 2.into() });
    let key = || Verb::Dict(DictVerb::Swap { key: "k".into(), old: Some(1.into()), new: 2.into() });
    let conflict = |why: &str| (ErrorCode::Conflict, why.to_owned());
    assert_eq!(bench.refused("v", value()), conflict("could not swap value v: it is not there"));
    assert_eq!(bench.refused("d", key()), conflict("could not swap dict d: it is not there"));
    bench.done("d", dict_set("other", 1));
    assert_eq!(bench.refused("d", key()), conflict("could not swap dict d: there is no key 'k'"));
    bench.done("v", set(5));
    assert_eq!(bench.refused("v", value()), conflict("could not swap value v: it is '5', not '1'"));
    assert_eq!(
        bench.refused("w", get()).0,
        ErrorCode::NoSuchObject,
        "who only looks hears that it is not there"
    );
}
