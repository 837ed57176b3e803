//! Drain, stop, kill, and the exit: once, and with no child left.

use tally_protocol::JobId;
use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;

use super::{Bench, request, settings};
use crate::event::Event;
use crate::moment::Span;
use crate::{Moment, Phase, Settings};

const NOTHING: [&str; 0] = [];

fn busy() -> Bench {
    let mut bench = Bench::new(Settings { drain: Span::ms(500), grace: Span::ms(100), ..settings(1) });
    bench.submit(1, request("0..10", 1));
    bench.ready(1);
    bench
}

const STOPPING: &str = "c1 <- j1 cancelled: j1 was cancelled: the daemon is stopping";

#[test]
fn the_first_request_lets_jobs_finish() {
    let mut bench = busy();
    assert_eq!(bench.event(Event::StopRequested), NOTHING);
    assert_eq!(bench.phase(), Phase::Draining { until: Some(Moment(0) + Span::ms(500)) });
    let refused = ["c2 <- refused: the daemon is stopping and takes no new jobs"];
    assert_eq!(bench.submit(2, request("0..1", 1)), refused);
    assert_eq!(bench.partial(1, "j1/0.1"), ["to w1: forget j1", "c1 <- j1 done sum=45", "to w1: quit"]);
    assert_eq!(bench.say(2, Request::Retry(JobId(1))), ["c2 <- refused: could not retry j1: it is done"]);
    assert_eq!(bench.exited(1, "exited with status 0"), ["exit"]);
}

#[test]
fn but_not_for_ever() {
    let mut bench = busy();
    bench.event(Event::StopRequested);
    assert_eq!(bench.later(499), NOTHING);
    assert_eq!(bench.later(1), [STOPPING, "term w1"]);
    assert_eq!(bench.later(99), NOTHING);
    assert_eq!(bench.later(1), ["kill w1"]);
    assert_eq!(bench.later(10_000), NOTHING);
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["exit"]);
}

#[test]
fn the_second_request_stops_and_the_third_kills() {
    let mut bench = busy();
    bench.event(Event::StopRequested);
    assert_eq!(bench.event(Event::StopRequested), [STOPPING, "term w1"]);
    assert_eq!(bench.event(Event::StopRequested), ["kill w1"]);
    assert_eq!(bench.event(Event::StopNow), NOTHING);
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["exit"]);
}

#[test]
fn a_supervisor_without_workers_exits_at_once() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.event(Event::StopRequested), ["exit"]);
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.say(1, Request::Drain), ["c1 <- done", "exit"]);
}

#[test]
fn a_drain_that_a_client_asks_for_has_no_limit() {
    let mut bench = busy();
    assert_eq!(bench.say(2, Request::Drain), ["c2 <- done"]);
    assert_eq!(bench.phase(), Phase::Draining { until: None });
    assert_eq!(bench.later(5_000), NOTHING);
    assert_eq!(bench.event(Event::StopRequested), NOTHING, "a signal sets one");
    assert_eq!(bench.later(500), [STOPPING, "term w1"]);
}

#[test]
fn stop_now_ends_workers_that_start_too() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..10", 2));
    bench.ready(1);
    assert_eq!(bench.say(2, Request::Stop { now: true }), ["c2 <- done", STOPPING, "term w1", "term w2"]);
    let failed = Event::SpawnFailed { worker: tally_protocol::WorkerId(2), why: "be".into() };
    assert_eq!(bench.event(failed), NOTHING);
    assert_eq!(bench.exited(1, "killed by SIGTERM"), ["exit"]);
}

#[test]
fn the_last_client_takes_a_private_supervisor_along() {
    let mut bench = Bench::new(Settings { until_clients_gone: true, ..settings(2) });
    assert_eq!(bench.later(1000), NOTHING, "it waits for the first one");
    bench.submit(1, request("0..10", 2));
    bench.say(2, Request::Ping);
    bench.ready(1);
    assert_eq!(bench.gone(2), NOTHING);
    assert_eq!(bench.gone(1), ["kill w1", "kill w2"], "they hold nothing, so at once");
    bench.exited(2, "killed by SIGKILL");
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["exit"]);
}

#[test]
fn a_stubborn_worker_that_was_told_to_quit_is_killed() {
    let mut bench = busy();
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.event(Event::StopRequested), ["to w1: quit"]);
    assert_eq!(bench.later(100), ["kill w1"]);
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["exit"]);
}

#[test]
fn everybody_who_waits_is_answered_before_the_exit() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..10", 1));
    bench.submit(2, JobRequest { detach: true, ..request("0..10", 1) });
    bench.say(3, Request::Wait(vec![JobId(1), JobId(2)]));
    bench.say_more(4, Request::Follow(JobId(2)));
    let lines = bench.event(Event::StopNow);
    let mut answered: Vec<&str> = lines.iter().filter_map(|line| line.get(..2)).collect();
    answered.retain(|name| name.starts_with('c'));
    assert_eq!(answered, ["c1", "c4", "c3"]);
}
