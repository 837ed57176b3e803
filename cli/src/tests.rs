//! Whole commands against made-up roles: exit code, standard output, standard error.

use std::cell::RefCell;
use std::thread::JoinHandle;

use tally_protocol::control::{Reply, Request};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::job::{JobSpec, JobState};
use tally_protocol::view::{JobView, StatusView};
use tally_reduce::{Partial, Tally};
use tally_sys::socket::Listener;

use super::*;
use crate::fake::{self, Act};

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    code: u8,
    out: String,
    err: String,
}

fn ended(code: u8, out: &str, err: &str) -> Ended {
    Ended { code, out: out.to_owned(), err: err.to_owned() }
}

fn run_with(line: &str, around: &Surroundings, roles: &Roles<'_>) -> Ended {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = std::iter::once("tally").chain(line.split_whitespace()).map(OsString::from).collect();
    let code = run_in(args, roles, around, &mut Terminal::to(&mut out, &mut err));
    Ended { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn no_supervisor(_: &PrivateOptions) -> Result<PrivateSupervisor, Failure> {
    Err(Failure::new(ErrorCode::System, "no processes left"))
}

fn no_daemon(_: DaemonOptions) -> Result<(), Failure> {
    panic!("nobody asked for a daemon")
}

/// Folds all in one go, telling half of it on the way.
fn fold(
    job: &JobSpec,
    _: &crate::Inputs,
    mode: FoldMode,
    progress: &mut ProgressFn<'_>,
) -> Result<FoldOutcome, Failure> {
    if !progress(job.elements / 2) {
        return Err(Failure::new(ErrorCode::Cancelled, "it was stopped"));
    }
    let mut partial = Partial::identity(&job.kernel.reductions);
    for run in job.kernel.runs(0, job.elements) {
        assert!(partial.absorb_progression(&run.first, &run.step, run.count, &mut |_| true));
    }
    let half =
        Share { ranges: vec![(0, job.elements)], partial: Tally::Plain(partial.clone()), busy_ns: 7_000_000 };
    let idle = Share {
        ranges: vec![],
        partial: Tally::Plain(Partial::identity(&job.kernel.reductions)),
        busy_ns: 0,
    };
    let shares = if mode == FoldMode::Inline { vec![half] } else { vec![half, idle] };
    Ok(FoldOutcome { partial: Tally::Plain(partial), shares })
}

fn here(line: &str) -> Ended {
    let roles = Roles { private: &no_supervisor, fold: &fold, daemon: &no_daemon, ..fake::roles() };
    run_with(line, &Surroundings::default(), &roles)
}

/// Runs a command under a private supervisor that plays a script.
fn private(line: &str, script: Vec<Act>) -> (Ended, Vec<Request>, PrivateOptions) {
    let script = RefCell::new(Some(script));
    let started = RefCell::new(None::<(JoinHandle<Vec<Request>>, PrivateOptions)>);
    let start = |options: &PrivateOptions| {
        let (stream, played) = fake::supervisor(script.take().unwrap());
        *started.borrow_mut() = Some((played, options.clone()));
        Ok(PrivateSupervisor { stream, child: None })
    };
    let roles = Roles { private: &start, fold: &fold, daemon: &no_daemon, ..fake::roles() };
    let end = run_with(line, &Surroundings::default(), &roles);
    let (played, options) = started.take().unwrap();
    (end, played.join().unwrap(), options)
}

/// Runs a command against a daemon that plays a script, the greeting already in it.
fn daemon(line: &str, script: Vec<Act>) -> (Ended, Vec<Request>) {
    let directory = Directory::new();
    let path = directory.0.join("t.sock");
    let listener = Listener::bind(&path, 0o600).unwrap();
    let greeting = vec![Act::Listen, Act::Say(Reply::Hello(1), false), Act::Listen];
    let played = std::thread::spawn(move || {
        let mut poll = tally_sys::poll::Poll::new().unwrap();
        poll.watch(&listener, 0, tally_sys::poll::Interest::READ).unwrap();
        poll.wait(None, &mut Vec::new()).unwrap();
        let stream = listener.accept().unwrap().unwrap();
        stream.set_nonblocking(false).unwrap();
        fake::play(stream, greeting.into_iter().chain(script).collect())
    });
    let roles = Roles { private: &no_supervisor, fold: &fold, daemon: &no_daemon, ..fake::roles() };
    let around = Surroundings::with(&[("TALLY_SOCKET", path.to_str().unwrap())]);
    let end = run_with(line, &around, &roles);
    let mut heard = played.join().unwrap();
    assert!(matches!(heard.remove(0), Request::Hello(_)));
    (end, heard)
}

/// A directory of one test, removed at its end.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tally-cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn job(view: JobView) -> Reply {
    Reply::Job(Box::new(view))
}

#[test]
fn a_sum_under_a_private_supervisor() {
    let script = vec![
        Act::Listen,
        Act::Say(job(JobView { state: JobState::Queued, ..fake::job_running() }), true),
        Act::Say(job(fake::job_running()), true),
        Act::Say(job(fake::job_done("sum", "45")), false),
    ];
    let (end, heard, options) = private("sum 0..10 --workers 3 --transport pipe --start spawn", script);
    assert_eq!(end, ended(0, "45\n", ""));
    let [Request::Submit(spec)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((spec.elements, spec.request.workers), (10, Some(3)));
    let text = format!("{options:?}");
    assert_eq!(
        text,
        "PrivateOptions { workers: Some(3), transport: Some(Pipe), start: Some(Spawn), many_requests: false }"
    );
}

#[test]
fn progress_as_json_lines_leaves_the_answer_alone() {
    let script = vec![
        Act::Listen,
        Act::Say(job(fake::job_running()), true),
        Act::Say(job(fake::job_done("sum", "45")), false),
    ];
    let (end, _, _) = private("sum 0..10 --progress json -q", script);
    assert_eq!((end.code, end.out.as_str()), (0, "45\n"));
    assert_eq!(end.err.lines().count(), 2);
    assert!(
        end.err.ends_with("\"percent\":100,\"workers\":0,\"retries\":0,\"elapsed_ms\":250}\n"),
        "{}",
        end.err
    );
    assert!(end.err.lines().last().is_some_and(|last| last.contains("\"state\":\"done\"")), "{}", end.err);
    assert!(
        end.err.starts_with("{\"schema\":\"tally.progress/1\",\"job\":\"j1\",\"state\":\"running\","),
        "{}",
        end.err
    );
}

#[test]
fn a_failed_job_ends_with_its_code() {
    let mut failure =
        Failure::new(ErrorCode::WorkerKilled, "range 5..6 killed 3 workers (killed by SIGKILL)")
            .hint("the partials of the other ranges are kept; 'tally retry j1' goes on from there");
    failure.stderr = Some("thread panicked\n".into());
    let script = || vec![Act::Listen, Act::Say(job(fake::job_failed(failure.clone())), false)];
    let (end, _, _) = private("sum 0..10", script());
    let expected = "tally: could not finish j1: range 5..6 killed 3 workers (killed by SIGKILL)\n         stderr: thread panicked\n";
    assert_eq!(end, ended(1, "", expected), "a private job cannot be retried, so nobody is told to");
    let (end, _, _) = private("sum 0..10 --json", script());
    assert!(end.out.contains("\"state\":\"failed\"") && end.out.ends_with("\"exit\":1}}\n"), "{}", end.out);
    let told = (end.err.lines().count(), end.err.starts_with("{\"schema\":\"tally.error/1\""));
    assert_eq!((end.code, told), (1, (1, true)), "{}", end.err);
}

#[test]
fn a_supervisor_that_dies_is_told() {
    let (end, _, _) = private("sum 0..10", vec![Act::Listen, Act::HangUp]);
    assert_eq!(end, ended(1, "", "tally: could not finish: the supervisor ended before it answered\n"));
    assert_eq!(here("sum 0..10"), ended(1, "", "tally: could not start a supervisor: no processes left\n"));
}

#[test]
fn a_line_that_cannot_be_read_is_answered_in_the_look_it_asks_for() {
    let red = "\u{1b}[31mtally:\u{1b}[0m could not run 'smu'";
    let forced = Surroundings::with(&[("CLICOLOR_FORCE", "1")]);
    for (line, around, painted) in [
        ("smu", &Surroundings::default(), false),
        ("smu --color always", &Surroundings::default(), true),
        ("--color=always smu", &Surroundings::default(), true),
        ("smu", &forced, true),
        ("smu --color=never", &forced, false),
    ] {
        let err = run_with(line, around, &fake::roles()).err;
        assert_eq!(err.starts_with(red), painted, "{line}: {err:?}");
    }
}

#[test]
fn what_has_no_effect_is_told() {
    let note = "note: --mode threads has no worker processes: without effect: --transport, --nice\n";
    let line = "sum 0..10 --mode threads --nice 5 --transport pipe";
    assert_eq!(here(line), ended(0, "45\n", note));
    assert_eq!(here(&format!("{line} -q")), ended(0, "45\n", ""));
    let last = here("sum 0..10 --mode inline --progress json").err;
    let last = last.lines().last().unwrap_or_default();
    assert!(last.contains("\"state\":\"done\"") && last.contains("\"percent\":100"), "{last}");
    let twice = here("sum 0..10 --by a,b,a");
    assert_eq!((twice.code, twice.err.contains("twice")), (2, true), "{twice:?}");
}

#[test]
fn in_this_process() {
    assert_eq!(here("sum 0..10 --mode inline"), ended(0, "45\n", ""));
    assert_eq!(
        here("reduce sum,min,mean 0..10 --mode threads"),
        ended(0, "sum\t45\nmin\t0\nmean\t4.5\n", "")
    );
    let empty = here("min 5..5 --mode inline");
    assert_eq!(empty, ended(1, "", "tally: could not compute the minimum: there are no elements\n"));
    let json = here("sum 0..10 --mode threads --workers 2 --json");
    assert!(json.out.contains("\"elements\":\"10\",\"elapsed_ms\":"), "{}", json.out);
    assert!(json.out.ends_with("\"busy_ms\":0}],\"retries\":0,\"mode\":\"threads\"}\n"), "{}", json.out);
    let verbose = here("sum 0..10 --mode threads --workers 2 --verbose").err;
    let table = "worker    ranges  elements  partial    time\nworker-0  0..10         10       45  0.007s\nworker-1                 0        0  0.000s\ntime=";
    assert!(verbose.starts_with(table) && verbose.ends_with("sec total=45\n"), "{verbose}");
}

#[test]
fn a_detached_job_is_greeted_first_and_leaves_its_id() {
    let waiting = JobView { job: JobId(7), detached: true, ..fake::job_running() };
    let (end, heard) = daemon("sum 0..10 --detach", vec![Act::Say(job(waiting.clone()), false)]);
    assert_eq!(end, ended(0, "j7\n", ""));
    assert!(matches!(&heard[..], [Request::Submit(spec)] if spec.request.detach));
    let (end, _) = daemon("sum 0..10 --detach --json", vec![Act::Say(job(waiting), false)]);
    assert!(
        end.out.starts_with("{\"schema\":\"tally.job/1\",\"job\":\"j7\",\"state\":\"running\","),
        "{}",
        end.out
    );
}

#[test]
fn no_daemon_there() {
    let missing = "tally: could not reach the daemon at /nowhere/s: nobody listens\n         start one there with 'tally daemon', or leave out the socket to run without\n";
    for line in ["sum 0..10", "status", "jobs", "ping", "stop"] {
        assert_eq!(here(&format!("{line} --socket /nowhere/s")), ended(3, "", missing), "{line}");
    }
    let end = here("status --json");
    assert_eq!((end.code, end.out.as_str()), (3, ""));
    assert!(
        end.err.starts_with("{\"schema\":\"tally.error/1\",\"error\":{\"code\":\"no-daemon\","),
        "{}",
        end.err
    );
    assert_eq!(here("sum 0..10 --detach").code, 3);
}

#[test]
fn waiting_ends_with_the_worst() {
    let mut failed = fake::job_failed(Failure::new(ErrorCode::KernelFailed, "kernel: bad"));
    failed.job = JobId(2);
    let mut late = fake::job_done("sum", "1");
    late.state = JobState::TimedOut;
    let jobs = vec![fake::job_done("sum", "45"), late.clone(), failed];
    let (end, heard) = daemon("wait j1 j3 j2", vec![Act::Say(Reply::Jobs(jobs), false)]);
    let expected =
        "tally: could not finish j1: its deadline passed\ntally: could not finish j2: kernel: bad\n";
    assert_eq!(end, ended(1, "", expected));
    assert_eq!(heard, [Request::Wait(vec![JobId(1), JobId(3), JobId(2)])]);
    let (end, _) = daemon("wait j1 -q", vec![Act::Say(Reply::Jobs(vec![late]), false)]);
    assert_eq!(end.code, 5);
}

#[test]
fn results_and_refusals_of_a_daemon() {
    let done = Act::Say(job(fake::job_done("sum", "45")), false);
    assert_eq!(daemon("result j1", vec![done]).0, ended(0, "45\n", ""));
    let refusal = Failure::new(ErrorCode::NotEnded, "j1 has no result yet: it is running");
    let (end, _) = daemon("result j1", vec![Act::Say(Reply::Refused(refusal), false)]);
    let expected = "tally: could not show the result of j1: j1 has no result yet: it is running\n         'tally wait j1' waits for it, 'tally follow j1' shows its progress\n";
    assert_eq!(end, ended(1, "", expected));
    let refusal = Failure::new(ErrorCode::NoSuchJob, "there is no job j9");
    let (end, _) = daemon("show j9", vec![Act::Say(Reply::Refused(refusal), false)]);
    assert_eq!(end, ended(7, "", "tally: could not show j9: there is no job j9\n"));
    let (end, _) = daemon("ping", vec![Act::HangUp]);
    assert_eq!(end.code, 1);
    assert!(end.err.ends_with("t.sock hung up before it answered\n"), "{}", end.err);
}

#[test]
fn following_shows_the_answer() {
    let script =
        vec![Act::Say(job(fake::job_running()), true), Act::Say(job(fake::job_done("sum", "45")), false)];
    let (end, heard) = daemon("follow j1", script);
    assert_eq!((end, heard), (ended(0, "45\n", ""), vec![Request::Follow(JobId(1))]));
}

#[test]
fn changes_are_noted_and_never_on_standard_output() {
    let paused = || Act::Say(job(JobView { state: JobState::Paused, ..fake::job_running() }), false);
    let (end, heard) = daemon("pause j1", vec![paused()]);
    assert_eq!((end, heard), (ended(0, "", "tally: j1 is paused\n"), vec![Request::Pause(JobId(1))]));
    assert_eq!(daemon("pause j1 -q", vec![paused()]).0, ended(0, "", ""));
    let (end, _) = daemon("retry j1 --json", vec![paused()]);
    assert!(end.out.starts_with("{\"schema\":\"tally.job/1\",\"job\":\"j1\","), "{}", end.out);
    let (end, heard) = daemon("cancel --all", vec![Act::Say(Reply::Jobs(vec![]), false)]);
    assert_eq!(end, ended(0, "", "tally: no open jobs\n"));
    assert_eq!(heard, [Request::Cancel { jobs: vec![], all: true }]);
}

#[test]
fn a_stop_returns_when_the_daemon_has_hung_up() {
    let (end, heard) = daemon("stop --now", vec![Act::Say(Reply::Done, false), Act::HangUp]);
    assert_eq!((end, heard), (ended(0, "", ""), vec![Request::Stop { now: true }]));
    let (end, _) = daemon("stop --json", vec![Act::Say(Reply::Done, false), Act::HangUp]);
    assert_eq!(end.out, "{\"schema\":\"tally.stop/1\",\"stopped\":true}\n");
    let (end, _) = daemon("drain --json", vec![Act::Say(Reply::Done, false)]);
    assert_eq!(end.out, "{\"schema\":\"tally.drain/1\",\"draining\":true}\n");
}

#[test]
fn every_question_has_json_with_its_schema_first() {
    let status = StatusView {
        version: tally_protocol::version::PROGRAM.into(),
        pid: 7,
        phase: "running".into(),
        uptime_ms: 1,
        socket: None,
        slots: 2,
        workers: 2,
        queued: 0,
        running: 0,
        paused: 0,
        ended: 0,
        clients: 1,
        ..StatusView::default()
    };
    let reasons = vec!["it is paused".to_owned()];
    let explanation = Reply::Explanation { job: Box::new(fake::job_running()), reasons };
    for (line, reply, begin) in [
        ("status", Reply::Status(Box::new(status)), "tally.status/1\",\"version\":"),
        ("workers", Reply::Workers(vec![]), "tally.workers/1\",\"workers\":[]}"),
        ("jobs", Reply::Listed { jobs: vec![], next: None }, "tally.jobs/1\",\"jobs\":[]}"),
        ("show j1", job(fake::job_running()), "tally.job/1\",\"job\":\"j1\""),
        (
            "explain j1",
            explanation,
            "tally.explain/1\",\"job\":\"j1\",\"state\":\"running\",\"reasons\":[\"it is paused\"]}",
        ),
        ("ping", Reply::Done, "tally.ping/1\",\"socket\":"),
        ("dump", Reply::Dump("{}".into()), "tally.dump/1\",\"state\":{}}"),
    ] {
        let (end, _) = daemon(&format!("{line} --json"), vec![Act::Say(reply, false)]);
        assert!(end.out.starts_with(&format!("{{\"schema\":\"{begin}")), "{line}: {}", end.out);
        assert_eq!((end.code, end.err.as_str(), end.out.lines().count()), (0, "", 1), "{line}");
    }
    assert!(here("help --json").out.starts_with("{\"schema\":\"tally.help/1\",\"text\":"));
    let version =
        format!("{{\"schema\":\"tally.version/1\",\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(here("--version --json").out, version);
    let wrong = here("smu --json");
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert!(wrong.err.contains(
        "\"code\":\"bad-usage\",\"message\":\"could not run 'smu': no such command; did you mean 'sum'?\""
    ));
}

#[test]
fn help_goes_to_standard_output_when_asked_for() {
    assert_eq!(here(""), ended(2, "", args::help::SHORT));
    assert_eq!(here("help"), ended(0, args::help::LONG, ""));
    assert_eq!(here("help sum").out, here("sum --help").out);
    assert!(here("help exit-codes").out.contains("130  interrupted"));
    let wrong = here("help smu");
    let expected = "tally: could not help with 'smu': no such command or topic; did you mean 'sum'?\n         'tally help' lists them\n";
    assert_eq!(wrong, ended(2, "", expected));
}

#[test]
fn the_daemon_role_gets_its_options_and_its_failure_is_told() {
    let got = RefCell::new(None);
    let daemon = |options: DaemonOptions| {
        *got.borrow_mut() = Some(options);
        Err(Failure::new(ErrorCode::System, "could not start: no"))
    };
    let roles = Roles { private: &no_supervisor, fold: &fold, daemon: &daemon, ..fake::roles() };
    let end = run_with(
        "daemon --socket /d --foreground --check --until-eof --lease-ms 500",
        &Surroundings::default(),
        &roles,
    );
    assert_eq!(end, ended(1, "", "tally: could not start: no\n"));
    let options = got.take().unwrap();
    assert_eq!((options.socket, options.daemonize, options.check), (Some("/d".into()), false, true));
    assert!(options.until_eof);
    assert_eq!(options.settings, [("lease_ms".to_owned(), "500".to_owned())]);
}
