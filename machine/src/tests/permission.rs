//! Who may do what: each request by each kind of client, and the limits of one user.

use tally_protocol::control::Request;
use tally_protocol::error::Failure;
use tally_protocol::job::JobRequest;
use tally_protocol::settings::ReloadView;
use tally_protocol::{ClientId, JobId};

use super::{Bench, request, settings};
use crate::event::Event;
use crate::{Rights, Settings, Who};

const NOTHING: [&str; 0] = [];
const J1: JobId = JobId(1);
const J2: JobId = JobId(2);

fn came(bench: &mut Bench, client: u64, uid: u32, rights: Rights) {
    let who = Who { uid, rights };
    assert_eq!(bench.event(Event::ClientCame { client: ClientId(client), who }), NOTHING);
}

/// Anna (user 1000) has j1, Ben (user 1001) has j2; client 3 reads, client 4 operates.
fn house() -> Bench {
    let mut bench = Bench::new(Settings { trusting: false, ..settings(1) });
    came(&mut bench, 1, 1000, Rights::Own);
    came(&mut bench, 2, 1001, Rights::Own);
    came(&mut bench, 3, 1002, Rights::Read);
    came(&mut bench, 4, 1003, Rights::Operate);
    for client in [1, 2] {
        bench.submit(client, JobRequest { detach: true, ..request("0..10", 2) });
    }
    bench.ready(1);
    bench
}

#[test]
fn a_job_of_somebody_else_is_not_there() {
    let mut bench = house();
    for ask in
        [Request::Show, Request::Explain, Request::Result, Request::Follow, Request::Pause, Request::Retry]
    {
        assert_eq!(bench.say(1, ask(J2)), ["c1 <- refused: there is no job j2"]);
    }
    let missing = ["c1 <- refused: there is no job j2"];
    assert_eq!(bench.say(1, Request::Wait(vec![J1, J2])), missing);
    assert_eq!(bench.say(1, Request::Cancel { jobs: vec![J1, J2], all: false }), missing);
    assert_eq!(bench.say(1, Request::Reprioritize { job: J2, priority: 9 }), missing);
    assert_eq!(bench.say(1, Request::Jobs { all: true, after: None }), ["c1 <- j1 running 0/10"]);
    assert_eq!(
        bench.say(3, Request::Jobs { all: true, after: None }),
        ["c3 <- j1 running 0/10; j2 running 0/10"]
    );
}

#[test]
fn cancel_all_is_all_of_ones_own() {
    let mut bench = house();
    bench.say(1, Request::Cancel { jobs: vec![], all: true });
    let states = |bench: &Bench| [1, 2].map(|job| bench.view(job).state.name());
    assert_eq!(states(&bench), ["cancelled", "running"]);
    assert_eq!(bench.say(3, Request::Cancel { jobs: vec![], all: true }), ["c3 <- "]);
    bench.say(4, Request::Cancel { jobs: vec![], all: true });
    assert_eq!(states(&bench), ["cancelled", "cancelled"]);
}

#[test]
fn who_reads_may_look_and_not_touch() {
    let mut bench = house();
    assert_eq!(bench.say(3, Request::Show(J2)), ["c3 <- j2 running 0/10"]);
    let refused = ["c3 <- refused: not permitted: j2 is a job of user 1001, you are user 1002"];
    assert_eq!(bench.say(3, Request::Pause(J2)), refused);
    assert_eq!(bench.say(3, Request::Cancel { jobs: vec![J2], all: false }), refused);
    assert_eq!(bench.say(4, Request::Pause(J2)), ["c4 <- j2 paused 0/10"]);
}

#[test]
fn only_operators_change_the_daemon() {
    let mut bench = house();
    let grave = [
        (Request::Stop { now: true }, "stop the daemon"),
        (Request::Drain, "drain the daemon"),
        (Request::Dump, "dump the state of the daemon"),
        (Request::Reload, "reload the configuration"),
        (Request::Upgrade { binary: None }, "upgrade the daemon"),
    ];
    for (request, what) in grave {
        for (client, user) in [(1, 1000), (3, 1002)] {
            let refused = format!("c{client} <- refused: not permitted: user {user} may not {what}");
            assert_eq!(bench.say(client, request.clone()), [refused]);
        }
    }
    for request in [Request::Status, Request::Ping, Request::Workers, Request::Config, Request::Metrics] {
        let lines = bench.say(1, request);
        assert!(!lines[0].contains("refused"), "{lines:?}");
    }
}

