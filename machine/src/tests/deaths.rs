//! What the death of a worker costs, and whom.

use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;
use tally_protocol::view::Incident;
use tally_protocol::{JobId, SlotId};

use super::{Bench, request, settings};
use crate::Settings;

const NOTHING: [&str; 0] = [];
const KILLED: &str = "killed by SIGSEGV";

/// One worker with two leases of 0..8 in 4 pieces, the first of which it has begun.
fn begun(retries: u32) -> Bench {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, JobRequest { retries: Some(retries), ..request("0..8", 4) });
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+2", "to w1: lease j1/1.1 2+2"]);
    bench.started(1, "j1/0.1");
    bench
}

#[test]
fn only_the_running_partition_is_charged() {
    let mut bench = begun(3);
    bench.later(5);
    assert_eq!(bench.exited(1, KILLED), ["spawn w2 in 0"], "its slot is filled at once");
    assert_eq!(
        bench.ready(2),
        ["to w2: job j1", "to w2: lease j1/0.2 0+2", "to w2: lease j1/1.2 2+2"],
        "both come back with a new attempt"
    );
    let view = bench.view(1);
    assert_eq!(view.retries, 1, "but only one was charged");
    let incident = Incident {
        after_ms: 5,
        slot: SlotId(0),
        pid: 101,
        range: Some("0..2".into()),
        attempt: Some(1),
        what: KILLED.into(),
        stderr: None,
    };
    assert_eq!(view.incidents, [incident]);
}

#[test]
fn a_death_between_two_partitions_is_charged_to_none() {
    let mut bench = begun(1);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.exited(1, KILLED), ["spawn w2 in 0"]);
    let view = bench.view(1);
    assert_eq!((view.retries, view.partitions.done, view.partitions.queued), (0, 1, 3));
    assert_eq!(view.incidents[0].range, None);
    assert_eq!(bench.workers(), ["starting"], "that is no cause to wait yet");
}

#[test]
fn a_range_that_kills_as_often_as_it_may_is_cut_in_two() {
    let mut bench = begun(2);
    bench.exited(1, KILLED);
    bench.ready(2);
    bench.started(2, "j1/0.2");
    bench.exited(2, KILLED);
    assert_eq!(
        bench.ready(3),
        ["to w3: job j1", "to w3: lease j1/5.1 1+1"],
        "suspects first, the second half before the first, and nothing while others wait"
    );
    bench.started(3, "j1/5.1");
    assert_eq!(bench.partial(3, "j1/5.1")[0], "to w3: lease j1/4.1 0+1");
    bench.started(3, "j1/4.1");
    bench.exited(3, KILLED);
    assert_eq!(
        bench.ready(4)[..2],
        ["to w4: job j1", "to w4: lease j1/4.2 0+1"],
        "one element has all its tries"
    );
    bench.started(4, "j1/4.2");
    assert_eq!(bench.exited(4, KILLED), ["c1 <- j1 failed: range 0..1 killed 2 workers (killed by SIGSEGV)"]);
    let view = bench.view(1);
    let failure = view.error.unwrap();
    assert_eq!(failure.range.as_deref(), Some("0..1"));
    let hint = "its partials are kept; 'tally retry j1' goes on from them";
    assert_eq!(failure.hint.as_deref(), Some(hint));
    assert_eq!(view.elements_done, "1", "what was accepted is kept");
    assert_eq!(view.retries, 3, "all but the last one were tried again");
}

#[test]
fn without_retries_the_first_death_convicts_the_whole_partition() {
    let mut bench = begun(0);
    assert_eq!(bench.exited(1, KILLED), ["c1 <- j1 failed: range 0..2 killed 1 worker (killed by SIGSEGV)"]);
}

#[test]
fn one_partition_of_twelve_that_kills_once_costs_one_retry() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..12", 12));
    bench.ready(1);
    bench.started(1, "j1/0.1");
    bench.exited(1, KILLED);
    bench.ready(2);
    let mut last = Vec::new();
    for piece in 0..12 {
        let attempt = if piece < 2 { 2 } else { 1 };
        last = bench.partial(2, &format!("j1/{piece}.{attempt}"));
    }
    assert_eq!(last, ["to w2: forget j1", "c1 <- j1 done sum=66"]);
    assert_eq!(bench.view(1).retries, 1);
}

#[test]
fn a_retried_job_goes_on_from_what_it_has() {
    let mut bench = begun(1);
    bench.partial(1, "j1/0.1");
    bench.partial(1, "j1/1.1");
    bench.started(1, "j1/2.1");
    bench.exited(1, KILLED);
    bench.ready(2);
    bench.started(2, "j1/5.1");
    assert_eq!(bench.exited(2, KILLED), ["c1 <- j1 failed: range 5..6 killed 1 worker (killed by SIGSEGV)"]);
    assert_eq!(bench.say(2, Request::Retry(JobId(1))), ["c2 <- j1 running 4/8", "spawn w3 in 0"]);
    assert_eq!(bench.gone(1), NOTHING, "it belongs to nobody now");
    assert_eq!(
        bench.ready(3),
        ["to w3: job j1", "to w3: lease j1/3.2 6+2", "to w3: lease j1/4.1 4+1", "to w3: lease j1/5.2 5+1"],
        "attempts go on counting"
    );
    bench.partial(3, "j1/3.2");
    bench.partial(3, "j1/4.1");
    assert_eq!(bench.partial(3, "j1/5.2"), ["to w3: forget j1"]);
    assert_eq!(bench.say(3, Request::Result(JobId(1))), ["c3 <- j1 done sum=28"]);
}

#[test]
fn a_broken_link_is_a_death() {
    let mut bench = begun(3);
    let broken = crate::Event::LinkBroken { worker: tally_protocol::WorkerId(1), why: "bad length".into() };
    assert_eq!(bench.event(broken.clone()), ["kill w1"]);
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING, "nothing it says counts");
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["spawn w2 in 0"]);
    assert_eq!(bench.view(1).incidents[0].what, "its link broke: bad length");
    assert_eq!(bench.event(broken), NOTHING, "and it can't break twice");
}

#[test]
fn a_worker_that_still_folds_for_a_job_that_is_over_is_killed_after_the_grace() {
    let mut bench = Bench::new(Settings { grace: crate::moment::Span::ms(100), ..settings(1) });
    bench.submit(1, request("0..8", 1));
    bench.ready(1);
    bench.started(1, "j1/0.1");
    assert_eq!(bench.gone(1), ["to w1: cancel j1/0.1", "to w1: forget j1"]);
    assert_eq!(bench.submit(2, request("0..8", 1)), ["to w1: job j2", "to w1: lease j2/0.1 0+8"]);
    assert_eq!(bench.later(99), NOTHING);
    assert_eq!(bench.later(1), ["kill w1"]);
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["spawn w2 in 0"]);
    assert_eq!(bench.ready(2), ["to w2: job j2", "to w2: lease j2/0.2 0+8"]);
    assert_eq!(bench.view(2).retries, 0, "the second job is not to blame");
}
