//! What is recorded, who waits for that, and how the next supervisor goes on.

use tally_protocol::JobId;
use tally_protocol::control::Request;
use tally_protocol::error::ErrorCode;
use tally_protocol::job::{JobRequest, JobState};
use tally_protocol::record::{Record, Saved, Table};

use super::{Bench, request, settings};
use crate::event::Event;
use crate::moment::Span;
use crate::{Machine, Moment, Settings};

const NOTHING: [&str; 0] = [];
const J1: JobId = JobId(1);
const FULL: &str = "no space left on device";

fn durable() -> Settings {
    Settings { durable: true, wall_ms_at_zero: 1_000_000, ..settings(1) }
}

fn detached(range: &str, partitions: u64) -> JobRequest {
    JobRequest { detach: true, ..request(range, partitions) }
}

/// A supervisor that has reserved its first ids.
fn fresh(settings: Settings) -> Bench {
    let mut bench = Bench::new(settings);
    assert_eq!(bench.actions(), ["record 1: ids"]);
    assert_eq!(bench.recorded(1), NOTHING);
    bench
}

/// One that runs a detached job of two pieces; client 2 follows it.
fn running() -> Bench {
    let mut bench = fresh(durable());
    assert_eq!(bench.submit(1, detached("0..10", 2)), ["record 2: jobs j1"]);
    assert_eq!(bench.recorded(2), ["c1 <- j1 queued 0/10", "spawn w1 in 0"]);
    bench.ready(1);
    bench.say(2, Request::Follow(J1));
    bench
}

#[test]
fn a_detached_job_is_there_when_it_is_recorded() {
    let mut bench = fresh(durable());
    assert_eq!(bench.submit(1, detached("0..10", 2)), ["record 2: jobs j1"]);
    assert_eq!(bench.say(2, Request::Show(J1)), ["c2 <- refused: there is no job j1"]);
    assert_eq!(bench.recorded(2), ["c1 <- j1 queued 0/10", "spawn w1 in 0"]);
    assert_eq!(bench.say(2, Request::Show(J1)), ["c2 <- j1 queued 0/10"]);
}

#[test]
fn it_goes_on_though_its_client_did_not_wait_for_the_record() {
    let mut bench = fresh(durable());
    bench.submit(1, detached("0..10", 2));
    assert_eq!(bench.gone(1), NOTHING);
    assert_eq!(bench.recorded(2), ["spawn w1 in 0"]);
}

#[test]
fn one_that_the_store_refuses_never_was() {
    let mut bench = fresh(durable());
    bench.submit(1, detached("0..10", 2));
    assert_eq!(bench.refused(2, FULL), ["c1 <- refused: could not record the job: no space left on device"]);
    assert_eq!(bench.say(1, Request::Jobs { all: true, after: None }), ["c1 <- "]);
    assert_eq!(bench.view_status().store_error.as_deref(), Some(FULL));
    let attached = bench.submit(1, request("0..10", 2));
    assert_eq!(attached, ["spawn w1 in 0"], "an attached job needs no store");
    assert_eq!(bench.submit(2, detached("0..10", 2)), ["record 3: jobs j3"], "the next one tries again");
    assert_eq!(bench.recorded(3), ["c2 <- j3 queued 0/10"]);
    assert_eq!(bench.view_status().store_error, None);
}

#[test]
fn without_a_store_nothing_is_recorded() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.submit(1, detached("0..10", 2)), ["c1 <- j1 queued 0/10", "spawn w1 in 0"]);
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.partial(1, "j1/1.1"), ["to w1: forget j1"]);
    assert_eq!(bench.later(10_000), NOTHING);
}

