//! Damaged stores at the daemon's start, in many places: it refuses with one line, or starts with what is right and says
//! what it mended or lost. It never begins with nothing in silence, and never panics.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it found")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::{Client, Finished, Random, World};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");
/// Places that are flipped, and lengths that are left, in one run.
const FLIPS: u64 = 30;
const CUTS: u64 = 15;

fn index(number: u64) -> usize {
    usize::try_from(number).expect("it is small")
}

/// A store with jobs in it: ended ones and paused ones, and what each is to say afterwards.
struct Kept {
    world: World,
    file: PathBuf,
    whole: Vec<u8>,
    jobs: BTreeMap<String, Value>,
}

/// What must not change by a restart; a paused job shows what its workers have not yet handed in, too.
fn essence(job: &Value) -> Value {
    let done = if job["state"] == "done" { &job["elements_done"] } else { &Value::Null };
    json!([job["state"], job["results"], done])
}

fn jobs_of(client: &mut Client) -> BTreeMap<String, Value> {
    let reply = client.call("io.tally.Jobs", &json!({ "all": true }));
    let list = reply["jobs"].as_array().expect("a list");
    list.iter().map(|job| (job["job"].as_str().expect("an id").to_owned(), essence(job))).collect()
}

impl Kept {
    fn new(end: Signal) -> Self {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "1"]);
        let mut client = daemon.client();
        for count in 1..=12_u64 {
            let request = json!({
                "reductions": ["sum"], "sources": [format!("0..{}", count * 1000)], "partitions": 5, "detach": true
            });
            let job = client.submit(&request, false)["job"].take();
            client.call("io.tally.Wait", &json!({ "jobs": [job] }));
        }
        for _ in 0..3 {
            let request =
                json!({ "reductions": ["sum"], "sources": ["0..1e17"], "partitions": 2, "detach": true });
            let job = client.submit(&request, false)["job"].take();
            client.call("io.tally.Pause", &json!({ "job": job }));
        }
        let jobs = jobs_of(&mut client);
        drop(client);
        daemon.signal(end);
        drop(daemon.finish());
        world.await_nobody();
        let file = world.state().join("jobs.redb");
        let whole = fs::read(&file).expect("the store can be read");
        Self { world, file, whole, jobs }
    }

    /// Starts a daemon over what the file is now. In the background: it has either started or said why not.
    fn start(&self) -> Finished {
        fs::remove_file(self.world.path().join("log")).ok();
        self.world.run([
            "daemon",
            "--daemonize",
            "--socket",
            "run/tally.sock",
            "--log-file",
            "log",
            "--workers",
            "1",
        ])
    }

    fn stop(&self) {
        assert_eq!(self.world.ask(["stop", "--now"]).code(), 0);
        self.world.await_nobody();
    }

    /// Starts over these bytes, and judges what came of it. Whether it started.
    fn judge(&self, what: &str, bytes: &[u8]) -> bool {
        fs::write(&self.file, bytes).expect("a file can be written");
        let started = self.start();
        let log = fs::read_to_string(self.world.path().join("log")).unwrap_or_default();
        assert!(!log.contains("panicked") && !started.stderr.contains("panicked"), "{what}: {log}");
        if started.code() == 0 {
            self.judge_start(what, &log);
        } else {
            self.judge_refusal(what, bytes, &started);
        }
        self.clear();
        started.code() == 0
    }

    /// What it has is right, and what it has not is told; a job whose end is lost is computed again.
    fn judge_start(&self, what: &str, log: &str) {
        let mut client = Client::connect(&self.world.socket());
        let found = jobs_of(&mut client);
        // The row may say another number, if that is what is damaged.
        let an_end_is_lost = log.contains("of outcomes was damaged and is lost");
        let is_open_again =
            |job: &String, found: &Value| an_end_is_lost && self.jobs[job][0] == "done" && found[0] != "done";
        for (job, found) in &found {
            let found = if is_open_again(job, found) {
                essence(&client.call("io.tally.Wait", &json!({ "jobs": [job] }))["jobs"][0])
            } else {
                found.clone()
            };
            assert_eq!(self.jobs.get(job), Some(&found), "{what}: {job} is another one:\n{log}");
        }
        drop(client);
        assert!(
            found.len() == self.jobs.len() || log.contains(" WARN "),
            "{what}: {} of {} jobs are left, and nobody says so:\n{log}",
            found.len(),
            self.jobs.len()
        );
        self.stop();
    }

    fn judge_refusal(&self, what: &str, bytes: &[u8], started: &Finished) {
        let line = format!("tally: could not open {}: it is ", self.file.display());
        assert!(started.code() == 1 && started.stderr.starts_with(&line), "{what}: {}", started.stderr);
        // One line, and a hint.
        assert!(started.stderr.lines().count() <= 2, "{what}: {}", started.stderr);
        assert!(fs::read(&self.file).expect("it is there") == bytes, "{what}: the file was touched");
    }

    /// Removes what a start has put beside the file.
    fn clear(&self) {
        for entry in fs::read_dir(self.world.state()).expect("it is there") {
            let path = entry.expect("an entry").path();
            if path != self.file {
                fs::remove_file(path).expect("it can be removed");
            }
        }
    }

    /// With the file as it was, everything is there again.
    fn finish(self) {
        fs::write(&self.file, &self.whole).expect("a file can be written");
        self.start().answered("");
        assert_eq!(jobs_of(&mut Client::connect(&self.world.socket())), self.jobs);
        self.stop();
        self.world.finish();
    }
}

