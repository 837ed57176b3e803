//! Detached jobs against everything that ends a daemon: they are there afterwards, go on from what was done, and end
//! once. Full disks and damaged files: told in one line, and never taken for what they are not.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a test says what it found, and what it skips")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::{Client, Daemon, Finished, Random, World, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// A sum over `0..count` that outlives its client.
fn detached(count: u64, partitions: u64) -> Value {
    json!({
        "reductions": ["sum"], "sources": [format!("0..{count}")], "partitions": partitions, "detach": true
    })
}

fn sum_below(count: u64) -> String {
    (u128::from(count) * u128::from(count - 1) / 2).to_string()
}

fn show(client: &mut Client, job: &str) -> Value {
    client.call("io.tally.Show", &json!({ "job": job }))["job"].take()
}

/// A job after its end.
fn ended(client: &mut Client, job: &str) -> Value {
    client.call("io.tally.Wait", &json!({ "jobs": [job] }))["jobs"][0].take()
}

/// What a job came to, by the command line.
fn answer(world: &World, job: &str, text: &str) {
    assert_eq!(world.ask(["wait", job]).code(), 0);
    world.ask(["result", job]).answered(text);
}

fn id(job: &Value) -> String {
    job["job"].as_str().expect("an id").to_owned()
}

fn done(job: &Value) -> u64 {
    job["elements_done"].as_str().expect("a number").parse().expect("a number")
}

/// Kills a daemon, and waits until nothing of it is left.
fn kill(world: &World, daemon: Daemon) {
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    world.await_nobody();
}

/// A number of each worker of a job, by the pids in the order of their lives.
fn of_workers(job: &Value, key: &str) -> Vec<(u64, u64)> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a number");
    let workers = job["workers"].as_array().expect("a list");
    workers.iter().map(|one| (number(&one["pid"]), number(&one[key]))).collect()
}

fn total(numbers: &[(u64, u64)]) -> u64 {
    numbers.iter().map(|one| one.1).sum()
}

#[test]
fn a_job_goes_on_exactly_where_it_was_paused() {
    const COUNT: u64 = 4_000_000_000;
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let job = id(&client.submit(&detached(COUNT, 4_000), false));
    until("some of it", || (done(&show(&mut client, &job)) > COUNT / 100).then_some(()));
    client.call("io.tally.Pause", &json!({ "job": job }));
    let paused = until("the last leases", || {
        client.call("io.tally.Pause", &json!({ "job": job }));
        let shown = show(&mut client, &job);
        (shown["partitions"]["leased"] == 0).then_some(shown)
    });
    assert_eq!(paused["state"], "paused");
    // Asked again: what was folded meanwhile is written before the answer.
    client.call("io.tally.Pause", &json!({ "job": job }));
    kill(&world, daemon);

    let daemon = world.daemon(&["--workers", "2"]);
    let mut client = daemon.client();
    let found = show(&mut client, &job);
    assert_eq!(found["state"], "paused");
    assert_eq!(done(&found), done(&paused), "what was done is done");
    assert_eq!(total(&of_workers(&found, "elements")), done(&paused));
    client.call("io.tally.Resume", &json!({ "job": job }));
    let ended = ended(&mut client, &job);
    assert_eq!(ended["results"][0]["value"], json!(sum_below(COUNT)));
    let elements = of_workers(&ended, "elements");
    assert_eq!(total(&elements), COUNT, "every element counts once: {ended}");
    let before = of_workers(&found, "elements");
    assert!(before.iter().all(|one| elements.contains(one)), "{before:?} of {elements:?}");
    assert_eq!(total(&of_workers(&ended, "partitions")), 4_000);
    daemon.stop();
    world.finish();
}

