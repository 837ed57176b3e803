//! When workers are started again, and when they are not.

use tally_protocol::control::Request;
use tally_protocol::job::{JobRequest, JobState, StartMethod, Transport};
use tally_protocol::{JobId, WorkerId};

use super::{Bench, request, settings};
use crate::event::Event;
use crate::moment::Span;
use crate::{Moment, Settings};

const NOTHING: [&str; 0] = [];

fn spawn_failed(bench: &mut Bench, worker: u64) -> Vec<String> {
    let why = "start a worker: no memory".to_owned();
    bench.event(Event::SpawnFailed { worker: WorkerId(worker), why })
}

fn starter_lost(bench: &mut Bench, workers: &[u64]) -> Vec<String> {
    let workers = workers.iter().copied().map(WorkerId).collect();
    bench.event(Event::StarterLost { workers, why: "forkserver 7 killed by SIGKILL".to_owned() })
}

/// An eager supervisor, so that something dies without any job.
fn eager(slots: u16) -> Bench {
    let mut bench = Bench::new(Settings { eager: true, ..settings(slots) });
    assert_eq!(bench.actions().len(), usize::from(slots));
    bench
}

#[test]
fn no_worker_is_started_before_it_is_of_use() {
    let mut bench = Bench::new(settings(4));
    assert_eq!(bench.actions(), NOTHING);
    assert_eq!(
        bench.submit(1, request("0..10", 2)),
        ["spawn w1 in 0", "spawn w2 in 1"],
        "two for two pieces"
    );
    let few = JobRequest { workers: Some(1), ..request("0..10", 9) };
    assert_eq!(bench.submit(2, few), ["spawn w3 in 2"], "one for a job that wants no more");
}

#[test]
fn five_early_deaths_are_borne_then_the_slot_backs_off() {
    let mut bench = eager(1);
    for worker in 1..=5 {
        let next = format!("spawn w{} in 0", worker + 1);
        assert_eq!(bench.exited(worker, "exited with status 1"), [next]);
    }
    assert_eq!(bench.exited(6, "exited with status 1"), NOTHING);
    assert_eq!(bench.workers(), ["backing-off"]);
    let first = bench.machine.next_deadline().unwrap();
    assert!(first >= Moment(0) + Span::ms(75) && first <= Moment(0) + Span::ms(100), "{first:?}");
    assert_eq!(bench.later(100), ["spawn w7 in 0"]);
    assert_eq!(bench.exited(7, "exited with status 1"), NOTHING);
    let second = bench.machine.next_deadline().unwrap().since(bench.now);
    assert!(second >= Span::ms(150) && second <= Span::ms(200), "{second:?}");
}

#[test]
fn a_slot_that_backs_off_goes_with_its_alarm() {
    let mut bench = eager(2);
    for worker in 2..=7 {
        bench.exited(worker, "exited with status 1");
    }
    assert_eq!(bench.workers(), ["starting", "backing-off"]);
    // One slot less, and one more: the second is another one than before, and has nothing to wait for.
    for slots in [1, 2] {
        bench.event(Event::Reload(Box::new(settings(slots))));
    }
    assert_eq!(bench.workers().len(), 2);
    assert_eq!(bench.later(200), NOTHING);
}

#[test]
fn a_healthy_worker_resets_the_delay() {
    let mut bench = eager(1);
    for worker in 1..=6 {
        bench.exited(worker, "exited with status 1");
    }
    bench.later(100);
    bench.ready(7);
    bench.later(30_000);
    assert_eq!(bench.exited(7, "exited with status 1"), ["spawn w8 in 0"]);
}

#[test]
fn a_worker_that_is_not_ready_in_time_is_killed() {
    let mut bench = Bench::new(Settings { start: Span::ms(500), ..settings(1) });
    bench.submit(1, request("0..10", 1));
    assert_eq!(bench.later(499), NOTHING);
    assert_eq!(bench.later(1), ["kill w1"]);
    assert_eq!(bench.said(1, tally_protocol::work::FromWorker::Ready), NOTHING, "too late");
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["spawn w2 in 0"]);
}

