//! Queues: order, waiting, leases, deaths, the end.

use tally_protocol::objects::Receipt;
use tally_protocol::objects::handover::HandedObjects;

use super::*;

fn receipt(result: &ObjectResult) -> Receipt {
    result.receipt.as_ref().unwrap().parse().unwrap()
}

fn acknowledge(receipt: Receipt) -> Verb {
    Verb::Queue(QueueVerb::Acknowledge(receipt))
}

fn bounded(verb: Verb, capacity: Option<u64>, deliveries: Option<u32>) -> Operation {
    let creation = Creation { capacity, deliveries, ..Creation::default() };
    Operation { creation: Some(Box::new(creation)), ..Operation::new("q", verb) }
}

/// Who was told, and the value each got.
fn got(told: Told) -> Vec<(u64, String)> {
    let one = |(client, reply): (u64, Result<ObjectReply, Failure>)| match reply {
        Ok(ObjectReply::Result { result }) => (client, value_of(&result)),
        Ok(other) => panic!("{other:?}"),
        Err(failure) => (client, format!("{:?}", failure.code)),
    };
    told.into_iter().map(one).collect()
}

fn pairs(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|&(client, value)| (client, value.to_owned())).collect()
}

#[test]
fn who_waits_is_served_in_the_order_of_coming() {
    let mut bench = Bench::new();
    for client in [2, 3, 4] {
        assert_eq!(bench.at(client, "q", take()), vec![]);
    }
    bench.gone(3);
    assert_eq!(got(bench.at(1, "q", put(&[10, 20, 30]))), pairs(&[(1, "nothing"), (2, "10"), (4, "20")]));
    assert_eq!(value_of(&bench.done("q", take())), "30");
}

#[test]
fn a_consumer_that_comes_first_need_not_know_what_the_producer_asks_for() {
    let mut bench = Bench::new();
    assert_eq!(bench.at(2, "q", take()), vec![]);
    assert_eq!(
        got(bench.operate(1, bounded(put(&[1]), Some(2), Some(3)))),
        pairs(&[(1, "nothing"), (2, "1")])
    );
    bench.operate(1, bounded(put(&[2, 3]), Some(2), None));
    let now = Operation { timeout_ms: Some(0), ..Operation::new("q", put(&[9])) };
    assert_eq!(only_refusal(bench.operate(1, now)).1, "could not put into queue q: it is full, with 2 items");
    let other = only_refusal(bench.operate(1, bounded(put(&[9]), Some(7), None)));
    assert_eq!(other.1, "could not put into q: it was made with another capacity");
    // What the consumer has said holds.
    assert_eq!(bench.operate(2, Operation { object: "r".into(), ..bounded(take(), Some(4), None) }), vec![]);
    let other = Operation { object: "r".into(), ..bounded(put(&[1]), Some(5), None) };
    assert_eq!(
        only_refusal(bench.operate(1, other)).1,
        "could not put into r: it was made with another capacity"
    );
    // And it may be persistent from then on.
    assert_eq!(bench.at(3, "s", take()), vec![]);
    let creation = Creation { lifetime: Some(Lifetime::Persistent), ..Creation::default() };
    let kept = Operation { creation: Some(Box::new(creation)), ..Operation::new("s", put(&[5, 6])) };
    assert_eq!(got(bench.operate(1, kept)), pairs(&[(1, "nothing"), (3, "5")]));
    bench.restart();
    assert_eq!(value_of(&bench.done("s", take())), "6");
}