#[test]
fn a_killed_daemon_costs_no_more_than_what_was_not_yet_written() {
    const COUNT: u64 = 4_000_000_000;
    let world = World::new(BINARY);
    let flags = ["--workers", "2", "--checkpoint-ms", "0"];
    let daemon = world.daemon(&flags);
    let mut client = daemon.client();
    let job = id(&client.submit(&detached(COUNT, 4_000), false));
    let seen = until("some of it", || Some(done(&show(&mut client, &job))).filter(|done| *done > COUNT / 20));
    kill(&world, daemon);
    let daemon = world.daemon(&flags);
    let mut client = daemon.client();
    let before = show(&mut client, &job)["submitted_at_ms"].clone();
    let ended = ended(&mut client, &job);
    assert_eq!(ended["results"][0]["value"], json!(sum_below(COUNT)));
    assert_eq!(ended["submitted_at_ms"], before);
    assert_eq!(total(&of_workers(&ended, "elements")), COUNT, "every element counts once: {ended}");
    assert_eq!(total(&of_workers(&ended, "partitions")), 4_000);
    let workers = world.named("tally-worker");
    let now: Vec<u64> = workers.iter().map(|one| u64::from(one.pid)).collect();
    let earlier = of_workers(&ended, "elements").into_iter().filter(|one| !now.contains(&one.0));
    let earlier: u64 = earlier.map(|one| one.1).sum();
    // One record is on its way while the next gathers: of a twentieth, most is written.
    assert!(earlier >= seen / 2, "{seen} elements were seen done, {earlier} were kept");
    daemon.stop();
    world.finish();
}

#[test]
fn ends_are_kept_and_ids_go_on() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    let finished = id(&client.submit(&detached(1_000_000, 3), false));
    client.call("io.tally.Wait", &json!({ "jobs": [finished] }));
    let cancelled = id(&client.submit(&detached(1_000_000_000_000_000, 3), false));
    client.call("io.tally.Cancel", &json!({ "jobs": [cancelled] }));
    let late = json!({ "reductions": ["sum"], "sources": ["0..1e15"], "timeout_ms": 1, "detach": true });
    let late = id(&client.submit(&late, false));
    client.call("io.tally.Wait", &json!({ "jobs": [late] }));
    let all = [finished, cancelled, late];
    // Partials that come after the end are counted while the daemon lives, and are nothing to keep.
    let kept = |client: &mut Client, job: &str| {
        let mut job = show(client, job);
        job.as_object_mut().expect("an object").remove("late").expect("how many came late");
        job
    };
    let before = all.clone().map(|job| kept(&mut client, &job));
    assert_eq!(
        before.clone().map(|job| job["state"].clone()),
        [json!("done"), json!("cancelled"), json!("timed-out")]
    );
    kill(&world, daemon);
    for _ in 0..2 {
        let daemon = world.daemon(&["--workers", "1"]);
        let mut client = daemon.client();
        assert_eq!(all.clone().map(|job| kept(&mut client, &job)), before);
        world.ask(["result", &all[0]]).answered("499999500000\n");
        let new = id(&client.submit(&detached(10, 1), false));
        let number = |job: &str| job[1..].parse::<u64>().expect("a number");
        assert!(all.iter().all(|old| number(old) < number(&new)), "{new}");
        client.call("io.tally.Wait", &json!({ "jobs": [new] }));
        daemon.stop();
    }
    world.finish();
}

#[test]
fn a_stopped_daemon_leaves_its_detached_jobs_to_the_next() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1", "--drain-ms", "0"]);
    let job = id(&daemon.client().submit(&detached(3_000_000_000, 500), false));
    daemon.stop();
    let daemon = world.daemon(&["--workers", "1"]);
    let ended = ended(&mut daemon.client(), &job);
    assert_eq!(ended["results"][0]["value"], json!(sum_below(3_000_000_000)));
    daemon.stop();
    world.finish();
}

