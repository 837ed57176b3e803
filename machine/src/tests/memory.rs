//! What one user's jobs may make the supervisor hold: old answers go first, then the job that grows, or the new one.

use tally_protocol::ClientId;
use tally_protocol::job::JobRequest;

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
