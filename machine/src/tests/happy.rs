//! A job's life without mishap.

use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;

use super::{Bench, request, settings};
use crate::Phase;
use crate::event::Event;

const NOTHING: [&str; 0] = [];

#[test]
fn a_sum_from_submission_to_exit() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.submit(1, request("0..10", 1)), ["spawn w1 in 0"]);
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+10"]);
    assert_eq!(bench.started(1, "j1/0.1"), NOTHING);
    assert_eq!(bench.partial(1, "j1/0.1"), ["to w1: forget j1", "c1 <- j1 done sum=45"]);
    assert_eq!(bench.machine.next_deadline(), None, "an idle supervisor sleeps for ever");
    assert_eq!(bench.event(Event::StopNow), ["to w1: quit"]);
    assert_eq!(bench.exited(1, "exited with status 0"), ["exit"]);
    assert_eq!(bench.phase(), Phase::Stopped);
    assert_eq!(bench.event(Event::StopNow), NOTHING);
    assert_eq!(bench.machine.next_deadline(), None);
}

#[test]
fn partitions_go_to_all_workers_one_each_before_any_gets_two() {
    let mut bench = Bench::new(settings(2));
    assert_eq!(bench.submit(1, request("0..12", 4)), ["spawn w1 in 0", "spawn w2 in 1"]);
    assert_eq!(
        bench.ready(1),
        ["to w1: job j1", "to w1: lease j1/0.1 0+3", "to w1: lease j1/1.1 3+3"],
        "while there is enough for the other one too"
    );
    assert_eq!(bench.ready(2), ["to w2: job j1", "to w2: lease j1/2.1 6+3"], "nobody hoards the last one");
    assert_eq!(bench.partial(2, "j1/2.1"), ["to w2: lease j1/3.1 9+3"]);
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING);
    assert_eq!(bench.partial(1, "j1/1.1"), NOTHING);
    assert_eq!(bench.partial(2, "j1/3.1"), ["to w1: forget j1", "to w2: forget j1", "c1 <- j1 done sum=66"]);
}

#[test]
fn a_job_of_nothing_is_done_without_any_worker() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.submit(1, request("5..5", 3)), ["c1 <- j1 done sum=0"]);
    let mean = JobRequest { reductions: vec!["mean".into()], ..request("5..5", 3) };
    assert_eq!(bench.submit(1, mean), ["c1 <- j2 failed: could not compute the mean: there are no elements"]);
}

#[test]
fn progress_comes_at_once_then_now_and_then_then_the_end() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.submit_more(1, request("0..10", 5)), ["c1 <- j1 queued 0/10 ...", "spawn w1 in 0"]);
    bench.ready(1);
    bench.later(10);
    assert_eq!(
        bench.partial(1, "j1/0.1"),
        ["to w1: lease j1/2.1 4+2", "to w1: lease j1/3.1 6+2", "to w1: lease j1/4.1 8+2"],
        "partitions of a microsecond are leased ahead"
    );
    assert_eq!(bench.later(89), NOTHING);
    assert_eq!(bench.later(1), ["c1 <- j1 running 2/10 ..."]);
    assert_eq!(bench.later(1000), NOTHING, "nothing new, nothing said");
    bench.partial(1, "j1/1.1");
    assert_eq!(bench.later(0), ["c1 <- j1 running 4/10 ..."], "the pause is over already");
    bench.partial(1, "j1/2.1");
    bench.partial(1, "j1/3.1");
    assert_eq!(bench.partial(1, "j1/4.1"), ["to w1: forget j1", "c1 <- j1 done sum=45"]);
    assert_eq!(bench.machine.next_deadline(), None);
}

#[test]
fn a_detached_job_is_acknowledged_and_outlives_its_client() {
    let mut bench = Bench::new(settings(1));
    let detached = JobRequest { detach: true, ..request("0..4", 1) };
    assert_eq!(bench.submit(1, detached), ["c1 <- j1 queued 0/4", "spawn w1 in 0"]);
    assert_eq!(bench.gone(1), NOTHING);
    bench.ready(1);
    assert_eq!(bench.partial(1, "j1/0.1"), ["to w1: forget j1"]);
    assert_eq!(bench.say(2, Request::Result(tally_protocol::JobId(1))), ["c2 <- j1 done sum=6"]);
}

#[test]
fn sizes_of_our_own_choice_grow_as_they_are_measured() {
    let mut bench = Bench::new(settings(1));
    let open = JobRequest { partitions: None, ..request("0..1e9", 1) };
    bench.submit(1, open);
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+256", "to w1: lease j1/1.1 256+256"]);
    bench.later(1);
    let next = bench.partial(1, "j1/0.1");
    assert_eq!(next[0], "to w1: lease j1/2.1 512+2048");
}