#[test]
fn every_way_to_start_workers_goes_with_a_store() {
    for start in ["forkserver", "spawn", "fork"] {
        let world = World::new(BINARY);
        let daemon = world.daemon(&["--workers", "2", "--start", start]);
        let mut client = daemon.client();
        // While the store's thread is at work.
        let jobs: Vec<String> = (0..20).map(|_| id(&client.submit(&detached(100_000, 4), false))).collect();
        for process in world.await_named("tally-worker", 2) {
            tally_tests::run::send(process.pid, Signal::Kill);
        }
        let ended = client.call("io.tally.Wait", &json!({ "jobs": jobs }));
        for job in ended["jobs"].as_array().expect("a list") {
            assert_eq!(job["results"][0]["value"], json!(sum_below(100_000)), "{start}: {job}");
        }
        daemon.stop();
        world.finish();
    }
}

/// Submits jobs until the daemon is gone; the ids that were acknowledged.
fn stream_of_jobs(socket: &Path, counts: &[u64]) -> Vec<(String, u64)> {
    let Ok(mut stream) = UnixStream::connect(socket) else { return Vec::new() };
    for count in counts {
        let parameters = json!({ "request": detached(*count, 3) });
        let call = json!({ "method": "io.tally.Submit", "parameters": parameters }).to_string();
        if stream.write_all(format!("{call}\0").as_bytes()).is_err() {
            break;
        }
    }
    let mut bytes = Vec::new();
    // To the end: the daemon is killed while this reads, and an error is an end, too.
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    let replies =
        bytes.split(|byte| *byte == 0).filter_map(|reply| serde_json::from_slice::<Value>(reply).ok());
    replies.map(|reply| id(&reply["parameters"]["job"])).zip(counts.iter().copied()).collect()
}

#[test]
fn two_hundred_kills_under_a_stream_of_jobs() {
    let world = World::new(BINARY);
    let mut numbers = Random::of(200, &[]);
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..200_u64 {
        let daemon = world.daemon(&["--workers", "1"]);
        let counts: Vec<u64> = (0..8).map(|job| 20_000 + round * 8 + job).collect();
        let socket = daemon.socket().to_path_buf();
        let client = std::thread::spawn(move || stream_of_jobs(&socket, &counts));
        for _ in 0..numbers.below(4_000_000) {
            std::hint::spin_loop();
        }
        kill(&world, daemon);
        for (job, count) in client.join().expect("the client ends") {
            let twice = acknowledged.insert(job.clone(), count);
            assert_eq!(twice, None, "{job} was given out twice");
        }
    }
    println!("{} jobs were acknowledged", acknowledged.len());
    assert!(acknowledged.len() > 50, "the kills come too early to prove anything");
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    // Of the ended ones the last thousand are remembered.
    let newest: Vec<&String> = acknowledged.keys().filter(|job| is_known(&mut client, job)).collect();
    assert!(newest.len() == acknowledged.len() || newest.len() >= 900, "{} are known", newest.len());
    for job in newest {
        let ended = ended(&mut client, job);
        let count = acknowledged[job];
        assert_eq!(ended["state"], "done", "{ended}");
        assert_eq!(ended["results"][0]["value"], json!(sum_below(count)), "{ended}");
        assert_eq!(total(&of_workers(&ended, "elements")), count, "every element counts once: {ended}");
        assert_eq!(total(&of_workers(&ended, "partitions")), 3, "{ended}");
    }
    daemon.stop();
    world.finish();
}

fn is_known(client: &mut Client, job: &str) -> bool {
    look(client, job).is_some()
}

/// A job, if it is remembered.
fn look(client: &mut Client, job: &str) -> Option<Value> {
    client.ask("io.tally.Show", &json!({ "job": job }), false);
    let mut reply = client.hear().expect("a reply");
    reply.get("error").is_none().then(|| reply["parameters"]["job"].take())
}

/// A small disk, taken down when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where mounting is not allowed.
    fn at(path: PathBuf, bytes: u64) -> Option<Self> {
        fs::create_dir(&path).expect("a directory can be made");
        let options = format!("size={bytes},mode=0700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tally-test"]).arg(&path);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        println!("skipped: a small disk cannot be mounted here");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.0).status().is_ok_and(|status| status.success());
        assert!(done || std::thread::panicking(), "the small disk is taken down");
    }
}