#[test]
fn a_full_queue_lets_its_producers_wait_in_order() {
    let mut bench = Bench::new();
    bench.operate(1, bounded(put(&[1, 2]), Some(2), None));
    for (client, item) in [(2, 3), (3, 4)] {
        assert_eq!(bench.at(client, "q", put(&[item])), vec![]);
    }
    assert_eq!(bench.refused("q", put(&[1, 2, 3])).0, ErrorCode::TooMany, "it would never fit");
    let now = Operation { timeout_ms: Some(0), ..Operation::new("q", put(&[9])) };
    assert_eq!(only_refusal(bench.operate(1, now)).1, "could not put into queue q: it is full, with 2 items");
    let soon = Operation { timeout_ms: Some(10), ..Operation::new("q", put(&[9])) };
    assert_eq!(bench.operate(4, soon), vec![]);
    let (code, why) = only_refusal(bench.later(10));
    assert_eq!((code, why.as_str()), (ErrorCode::TimedOut, "could not wait for room in queue q: timed out"));
    assert_eq!(got(bench.at(1, "q", take())), pairs(&[(1, "1"), (2, "nothing")]));
    assert_eq!(got(bench.at(1, "q", take())), pairs(&[(1, "2"), (3, "nothing")]));
    assert_eq!(value_of(&bench.done("q", take())), "3");
    assert_eq!(value_of(&bench.done("q", take())), "4");
}

#[test]
fn what_a_dead_consumer_had_comes_back_in_its_place() {
    let mut bench = Bench::new();
    bench.done("q", put(&[1, 2, 3]));
    let one = only_result(bench.at(2, "q", lease()));
    assert_eq!((value_of(&one), one.deliveries), ("1".to_owned(), Some(1)));
    assert_eq!(value_of(&only_result(bench.at(3, "q", lease()))), "2");
    bench.gone(2);
    let again = only_result(bench.at(3, "q", lease()));
    assert_eq!((value_of(&again), again.deliveries), ("1".to_owned(), Some(2)), "before 3, which never left");
    let late = bench.refused("q", acknowledge(receipt(&one)));
    assert_eq!(
        late,
        (ErrorCode::Conflict, "could not acknowledge to queue q: nobody has item 1.1 any more".to_owned())
    );
    bench.done("q", acknowledge(receipt(&again)));
    assert_eq!(bench.refused("q", acknowledge(receipt(&again))).0, ErrorCode::Conflict, "once");
    assert_eq!(value_of(&bench.done("q", lease())), "3");
}

#[test]
fn what_comes_back_goes_to_who_waits() {
    let mut bench = Bench::new();
    bench.done("q", put(&[1]));
    bench.at(2, "q", lease());
    assert_eq!(bench.at(3, "q", lease()), vec![]);
    assert_eq!(got(bench.gone(2)), pairs(&[(3, "1")]));
    let timed = Verb::Queue(QueueVerb::Get { take: false, lease_ms: Some(100) });
    assert_eq!(bench.at(4, "q", timed), vec![]);
    assert_eq!(got(bench.gone(3)), pairs(&[(4, "1")]));
    assert_eq!(bench.at(5, "q", lease()), vec![]);
    assert_eq!(got(bench.later(100)), pairs(&[(5, "1")]), "its time was over");
    assert_eq!(bench.gone(4), vec![], "it has nothing any more");
}

#[test]
fn an_item_that_kills_its_consumers_dies() {
    let mut bench = Bench::new();
    bench.operate(1, bounded(put(&[1, 2]), None, Some(2)));
    for client in [2, 3] {
        assert_eq!(value_of(&only_result(bench.at(client, "q", lease()))), "1");
        bench.gone(client);
    }
    let two = only_result(bench.at(4, "q", lease()));
    assert_eq!(value_of(&two), "2");
    bench.done("q", Verb::Queue(QueueVerb::Return(receipt(&two))));
    let size = bench.done("q", Verb::Queue(QueueVerb::Size));
    assert_eq!((size.length, size.leased, size.dead), (Some(1), Some(0), Some(1)));
    let dead = bench.done("q", Verb::Queue(QueueVerb::Dead(0)));
    assert_eq!(dead.values, Some(vec![1.into()]));
    assert_eq!(bench.done("q", Verb::Queue(QueueVerb::Revive)).length, Some(1));
    assert_eq!(value_of(&bench.done("q", take())), "1", "in its place");
}

