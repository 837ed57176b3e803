//! Several jobs, several workers: who gets what, and that nobody hoards.

use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;
use tally_protocol::{JobId, WorkerId};

use super::{Bench, request, settings};
use crate::Settings;
use crate::moment::Span;

const NOTHING: [&str; 0] = [];

/// Answers the first lease of a worker after so many milliseconds of work.
fn work(bench: &mut Bench, worker: u64, name: &str, ms: u64) -> Vec<String> {
    bench.later(ms);
    let mut said = bench.right(name);
    if let tally_protocol::work::FromWorker::Partial { busy_ns, .. } = &mut said {
        *busy_ns = Span::ms(ms).0;
    }
    bench.said(worker, said)
}

#[test]
fn higher_priority_goes_first() {
    let mut bench = Bench::new(Settings { leases_max: 1, ..settings(1) });
    bench.submit(1, request("0..2", 2));
    bench.ready(1);
    bench.submit(2, JobRequest { priority: Some(-1), ..request("0..1", 1) });
    bench.submit(3, JobRequest { priority: Some(7), ..request("0..1", 1) });
    assert_eq!(bench.partial(1, "j1/0.1"), ["to w1: job j3", "to w1: lease j3/0.1 0+1"]);
    let next = bench.partial(1, "j3/0.1");
    assert_eq!(next, ["to w1: forget j3", "c3 <- j3 done sum=0", "to w1: lease j1/1.1 1+1"]);
    let next = bench.partial(1, "j1/1.1");
    assert_eq!(next, ["to w1: forget j1", "c1 <- j1 done sum=1", "to w1: job j2", "to w1: lease j2/0.1 0+1"]);
}

#[test]
fn equals_get_equal_time_not_equal_numbers() {
    let mut bench = Bench::new(Settings { leases_max: 1, ..settings(1) });
    bench.submit(1, request("0..100", 100));
    bench.submit(2, request("0..100", 100));
    bench.ready(1);
    let mut count = [0, 0];
    let mut lease = "j1/0.1".to_owned();
    for _ in 0..40 {
        let first = lease.starts_with("j1");
        let lines = work(&mut bench, 1, &lease, if first { 9 } else { 3 });
        count[usize::from(!first)] += 1;
        let given = lines.iter().find_map(|line| line.strip_prefix("to w1: lease ")).unwrap();
        lease = given.split(' ').next().unwrap().to_owned();
    }
    assert!((9..=11).contains(&count[0]), "a quarter of the partitions is half of the time: {count:?}");
}

#[test]
fn a_job_that_comes_later_starts_level() {
    let mut bench = Bench::new(Settings { leases_max: 1, ..settings(1) });
    bench.submit(1, request("0..100", 100));
    bench.ready(1);
    for piece in 0..20 {
        work(&mut bench, 1, &format!("j1/{piece}.1"), 10);
    }
    bench.submit(2, request("0..100", 100));
    let mut given = Vec::new();
    let mut lease = "j1/20.1".to_owned();
    for _ in 0..10 {
        let lines = work(&mut bench, 1, &lease, 10);
        let line = lines.iter().find_map(|line| line.strip_prefix("to w1: lease ")).unwrap();
        lease = line.split(' ').next().unwrap().to_owned();
        given.push(lease[..2].to_owned());
    }
    let firsts = given.iter().filter(|job| *job == "j1").count();
    assert!((4..=6).contains(&firsts), "it makes up for nothing: {given:?}");
}

#[test]
fn a_job_keeps_to_its_number_of_workers() {
    let mut bench = Bench::new(settings(3));
    bench.submit(1, JobRequest { workers: Some(2), ..request("0..100", 100) });
    bench.ready(1);
    bench.ready(2);
    assert_eq!(bench.submit(2, request("0..1", 1)), ["spawn w3 in 2"]);
    assert_eq!(bench.ready(3), ["to w3: job j2", "to w3: lease j2/0.1 0+1"]);
    let after = bench.partial(3, "j2/0.1");
    assert_eq!(after, ["to w3: forget j2", "c2 <- j2 done sum=0"], "the third stays idle");
    let ahead = bench.partial(1, "j1/0.1");
    assert!(ahead.iter().all(|line| line.starts_with("to w1: lease j1")), "{ahead:?}");
    bench.exited(1, "killed by SIGKILL");
    assert_eq!(bench.workers()[2], "busy", "it steps in when one of the two is gone");
}

