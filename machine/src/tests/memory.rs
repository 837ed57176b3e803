//! What one user's jobs may make the supervisor hold: old answers go first, then the job that grows, or the new one.

use std::sync::Arc;

use tally_protocol::command::{CommandRequest, Variables};
use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;
use tally_protocol::{ClientId, JobId, limits};

use super::{Bench, request, settings};
use crate::event::Event;
use crate::{Rights, Settings, Who};

const ANNA: u32 = 1000;

/// Clients 1 (Anna, bounded) and 2 (an operator of the same user).
fn house() -> Bench {
    let mut bench = Bench::new(Settings { trusting: false, ..settings(1) });
    for (client, rights) in [(1, Rights::Own), (2, Rights::Operate)] {
        bench.event(Event::ClientCame { client: ClientId(client), who: Who { uid: ANNA, rights } });
    }
    bench
}

fn bound(bench: &mut Bench, bytes: u64) {
    let memory_per_user_bytes = Some(bytes);
    bench.event(Event::Reload(Box::new(Settings { memory_per_user_bytes, ..settings(1) })));
}

fn held(bench: &Bench) -> u64 {
    bench.machine.jobs.held_by(ANNA)
}

fn detached(range: &str) -> JobRequest {
    JobRequest { detach: true, ..request(range, 2) }
}

fn product(range: &str) -> JobRequest {
    JobRequest { reductions: vec!["product".into()], ..detached(range) }
}

/// Takes a job to its end.
fn run(bench: &mut Bench, job: u64) {
    for partition in 0..2 {
        bench.partial(1, &format!("j{job}/{partition}.1"));
    }
    assert_eq!(bench.view(job).state.name(), "done");
}

#[test]
fn a_new_job_needs_room_and_operators_have_it() {
    let mut bench = house();
    bench.submit(1, detached("0..10"));
    let one = held(&bench);
    assert!(one > 0);
    bound(&mut bench, one + one / 2);
    let lines = bench.submit(1, detached("0..10"));
    assert!(lines[0].starts_with("c1 <- refused: could not take one more job of user 1000: "), "{lines:?}");
    assert_eq!(held(&bench), one, "nothing of it is left");
    let lines = bench.submit(2, detached("0..10"));
    assert!(!lines[0].contains("refused"), "{lines:?}");
    bound(&mut bench, 9 * one);
    let lines = bench.submit(1, detached("0..10"));
    assert!(!lines[0].contains("refused"), "{lines:?}");
}

#[test]
fn old_answers_make_room() {
    let mut bench = house();
    for job in 1..=2 {
        bench.submit(1, detached("0..10"));
        if job == 1 {
            bench.ready(1);
        }
        run(&mut bench, job);
    }
    let two = held(&bench);
    bound(&mut bench, two + 10);
    let lines = bench.submit(1, detached("0..10"));
    assert!(!lines[0].contains("refused"), "{lines:?}");
    let known = |job: u64| bench.machine.jobs.get(tally_protocol::JobId(job)).is_some();
    assert_eq!([known(1), known(2), known(3)], [false, true, true], "the oldest one goes");
}

#[test]
fn a_job_that_grows_beyond_fails_and_lets_go_of_what_it_had() {
    let mut bench = house();
    bench.submit(1, product("1..=20000"));
    bench.ready(1);
    let before = held(&bench);
    bound(&mut bench, before + 2_000);
    bench.partial(1, "j1/0.1");
    let view = bench.view(1);
    assert_eq!(view.state.name(), "failed");
    let failure = view.error.expect("why");
    assert!(
        failure.message.starts_with("could not go on with j1: what the jobs of user 1000"),
        "{failure:?}"
    );
    assert!(held(&bench) <= before, "{} of {before}", held(&bench));
    // Somebody who operates is not bound.
    bench.submit(2, product("1..=20000"));
    bench.cancelled(1, "j1/1.1");
    for partition in 0..2 {
        bench.partial(1, &format!("j2/{partition}.1"));
    }
    assert_eq!(bench.view(2).state.name(), "done");
}

