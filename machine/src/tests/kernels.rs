//! Jobs that have a command answer: workers of their own, attempts that break, and whose commands are run.

use std::sync::Arc;

use tally_protocol::command::{CommandRequest, RunAs};
use tally_protocol::control::Request;
use tally_protocol::job::JobRequest;
use tally_protocol::work::FromWorker;
use tally_protocol::{ClientId, JobId};

use super::bench::lease;
use super::{Bench, request, settings};
use crate::event::Event;
use crate::settings::Identity;
use crate::{Rights, Settings, Who};

const NOTHING: [&str; 0] = [];
const J1: JobId = JobId(1);

fn of_command(request: JobRequest, line: &str) -> JobRequest {
    let command = CommandRequest { line: Some(line.into()), ..CommandRequest::default() };
    JobRequest { command: Some(Arc::new(command)), ..request }
}

fn broke(name: &str, why: &str, for_good: bool) -> FromWorker {
    let (why, stderr) = (why.to_owned(), "last words".to_owned());
    FromWorker::Broke { lease: lease(name), why, stderr, hint: Some("try this".into()), for_good }
}

fn surplus(job: JobId) -> FromWorker {
    let (why, stderr) = ("said too much".to_owned(), "words".to_owned());
    FromWorker::Surplus { job, why, stderr, hint: Some("do".into()) }
}

/// One worker with the first of two partitions of 0..8.
fn begun(retries: u32) -> Bench {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, of_command(JobRequest { retries: Some(retries), ..request("0..8", 2) }, "./k"));
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+4", "to w1: lease j1/1.1 4+4"]);
    bench.started(1, "j1/0.1");
    bench
}

#[test]
fn a_broken_attempt_is_charged_and_its_worker_goes_on() {
    let mut bench = begun(3);
    assert_eq!(bench.said(1, broke("j1/0.1", "exited with status 3", false)), ["to w1: lease j1/0.2 0+4"]);
    assert_eq!(bench.partial(1, "j1/1.1"), NOTHING, "the other one is unharmed");
    let view = bench.view(1);
    assert_eq!((view.retries, view.partitions.done), (1, 1));
    let incident = &view.incidents[0];
    assert_eq!((incident.range.as_deref(), incident.attempt), (Some("0..4"), Some(1)));
    assert_eq!(incident.what, "exited with status 3");
    assert_eq!(incident.stderr.as_deref(), Some("last words"));
    assert_eq!(bench.partial(1, "j1/0.2"), ["to w1: quit"]);
    assert_eq!(bench.exited(1, "exited with status 0"), ["c1 <- j1 done sum=28"]);
}

#[test]
fn a_command_that_keeps_its_answer_is_asked_about() {
    let hint = "its command was given a line 6s ago and has not answered it";
    let mut bench = begun(3);
    let said = |bench: &Bench| bench.view(1).note.unwrap_or_default();
    // A warden gives signs of life, whatever its command does.
    let live = |bench: &mut Bench, name: &str, ms: u64| {
        for _ in 0..ms / 100 {
            bench.later(100);
            bench.said(1, FromWorker::Progress { lease: lease(name), done: 0 });
        }
    };
    live(&mut bench, "j1/0.1", 4_900);
    assert_eq!(said(&bench), "");
    live(&mut bench, "j1/0.1", 1_100);
    assert!(said(&bench).starts_with(hint) && said(&bench).contains("flush"), "{}", said(&bench));
    let told = bench.say(9, Request::Explain(J1)).concat();
    assert!(told.contains(hint), "{told}");
    bench.partial(1, "j1/0.1");
    live(&mut bench, "j1/1.1", 9_000);
    assert_eq!(said(&bench), "", "one that has answered takes its time");
}

#[test]
fn an_answer_is_told_when_all_who_have_answered_are_gone() {
    let mut bench = Bench::new(settings(3));
    bench.submit(1, of_command(request("0..8", 2), "./k"));
    bench.ready(1);
    bench.ready(2);
    bench.partial(1, "j1/0.1");
    let told = bench.partial(2, "j1/1.1");
    assert!(told.iter().all(|one| !one.contains("done")), "{told:?}");
    let told = bench.exited(1, "exited with status 0");
    assert!(told.iter().all(|one| !one.contains("done")), "{told:?}");
    let told = bench.exited(2, "exited with status 0");
    assert!(told.contains(&"c1 <- j1 done sum=28".to_owned()), "{told:?}");
}