#[test]
fn jobs_fail_when_no_worker_can_be_had() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..10", 2));
    let mut lines = Vec::new();
    for worker in 1..=10 {
        lines = spawn_failed(&mut bench, worker);
        while lines.is_empty() {
            lines = bench.later(10);
        }
    }
    assert_eq!(
        lines,
        ["c1 <- j1 failed: could not start workers: 10 in a row failed; could not start a worker: no memory"]
    );
    assert_eq!(bench.submit(1, request("0..10", 1)), NOTHING);
    assert_eq!(bench.workers(), ["starting", "empty"], "the next job gets one try");
    let failed = spawn_failed(&mut bench, 11);
    assert!(failed[0].starts_with("c1 <- j2 failed: could not start workers: 11 in a row"), "{failed:?}");
}

#[test]
fn a_detached_job_of_an_eager_supervisor_waits_for_better_times() {
    let mut bench = eager(1);
    bench.submit(1, JobRequest { detach: true, ..request("0..10", 1) });
    for worker in 1..=12 {
        let mut lines = spawn_failed(&mut bench, worker);
        while lines.is_empty() {
            lines = bench.later(100);
        }
        assert_eq!(lines, [format!("spawn w{} in 0", worker + 1)]);
    }
    let explained = bench.say(1, Request::Explain(JobId(1)));
    assert!(explained[0].contains("no worker is ready"), "{explained:?}");
    bench.ready(13);
    assert_eq!(bench.partial(13, "j1/0.1"), ["to w13: forget j1"]);
}

#[test]
fn deaths_while_no_job_is_open_are_held_against_no_job() {
    let mut bench = eager(1);
    for worker in 1..=20 {
        bench.ready(worker);
        bench.exited(worker, "killed by SIGKILL");
        bench.later(31_000);
    }
    bench.submit(1, request("0..10", 1));
    assert_eq!(bench.exited(21, "killed by SIGKILL").iter().filter(|line| line.starts_with('c')).count(), 0);
}

#[test]
fn another_kind_of_worker_takes_the_place_of_an_idle_one() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..10", 1));
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    let nice = JobRequest { nice: Some(5), ..request("0..10", 1) };
    assert_eq!(bench.submit(1, nice), ["to w1: quit"]);
    assert_eq!(bench.exited(1, "exited with status 0"), ["spawn w2 in 0 nice 5"]);
    assert_eq!(bench.ready(2), ["to w2: job j2", "to w2: lease j2/0.1 0+10"]);
    assert_eq!(bench.view_status().restarts, 0, "a worker that was told to go is not lost");
}

#[test]
fn a_busy_worker_makes_room_for_a_more_urgent_job_of_another_kind() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..10", 10));
    bench.ready(1);
    let urgent = JobRequest { nice: Some(5), priority: Some(1), ..request("0..10", 1) };
    assert_eq!(bench.submit(2, urgent), NOTHING, "it is not killed for that");
    assert_eq!(bench.partial(1, "j1/0.1"), NOTHING, "but gets no more");
    assert_eq!(bench.partial(1, "j1/1.1"), ["to w1: quit"]);
    assert_eq!(bench.exited(1, "exited with status 0"), ["spawn w2 in 0 nice 5"]);
    bench.ready(2);
    assert_eq!(
        bench.partial(2, "j2/0.1"),
        ["to w2: forget j2", "c2 <- j2 done sum=45", "to w2: quit"],
        "and back again"
    );
    assert_eq!(bench.exited(2, "exited with status 0"), ["spawn w3 in 0"]);
}

