//! What is shown: explanations, slots, status, the dump.

use tally_protocol::JobId;
use tally_protocol::control::Request;
use tally_protocol::job::{JobRequest, JobState};

use super::{Bench, request, settings};
use crate::event::Event;
use crate::{Moment, Settings};

fn why(bench: &mut Bench, job: u64) -> String {
    let line = bench.say(99, Request::Explain(JobId(job))).remove(0);
    line.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn explain_tells_why_a_job_waits() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..10", 1));
    assert_eq!(why(&mut bench, 1), "no worker is ready: slot 0 is starting");
    bench.ready(1);
    assert_eq!(why(&mut bench, 1), "it runs on 1 worker / all its partitions are leased");
    bench.submit(2, request("0..10", 4));
    bench.submit(3, request("0..10", 4));
    assert_eq!(why(&mut bench, 3), "the only worker is busy with jobs of higher or equal priority: j1, j2");
    bench.say(98, Request::Pause(JobId(3)));
    assert_eq!(why(&mut bench, 3), "it is paused; 'tally resume j3' lets it go on");
    bench.event(Event::StopRequested);
    assert!(why(&mut bench, 3).ends_with(" / the daemon is draining"));
    assert_eq!(bench.say(99, Request::Explain(JobId(7))), ["c99 <- refused: there is no job j7"]);
}

#[test]
fn explain_tells_why_a_job_failed() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, JobRequest { retries: Some(0), ..request("0..10", 1) });
    bench.ready(1);
    bench.started(1, "j1/0.1");
    bench.exited(1, "killed by SIGSEGV");
    assert_eq!(
        why(&mut bench, 1),
        "it is over: failed / range 0..10 killed 1 worker (killed by SIGSEGV) / \
         its partials are kept; 'tally retry j1' goes on from them"
    );
}

#[test]
fn explain_tells_of_back_offs_and_limits() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, JobRequest { workers: Some(1), ..request("0..10", 4) });
    for worker in 1..=6 {
        bench.exited(worker, "exited with status 1");
    }
    let text = why(&mut bench, 1);
    assert!(text.starts_with("no worker is ready: slot 0 backs off for "), "{text}");
    assert!(
        text.ends_with(" after 6 deaths / the last 6 starts of such a worker failed: exited with status 1"),
        "{text}"
    );
    bench.later(100);
    bench.ready(7);
    assert_eq!(why(&mut bench, 1), "it runs on 1 worker / it may have no more than 1 worker");
}

#[test]
fn slots_are_shown_with_what_is_in_them() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("3..10", 1));
    bench.ready(1);
    let views = bench.machine.workers();
    assert_eq!((views[0].pid, views[0].job, views[0].leases), (Some(101), Some(JobId(1)), 1));
    assert_eq!(views[0].range.as_deref(), Some("3..10"));
    assert_eq!(bench.workers(), ["busy", "empty"]);
}

#[test]
fn a_job_is_shown_with_its_times_and_counts() {
    let mut bench = Bench::new(Settings { wall_ms_at_zero: 5_000, ..settings(1) });
    bench.later(10);
    bench.submit(1, request("0..100", 10));
    bench.ready(1);
    bench.later(1_000);
    bench.partial(1, "j1/0.1");
    let view = bench.view(1);
    assert_eq!((view.submitted_at_ms, view.elapsed_ms), (5_010, 1_000));
    assert_eq!((view.rate_per_s, view.eta_ms), (Some(10), Some(9_000)));
    assert_eq!(view.partitions.total, Some(10));
    assert_eq!(view.partitions.done + view.partitions.leased + view.partitions.queued, 10);
    assert_eq!(view.mode, "processes");
}

#[test]
fn a_job_whose_workers_went_to_another_has_no_pace() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, request("0..100", 10));
    bench.ready(1);
    bench.later(1_000);
    bench.submit(2, JobRequest { priority: Some(9), ..request("0..100", 10) });
    bench.partial(1, "j1/0.1");
    for _ in 0..8 {
        if bench.view(1).partitions.leased == 0 {
            break;
        }
        let lease = bench.first_lease(1).unwrap();
        bench.later(100);
        bench.partial(1, &lease);
    }
    assert_eq!(bench.view(1).partitions.leased, 0, "{:?}", bench.first_lease(1));
    let (starved, other) = (bench.view(1), bench.view(2));
    assert_eq!((starved.state, starved.rate_per_s, starved.eta_ms), (JobState::Running, Some(0), None));
    assert!(other.partitions.leased > 0, "{other:?}");
}

#[test]
fn status_counts_everything() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..10", 1));
    bench.submit(2, request("0..10", 1));
    bench.say(3, Request::Pause(JobId(2)));
    bench.ready(1);
    let status = bench.view_status();
    assert_eq!((status.queued, status.running, status.paused, status.ended), (0, 1, 1, 0));
    assert_eq!((status.slots, status.workers, status.clients), (2, 1, 3));
    assert_eq!(status.phase, "running");
}

#[test]
fn the_dump_is_json_and_tells_of_everything() {
    let mut bench = Bench::new(settings(2));
    bench.submit(1, request("0..10", 3));
    bench.ready(1);
    let dump = bench.machine.dump(Moment(7));
    for part in
        ["\"now_ns\":\"7\"", "\"state\":\"busy\"", "\"job\":\"j1\"", "\"partitions\":[{\"partition\":0"]
    {
        assert!(dump.contains(part), "{part} is not in {dump}");
    }
    let depth = dump.chars().fold(0_i32, |depth, c| match c {
        '{' | '[' => depth + 1,
        '}' | ']' => depth - 1,
        _ => depth,
    });
    assert_eq!(depth, 0);
}

#[test]
fn no_number_of_the_dump_is_beyond_what_every_reader_keeps() {
    let mut bench = Bench::new(Settings { answer_at_once_bytes: 1 << 20, ..settings(2) });
    bench.submit(1, request("0..18000000000000000000", 4));
    bench.submit(2, request("0..18000000000000000000", 4));
    bench.ready(1);
    let dump = bench.machine.dump(Moment(u64::MAX));
    assert!(dump.contains("\"count\":\"4500000000000000000\""), "{dump}");
    // Nothing here has a quote within a text: every second piece stands outside of them.
    let outside = dump.split('"').step_by(2);
    let numbers = outside.flat_map(|piece| piece.split(|c: char| !c.is_ascii_digit()));
    let most = numbers.filter_map(|digits| digits.parse::<u64>().ok()).max().unwrap();
    assert!(most <= 1 << 53, "{most} in {dump}");
}