#[test]
fn an_end_is_told_when_it_is_recorded() {
    let mut bench = running();
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.partial(1, "j1/1.1"), ["to w1: forget j1", "record 3: outcomes j1, no progress j1"]);
    assert_eq!(bench.say(3, Request::Show(J1)), ["c3 <- j1 running 10/10"], "nobody knows before");
    assert_eq!(bench.say(3, Request::Result(J1)), ["c3 <- refused: j1 has no result yet: it is running"]);
    assert_eq!(bench.say(3, Request::Pause(J1)), ["c3 <- refused: could not pause j1: it is ending"]);
    assert_eq!(bench.say(3, Request::Retry(J1)), ["c3 <- refused: could not retry j1: it is running"]);
    assert_eq!(bench.say(3, Request::Wait(vec![J1])), NOTHING);
    assert_eq!(bench.say(4, Request::Cancel { jobs: vec![J1], all: false }), NOTHING);
    assert_eq!(bench.recorded(3), ["c2 <- j1 done sum=45", "c3 <- j1 done sum=45", "c4 <- j1 done sum=45"]);
}

#[test]
fn an_end_that_the_store_refuses_is_told_all_the_same_and_offered_again() {
    let mut bench = running();
    bench.partial(1, "j1/0.1");
    bench.partial(1, "j1/1.1");
    assert_eq!(bench.refused(3, FULL), ["c2 <- j1 done sum=45"]);
    assert_eq!(bench.view(1).stored, Some(false));
    assert_eq!(bench.view_status().unrecorded, 1);
    assert_eq!(bench.later(999), NOTHING);
    assert_eq!(bench.later(1), ["record 4: outcomes j1, no progress j1"]);
    assert_eq!(bench.refused(4, FULL), NOTHING);
    assert_eq!(bench.later(1_000), ["record 5: outcomes j1, no progress j1"]);
    assert_eq!(bench.recorded(5), NOTHING);
    assert_eq!((bench.view(1).stored, bench.view_status().unrecorded), (None, 0));
}

#[test]
fn progress_is_recorded_now_and_then_and_one_record_at_a_time() {
    let mut bench = fresh(durable());
    bench.submit(1, detached("0..100", 20));
    bench.recorded(2);
    bench.ready(1);
    let records = |mut lines: Vec<String>| {
        lines.retain(|line| line.starts_with("record"));
        lines
    };
    assert_eq!(bench.later(50), NOTHING);
    assert_eq!(records(bench.partial(1, "j1/0.1")), NOTHING);
    assert_eq!(records(bench.partial(1, "j1/1.1")), NOTHING);
    assert_eq!(bench.later(49), NOTHING);
    assert_eq!(bench.later(1), ["record 3: progress j1"], "a hundred milliseconds after the last record");
    assert_eq!(records(bench.partial(1, "j1/2.1")), NOTHING);
    assert_eq!(bench.later(500), NOTHING, "the store has not answered");
    assert_eq!(bench.recorded(3), ["record 4: progress j1"]);
    let saved = bench.saved();
    assert_eq!(saved.jobs[0].progress.as_ref().map(|progress| progress.covered.clone()), Some(vec![(0, 10)]));
    bench.recorded(4);
    assert_eq!(bench.later(5_000), NOTHING, "nothing new, nothing recorded");
}

#[test]
fn a_pause_is_answered_when_it_is_recorded() {
    let mut bench = running();
    assert_eq!(bench.say(3, Request::Pause(J1)), ["record 3: progress j1"]);
    assert_eq!(bench.recorded(3), ["c3 <- j1 paused 0/10"]);
    assert_eq!(bench.say(3, Request::Resume(J1)), ["record 4: progress j1"]);
    let refused = "c3 <- refused: could not record that j1 is running, which a crash would take back: ";
    assert_eq!(bench.refused(4, FULL), [format!("{refused}{FULL}")]);
    assert_eq!(bench.view(1).state, JobState::Running, "but it holds for now");
}

#[test]
fn a_retry_takes_the_end_back() {
    let mut bench = running();
    bench.partial(1, "j1/0.1");
    assert_eq!(
        bench.say(3, Request::Cancel { jobs: vec![J1], all: false }),
        ["to w1: cancel j1/1.1", "to w1: forget j1", "record 3: progress j1, outcomes j1"]
    );
    bench.recorded(3);
    bench.cancelled(1, "j1/1.1");
    assert_eq!(
        bench.say(3, Request::Retry(J1)),
        ["to w1: job j1", "to w1: lease j1/1.2 5+5", "record 4: no outcomes j1, progress j1"]
    );
    assert_eq!(bench.recorded(4), ["c3 <- j1 running 5/10"]);
    let mut next = bench.restarted(durable());
    next.ready(2);
    assert_eq!(next.first_lease(2).as_deref(), Some("j1/1.1"));
}

