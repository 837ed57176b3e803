//! Persistent objects: told when they are on the disk, there again after the daemon's death.

use tally_protocol::objects::{EventVerb, StatsVerb};

use super::*;

fn everything(bench: &mut Bench) {
    let persist = |bench: &mut Bench, name: &str, verb| only_result(bench.operate(1, persistent(name, verb)));
    persist(bench, "v", set(Datum::Float(0.1)));
    bench.done("v", add(Datum::Float(0.2)));
    persist(bench, "d", dict_set("b", 1));
    bench.done("d", dict_set("a", Datum::Bytes(vec![0, 255])));
    bench.done("d", dict_set("gone", 1));
    bench.done("d", Verb::Dict(DictVerb::Delete("gone".into())));
    persist(bench, "l", push(&[2, 3, 4], false));
    bench.done("l", push(&[1, 0], true));
    bench.done("l", Verb::List(ListVerb::Pop(2)));
    bench.done("l", Verb::List(ListVerb::Set(1, 9.into())));
    persist(bench, "q", put(&[1, 2, 3, 4]));
    bench.done("q", take());
    only_result(bench.at(2, "q", lease()));
    bench.done("q", Verb::Queue(QueueVerb::Close));
    persist(bench, "e", Verb::Event(EventVerb::Set));
    persist(
        bench,
        "s",
        Verb::Stats(StatsVerb::Add(vec![Datum::Float(1e100), 1.into(), Datum::Float(-1e100)])),
    );
    persist(bench, "removed", push(&[1, 2], false));
    bench.ask_as(OWNER, 1, ObjectRequest::Remove { object: "removed".into() }, false);
    bench.done("fleeting", set(1));
}

/// What is in all of them, as people see it.
fn shown(bench: &mut Bench) -> Vec<String> {
    let json = |result: ObjectResult| {
        Reply::Object(ObjectReply::Result { result: Box::new(result) }).to_message(false)
    };
    let mut shown: Vec<String> = [
        ("v", get()),
        ("d", Verb::Dict(DictVerb::Items(None))),
        ("l", Verb::List(ListVerb::All(0))),
        ("e", Verb::Event(EventVerb::Get)),
        ("s", Verb::Stats(StatsVerb::Get)),
    ]
    .into_iter()
    .map(|(name, verb)| format!("{:?}", json(bench.done(name, verb)).parameters))
    .collect();
    let add = bench.done("v", add(Datum::Float(-0.3)));
    shown.push(value_of(&add));
    shown
}

#[test]
fn all_is_there_after_a_restart() {
    let mut bench = Bench::new();
    everything(&mut bench);
    let mut twin = Bench::new();
    everything(&mut twin);
    bench.restart();
    assert_eq!(shown(&mut bench), shown(&mut twin));
    assert_eq!(bench.refused("fleeting", get()).0, ErrorCode::NoSuchObject);
    assert_eq!(bench.refused("removed", get()).0, ErrorCode::NoSuchObject);
    let again = bench.done("q", lease());
    assert_eq!(
        (value_of(&again), again.deliveries),
        ("2".to_owned(), Some(2)),
        "its consumer is gone with the daemon"
    );
    assert_eq!(value_of(&bench.done("q", take())), "3");
    assert_eq!(value_of(&bench.done("q", take())), "4");
    assert_eq!(bench.refused("q", put(&[5])).0, ErrorCode::Closed);
}

#[test]
fn numbers_of_items_are_not_given_twice() {
    let mut bench = Bench::new();
    bench.operate(1, persistent("q", put(&[1, 2])));
    bench.done("q", take());
    let old = bench.done("q", lease()).receipt.unwrap();
    bench.done("q", Verb::Queue(QueueVerb::Acknowledge(old.parse().unwrap())));
    bench.restart();
    bench.done("q", put(&[3]));
    let new = bench.done("q", lease()).receipt.unwrap();
    assert_eq!((old.as_str(), new.as_str()), ("2.1", "3.1"));
}

#[test]
fn nobody_is_told_before_it_is_on_the_disk() {
    let mut bench = Bench::new();
    bench.quick = false;
    assert_eq!(bench.operate(1, persistent("x", set(1))), vec![]);
    assert_eq!(bench.at(2, "x", get()), vec![], "nor who only looks");
    bench.done("other", set(1));
    assert!(bench.objects.waits(ClientId(2)));
    bench.commit_all();
    let told: Vec<u64> = bench.told().into_iter().map(|(client, _)| client).collect();
    assert_eq!(told, [1, 2]);
    assert_eq!(bench.at(2, "x", get()).len(), 1);
    bench.at(1, "x", set(2));
    bench.gone(1);
    bench.commit_all();
    assert_eq!(bench.told(), vec![], "who is gone is told nothing");
}

