//! Exactly one last reply to each request, and who may ask for what.

use tally_protocol::JobId;
use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;
use tally_protocol::version::Spoken;

use super::{Bench, request, settings};
use crate::Settings;

const NOTHING: [&str; 0] = [];
const J1: JobId = JobId(1);
const J2: JobId = JobId(2);

/// One worker that folds the first of the two pieces of the job of client 1.
fn running() -> Bench {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..10", 2));
    bench.ready(1);
    bench
}

#[test]
fn a_job_ends_with_its_client() {
    let mut bench = running();
    assert_eq!(bench.gone(1), ["to w1: cancel j1/0.1", "to w1: cancel j1/1.1", "to w1: forget j1"]);
    assert_eq!(
        bench.say(2, Request::Show(J1)),
        ["c2 <- j1 cancelled: j1 was cancelled: its client went away"]
    );
    assert_eq!(bench.cancelled(1, "j1/0.1"), NOTHING);
    assert_eq!(bench.workers(), ["busy"], "it owes one more answer");
    assert_eq!(bench.partial(1, "j1/1.1"), NOTHING, "a late partial is an answer too");
    assert_eq!(bench.workers(), ["idle"]);
    assert_eq!(bench.view(1).late, 1);
}

#[test]
fn cancel_answers_both_the_one_who_asked_and_the_owner() {
    let mut bench = running();
    assert_eq!(
        bench.say(2, Request::Cancel { jobs: vec![J1], all: false }),
        [
            "to w1: cancel j1/0.1",
            "to w1: cancel j1/1.1",
            "to w1: forget j1",
            "c1 <- j1 cancelled: j1 was cancelled: a client asked for it",
            "c2 <- j1 cancelled: j1 was cancelled: a client asked for it"
        ]
    );
    assert_eq!(
        bench.say(2, Request::Cancel { jobs: vec![J1], all: false }),
        ["c2 <- refused: could not cancel j1: it is cancelled already"]
    );
    assert_eq!(
        bench.say(2, Request::Cancel { jobs: vec![J1, J1], all: false }).len(),
        1,
        "several are left as they are"
    );
    assert_eq!(bench.say(2, Request::Cancel { jobs: vec![], all: true }), ["c2 <- "]);
    assert_eq!(
        bench.say(2, Request::Cancel { jobs: vec![J1, J2], all: false }),
        ["c2 <- refused: there is no job j2"]
    );
}

#[test]
fn a_paused_job_finishes_what_runs_and_takes_no_more() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..10", 5));
    bench.ready(1);
    assert_eq!(bench.say(2, Request::Pause(J1)), ["c2 <- j1 paused 0/10"]);
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING);
    assert_eq!(bench.partial(1, "j1/1.1"), NOTHING);
    assert_eq!(bench.view(1).elements_done, "4");
    assert_eq!(
        bench.say(2, Request::Resume(J1)),
        [
            "c2 <- j1 running 4/10",
            "to w1: lease j1/2.1 4+2",
            "to w1: lease j1/3.1 6+2",
            "to w1: lease j1/4.1 8+2"
        ]
    );
    bench.partial(1, "j1/2.1");
    bench.partial(1, "j1/3.1");
    bench.say(2, Request::Pause(J1));
    assert_eq!(
        bench.partial(1, "j1/4.1"),
        ["to w1: forget j1", "c1 <- j1 done sum=45"],
        "the last one ends it all the same"
    );
    assert_eq!(bench.say(2, Request::Pause(J1)), ["c2 <- refused: could not pause j1: it is done already"]);
    assert_eq!(bench.say(2, Request::Resume(J1)), ["c2 <- refused: could not resume j1: it is done already"]);
    assert_eq!(bench.say(2, Request::Retry(J1)), ["c2 <- refused: could not retry j1: it is done"]);
}

#[test]
fn wait_is_answered_when_the_last_of_them_has_ended() {
    let mut bench = running();
    bench.submit(2, request("0..3", 1));
    assert_eq!(bench.say(3, Request::Wait(vec![J2, J1, J2])), NOTHING);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.partial(1, "j1/1.1"), ["to w1: forget j1", "c1 <- j1 done sum=45",]);
    assert_eq!(
        bench.partial(1, "j2/0.1"),
        ["to w1: forget j2", "c2 <- j2 done sum=3", "c3 <- j2 done sum=3; j1 done sum=45; j2 done sum=3"]
    );
    assert_eq!(bench.say(3, Request::Wait(vec![J1])), ["c3 <- j1 done sum=45"], "at once, when it has");
    assert_eq!(bench.say(3, Request::Wait(vec![JobId(9)])), ["c3 <- refused: there is no job j9"]);
    assert_eq!(bench.say(3, Request::Wait(vec![])), ["c3 <- "]);
}