#[test]
fn an_attached_job_that_is_retried_is_recorded_from_then_on() {
    let mut bench = fresh(durable());
    bench.submit(1, request("0..10", 2));
    bench.say(2, Request::Cancel { jobs: vec![J1], all: false });
    assert_eq!(bench.say(2, Request::Retry(J1)), ["record 2: jobs j1, no outcomes j1, progress j1"]);
    bench.recorded(2);
    assert_eq!(bench.restarted(durable()).view(1).state, JobState::Queued);
}

#[test]
fn the_next_supervisor_goes_on_from_what_was_recorded() {
    let mut bench = fresh(durable());
    bench.submit(1, JobRequest { timeout_ms: Some(5_000), ..detached("0..100", 10) });
    bench.recorded(2);
    bench.ready(1);
    bench.later(100);
    bench.partial(1, "j1/0.1");
    assert_eq!(bench.recorded(3), NOTHING);
    bench.partial(1, "j1/1.1");
    let mut next = bench.restarted(Settings { wall_ms_at_zero: 1_002_000, ..durable() });
    assert_eq!(next.actions(), ["spawn w2 in 0", "record 1: ids"], "names of workers go on, too");
    let lines = next.ready(2);
    assert_eq!(lines[1], "to w2: lease j1/1.1 10+10", "what was not recorded is done again, nothing else");
    let view = next.view(1);
    assert_eq!((view.elements_done.as_str(), view.partitions.done), ("10", 1));
    assert_eq!((view.submitted_at_ms, view.elapsed_ms), (1_000_000, 2_000));
    assert_eq!(view.workers[0].elements, "10");
    for partition in 1..10 {
        next.partial(2, &format!("j1/{partition}.1"));
    }
    next.recorded(2);
    next.recorded(3);
    assert_eq!(next.say(1, Request::Show(J1)), ["c1 <- j1 done sum=4950"]);
}

#[test]
fn deadlines_go_by_the_wall_clock() {
    let mut bench = fresh(durable());
    bench.submit(1, JobRequest { timeout_ms: Some(5_000), ..detached("0..100", 10) });
    bench.recorded(2);
    let mut next = bench.restarted(Settings { wall_ms_at_zero: 1_004_000, ..durable() });
    next.actions();
    assert_eq!(next.later(999), NOTHING);
    let lines = next.later(1);
    assert_eq!(next.view(1).state, JobState::Running, "its end is not recorded yet");
    assert!(lines.iter().any(|line| line.contains("outcomes j1")), "{lines:?}");
    next.recorded(2);
    assert_eq!(next.view(1).state, JobState::TimedOut);
}

#[test]
fn paused_stays_paused_and_the_order_stays_the_order() {
    let mut bench = fresh(durable());
    for (client, priority) in [(1, 0), (2, 0), (3, 5), (4, 0)] {
        bench.submit(client, JobRequest { priority: Some(priority), ..detached("0..10", 2) });
        bench.recorded(client + 1);
    }
    bench.say(1, Request::Pause(J1));
    bench.recorded(6);
    let mut next = bench.restarted(durable());
    assert_eq!(next.view(1).state, JobState::Paused);
    next.actions();
    next.ready(1);
    assert_eq!(next.first_lease(1).as_deref(), Some("j3/0.1"));
    next.partial(1, "j3/0.1");
    next.partial(1, "j3/1.1");
    assert_eq!(next.first_lease(1).as_deref(), Some("j2/0.1"));
}