#[test]
fn a_store_that_refuses_is_told_all_later() {
    let mut bench = Bench::new();
    everything(&mut bench);
    bench.quick = false;
    bench.at(1, "d", dict_set("new", 7));
    bench.at(2, "l", Verb::List(ListVerb::Pop(0)));
    bench.refuse_all();
    let told = bench.told();
    let codes: Vec<ErrorCode> = told.into_iter().map(|(_, reply)| reply.unwrap_err().code).collect();
    assert_eq!(codes, [ErrorCode::StoreFailed, ErrorCode::StoreFailed]);
    let (code, why) = bench.refused("d", dict_set("more", 1));
    assert_eq!(code, ErrorCode::StoreFailed);
    assert!(why.contains("no space left on device"), "{why}");
    assert_eq!(bench.done("d", Verb::Dict(DictVerb::Length)).length, Some(3), "looking is well");
    bench.done("fleeting", set(2));
    bench.later(1_000);
    bench.refuse_all();
    bench.told();
    bench.later(1_000);
    bench.commit_all();
    bench.told();
    bench.quick = true;
    bench.done("d", dict_set("more", 1));
    bench.restart();
    let keys = bench.done("d", Verb::Dict(DictVerb::Keys(None))).keys.unwrap();
    assert_eq!(keys, ["a", "b", "more", "new"]);
    let all = bench.done("l", Verb::List(ListVerb::All(0))).values.unwrap();
    assert_eq!(all, [9.into(), 3.into(), 4.into()]);
}

fn removed(bench: &mut Bench, name: &str) {
    let told = bench.ask_as(OWNER, 1, ObjectRequest::Remove { object: name.to_owned() }, false);
    assert!(matches!(told[..], [(1, Ok(ObjectReply::Removed {}))]), "{told:?}");
}

/// A daemon whose store has just refused something.
fn refusing() -> Bench {
    let mut bench = Bench::new();
    everything(&mut bench);
    bench.quick = false;
    bench.at(1, "d", dict_set("new", 7));
    bench.refuse_all();
    bench.told();
    bench
}

#[test]
fn what_changes_while_the_store_is_told_all_is_told_after() {
    let mut bench = refusing();
    bench.later(1_000);
    assert_eq!(bench.batches.len(), 1, "all that is lacking is under way");
    removed(&mut bench, "v");
    bench.commit_all();
    bench.told();
    let (code, _) = bench.refused("d", dict_set("more", 1));
    assert_eq!(code, ErrorCode::StoreFailed, "it is not all there yet");
    bench.commit_all();
    bench.told();
    bench.quick = true;
    bench.done("d", dict_set("more", 1));
    bench.restart();
    assert_eq!(bench.refused("v", get()).0, ErrorCode::NoSuchObject, "it was removed");
}

#[test]
fn changes_that_come_often_do_not_put_off_what_mends() {
    let mut bench = refusing();
    for name in ["v", "l"] {
        bench.later(600);
        removed(&mut bench, name);
    }
    assert_eq!(bench.batches.len(), 1, "a second is over");
    bench.commit_all();
    bench.told();
    bench.commit_all();
    bench.told();
    bench.quick = true;
    bench.done("d", dict_set("more", 1));
    bench.restart();
    for name in ["v", "l"] {
        assert_eq!(bench.refused(name, get()).0, ErrorCode::NoSuchObject, "{name}");
    }
}

#[test]
fn a_refused_transaction_leaves_nothing_in_the_store() {
    let mut bench = Bench::new();
    everything(&mut bench);
    let rows = bench.rows.clone();
    let bad =
        vec![Operation::new("d", dict_set("x", 1)), Operation::new("q", take()), Operation::new("d", get())];
    assert!(bench.transact(bad).is_err());
    assert_eq!(bench.rows, rows);
}

#[test]
fn time_to_live_goes_on_while_no_daemon_runs() {
    let mut bench = Bench::new();
    let mut make = persistent("x", set(1));
    make.creation.as_mut().unwrap().ttl_ms = Some(1_000);
    bench.operate(1, make);
    bench.later(600);
    bench.restart();
    assert_eq!(value_of(&bench.done("x", get())), "1");
    bench.later(401);
    assert_eq!(bench.refused("x", get()).0, ErrorCode::NoSuchObject);
    assert_eq!(bench.rows.len(), 0);
}

#[test]
fn without_a_store_nothing_is_persistent() {
    let mut bench = Bench::with(Objects::new(0, false));
    let (code, why) = only_refusal(bench.operate(1, persistent("x", set(1))));
    assert_eq!(code, ErrorCode::StoreFailed);
    assert_eq!(why, "could not make x: the daemon has no state directory, so nothing is persistent");
    bench.done("x", set(1));
}
