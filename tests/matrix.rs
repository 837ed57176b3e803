//! {worker, forkserver, supervisor, client} x {TERM, INT, KILL, STOP+CONT} x {idle, mid-partition, while starting} on
//! every transport and start method. After each: the right sum where there is one, and nothing left behind.
//!
//! "Mid-partition" and "while starting" are not a matter of luck: the worker stops itself at that very point
//! (`TALLY_CRASH_AT=...,how=hang`) and goes on when it has been dealt with.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it does, and what it skips")]

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::proc::Process;
use tally_tests::run::{go_on, send};
use tally_tests::{Daemon, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
const STARTS: [&str; 3] = ["forkserver", "spawn", "fork"];
const SUM: &str = "499999500000";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Term,
    Int,
    Kill,
    StopAndContinue,
}

const BLOWS: [Blow; 4] = [Blow::Term, Blow::Int, Blow::Kill, Blow::StopAndContinue];

impl Blow {
    fn strike(self, pid: u32) {
        match self {
            Self::Term => send(pid, Signal::Term),
            Self::Int => send(pid, Signal::Int),
            Self::Kill => send(pid, Signal::Kill),
            Self::StopAndContinue => {
                send(pid, Signal::Stop);
                send(pid, Signal::Cont);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Idle,
    MidPartition,
    Starting,
}

const TIMES: [When; 3] = [When::Idle, When::MidPartition, When::Starting];

impl When {
    /// What makes a worker stop there by itself: the one with the first partition, or both while they start.
    fn hang(self) -> &'static str {
        match self {
            Self::Idle => "",
            Self::MidPartition => "fold,job=1,partition=0,attempts=1,how=hang",
            Self::Starting => "before-ready,workers=2,how=hang",
        }
    }
}

/// One daemon with two workers, one of them at the wanted point.
struct Scene {
    world: World,
    daemon: Daemon,
    when: When,
    what: String,
}

impl Scene {
    fn set(transport: &str, start: &str, when: When, blow: Blow) -> Self {
        let what = format!("{transport} {start} {when:?} {blow:?}");
        println!("{what}");
        let world = World::new(BINARY).with("TALLY_CRASH_AT", when.hang());
        let daemon = world.daemon(&["--workers", "2", "--transport", transport, "--start", start]);
        Self { world, daemon, when, what }
    }

    fn request() -> Value {
        json!({ "reductions": ["sum"], "sources": ["0..1000000"], "partitions": 8 })
    }

    /// Both workers are ready and have nothing to do.
    fn await_idle(&self) {
        let mut client = self.daemon.client();
        client.await_idle(2);
    }

    /// A worker that stopped itself, when all that will have done so.
    fn await_stopped(&self) -> Process {
        let expected = match self.when {
            When::Idle | When::MidPartition => 1,
            When::Starting => 2,
        };
        until("stopped workers", || {
            let mut stopped = self.stopped();
            (stopped.len() == expected).then(|| stopped.remove(0))
        })
    }

    fn stopped(&self) -> Vec<Process> {
        self.world.named("tally-worker").into_iter().filter(|one| one.state == 'T').collect()
    }

    /// Waits for the scene's point; for one that needs a job, starts it. The worker to deal with, and the client of
    /// the job.
    fn reach(&self) -> (u32, Option<tally_tests::Client>) {
        match self.when {
            When::Idle => {
                self.await_idle();
                (self.world.named("tally-worker")[0].pid, None)
            }
            When::MidPartition => {
                let mut client = self.daemon.client();
                client.ask("io.tally.Submit", &json!({ "request": Self::request() }), false);
                (self.await_stopped().pid, Some(client))
            }
            When::Starting => (self.await_stopped().pid, None),
        }
    }

    /// Workers that stopped themselves go on, those that are not gone.
    fn release(&self) {
        for process in self.stopped() {
            go_on(process.pid);
        }
    }

    /// The job under way, if there is one, and a fresh one are answered right.
    fn must_sum(&self, client: Option<tally_tests::Client>) {
        if let Some(mut client) = client {
            let reply = client.hear().unwrap_or_else(|| panic!("{}: no answer", self.what));
            assert_eq!(reply["parameters"]["job"]["results"][0]["value"], SUM, "{}: {reply}", self.what);
        }
        let job = self.daemon.client().submit(&Self::request(), false);
        assert_eq!(job["results"][0]["value"], SUM, "{}: {job}", self.what);
    }

    fn end(self) {
        self.daemon.stop();
        self.world.finish();
    }
}

fn a_worker_is_struck(transport: &str, start: &str, when: When, blow: Blow) {
    let scene = Scene::set(transport, start, when, blow);
    let (worker, client) = scene.reach();
    blow.strike(worker);
    scene.release();
    scene.must_sum(client);
    // Killed ones have been replaced.
    scene.await_idle();
    scene.end();
}

fn the_forkserver_is_struck(transport: &str, when: When, blow: Blow) {
    let scene = Scene::set(transport, "forkserver", when, blow);
    let (_, client) = scene.reach();
    let forkserver = scene.world.named("tally-forkserve")[0].pid;
    blow.strike(forkserver);
    scene.release();
    scene.must_sum(client);
    // A new worker needs a forkserver again.
    scene.await_idle();
    send(scene.world.named("tally-worker")[0].pid, Signal::Kill);
    scene.must_sum(None);
    scene.await_idle();
    scene.end();
}

fn the_supervisor_is_struck(transport: &str, start: &str, when: When, blow: Blow) {
    let scene = Scene::set(transport, start, when, blow);
    let (_, client) = scene.reach();
    blow.strike(scene.daemon.pid());
    match blow {
        Blow::StopAndContinue => {
            scene.release();
            scene.must_sum(client);
            scene.end();
        }
        Blow::Term | Blow::Int => {
            // What runs may finish.
            scene.release();
            if let Some(mut client) = client {
                let reply = client.hear().unwrap_or_else(|| panic!("{}: no answer", scene.what));
                assert_eq!(reply["parameters"]["job"]["results"][0]["value"], SUM, "{}: {reply}", scene.what);
            }
            let finished = scene.daemon.finish();
            assert_eq!(finished.code(), 0, "{}: {}", scene.what, finished.stderr);
            scene.world.finish();
        }
        Blow::Kill => {
            let finished = scene.daemon.finish();
            assert_eq!(finished.code(), 128 + 9, "{}", scene.what);
            scene.world.await_nobody();
            // Nothing that is left blocks the next start, which sweeps it away.
            let daemon = scene.world.daemon(&["--workers", "1", "--transport", transport, "--start", start]);
            daemon.stop();
            scene.world.finish();
        }
    }
}

fn the_client_is_struck(transport: &str, start: &str, when: When, blow: Blow) {
    let scene = Scene::set(transport, start, when, blow);
    let socket = scene.daemon.socket().to_str().expect("text").to_owned();
    match when {
        // A client that waits for something that has not come.
        When::Idle => scene.await_idle(),
        When::Starting => drop(scene.await_stopped()),
        When::MidPartition => {}
    }
    let mut arguments = vec!["sum", "0..1000000", "--partitions", "8", "--socket", &socket];
    if when == When::Idle {
        let mut paused = Scene::request();
        paused["detach"] = json!(true);
        let mut client = scene.daemon.client();
        client.call(
            "io.tally.Submit",
            &json!({ "request": { "reductions": ["sum"], "sources": ["0..1e15"], "detach": true } }),
        );
        client.call("io.tally.Pause", &json!({ "job": "j1" }));
        arguments = vec!["wait", "j1", "--socket", &socket];
    }
    let running = scene.world.start(arguments);
    if when == When::MidPartition {
        scene.await_stopped();
    }
    let mut client = scene.daemon.client();
    until("its connection", || {
        (client.call("io.tally.Status", &json!({}))["status"]["clients"] == 2).then_some(())
    });
    until("its job", || {
        let jobs = client.call("io.tally.Jobs", &json!({}));
        jobs["jobs"].as_array().is_some_and(|jobs| !jobs.is_empty()).then_some(())
    });
    blow.strike(running.pid());
    match blow {
        Blow::StopAndContinue => {
            scene.release();
            if when == When::Idle {
                client.call("io.tally.Cancel", &json!({ "all": true }));
                assert_eq!(running.finish().code(), 4, "{}", scene.what);
            } else {
                running.finish().answered(&format!("{SUM}\n"));
            }
        }
        Blow::Term | Blow::Int | Blow::Kill => {
            let expected = match blow {
                Blow::Int => 130,
                Blow::Term => 143,
                Blow::Kill | Blow::StopAndContinue => 137,
            };
            let finished = running.finish();
            assert_eq!(
                (finished.code(), finished.stdout.as_str()),
                (expected, ""),
                "{}: {}",
                scene.what,
                finished.stderr
            );
            until("the end of its connection", || {
                (client.call("io.tally.Status", &json!({}))["status"]["clients"] == 1).then_some(())
            });
            if when == When::Idle {
                client.call("io.tally.Cancel", &json!({ "all": true }));
            } else {
                let state = client.call("io.tally.Show", &json!({ "job": "j1" }))["job"]["state"].take();
                assert_eq!(state, "cancelled", "{}: an attached job ends with its client", scene.what);
            }
            scene.release();
            scene.must_sum(None);
        }
    }
    scene.end();
}

fn all(transport: &str) {
    for when in TIMES {
        for blow in BLOWS {
            for start in STARTS {
                a_worker_is_struck(transport, start, when, blow);
                the_supervisor_is_struck(transport, start, when, blow);
                the_client_is_struck(transport, start, when, blow);
            }
            the_forkserver_is_struck(transport, when, blow);
        }
    }
}

#[test]
fn everybody_is_struck_over_shm() {
    all("shm");
}

#[test]
fn everybody_is_struck_over_shm_named() {
    all("shm-named");
}

#[test]
fn everybody_is_struck_over_pipe() {
    all("pipe");
}

#[test]
fn everybody_is_struck_over_mqueue() {
    all("mqueue");
}

#[test]
fn everybody_is_struck_over_channel() {
    all("channel");
}

/// The same with a private supervisor: whoever dies, nobody is left.
#[test]
fn a_private_supervisor_and_its_client_are_struck() {
    for start in STARTS {
        for (victim, blow) in [
            ("tally-supervise", Blow::Kill),
            ("tally-supervise", Blow::StopAndContinue),
            ("tally", Blow::Kill),
            ("tally", Blow::Term),
            ("tally", Blow::Int),
            ("tally", Blow::StopAndContinue),
            ("tally-worker", Blow::Kill),
            ("tally-worker", Blow::Term),
            ("tally-worker", Blow::StopAndContinue),
        ] {
            let what = format!("{start} {victim} {blow:?}");
            let world = World::new(BINARY).with("TALLY_CRASH_AT", When::MidPartition.hang());
            let running =
                world.start(["sum", "0..1000000", "--partitions", "8", "--workers", "2", "--start", start]);
            let stopped = until("a stopped worker", || {
                world.named("tally-worker").into_iter().find(|one| one.state == 'T')
            });
            let pid = match victim {
                "tally" => running.pid(),
                "tally-worker" => stopped.pid,
                name => world.named(name)[0].pid,
            };
            blow.strike(pid);
            if blow == Blow::StopAndContinue || victim == "tally-worker" {
                go_on(stopped.pid);
                running.finish().answered(&format!("{SUM}\n"));
            } else {
                let finished = running.finish();
                let expected = match (victim, blow) {
                    ("tally", Blow::Int) => 130,
                    ("tally", Blow::Term) => 143,
                    ("tally", _) => 137,
                    _ => 1,
                };
                assert_eq!(
                    (finished.code(), finished.stdout.as_str()),
                    (expected, ""),
                    "{what}: {}",
                    finished.stderr
                );
                if victim == "tally-supervise" {
                    assert!(finished.stderr.starts_with("tally: could not "), "{what}: {}", finished.stderr);
                    assert!(finished.stderr.contains("SIGKILL"), "{what}: {}", finished.stderr);
                }
            }
            world.finish();
        }
    }
}