#[test]
fn a_line_too_many_fails_the_job_though_all_of_it_is_answered() {
    let mut bench = begun(3);
    bench.partial(1, "j1/0.1");
    bench.partial(1, "j1/1.1");
    let told = bench.said(1, surplus(J1));
    assert!(told.contains(&"term w1".to_owned()), "{told:?}");
    assert_eq!(told.last().unwrap(), "c1 <- j1 failed: the command said too much");
    assert_eq!(bench.exited(1, "exited with status 0"), NOTHING);
    let failure = bench.view(1).error.unwrap();
    assert_eq!((failure.stderr.as_deref(), failure.hint.as_deref()), (Some("words"), Some("do")));
}

#[test]
fn nobody_fails_the_job_of_others() {
    let mut bench = begun(3);
    assert_eq!(bench.said(1, surplus(JobId(2))), NOTHING);
    bench.submit(2, request("0..4", 1));
    assert_eq!(bench.said(1, surplus(JobId(2))), NOTHING);
}

#[test]
fn a_cancel_does_not_wait_for_processes_that_are_ending() {
    let mut bench = begun(3);
    bench.partial(1, "j1/0.1");
    bench.partial(1, "j1/1.1");
    let told = bench.say(2, Request::Cancel { jobs: vec![J1], all: false });
    assert!(told.contains(&"term w1".to_owned()), "{told:?}");
}

#[test]
fn a_range_that_breaks_it_too_often_is_cut_down_to_what_is_guilty() {
    let mut bench = begun(1);
    bench.partial(1, "j1/1.1");
    let mut told = Vec::new();
    for _ in 0..20 {
        let Some(name) = bench.first_lease(1) else { break };
        bench.started(1, &name);
        told = bench.said(1, broke(&name, "killed by SIGKILL", false));
        if bench.view(1).state.is_over() {
            break;
        }
    }
    let end = "c1 <- j1 failed: the command failed once at range 3..4: killed by SIGKILL";
    assert_eq!(told.last().map(String::as_str), Some(end), "{told:?}");
    let failure = bench.view(1).error.unwrap();
    assert_eq!((failure.range.as_deref(), failure.stderr.as_deref()), (Some("3..4"), Some("last words")));
}

#[test]
fn what_breaks_for_good_ends_the_job_at_once() {
    let mut bench = begun(3);
    let told = bench.said(1, broke("j1/0.1", "run './k': there is no such program", true));
    assert_eq!(told.last().unwrap(), "c1 <- j1 failed: could not run './k': there is no such program");
    assert!(told.contains(&"term w1".to_owned()), "what it has begun is ended: {told:?}");
    assert_eq!(bench.view(1).retries, 0);
}

#[test]
fn a_worker_of_a_command_serves_one_job_and_goes_with_it() {
    let mut bench = Bench::new(settings(1));
    assert_eq!(bench.submit(1, of_command(request("0..8", 1), "./k")), ["spawn w1 in 0"]);
    bench.submit(2, of_command(request("0..4", 1), "./k"));
    bench.submit(3, request("0..2", 1));
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+8"], "and nothing of the others");
    let told = bench.partial(1, "j1/0.1");
    assert!(told.contains(&"to w1: quit".to_owned()), "{told:?}");
    assert_eq!(bench.exited(1, "exited with status 0"), ["c1 <- j1 done sum=28", "spawn w2 in 0"]);
    assert_eq!(bench.ready(2), ["to w2: job j2", "to w2: lease j2/0.1 0+4"]);
    bench.partial(2, "j2/0.1");
    assert_eq!(bench.exited(2, "exited with status 0"), ["c2 <- j2 done sum=6", "spawn w3 in 0"]);
    assert_eq!(bench.ready(3), ["to w3: job j3", "to w3: lease j3/0.1 0+2"]);
}

#[test]
fn a_cancelled_command_is_ended_at_once() {
    let mut bench = begun(3);
    let told = bench.say(2, Request::Cancel { jobs: vec![J1], all: false });
    assert!(told.contains(&"term w1".to_owned()), "{told:?}");
    assert_eq!(bench.exited(1, "exited with status 0"), NOTHING);
}

#[test]
fn very_many_jobs_with_commands_cost_no_more_each() {
    let mut bench = Bench::new(settings(2));
    for _ in 0..2_000 {
        bench.submit_unchecked(1, JobRequest { detach: true, ..of_command(request("0..4", 1), "./k") });
    }
    bench.machine.check();
    assert_eq!(bench.ready(1), ["to w1: job j1", "to w1: lease j1/0.1 0+4"]);
}

fn came(bench: &mut Bench, client: u64, uid: u32) {
    let who = Who { uid, rights: Rights::Operate };
    bench.event(Event::ClientCame { client: ClientId(client), who });
}

fn of_user(uid: u32) -> Settings {
    Settings { trusting: false, identity: Identity { uid, ..Identity::default() }, ..settings(1) }
}

