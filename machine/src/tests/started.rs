//! Jobs that a client starts and whose ends it is told one by one.

use tally_protocol::ClientId;
use tally_protocol::control::Request;
use tally_protocol::limits;

use super::{Bench, request, settings};
use crate::Settings;
use crate::event::Event;

const NOTHING: [&str; 0] = [];

fn start(bench: &mut Bench, client: u64, range: &str) -> Vec<String> {
    bench.say(client, Request::Start(Box::new(request(range, 1).check().unwrap())))
}

/// One worker, and three jobs of client 1 of which it holds the first.
fn three() -> Bench {
    let mut bench = Bench::new(Settings { leases_max: 1, ..settings(1) });
    assert_eq!(start(&mut bench, 1, "0..3"), ["c1 <- started j1", "spawn w1 in 0"]);
    assert_eq!(start(&mut bench, 1, "0..4"), ["c1 <- started j2"]);
    assert_eq!(start(&mut bench, 1, "0..5"), ["c1 <- started j3"]);
    bench.ready(1);
    bench
}

#[test]
fn each_end_is_told_once_in_the_order_of_the_ends() {
    let mut bench = three();
    assert_eq!(bench.say(1, Request::Next), NOTHING, "nothing has ended");
    assert!(bench.partial(1, "j1/0.1").contains(&"c1 <- j1 done sum=3".to_owned()));
    bench.partial(1, "j2/0.1");
    bench.partial(1, "j3/0.1");
    assert_eq!(bench.say(1, Request::Next), ["c1 <- j2 done sum=6; j3 done sum=10"]);
    assert_eq!(
        bench.say(1, Request::Next),
        ["c1 <- refused: could not wait for a started job: there is none"]
    );
}

#[test]
fn who_has_more_to_ask_is_answered_at_once() {
    let mut bench = three();
    bench.say(1, Request::Next);
    let calls = Event::ClientCalls { client: ClientId(1) };
    assert_eq!(bench.event(calls.clone()), ["c1 <- "]);
    assert_eq!(bench.event(calls.clone()), NOTHING, "it waits for nothing now");
    bench.say(1, Request::Wait(vec![tally_protocol::JobId(1)]));
    assert_eq!(bench.event(calls), NOTHING, "a wait is not cut short");
}

#[test]
fn started_jobs_end_with_their_client() {
    let mut bench = three();
    bench.partial(1, "j1/0.1");
    bench.say(1, Request::Next);
    bench.say(2, Request::Cancel { jobs: vec![tally_protocol::JobId(3)], all: false });
    bench.gone(1);
    assert_eq!(bench.view(1).state.name(), "done");
    assert_eq!(bench.view(2).error.unwrap().message, "j2 was cancelled: its client went away");
    assert_eq!(bench.view(3).error.unwrap().message, "j3 was cancelled: a client asked for it");
}

#[test]
fn an_end_that_was_not_told_is_not_forgotten() {
    let mut bench = Bench::new(Settings { jobs_ended_max: 0, ..settings(1) });
    start(&mut bench, 1, "0..3");
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.say(2, Request::Show(tally_protocol::JobId(1))), ["c2 <- j1 done sum=3"]);
    assert_eq!(bench.say(1, Request::Next), ["c1 <- j1 done sum=3"]);
    assert_eq!(bench.say(2, Request::Show(tally_protocol::JobId(1))), ["c2 <- refused: there is no job j1"]);
}

#[test]
fn a_retried_job_is_told_when_it_has_ended_again() {
    let mut bench = three();
    bench.say(2, Request::Cancel { jobs: vec![tally_protocol::JobId(2)], all: false });
    bench.say(2, Request::Retry(tally_protocol::JobId(2)));
    assert_eq!(bench.say(1, Request::Next), NOTHING, "j2 goes on");
    bench.gone(1);
    assert_eq!(bench.view(2).state.name(), "queued", "it lasts");
}

#[test]
fn a_client_may_start_so_many_and_no_more() {
    let mut bench = Bench::new(settings(1));
    for _ in 0..limits::STARTED_MAX {
        let spec = Box::new(request("0..3", 1).check().unwrap());
        bench.machine.handle(
            bench.now,
            Event::ClientSaid { client: ClientId(1), request: Request::Start(spec), more: false },
        );
        bench.actions();
    }
    let why = "could not start one more job: 4096 of this connection are under way";
    assert_eq!(start(&mut bench, 1, "0..3"), [format!("c1 <- refused: {why}")]);
    assert_eq!(start(&mut bench, 2, "0..3"), ["c2 <- started j4097"]);
}