#[test]
fn nobody_but_operators_lifts_the_limit_of_workers() {
    let mut bench = house();
    let mut strict = settings(1);
    strict.profile.memory_limit_bytes = Some(64 << 20);
    bench.event(Event::Reload(Box::new(strict)));
    let with = |mib: u64| JobRequest { memory_limit_bytes: Some(mib << 20), ..detached("0..10") };
    let refused =
        "c1 <- refused: not permitted: user 1000 may let workers have 64 MiB of memory at the most, not 65";
    assert_eq!(bench.submit(1, with(65)), [refused]);
    for (client, mib) in [(1, 64), (1, 32), (2, 8192)] {
        let lines = bench.submit(client, with(mib));
        assert!(!lines[0].contains("refused"), "{lines:?}");
    }
}

/// A job of a command that comes with so many bytes of an environment, of the words of `what`.
fn surrounded(what: &str, bytes: usize) -> JobRequest {
    let command = CommandRequest {
        line: Some("./k".into()),
        environment: [format!("A={}", what.repeat(bytes / what.len()))].into(),
        ..CommandRequest::default()
    };
    JobRequest { command: Some(Arc::new(command)), ..detached("0..8") }
}

fn environment(bench: &Bench, job: u64) -> Variables {
    let job = bench.machine.jobs.get(JobId(job)).expect("it is known");
    let request = job.spec.request.command.as_ref().expect("it has a command");
    let kernel = job.spec.kernel.command.as_ref().expect("it has one");
    assert!(Arc::ptr_eq(request, &kernel.request), "one request for both");
    Arc::clone(&request.environment)
}

#[test]
fn equal_environments_are_there_once() {
    let mut bench = house();
    for what in ["x", "x", "y"] {
        bench.submit(2, surrounded(what, 1_000));
    }
    assert!(Arc::ptr_eq(&environment(&bench, 1), &environment(&bench, 2)));
    assert!(!Arc::ptr_eq(&environment(&bench, 1), &environment(&bench, 3)));
}

#[test]
fn a_job_that_is_done_has_no_environment_any_more() {
    let mut bench = house();
    bench.submit(1, surrounded("x", 100_000));
    bench.ready(1);
    assert!(held(&bench) > 100_000);
    for partition in 0..2 {
        bench.partial(1, &format!("j1/{partition}.1"));
    }
    bench.exited(1, "exited with status 0");
    assert_eq!(bench.view(1).state.name(), "done");
    assert!(environment(&bench, 1).is_empty());
    assert!(held(&bench) < 100_000, "{}", held(&bench));
}

#[test]
fn of_jobs_that_could_be_retried_the_newest_keep_their_environments() {
    let mut bench = house();
    let (bytes, most) = (400_000, limits::ENDED_ENVIRONMENTS_BYTES_MAX as u64);
    let jobs = most / bytes + 5;
    for job in 1..=jobs {
        bench.submit(1, surrounded(&format!("{job} "), usize::try_from(bytes).unwrap()));
    }
    assert!(held(&bench) > most);
    for job in 1..=jobs {
        bench.say(1, Request::Cancel { jobs: vec![JobId(job)], all: false });
    }
    assert!(held(&bench) < most + jobs * 10_000, "{}", held(&bench));
    let gone = "c1 <- refused: could not retry j1: the environment of its command was let go after its end; \
                submit it again";
    assert_eq!(bench.say(1, Request::Retry(JobId(1))), [gone]);
    assert!(environment(&bench, 1).is_empty());
    let kept = environment(&bench, jobs);
    assert_eq!(kept.len(), 1, "the newest one has it");
    let lines = bench.say(1, Request::Retry(JobId(jobs)));
    assert!(!lines[0].contains("refused"), "{lines:?}");
    assert!(Arc::ptr_eq(&environment(&bench, jobs), &kept));
}