#[test]
fn what_workers_do_for_others_is_not_shown() {
    let mut bench = house();
    let stranger = Who { uid: 7, rights: Rights::Own };
    assert!(
        bench
            .machine
            .workers_for(stranger, 0, u64::MAX)
            .iter()
            .all(|worker| worker.job.is_none() && worker.range.is_none())
    );
    assert_eq!(bench.machine.workers()[0].job, Some(J1));
    came(&mut bench, 9, 7, Rights::Own);
    bench.submit(9, JobRequest { detach: true, ..request("0..10", 1) });
    let lines = bench.say(9, Request::Explain(JobId(3)));
    assert!(!lines[0].contains("j1") && !lines[0].contains("j2"), "{lines:?}");
}

#[test]
fn a_client_that_nobody_announced_has_its_own_jobs_only() {
    let mut bench = house();
    assert_eq!(bench.say(7, Request::Show(J1)), ["c7 <- refused: there is no job j1"]);
}

#[test]
fn a_user_has_a_limit_and_operators_have_none() {
    let mut bench = house();
    let small = Settings { jobs_open_per_user_max: 1, ..settings(1) };
    bench.event(Event::Reload(Box::new(small)));
    let refused = "c1 <- refused: could not take one more job of user 1000: 1 are open, the most is 1";
    assert_eq!(bench.submit(1, request("0..3", 1)), [refused]);
    bench.say(1, Request::Cancel { jobs: vec![J1], all: false });
    assert!(!bench.submit(1, request("0..3", 1)).contains(&refused.to_owned()));
    for _ in 0..3 {
        let lines = bench.submit(4, JobRequest { detach: true, ..request("0..3", 1) });
        assert!(!lines[0].contains("refused"), "{lines:?}");
    }
}

#[test]
fn a_reload_changes_what_comes_and_not_what_runs() {
    let mut bench = house();
    assert_eq!(bench.say(4, Request::Reload), ["reload for c4"]);
    let new = Settings { retries: 7, priority: 3, ..settings(2) };
    let lines = bench.event(Event::Reload(Box::new(new)));
    assert_eq!(lines, ["spawn w2 in 1"], "one more worker, and nobody is disturbed");
    let result = Ok(ReloadView::default());
    let told = bench.event(Event::Reloaded { client: ClientId(4), result });
    assert_eq!(told, ["c4 <- reloaded: nothing has changed"]);
    bench.submit(4, JobRequest { detach: true, ..request("0..10", 2) });
    assert_eq!([bench.view(1).priority, bench.view(3).priority], [0, 3]);
    let retries = |id: u64| bench.machine.jobs.get(JobId(id)).map(|job| job.retries_max);
    assert_eq!([retries(1), retries(3)], [Some(3), Some(7)]);
    let few = bench.event(Event::Reload(Box::new(settings(1))));
    assert_eq!(few, ["term w2"], "the one that was only starting");
    assert_eq!(bench.first_lease(1).as_deref(), Some("j1/0.1"));
}

#[test]
fn a_bad_configuration_is_refused_to_the_one_who_asked() {
    let mut bench = house();
    bench.say(4, Request::Reload);
    let why = Failure::new(tally_protocol::error::ErrorCode::BadUsage, "could not reload: workers is 0");
    let told = bench.event(Event::Reloaded { client: ClientId(4), result: Err(why) });
    assert_eq!(told, ["c4 <- refused: could not reload: workers is 0"]);
    bench.say(4, Request::Reload);
    bench.gone(4);
    let late = Event::Reloaded { client: ClientId(4), result: Ok(ReloadView::default()) };
    assert_eq!(bench.event(late), NOTHING);
}

#[test]
fn an_upgrade_is_for_the_shell_to_answer() {
    let mut bench = house();
    assert_eq!(bench.say(4, Request::Upgrade { binary: None }), ["upgrade for c4"]);
    assert_eq!(bench.say(4, Request::Ping), ["c4 <- done"]);
}

#[test]
fn a_job_can_be_moved_up() {
    let mut bench = Bench::new(settings(1));
    for client in 1..=3 {
        bench.submit(client, request("0..10", 1));
    }
    assert_eq!(bench.say(9, Request::Reprioritize { job: JobId(3), priority: 1 }), ["c9 <- j3 queued 0/10"]);
    bench.ready(1);
    assert_eq!(bench.first_lease(1).as_deref(), Some("j3/0.1"));
    bench.say(9, Request::Cancel { jobs: vec![J1], all: false });
    assert_eq!(
        bench.say(9, Request::Reprioritize { job: J1, priority: 1 }),
        ["c9 <- refused: could not reprioritize j1: it is cancelled already"]
    );
}