#[test]
fn fewer_slots_let_the_surplus_finish_and_more_are_used_at_once() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..10", 5));
    assert_eq!(bench.ready(1).len(), 3);
    assert_eq!(bench.ready(2).len(), 3, "two leases each");
    assert_eq!(bench.event(Event::Reload(Box::new(settings(1)))), NOTHING);
    assert_eq!(bench.partial(2, "j1/2.1"), NOTHING, "it gets no more");
    assert_eq!(bench.partial(2, "j1/3.1"), ["to w2: quit"]);
    assert_eq!(bench.exited(2, "exited with status 0"), ["to w1: lease j1/4.1 8+2"]);
    assert_eq!(bench.workers(), ["busy"]);
    bench.submit(2, request("0..10", 1));
    assert_eq!(bench.event(Event::Reload(Box::new(settings(3)))), ["spawn w3 in 1"]);
    assert_eq!(bench.workers(), ["busy", "starting", "empty"]);
}

#[test]
fn what_a_lost_forkserver_did_not_make_counts_against_no_worker() {
    let mut bench = Bench::new(Settings { intensity: 1000, ..settings(2) });
    bench.submit(1, request("0..8", 2));
    for round in 0..50 {
        let next = [format!("spawn w{} in 0", 2 * round + 3), format!("spawn w{} in 1", 2 * round + 4)];
        assert_eq!(
            starter_lost(&mut bench, &[2 * round + 1, 2 * round + 2]),
            next,
            "at once, and nobody fails"
        );
    }
    bench.ready(101);
    bench.partial(101, "j1/0.1");
    bench.partial(101, "j1/1.1");
    assert_eq!(bench.view(1).state, JobState::Done);
    assert_eq!(bench.view_status().restarts, 0, "no worker has died");
}

#[test]
fn forkservers_lost_too_often_are_waited_for_by_all_kinds() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..8", 1));
    for worker in 1..=5 {
        assert_eq!(starter_lost(&mut bench, &[worker]), [format!("spawn w{} in 0", worker + 1)]);
    }
    assert_eq!(starter_lost(&mut bench, &[6]), NOTHING);
    assert_eq!(bench.workers(), ["empty", "empty"], "no slot has to answer for it");
    let other = JobRequest { nice: Some(3), ..request("0..8", 1) };
    assert_eq!(bench.submit(2, other), NOTHING);
    let spawned = JobRequest { start: Some(StartMethod::Spawn), ..request("0..8", 1) };
    assert_eq!(bench.submit(3, spawned), ["spawn w7 in 0"], "that takes no forkserver");
    let explained = bench.say(4, Request::Explain(JobId(1)));
    assert!(explained[0].contains("the next forkserver is started in"), "{explained:?}");
    let told = bench.later(100);
    assert_eq!(told, ["spawn w8 in 1"], "one for each of them, as there are slots");
}

#[test]
fn jobs_fail_when_no_forkserver_makes_anything_for_as_long_as_a_start_may_take() {
    let mut bench = Bench::new(Settings { intensity: 1000, start: Span::ms(1_000), ..settings(1) });
    bench.submit(1, request("0..8", 1));
    for worker in 1..=10 {
        assert_eq!(starter_lost(&mut bench, &[worker]).len(), 1);
        bench.later(100);
    }
    let end = "c1 <- j1 failed: could not start workers: 11 in a row failed; forkserver 7 killed by SIGKILL";
    assert_eq!(starter_lost(&mut bench, &[11]), [end]);
}

#[test]
fn a_forkserver_that_makes_a_worker_has_a_clean_record() {
    let mut bench = Bench::new(Settings { intensity: 1000, start: Span::ms(1_000), ..settings(1) });
    bench.submit(1, request("0..8", 1));
    for worker in 1..=10 {
        starter_lost(&mut bench, &[worker]);
        bench.later(100);
    }
    bench.event(Event::Spawned { worker: WorkerId(11), pid: 111, transport: Transport::Shm });
    assert_eq!(bench.exited(11, "killed by SIGKILL"), ["spawn w12 in 0"]);
    assert_eq!(starter_lost(&mut bench, &[12]), ["spawn w13 in 0"]);
}
