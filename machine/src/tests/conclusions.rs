//! Jobs whose answers take long to work out: the shell does it, and the machine goes on meanwhile.

use tally_protocol::JobId;
use tally_protocol::answers::Answers;
use tally_protocol::control::Request;
use tally_protocol::job::JobState;

use super::{Bench, request, settings};
use crate::event::Event;
use crate::settings::Settings;

/// A machine to which everything is heavy, with one job that is folded.
fn folded() -> Bench {
    let mut bench = Bench::new(Settings { answer_at_once_bytes: 0, ..settings(1) });
    bench.submit(1, request("0..10", 1));
    bench.ready(1);
    assert_eq!(bench.partial(1, "j1/0.1").last().map(String::as_str), Some("conclude j1"));
    bench
}

/// The shell has the answers.
fn concluded(bench: &mut Bench, number: u64) -> Vec<String> {
    let partial = &bench.machine.jobs.get(JobId(1)).unwrap().partial;
    let answers = Box::new(Answers::of(partial, false));
    bench.event(Event::Concluded { job: JobId(1), number, answers })
}

#[test]
fn a_job_ends_when_its_answers_are_there() {
    let mut bench = folded();
    let view = bench.view(1);
    assert_eq!((view.state, view.elements_done.as_str()), (JobState::Running, "10"));
    assert_eq!(bench.say(2, Request::Ping), ["c2 <- done"]);
    let told = bench.say(2, Request::Explain(JobId(1))).join(" ");
    assert!(told.contains("its answer is being worked out"), "{told}");
    assert_eq!(concluded(&mut bench, 7), Vec::<String>::new(), "that is another one's");
    assert!(concluded(&mut bench, 1).contains(&"c1 <- j1 done sum=45".to_owned()));
    assert_eq!(concluded(&mut bench, 1), Vec::<String>::new(), "it has ended already");
}

#[test]
fn it_can_end_otherwise_before() {
    let mut bench = folded();
    bench.say(2, Request::Cancel { jobs: vec![JobId(1)], all: false });
    assert_eq!(bench.view(1).state, JobState::Cancelled);
    assert_eq!(concluded(&mut bench, 1), Vec::<String>::new());
    assert_eq!(bench.view(1).state, JobState::Cancelled);
    // Nothing has to be folded again; what comes late does not count.
    assert!(bench.say(2, Request::Retry(JobId(1))).contains(&"conclude j1".to_owned()));
    concluded(&mut bench, 1);
    assert_eq!(bench.view(1).state, JobState::Running);
    concluded(&mut bench, 2);
    assert_eq!(bench.view(1).state, JobState::Done);
}

#[test]
fn a_deadline_does_not_wait_for_it() {
    let mut bench = Bench::new(Settings { answer_at_once_bytes: 0, ..settings(1) });
    let mut request = request("0..10", 1);
    request.timeout_ms = Some(500);
    bench.submit(1, request);
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    bench.later(600);
    assert_eq!(bench.view(1).state, JobState::TimedOut);
}

#[test]
fn a_pause_does_not_keep_it() {
    let mut bench = folded();
    bench.say(2, Request::Pause(JobId(1)));
    concluded(&mut bench, 1);
    assert_eq!(bench.view(1).state, JobState::Done);
}

#[test]
fn a_stop_waits_for_it_while_it_drains_and_not_beyond() {
    let mut bench = folded();
    bench.event(Event::StopRequested);
    assert!(concluded(&mut bench, 1).contains(&"c1 <- j1 done sum=45".to_owned()));
    let mut bench = folded();
    bench.event(Event::StopNow);
    assert_eq!(bench.view(1).state, JobState::Cancelled);
    assert_eq!(concluded(&mut bench, 1), Vec::<String>::new());
}

#[test]
fn a_recorded_one_is_left_to_the_next_supervisor() {
    let durable = Settings { answer_at_once_bytes: 0, durable: true, ..settings(1) };
    let mut bench = Bench::new(durable.clone());
    let mut request = request("0..10", 1);
    request.detach = true;
    bench.submit(1, request);
    (1..=2).for_each(|ticket| drop(bench.recorded(ticket)));
    bench.ready(1);
    bench.partial(1, "j1/0.1");
    bench.event(Event::StopNow);
    (3..=6).for_each(|ticket| drop(bench.recorded(ticket)));
    assert_eq!(concluded(&mut bench, 1), Vec::<String>::new());
    let mut next = bench.restarted(durable);
    assert!(next.actions().contains(&"conclude j1".to_owned()));
    concluded(&mut next, 1);
    (1..=4).for_each(|ticket| drop(next.recorded(ticket)));
    assert_eq!(next.view(1).results.first().map(|sum| sum.value.as_str()), Some("45"));
}