#[test]
fn a_job_somebody_waits_for_is_not_forgotten() {
    let mut bench = Bench::new(Settings { jobs_ended_max: 0, ..settings(1) });
    bench.submit(1, request("0..10", 1));
    bench.submit(2, request("0..3", 1));
    bench.say(3, Request::Wait(vec![J1, J2]));
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.say(4, Request::Show(J1)), ["c4 <- j1 done sum=45"]);
    let last = bench.partial(1, "j2/0.1");
    assert_eq!(last.last().unwrap(), "c3 <- j1 done sum=45; j2 done sum=3");
    assert_eq!(bench.say(4, Request::Show(J1)), ["c4 <- refused: there is no job j1"], "now it is");
}

#[test]
fn followers_are_told_and_own_nothing() {
    let mut bench = running();
    assert_eq!(bench.say_more(2, Request::Follow(J1)), ["c2 <- j1 running 0/10 ..."]);
    assert_eq!(bench.say(3, Request::Follow(J1)), NOTHING);
    assert_eq!(bench.gone(2), NOTHING);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.later(1000), NOTHING, "those who are gone are told nothing");
    assert_eq!(
        bench.partial(1, "j1/1.1"),
        ["to w1: forget j1", "c1 <- j1 done sum=45", "c3 <- j1 done sum=45"]
    );
    assert_eq!(bench.say_more(3, Request::Follow(J1)), ["c3 <- j1 done sum=45"]);
}

#[test]
fn the_result_of_a_job_that_has_not_ended_is_refused() {
    let mut bench = running();
    assert_eq!(bench.say(2, Request::Result(J1)), ["c2 <- refused: j1 has no result yet: it is running"]);
    assert_eq!(bench.say(2, Request::Result(J2)), ["c2 <- refused: there is no job j2"]);
}

#[test]
fn a_deadline_ends_a_job_with_what_it_has() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, JobRequest { timeout_ms: Some(200), ..request("0..10", 2) });
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.later(199), NOTHING);
    assert_eq!(
        bench.later(1),
        [
            "to w1: cancel j1/1.1",
            "to w1: forget j1",
            "c1 <- j1 timed-out: j1 passed its deadline of 200ms with 5 of 10 elements done"
        ]
    );
    bench.cancelled(1, "j1/1.1");
    assert_eq!(
        bench.say(2, Request::Retry(J1)),
        ["c2 <- j1 running 5/10", "to w1: job j1", "to w1: lease j1/1.2 5+5"]
    );
    assert_eq!(bench.later(199), NOTHING, "the deadline starts anew");
    assert_eq!(bench.partial(1, "j1/1.2"), ["to w1: forget j1"]);
}

#[test]
fn no_more_jobs_are_taken_than_the_limit() {
    let mut bench = Bench::new(Settings { jobs_open_max: 1, ..settings(1) });
    bench.submit(1, request("0..10", 1));
    let refused = ["c2 <- refused: could not take one more job: 1 are open"];
    assert_eq!(bench.submit(2, request("0..10", 1)), refused);
    bench.gone(1);
    assert_eq!(bench.submit(2, request("0..10", 1)), NOTHING);
    assert_eq!(bench.say(3, Request::Retry(J1)), ["c3 <- refused: could not take one more job: 1 are open"]);
}

#[test]
fn a_second_request_before_the_first_is_answered_is_refused() {
    let mut bench = running();
    let refused = ["c1 <- refused: could not take a second request before the first is answered"];
    assert_eq!(bench.say(1, Request::Ping), refused);
}

#[test]
fn versions_are_agreed_on() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.say(1, Request::Hello(Spoken { oldest: 1, newest: 5 })), ["c1 <- hello 1"]);
    assert_eq!(
        bench.say(1, Request::Hello(Spoken { oldest: 4, newest: 5 })),
        ["c1 <- refused: could not agree on a protocol: the client speaks 4 to 5, the daemon 1 to 1"]
    );
}

#[test]
fn a_job_that_is_over_at_once_is_answered_before_it_is_forgotten() {
    let mut bench = Bench::new(Settings { jobs_ended_max: 0, ..settings(1) });
    let nothing = JobRequest { detach: true, ..request("0..0", 1) };
    assert_eq!(bench.submit(1, nothing), ["c1 <- j1 done sum=0"]);
    assert_eq!(bench.say(1, Request::Show(J1)), ["c1 <- refused: there is no job j1"]);
}

#[test]
fn who_waits_for_several_ends_waits_for_a_retried_one_again() {
    let mut bench = running();
    bench.submit(2, request("0..3", 1));
    bench.say(3, Request::Wait(vec![J1, J2]));
    bench.say(4, Request::Cancel { jobs: vec![J2], all: false });
    bench.say(4, Request::Retry(J2));
    bench.say(4, Request::Cancel { jobs: vec![J2], all: false });
    bench.say(4, Request::Retry(J2));
    assert_eq!(bench.partial(1, "j1/0.1").last().unwrap(), "to w1: lease j2/0.1 0+3");
    assert_eq!(bench.partial(1, "j1/1.1"), ["to w1: forget j1", "c1 <- j1 done sum=45"]);
    assert_eq!(
        bench.partial(1, "j2/0.1"),
        ["to w1: forget j2", "c3 <- j1 done sum=45; j2 done sum=3"],
        "only now have both ended"
    );
}