/// Takes all the room there is.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).expect("a file can be made");
    let mut block = vec![1; 64 << 10];
    while !block.is_empty() {
        if file.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
}

#[test]
fn a_full_disk_is_survived_told_and_left_behind() {
    let world = World::new(BINARY);
    let Some(disk) = SmallDisk::at(world.path().join("state"), 2 << 20) else { return };
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    let kept = id(&client.submit(&detached(4_000_000_000, 4_000), false));
    client.call("io.tally.Pause", &json!({ "job": kept }));
    let ballast = world.state().join("ballast");
    fill(&ballast);
    let mut taken = 0;
    let refused = loop {
        let finished = world.ask(["sum", "0..10", "--detach"]);
        if finished.code() != 0 {
            break finished;
        }
        taken += 1;
        assert!(taken < 2_000, "the disk never fills");
    };
    refused.failed(1, "tally: could not record the job: no space is left on the disk");
    daemon.await_line("WARN could not write to the store: no space is left on the disk");
    let status = client.call("io.tally.Status", &json!({}))["status"].take();
    assert_eq!(status["durable"], true);
    assert_eq!(status["store_error"], "no space is left on the disk", "{status}");
    // Attached jobs need no disk.
    world.ask(["sum", "0..1000000"]).answered("499999500000\n");
    fs::remove_file(&ballast).expect("a file can be removed");
    let finished = until("a job is taken again", || {
        Some(world.ask(["sum", "0..10", "--detach"])).filter(|finished| finished.code() == 0)
    });
    daemon.await_line("the store takes records again");
    let new = finished.stdout.trim().to_owned();
    until("no complaint", || {
        let status = client.call("io.tally.Status", &json!({}))["status"].take();
        status.get("store_error").is_none().then_some(())
    });
    kill(&world, daemon);
    let daemon = world.daemon(&["--workers", "1"]);
    let mut client = daemon.client();
    assert_eq!(show(&mut client, &kept)["state"], "paused");
    answer(&world, &new, "45\n");
    daemon.stop();
    drop(disk);
    world.finish();
}

/// Starts a daemon that must not start.
fn refused(world: &World) -> Finished {
    let socket = world.socket();
    let finished = world.run(["daemon", "--socket", socket.to_str().expect("text"), "--workers", "1"]);
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
    finished
}

fn line_of(finished: &Finished) -> String {
    finished.stderr.lines().find(|line| line.starts_with("tally: ")).unwrap_or("").to_owned()
}

#[test]
fn a_file_that_is_cut_or_foreign_is_refused_and_kept() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    daemon.client().submit(&detached(1_000, 3), false);
    daemon.stop();
    let file = world.state().join("jobs.redb");
    let whole = fs::read(&file).expect("the store can be read");
    let path = file.display();
    for (bytes, text) in [
        (b"a letter to my aunt\n".to_vec(), "it is not a store of tally".to_owned()),
        (Vec::new(), "it is not a store of tally".to_owned()),
        (whole[..whole.len() / 2].to_vec(), "it is damaged: ".to_owned()),
        (whole[..100].to_vec(), "it is damaged: ".to_owned()),
    ] {
        fs::write(&file, &bytes).expect("a file can be written");
        let finished = refused(&world);
        let line = line_of(&finished);
        assert!(line.starts_with(&format!("tally: could not open {path}: {text}")), "{}", finished.stderr);
        assert!(finished.stderr.contains("nothing was changed"), "{}", finished.stderr);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
        assert!(fs::read(&file).expect("it is there") == bytes, "the file is as it was");
    }
    fs::write(&file, &whole).expect("a file can be written");
    let daemon = world.daemon(&["--workers", "1"]);
    answer(&world, "j1", "499500\n");
    daemon.stop();
    world.finish();
}

#[test]
fn two_daemons_do_not_share_a_state_directory() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let other = world.path().join("run/other.sock");
    let finished = world.run(["daemon", "--socket", other.to_str().expect("text")]);
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    let state = world.state();
    let expected = format!(
        "tally: could not keep jobs in {0}: process {1} does ({0}/lock)",
        state.display(),
        daemon.pid()
    );
    assert_eq!(line_of(&finished), expected);
    assert!(!other.exists());
    daemon.stop();
    world.finish();
}