#[test]
fn ended_jobs_are_shown_as_they_were_and_can_be_retried() {
    let mut bench = running();
    bench.partial(1, "j1/0.1");
    bench.say(3, Request::Cancel { jobs: vec![J1], all: false });
    bench.recorded(3);
    let before = bench.view(1);
    let mut next = bench.restarted(Settings { wall_ms_at_zero: 9_000_000, ..durable() });
    next.actions();
    next.recorded(1);
    assert_eq!(next.view(1), before);
    next.say(1, Request::Retry(J1));
    assert_eq!(next.recorded(2), ["c1 <- j1 running 5/10"]);
}

#[test]
fn no_id_is_given_twice() {
    let few = Settings { ids_ahead: 4, ..durable() };
    let mut bench = Bench::new(few.clone());
    bench.actions();
    assert_eq!(bench.submit(1, request("0..10", 1)), ["record 2: "], "its id may not be shown yet");
    assert_eq!(bench.recorded(1), NOTHING);
    assert_eq!(bench.recorded(2), ["spawn w1 in 0"]);
    for client in 2..=3 {
        bench.submit(client, request("0..10", 1));
    }
    assert_eq!(bench.say(4, Request::Jobs { all: false, after: None }).len(), 1);
    let mut next = bench.restarted(few);
    next.actions();
    next.recorded(1);
    next.submit(1, request("0..10", 1));
    assert!(next.machine.jobs.get(JobId(5)).is_some(), "1 to 4 were reserved, whether used or not");
}

#[test]
fn who_needs_many_ids_gets_more_at_once() {
    let mut bench = Bench::new(Settings { ids_ahead: 4, ..durable() });
    bench.actions();
    bench.recorded(1);
    let mut reservations = 0;
    let mut ticket = 2;
    for client in 1..=400 {
        bench.submit(client, request("0..10", 1));
        // The store is slow: it answers once somebody waits.
        while bench.machine.clients[&tally_protocol::ClientId(client)].pending
            == (crate::clients::Pending::Arrival { job: JobId(client) })
        {
            bench.recorded(ticket);
            ticket += 1;
            reservations += 1;
        }
    }
    assert!((5..20).contains(&reservations), "{reservations} for 400 jobs, where 4 at once would be 100");
}

#[test]
fn a_stop_leaves_recorded_jobs_for_the_next_start() {
    let mut bench = running();
    bench.submit(3, request("0..10", 2));
    bench.partial(1, "j1/0.1");
    let lines = bench.event(Event::StopNow);
    let going_on =
        "c2 <- refused: could not wait for j1: the daemon is stopping; j1 goes on at its next start";
    assert!(lines.contains(&going_on.to_owned()), "{lines:?}");
    assert!(lines.contains(&"c3 <- j2 cancelled: j2 was cancelled: the daemon is stopping".to_owned()));
    assert!(lines.contains(&"record 4: progress j1".to_owned()), "{lines:?}");
    assert_eq!(bench.view(2).error.map(|why| (why.code, why.exit)), Some((ErrorCode::Stopping, 4)));
    assert_eq!(bench.say(4, Request::Wait(vec![J1])), [going_on.replace("c2", "c4")]);
    assert_eq!(bench.exited(1, "killed by SIGTERM"), NOTHING, "the store has not answered");
    assert_eq!(bench.recorded(3), NOTHING);
    assert_eq!(bench.recorded(4), ["exit"]);
    let next = bench.restarted(durable());
    assert_eq!(next.view(1).elements_done, "5");
    assert_eq!(next.machine.jobs.named, 2, "a good end gives the ids back that nobody had");
}

#[test]
fn a_stop_that_cannot_wait_does_not() {
    let mut bench = running();
    bench.say(3, Request::Pause(J1));
    bench.submit(4, detached("0..10", 2));
    bench.event(Event::StopNow);
    let lines = bench.event(Event::StopNow);
    let why = "could not wait for the store: the daemon was told to end at once";
    assert_eq!(
        lines,
        [format!("c4 <- refused: {why}"), format!("c3 <- refused: {why}"), "kill w1".to_owned()]
    );
    assert_eq!(bench.exited(1, "killed by SIGKILL"), ["exit"]);
}