#[test]
fn commands_of_others_are_refused_unless_the_daemon_is_root_s() {
    let mut bench = Bench::new(of_user(900));
    came(&mut bench, 1, 900);
    came(&mut bench, 2, 0);
    assert_eq!(bench.submit(1, of_command(request("0..8", 1), "./k")), ["spawn w1 in 0"]);
    let refused = bench.submit(2, of_command(request("0..8", 1), "./k"));
    assert!(refused[0].starts_with("c2 <- refused: not permitted: the daemon is user 900"), "{refused:?}");
    assert_eq!(bench.submit(2, request("0..8", 1)), NOTHING, "what is no command is taken");
    let mut bench = Bench::new(of_user(0));
    came(&mut bench, 1, 1000);
    assert_eq!(bench.submit(1, of_command(request("0..8", 1), "./k")), ["spawn w1 in 0"]);
}

#[test]
fn commands_of_nobody_known_are_not_run_after_a_restart() {
    let durable = |uid| Settings { durable: true, ..of_user(uid) };
    let asked = || JobRequest { detach: true, ..of_command(request("0..8", 1), "./k") };
    let submit = |run_as: Option<RunAs>| {
        let mut bench = Bench::new(durable(0));
        came(&mut bench, 1, 1000);
        let mut spec = asked().check().unwrap();
        spec.kernel.command.as_mut().unwrap().run_as = run_as;
        bench.say(1, Request::Submit(Box::new(spec)));
        bench.recorded(1);
        bench.recorded(2);
        bench
    };
    let ann = RunAs { uid: 1000, gid: 1000, groups: vec![7] };
    let mut next = submit(Some(ann.clone())).restarted(durable(0));
    let first = next.actions();
    assert!(first.contains(&"spawn w1 in 0".to_owned()), "{first:?}");
    let command = next.machine.jobs.get(J1).unwrap().spec.kernel.command.clone().unwrap();
    assert_eq!((command.run_as, command.words), (Some(ann), vec!["./k".to_owned()]));
    for run_as in [None, Some(RunAs { uid: 0, gid: 0, groups: Vec::new() })] {
        let mut next = submit(run_as).restarted(durable(0));
        next.actions();
        (1..=3).for_each(|ticket| drop(next.recorded(ticket)));
        let error = next.view(1).error.unwrap();
        assert!(error.message.contains("as whom its command runs is not known"), "{error}");
    }
}

#[test]
fn who_waits_for_a_command_that_takes_long_gets_a_place_beside() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, of_command(request("0..8", 1), "./k"));
    bench.ready(1);
    bench.started(1, "j1/0.1");
    assert_eq!(bench.submit(2, request("0..2", 1)), NOTHING, "it may end at any moment");
    assert_eq!(bench.later(2_000), ["spawn w2 in 1"]);
    assert_eq!(bench.later(2_000), NOTHING, "one kind of worker serves all jobs that want it");
    assert_eq!(bench.ready(2), ["to w2: job j2", "to w2: lease j2/0.1 0+2"]);
    assert_eq!(bench.partial(2, "j2/0.1"), ["to w2: forget j2", "c2 <- j2 done sum=1"]);
    assert_eq!(bench.submit(3, request("0..3", 1)), ["to w2: job j3", "to w2: lease j3/0.1 0+3"]);
    assert_eq!(bench.partial(2, "j3/0.1"), ["to w2: forget j3", "c3 <- j3 done sum=3"]);
    let told = bench.partial(1, "j1/0.1");
    assert_eq!(told, ["to w1: quit", "to w2: quit"]);
    bench.exited(2, "exited with status 0");
    assert_eq!(bench.exited(1, "exited with status 0"), ["c1 <- j1 done sum=28"]);
    assert_eq!(bench.workers(), ["empty"], "the place beside is gone");
    assert_eq!(bench.submit(4, request("0..4", 1)), ["spawn w3 in 0"]);
}

#[test]
fn commands_that_hang_get_as_many_places_beside_as_there_are() {
    let mut bench = Bench::new(settings(2));
    for client in 1..=5 {
        bench.submit(client, of_command(request("0..8", 1), "./k"));
    }
    bench.ready(1);
    bench.ready(2);
    assert_eq!(bench.later(3_000), ["spawn w3 in 2", "spawn w4 in 3"]);
    bench.ready(3);
    bench.ready(4);
    bench.submit(6, request("0..2", 1));
    assert_eq!(bench.later(3_000), ["spawn w5 in 4"], "what serves everybody has a place all the same");
}

#[test]
fn nobody_gets_a_place_beside_what_is_more_urgent() {
    let mut bench = Bench::new(settings(1));
    bench.submit(1, JobRequest { priority: Some(5), ..of_command(request("0..8", 1), "./k") });
    bench.ready(1);
    bench.submit(2, request("0..2", 1));
    assert_eq!(bench.later(4_000), NOTHING);
}