/// Closed well, and left by a daemon that was killed.
const ENDS: [Signal; 2] = [Signal::Term, Signal::Kill];

#[test]
fn a_bit_anywhere_is_noticed_or_does_not_matter() {
    for end in ENDS {
        let kept = Kept::new(end);
        let mut numbers = Random::of(3, &[]);
        let length = kept.whole.len() as u64;
        let mut started = 0;
        for round in 0..FLIPS {
            // The header and the first pages count most.
            let at = numbers.below(if round % 3 == 0 { 512 } else { length });
            let mut bytes = kept.whole.clone();
            bytes[index(at)] ^= 1 << numbers.below(8);
            started += u64::from(kept.judge(&format!("{end}, byte {at}"), &bytes));
        }
        println!("{end}: {started} of {FLIPS} started");
        kept.finish();
    }
}

#[test]
fn any_length_is_noticed() {
    for end in ENDS {
        let kept = Kept::new(end);
        let mut numbers = Random::of(5, &[]);
        let length = kept.whole.len() as u64;
        let chosen: Vec<u64> = (0..CUTS).map(|_| numbers.below(length)).collect();
        let mut started = 0;
        for left in chosen.into_iter().chain([0, 1, 8, 9, 320, 4096, length / 2, length - 4096, length - 1]) {
            started +=
                u64::from(kept.judge(&format!("{end}, {left} bytes left"), &kept.whole[..index(left)]));
        }
        println!("{end}: {started} started");
        kept.finish();
    }
}

#[test]
fn what_is_no_store_is_left_alone() {
    let kept = Kept::new(Signal::Term);
    for (what, bytes) in [
        ("a letter", b"dear aunt, how are you\n".to_vec()),
        ("nothing", Vec::new()),
        ("zeros", vec![0; kept.whole.len()]),
        ("another database", b"SQLite format 3\0".repeat(300)),
    ] {
        assert!(!kept.judge(what, &bytes), "{what} was taken for a store");
    }
    let refusal = || {
        let started = kept.start();
        let line = format!("tally: could not open {}: ", kept.file.display());
        assert!(started.code() != 0 && started.stderr.starts_with(&line), "{}", started.stderr);
        assert!(started.stderr.lines().count() <= 2, "{}", started.stderr);
        kept.clear();
    };
    fs::remove_file(&kept.file).expect("it can be removed");
    fs::create_dir(&kept.file).expect("a directory can be made");
    refusal();
    fs::remove_dir(&kept.file).expect("it is as it was");
    std::os::unix::fs::symlink("/dev/zero", &kept.file).expect("a link can be made");
    refusal();
    fs::remove_file(&kept.file).expect("it is as it was");
    fs::write(&kept.file, &kept.whole).expect("a file can be written");
    fs::set_permissions(&kept.file, fs::Permissions::from_mode(0o000)).expect("it is this user's");
    if tally_sys::process::own_uid() == 0 {
        println!("skipped: root may read every file");
    } else {
        refusal();
    }
    fs::set_permissions(&kept.file, fs::Permissions::from_mode(0o600)).expect("it is this user's");
    kept.finish();
}

/// A store without a name keeps nothing over the daemon's end: jobs that would need it are refused.
#[test]
fn a_store_that_was_removed_is_noticed() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["sum", "0..10", "--detach"]).code(), 0);
    let file = world.state().join("jobs.redb");
    let beside = world.path().join("beside");
    fs::rename(&file, &beside).expect("it can be moved");
    let status = world.ask(["status"]);
    assert!(status.stdout.contains("refused until the store takes records again"), "{}", status.stdout);
    let refused = world.ask(["sum", "0..10", "--detach"]);
    let why = format!("tally: could not record the job: {} was removed or replaced", file.display());
    refused.failed(1, &why);
    let status = world.ask(["status"]);
    assert!(
        status.stdout.contains(" ago: ") && status.stdout.contains("was removed or replaced"),
        "{}",
        status.stdout
    );
    fs::rename(&beside, &file).expect("it can be moved");
    assert_eq!(world.ask(["sum", "0..10", "--detach"]).code(), 0);
    daemon.await_line("the store takes records again");
    daemon.stop();
    world.finish();
}

#[test]
fn a_store_that_others_can_change_is_told() {
    let world = World::new(BINARY);
    fs::create_dir_all(world.state()).expect("it can be made");
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["sum", "0..10", "--detach"]).code(), 0);
    assert_eq!(world.ask(["wait", "j1"]).code(), 0);
    daemon.signal(Signal::Term);
    let log = daemon.finish().stderr;
    let line = log.lines().find(|line| line.contains("can be changed by others")).unwrap_or("");
    assert!(line.contains(world.state().to_str().expect("text")) && line.contains("WARN"), "{log}");
    // What is remembered of before is counted, too.
    let daemon = world.daemon(&["--workers", "1"]);
    let status = world.ask(["status"]);
    assert!(status.stdout.contains("0 ended since the start, 1 remembered"), "{}", status.stdout);
    daemon.stop();
    world.finish();
}