#[test]
fn a_stop_with_a_limit_waits_for_attached_jobs_only_and_a_drain_for_all_but_paused_ones() {
    let mut bench = running();
    let lines = bench.event(Event::StopRequested);
    assert!(lines.contains(&"term w1".to_owned()), "nobody needs the time: {lines:?}");
    let mut bench = running();
    bench.submit(3, detached("0..10", 2));
    bench.recorded(3);
    bench.say(3, Request::Pause(JobId(2)));
    bench.recorded(4);
    assert_eq!(bench.say(5, Request::Drain), ["c5 <- done"]);
    bench.partial(1, "j1/0.1");
    let lines = bench.partial(1, "j1/1.1");
    let end = ["to w1: forget j1", "record 5: ids", "to w1: quit", "record 6: outcomes j1, no progress j1"];
    assert_eq!(lines, end);
}

#[test]
fn ended_jobs_are_forgotten_by_number_and_by_age() {
    let mut bench =
        fresh(Settings { jobs_ended_max: 2, jobs_ended_age: Some(Span::ms(60_000)), ..durable() });
    for client in 1..=3 {
        bench.submit(client, detached("0..0", 1));
        bench.recorded(2 * client);
        bench.recorded(2 * client + 1);
        bench.later(1_000);
    }
    assert_eq!(bench.rows(Table::Jobs), [1, 2, 3]);
    assert_eq!(bench.recorded(8), NOTHING, "the first one was one too many");
    assert_eq!(bench.rows(Table::Jobs), [2, 3]);
    assert_eq!(bench.later(57_999), NOTHING);
    assert_eq!(bench.later(1), ["record 9: no jobs j2, no progress j2, no outcomes j2"]);
    assert_eq!(bench.refused(9, FULL), NOTHING);
    assert_eq!(bench.later(1_000), ["record 10: no jobs j2, no progress j2, no outcomes j2"]);
    assert_eq!(bench.recorded(10), ["record 11: no jobs j3, no progress j3, no outcomes j3"]);
    bench.recorded(11);
    assert_eq!(bench.rows(Table::Jobs), [0; 0]);
    assert_eq!(bench.machine.next_deadline(), None);
}

#[test]
fn a_job_that_means_nothing_any_more_fails_with_the_reason() {
    let mut bench = running();
    let mut saved = bench.saved();
    saved.jobs[0].spec = request("0..1", 1).check().unwrap();
    saved.jobs[0].spec.kernel.reductions.clear();
    saved.jobs[0].broken =
        Some(tally_protocol::error::Failure::new(ErrorCode::BadUsage, "no such reduction"));
    bench.machine = Machine::restore(Moment(0), durable(), saved);
    bench.now = Moment(0);
    bench.actions();
    bench.recorded(1);
    bench.recorded(2);
    assert_eq!(bench.say(1, Request::Show(J1)), ["c1 <- j1 failed: no such reduction"]);
    let lame = "c1 <- refused: could not retry j1: what it was asked means nothing to this program";
    assert_eq!(bench.say(1, Request::Retry(J1)), [lame]);
}

#[test]
fn a_hundred_thousand_jobs_come_back_and_one_more_costs_no_more() {
    let submission = |job| {
        Record::Submitted(Box::new(tally_protocol::record::Submission {
            files: Vec::new(),
            run_as: None,
            lightened: false,
            job: JobId(job),
            uid: 0,
            submitted_at_ms: 1_000_000,
            request: detached("0..10", 2),
        }))
    };
    let rows = (1..=100_000).flat_map(|job| submission(job).changes()).filter_map(|change| match change {
        tally_protocol::record::Change::Put(table, key, bytes) => Some((table, key, bytes)),
        tally_protocol::record::Change::Delete(..) => None,
    });
    let saved = Saved::read(rows);
    assert_eq!(saved.problems, Vec::<String>::new());
    let mut bench = Bench::new(settings(1));
    bench.machine = Machine::restore(Moment(0), durable(), saved);
    assert_eq!(bench.actions(), ["spawn w1 in 0", "record 1: ids"]);
    assert_eq!(bench.submit_unchecked(1, detached("0..10", 2)), ["record 2: jobs j100001"]);
    assert_eq!(bench.view_status().queued, 100_000);
}