#[test]
fn a_closed_queue_is_drained_and_then_closed() {
    let mut bench = Bench::new();
    bench.operate(1, bounded(put(&[1]), Some(1), None));
    assert_eq!(bench.at(5, "q", put(&[2])), vec![]);
    assert_eq!(got(bench.at(1, "q", Verb::Queue(QueueVerb::Close))), pairs(&[(1, "nothing"), (5, "Closed")]));
    assert_eq!(
        bench.refused("q", put(&[3])),
        (ErrorCode::Closed, "could not put into queue q: it is closed".into())
    );
    let one = only_result(bench.at(2, "q", lease()));
    // As long as an item may come back nobody is sent away.
    assert_eq!(bench.at(3, "q", lease()), vec![]);
    assert_eq!(got(bench.gone(2)), pairs(&[(3, "1")]));
    assert_eq!(bench.at(4, "q", lease()), vec![]);
    let again = Receipt { delivery: 2, ..receipt(&one) };
    assert_eq!(got(bench.at(1, "q", acknowledge(again))), pairs(&[(1, "nothing"), (4, "Closed")]));
    assert_eq!(bench.refused("q", lease()).0, ErrorCode::Closed);
    bench.done("q", Verb::Queue(QueueVerb::Close));
}

#[test]
fn who_gives_up_lets_those_behind_pass() {
    let mut bench = Bench::new();
    bench.operate(1, bounded(put(&[1]), Some(2), None));
    assert_eq!(bench.at(2, "q", put(&[2, 3])), vec![]);
    assert_eq!(bench.at(3, "q", put(&[4])), vec![]);
    assert_eq!(got(bench.gone(2)), pairs(&[(3, "nothing")]));
}

/// Another program in the same process: what is in no store goes along, and who has which items.
fn upgraded(mut bench: Bench, clients: &[u64]) -> Bench {
    let bytes = bench.objects.hand_over().into_bytes();
    let leases = bench.objects.hand_over_leases(bench.now);
    bench.restart();
    bench.objects.take_over(HandedObjects::from_bytes(&bytes).unwrap());
    bench.objects.take_leases(leases, bench.now, |client| clients.contains(&client.0));
    assert_eq!(bench.told(), vec![]);
    bench
}

#[test]
fn whoever_has_an_item_has_it_over_an_upgrade() {
    let mut bench = Bench::new();
    bench.done("q", put(&[1, 2, 3]));
    bench.operate(9, persistent("kept", put(&[7])));
    let timed = Verb::Queue(QueueVerb::Get { take: false, lease_ms: Some(100) });
    let first = only_result(bench.at(2, "q", lease()));
    let lost = only_result(bench.at(3, "q", lease()));
    only_result(bench.at(2, "q", timed));
    let kept = only_result(bench.at(2, "kept", lease()));
    bench.later(40);
    let mut bench = upgraded(bench, &[2]);
    assert!(bench.objects.has_items(ClientId(2)) && !bench.objects.has_items(ClientId(3)));
    let left = only_result(bench.at(4, "q", lease()));
    assert_eq!((value_of(&left), left.deliveries), (value_of(&lost), Some(2)), "its connection has ended");
    assert_eq!(bench.at(5, "q", lease()), vec![], "the others are not there for anybody else");
    only_result(bench.at(2, "q", acknowledge(receipt(&first))));
    only_result(bench.at(2, "kept", acknowledge(receipt(&kept))));
    assert_eq!(bench.later(59), vec![]);
    assert_eq!(got(bench.later(1)), pairs(&[(5, "3")]), "its time goes on");
    assert_eq!(bench.gone(2), vec![]);
    assert_eq!(got(bench.gone(4)), vec![]);
    assert_eq!(value_of(&only_result(bench.at(6, "q", lease()))), "2");
    let mut twice = upgraded(upgraded(bench, &[6]), &[6]);
    twice.gone(6);
    assert_eq!(
        value_of(&only_result(twice.at(7, "q", lease()))),
        "2",
        "what an end gives back is there once"
    );
}