#[test]
fn twelve_long_partitions_keep_four_workers_busy_to_the_end() {
    let mut bench = Bench::new(settings(4));
    bench.submit(1, request("0..12", 12));
    for worker in 1..=4 {
        bench.ready(worker);
    }
    let mut rounds = 0;
    while bench.view(1).partitions.done < 12 {
        rounds += 1;
        bench.later(1000);
        for worker in 1..=4 {
            let running =
                bench.first_lease(worker).unwrap_or_else(|| panic!("w{worker} idles in round {rounds}"));
            work(&mut bench, worker, &running, 0);
        }
        assert!(rounds <= 3);
    }
}

#[test]
fn tiny_partitions_are_leased_ahead_up_to_the_limit() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..1000", 1000));
    bench.ready(1);
    bench.later(1);
    assert_eq!(bench.partial(1, "j1/0.1").len(), 63, "two microseconds each: 64 in all");
    assert_eq!(bench.partial(1, "j1/1.1").len(), 1);
}

#[test]
fn long_partitions_are_leased_one_ahead() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..1000", 1000));
    bench.ready(1);
    assert_eq!(work(&mut bench, 1, "j1/0.1", 30), ["to w1: lease j1/2.1 2+1"]);
    assert_eq!(work(&mut bench, 1, "j1/1.1", 30), ["to w1: lease j1/3.1 3+1"]);
}

#[test]
fn what_nobody_has_begun_is_taken_back_for_an_idle_worker() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..4", 4));
    bench.ready(1);
    bench.ready(2);
    bench.started(1, "j1/0.1");
    bench.started(2, "j1/2.1");
    work(&mut bench, 2, "j1/2.1", 30);
    bench.started(2, "j1/3.1");
    assert_eq!(work(&mut bench, 2, "j1/3.1", 30), ["to w1: cancel j1/1.1"]);
    assert_eq!(bench.cancelled(1, "j1/1.1"), ["to w2: lease j1/1.2 1+1"]);
    work(&mut bench, 2, "j1/1.2", 30);
    assert_eq!(work(&mut bench, 1, "j1/0.1", 30).last().unwrap(), "c1 <- j1 done sum=6");
    assert_eq!(bench.view(1).retries, 0, "nobody was to blame");
}

#[test]
fn a_lease_that_was_taken_back_too_late_counts() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..4", 4));
    bench.ready(1);
    bench.ready(2);
    work(&mut bench, 2, "j1/2.1", 30);
    assert_eq!(work(&mut bench, 2, "j1/3.1", 30), ["to w1: cancel j1/1.1"]);
    work(&mut bench, 1, "j1/0.1", 30);
    assert_eq!(work(&mut bench, 1, "j1/1.1", 30).last().unwrap(), "c1 <- j1 done sum=6");
    assert_eq!(bench.view(1).late, 0);
}

#[test]
fn ten_thousand_queued_jobs_are_served_in_order() {
    let mut bench = Bench::new(Settings { jobs_open_max: 10_000, ..settings(1) });
    for client in 1..=10_000 {
        let lines = bench.submit_unchecked(client, request("0..1", 1));
        assert!(lines.len() <= 1, "{lines:?}");
    }
    assert_eq!(bench.say(20_000, Request::Ping), ["c20000 <- done"]);
    let refused = bench.submit_unchecked(20_001, request("0..1", 1));
    assert_eq!(refused, ["c20001 <- refused: could not take one more job: 10000 are open"]);
    assert_eq!(bench.ready(1)[0], "to w1: job j1");
    assert_eq!(bench.first_lease(1).as_deref(), Some("j1/0.1"));
    assert_eq!(bench.machine.jobs.get(JobId(1)).unwrap().holders, 1);
    assert_eq!(bench.machine.crew.slot_of(WorkerId(1)).unwrap().0, 0);
}

#[test]
fn no_ahead_lease_goes_to_a_busy_worker_while_another_may_come() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..1", 1));
    bench.ready(1);
    assert_eq!(bench.submit(2, request("0..1", 1)), ["spawn w2 in 1"]);
    assert_eq!(bench.ready(2), ["to w2: job j2", "to w2: lease j2/0.1 0+1"]);
    assert_eq!(
        bench.submit(3, request("0..1", 1)),
        NOTHING,
        "both are busy: it waits for the first to be free"
    );
}