#[test]
fn without_a_state_directory_it_is_said() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1", "--state-dir", "none"]);
    let mut client = daemon.client();
    let status = client.call("io.tally.Status", &json!({}))["status"].take();
    assert_eq!(status["durable"], false);
    let job = id(&client.submit(&detached(1_000, 3), false));
    answer(&world, &job, "499500\n");
    daemon.signal(Signal::Term);
    let finished = daemon.finish();
    assert!(finished.stderr.contains("detached jobs end with this daemon"), "{}", finished.stderr);
    assert!(!world.state().exists());
    world.finish();
}

#[test]
fn the_oldest_ended_jobs_are_forgotten_for_good() {
    let world = World::new(BINARY);
    let flags = ["--workers", "1", "--jobs-ended-max", "3"];
    let daemon = world.daemon(&flags);
    let mut client = daemon.client();
    let jobs: Vec<String> = (0..7).map(|_| id(&client.submit(&detached(1_000, 1), false))).collect();
    for job in &jobs {
        until("its end", || {
            // Asked once: it may be forgotten between two questions.
            let shown = look(&mut client, job);
            shown.is_none_or(|shown| shown["state"] == "done").then_some(())
        });
    }
    let known = |client: &mut Client| -> Vec<String> {
        let reply = client.call("io.tally.Jobs", &json!({ "all": true }));
        reply["jobs"].as_array().expect("a list").iter().map(id).collect()
    };
    assert_eq!(known(&mut client), jobs[4..]);
    daemon.stop();
    let daemon = world.daemon(&flags);
    assert_eq!(known(&mut daemon.client()), jobs[4..]);
    daemon.stop();
    world.finish();
}

/// A file of the numbers from 1 to `last`, one a line.
fn numbers(world: &World, last: u64) -> PathBuf {
    let path = world.path().join("numbers.csv");
    let lines: String = (1..=last).map(|number| format!("{number}\n")).collect();
    fs::write(&path, format!("n\n{lines}")).expect("it can be written");
    path
}

/// A daemon that keeps its one worker busy, and behind that a job over a file that waits.
fn with_a_waiting_file_job(world: &World, file: &Path) -> (Daemon, String, String) {
    let daemon = world.daemon(&["--workers", "1"]);
    let long = id(&daemon.client().submit(&detached(4_000_000_000, 4_000), false));
    let asked = world.ask(["sum", file.to_str().expect("text"), "--priority", "-1", "--detach"]);
    assert_eq!(asked.code(), 0, "{asked:?}");
    (daemon, long, asked.stdout.trim().to_owned())
}

#[test]
fn a_job_over_a_file_goes_on_with_the_next_daemon() {
    let world = World::new(BINARY);
    let file = numbers(&world, 100_000);
    let (daemon, long, job) = with_a_waiting_file_job(&world, &file);
    kill(&world, daemon);
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["cancel", &long]).code(), 0);
    answer(&world, &job, "5000050000\n");
    daemon.stop();
    world.finish();
}

#[test]
fn a_file_that_has_changed_meanwhile_is_an_error_and_no_answer() {
    let world = World::new(BINARY);
    let file = numbers(&world, 100_000);
    let (daemon, long, job) = with_a_waiting_file_job(&world, &file);
    kill(&world, daemon);
    let mut more = fs::File::options().append(true).open(&file).expect("it is there");
    more.write_all(b"1000000\n").expect("it can be written");
    let daemon = world.daemon(&["--workers", "1"]);
    assert_eq!(world.ask(["cancel", &long]).code(), 0);
    let result = world.ask(["result", &job]);
    assert_eq!((result.code(), result.stdout.as_str()), (1, ""), "{result:?}");
    assert!(result.stderr.contains("was changed since it was submitted"), "{}", result.stderr);
    daemon.stop();
    world.finish();
}
