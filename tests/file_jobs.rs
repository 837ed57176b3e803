//! Jobs over files while the world changes under them: the daemon restarts or is replaced, files shrink, change and go.
//! The answer is that of the files as they were submitted, or there is one clear line, and never another answer.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tally_sys::signal::Signal;
use tally_tests::npy::npy;
use tally_tests::run::{go_on as release, send};
use tally_tests::{Client, Daemon, Finished, Running, World, proc, until};

const BINARY: &str = env!("CARGO_BIN_EXE_tally");

/// Numbers in a file: some tenths of a second of work.
const LAST: u64 = 2_000_000;
/// An expression that takes its time, and whose sum over 1..=LAST is known: that of the numbers.
const SLOW: &str = "n + int(sin(n) * 0) + int(cos(n) * 0) + int(tan(n) * 0)";

fn total() -> String {
    format!("{}\n", LAST * (LAST + 1) / 2)
}

/// The numbers from 1 to `LAST`, one a line, each line as long as the others.
fn csv(world: &World) -> PathBuf {
    let path = world.path().join("numbers.csv");
    let mut text = String::from("n\n");
    (1..=LAST).for_each(|number| text.push_str(&format!("{number:07}\n")));
    fs::write(&path, text).expect("it can be written");
    path
}

/// The same as an array of 64-bit integers.
fn array(world: &World) -> PathBuf {
    let path = world.path().join("numbers.npy");
    let bytes = npy("<i8", &format!("({LAST},)"), (1..=LAST).flat_map(|number| number.to_le_bytes()));
    fs::write(&path, bytes).expect("it can be written");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// A detached job; its id.
fn detach(world: &World, arguments: &[&str]) -> String {
    let asked = world.ask(arguments.iter().chain(&["--detach"]));
    assert_eq!(asked.code(), 0, "{asked:?}");
    asked.stdout.trim().to_owned()
}

fn answer(world: &World, job: &str, text: &str) {
    let waited = world.ask(["wait", job]);
    assert_eq!(waited.code(), 0, "{}", waited.stderr);
    world.ask(["result", job]).answered(text);
}

fn running(client: &mut Client) -> u64 {
    client.call("io.tally.Status", &json!({}))["status"]["running"].as_u64().unwrap_or(0)
}

/// Stops the workers of a daemon as soon as so many jobs run, in the middle of what they do.
fn stop_workers(world: &World, daemon: &Daemon, jobs: u64, workers: usize) {
    let mut client = daemon.client();
    until("running jobs", || (running(&mut client) == jobs).then_some(()));
    for worker in world.await_named("tally-worker", workers) {
        send(worker.pid, Signal::Stop);
    }
    assert_eq!(running(&mut client), jobs, "the jobs have ended before anything could befall them");
}

/// How a daemon gives way to the next.
#[derive(Clone, Copy, Debug)]
enum Way {
    Upgrade,
    Stopped,
    Killed,
}

/// The same daemon, or the next.
fn go_over(world: &World, daemon: Daemon, way: Way, flags: &[&str]) -> Daemon {
    match way {
        Way::Upgrade => {
            let upgraded = world.ask(["upgrade"]);
            assert_eq!(upgraded.code(), 0, "{}", upgraded.stderr);
            return daemon;
        }
        Way::Stopped => daemon.signal(Signal::Term),
        Way::Killed => daemon.signal(Signal::Kill),
    }
    let finished = daemon.finish();
    assert_eq!(finished.code(), if matches!(way, Way::Killed) { 137 } else { 0 }, "{}", finished.stderr);
    world.daemon(flags)
}

#[test]
fn file_jobs_go_on_over_every_kind_of_restart() {
    const FLAGS: [&str; 8] =
        ["--workers", "2", "--drain-ms", "0", "--grace-ms", "100", "--checkpoint-ms", "0"];
    for way in [Way::Upgrade, Way::Stopped, Way::Killed] {
        let world = World::new(BINARY);
        let (csv, npy) = (csv(&world), array(&world));
        let daemon = world.daemon(&FLAGS);
        let slow = ["--of", SLOW, "--partitions", "300", "--workers", "1"];
        let mut client = daemon.client();
        let attached = world.begin([&["sum", text(&csv)][..], &slow].concat());
        until("a running job", || (running(&mut client) == 1).then_some(()));
        let csv_job = detach(&world, &[&["sum", text(&csv)][..], &slow].concat());
        // Both workers have something better to do.
        let npy_job = detach(&world, &["sum", text(&npy), "--priority", "-1"]);
        let job = json!({ "job": csv_job });
        until("some of it", || {
            let shown = client.call("io.tally.Show", &job);
            (shown["job"]["partitions"]["done"].as_u64()? > 3).then_some(())
        });
        for worker in world.await_named("tally-worker", 2) {
            send(worker.pid, Signal::Stop);
        }
        assert_eq!(running(&mut client), 2, "the jobs have ended before anything could befall them");
        drop(client);
        let daemon = go_over(&world, daemon, way, &FLAGS);
        answer(&world, &csv_job, &total());
        answer(&world, &npy_job, &total());
        let attached = attached.finish();
        assert_eq!((attached.code(), attached.stdout), (0, total()), "{way:?}: {}", attached.stderr);
        let shown = daemon.client().call("io.tally.Show", &job)["job"].take();
        assert_eq!(shown["elements_done"], json!(LAST.to_string()), "every row counts once: {shown}");
        daemon.stop();
        world.finish();
    }
}

/// What has no name any more, or none that the daemon could open, stays open.
#[test]
fn an_upgrade_keeps_files_open_that_nobody_could_open_again() {
    let world = World::new(BINARY);
    let flags = ["--workers", "1", "--drain-ms", "0", "--grace-ms", "100"];
    let daemon = world.daemon(&flags);
    let long = detach(&world, &["sum", "0..1e15", "--priority", "1"]);
    let file = csv(&world);
    let gone = detach(&world, &["sum", text(&file)]);
    let again = detach(&world, &["max", text(&file)]);
    fs::remove_file(&file).expect("it can be removed");
    // Nobody is refused meanwhile.
    let enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let knocking = scope.spawn(|| {
            let mut count = 0_u64;
            while !enough.load(Ordering::Relaxed) {
                drop(UnixStream::connect(world.socket()).expect("no connection is refused"));
                count += 1;
            }
            count
        });
        for _ in 0..2 {
            let upgraded = world.ask(["upgrade"]);
            assert_eq!(upgraded.code(), 0, "{}", upgraded.stderr);
        }
        enough.store(true, Ordering::Relaxed);
        assert!(knocking.join().expect("nobody was refused") > 0);
    });
    assert_eq!(world.ask(["cancel", &long]).code(), 0);
    answer(&world, &gone, &total());
    answer(&world, &again, &format!("{LAST}\n"));
    // Ended jobs hold nothing open.
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("it lives");
    let left: Vec<PathBuf> = open
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter(|leads| leads.to_string_lossy().contains("numbers.csv"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    daemon.stop();
    world.finish();
}

/// The one line of a command that failed because its file is not what it was.
#[track_caller]
fn refused(finished: &Finished, line: &str) {
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
    let first = finished.stderr.lines().find(|line| line.starts_with("tally: could")).unwrap_or("");
    assert!(first.starts_with(line), "{}", finished.stderr);
}

/// A worker that has stopped itself in the middle of a file.
fn hung(world: &World) -> u32 {
    until("a worker that stopped itself", || {
        world.named("tally-worker").into_iter().find(|one| one.state == 'T').map(|one| one.pid)
    })
}

/// Has a worker that stops itself again and again go on to the end of its job.
fn go_on(worker: u32, job: Running) -> Finished {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if proc::look(worker).is_some_and(|one| one.state == 'T') {
                    release(worker);
                }
            }
        });
        let finished = job.finish();
        ended.store(true, Ordering::Relaxed);
        finished
    })
}

/// Sets the time of a file's last change to that of another's, and some seconds more.
fn touch(path: &Path, like: &Path, later_s: u64) {
    let time = fs::metadata(like).and_then(|data| data.modified()).expect("it is there");
    let file = File::options().append(true).open(path).expect("it is there");
    file.set_modified(time + Duration::from_secs(later_s)).expect("it is this user's");
}

#[test]
fn a_file_that_is_cut_costs_one_worker_and_is_told() {
    for retries in ["3", "0"] {
        let world = World::new(BINARY).with("TALLY_CRASH_AT", "mid-fold,job=1,attempts=1,how=hang");
        let daemon = world.daemon(&["--workers", "2"]);
        let file = csv(&world);
        let slow = ["sum", text(&file), "--of", SLOW, "--partitions", "1", "--retries", retries];
        let job = world.begin(slow);
        let worker = hung(&world);
        let beside = world.begin(["sum", "0..1e9"]);
        File::options().write(true).open(&file).and_then(|file| file.set_len(0)).expect("it can be cut");
        send(worker, Signal::Cont);
        let death = daemon.await_line("killed by SIGBUS");
        assert!(death.contains("likely a file that it read was cut"), "{death}");
        let changed = format!("tally: could not read {}: it was changed while the job ran", text(&file));
        let finished = job.finish();
        if retries == "0" {
            assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}", finished.stderr);
            assert!(finished.stderr.contains("killed by SIGBUS: likely a file"), "{}", finished.stderr);
        } else {
            refused(&finished, &changed);
        }
        let beside = beside.finish();
        assert_eq!((beside.code(), beside.stdout.as_str()), (0, "499999999500000000\n"), "{}", beside.stderr);
        daemon.stop();
        world.finish();
    }
}

/// Here no worker dies in the place of the command: it says what it can, in the form that was asked for.
#[test]
fn a_file_that_is_cut_under_the_command_itself_is_told_as_every_failure() {
    for (mode, json) in [("inline", false), ("inline", true), ("threads", true)] {
        let world = World::new(BINARY);
        let file = csv(&world);
        // The first step is told once the fold has begun, and long before it has ended.
        let mut words = vec!["sum", text(&file), "--of", SLOW, "--mode", mode, "--progress", "json"];
        words.extend(json.then_some("--json"));
        let job = Running::start(world.command(&words));
        job.await_line("tally.progress/1");
        send(job.pid(), Signal::Stop);
        File::options().write(true).open(&file).and_then(|file| file.set_len(0)).expect("it can be cut");
        send(job.pid(), Signal::Cont);
        let finished = job.finish();
        assert_eq!(finished.code(), 1, "{}", finished.stderr);
        let last = finished.stderr.lines().last().unwrap_or("");
        // A thread that was between two parts sees that before it touches what is gone, and the job fails as any other.
        let seen = last.contains("it was changed while the job ran");
        assert_eq!(finished.stdout.is_empty(), !(seen && json), "{}", finished.stdout);
        let how = if seen { "changed" } else { "cut" };
        let message = format!("could not read {}: it was {how} while the job ran", text(&file));
        if json {
            let told: Value = serde_json::from_str(last).unwrap_or_else(|why| panic!("{why}: {last}"));
            assert_eq!(
                (&told["schema"], &told["error"]["message"]),
                (&json!("tally.error/1"), &json!(message))
            );
            assert_eq!(
                (&told["error"]["code"], &told["error"]["exit"]),
                (&json!("kernel-failed"), &json!(1))
            );
        } else {
            assert_eq!(last, format!("tally: {message}"));
        }
        world.finish();
    }
}

/// What is done to a file while a worker is in the middle of it.
type Change = fn(&Path);

#[test]
fn a_file_that_changes_under_a_worker_is_an_error_and_no_answer() {
    let changes: [(&str, Change); 4] = [
        ("overwritten", |path| {
            let mut file = File::options().write(true).open(path).expect("it is there");
            file.seek(SeekFrom::End(-8)).expect("it is long enough");
            file.write_all(b"9999999\n").expect("it can be written");
        }),
        ("longer", |path| {
            File::options()
                .append(true)
                .open(path)
                .expect("it is there")
                .write_all(b"1\n")
                .expect("there is room");
        }),
        ("shorter", |path| {
            let file = File::options().write(true).open(path).expect("it is there");
            file.set_len(2 + 8 * (LAST - 1)).expect("it can be cut");
        }),
        ("garbage", |path| {
            let mut file = File::options().write(true).open(path).expect("it is there");
            file.seek(SeekFrom::End(-8)).expect("it is long enough");
            file.write_all(b"what???\n").expect("it can be written");
        }),
    ];
    for (what, change) in changes {
        let world = World::new(BINARY).with("TALLY_CRASH_AT", "mid-fold,job=1,attempts=1,how=hang");
        let daemon = world.daemon(&["--workers", "1"]);
        let file = csv(&world);
        // One reading of one part, and no other: only a look at the file after it can tell.
        let once = ["--partitions", "1", "--retries", "0"];
        let job = world.begin([&["sum", text(&file), "--of", SLOW][..], &once].concat());
        let worker = hung(&world);
        change(&file);
        let line = format!("tally: could not read {}: it was changed while the job ran", text(&file));
        let finished = go_on(worker, job);
        refused(&finished, &line);
        assert_eq!(finished.stderr.lines().count(), 1, "{what}: {}", finished.stderr);
        daemon.stop();
        world.finish();
    }
}

/// Another file in its place is not the job's: it reads what it has opened.
#[test]
fn a_file_that_is_replaced_by_name_is_read_to_its_end() {
    let world = World::new(BINARY).with("TALLY_CRASH_AT", "mid-fold,job=1,attempts=1,how=hang");
    let daemon = world.daemon(&["--workers", "1"]);
    let file = csv(&world);
    let job = world.begin(["sum", text(&file), "--of", SLOW, "--partitions", "1"]);
    let worker = hung(&world);
    let other = world.path().join("other.csv");
    fs::write(&other, "n\n1\n").expect("it can be written");
    fs::rename(&other, &file).expect("it can be replaced");
    let finished = go_on(worker, job);
    assert_eq!((finished.code(), finished.stdout), (0, total()), "{}", finished.stderr);
    daemon.stop();
    world.finish();
}

#[test]
fn a_file_that_is_another_one_after_a_restart_is_named() {
    let changes: [(&str, Change); 7] = [
        ("was changed since it was submitted", |path| {
            File::options().write(true).open(path).and_then(|file| file.set_len(100)).expect("it can be cut");
        }),
        ("was changed since it was submitted", |path| {
            // Other bytes, as many, and the time of the change set back.
            let before = fs::metadata(path).and_then(|data| data.modified()).expect("it is there");
            let mut file = File::options().write(true).open(path).expect("it is there");
            file.seek(SeekFrom::Start(2)).expect("it is long enough");
            file.write_all(b"9999999").expect("it can be written");
            file.set_modified(before).expect("it is this user's");
        }),
        ("was changed since it was submitted", |path| {
            // The same bytes at another time.
            touch(path, path, 9);
        }),
        ("was changed since it was submitted", |path| {
            // The same bytes, the same time, another file.
            let other = path.with_extension("new");
            fs::copy(path, &other).expect("it can be copied");
            touch(&other, path, 0);
            fs::rename(&other, path).expect("it can be replaced");
        }),
        ("was changed since it was submitted", |path| {
            // A pipe that nobody writes to: opening it must neither wait nor be noticed.
            fs::remove_file(path).expect("it can be removed");
            assert!(Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success()));
        }),
        ("is not where it was submitted, as far as the daemon can see", |path| {
            fs::remove_file(path).expect("it can be removed")
        }),
        ("was changed since it was submitted", |path| {
            // The very same file, behind a link.
            let other = path.with_extension("new");
            fs::rename(path, &other).expect("it can be moved");
            std::os::unix::fs::symlink(&other, path).expect("it can be linked");
        }),
    ];
    let world = World::new(BINARY);
    for (why, change) in changes {
        let daemon = world.daemon(&["--workers", "1"]);
        let long = detach(&world, &["sum", "0..1e15", "--priority", "1"]);
        fs::remove_file(world.path().join("numbers.csv")).ok();
        let file = csv(&world);
        let job = detach(&world, &["sum", text(&file)]);
        daemon.signal(Signal::Kill);
        assert_eq!(daemon.finish().code(), 137);
        change(&file);
        let daemon = world.daemon(&["--workers", "1"]);
        assert_eq!(world.ask(["wait", &job]).code(), 1);
        let line = format!("tally: could not go on with {job}: {} {why}", text(&file));
        world.ask(["result", &job]).failed(1, &line);
        assert_eq!(world.ask(["cancel", &long]).code(), 0);
        daemon.stop();
    }
    world.finish();
}

/// A command that asks the next daemon again asks for the same, or not at all.
#[test]
fn an_attached_job_is_not_asked_for_again_over_another_file() {
    let world = World::new(BINARY);
    let daemon = world.daemon(&["--workers", "1"]);
    let file = csv(&world);
    let job = world.begin(["sum", text(&file), "--of", SLOW, "--partitions", "1"]);
    stop_workers(&world, &daemon, 1, 1);
    daemon.signal(Signal::Kill);
    assert_eq!(daemon.finish().code(), 137);
    job.await_line("went away");
    File::options().append(true).open(&file).expect("it is there").write_all(b"1\n").expect("there is room");
    let daemon = world.daemon(&["--workers", "1"]);
    refused(
        &job.finish(),
        &format!("tally: could not read {}: it was changed since it was opened", text(&file)),
    );
    daemon.stop();
    world.finish();
}

/// Without workers the command itself reads, and nobody else can tell of its end.
#[test]
fn a_command_that_reads_by_itself_ends_with_one_line() {
    for mode in ["inline", "threads"] {
        let world = World::new(BINARY);
        let file = csv(&world);
        let job = world.start(["sum", text(&file), "--of", SLOW, "--mode", mode, "--progress", "json"]);
        job.await_line("{");
        job.signal(Signal::Stop);
        File::options().write(true).open(&file).and_then(|file| file.set_len(0)).expect("it can be cut");
        job.signal(Signal::Cont);
        let finished = job.finish();
        refused(&finished, &format!("tally: could not read {}: it was c", text(&file)));
        let told: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("tally: ")).collect();
        assert_eq!(told.len(), 1, "{mode}: {}", finished.stderr);
        world.finish();
    }
}

/// A job of a stopped daemon under a lease that never came back is not counted twice.
#[test]
fn nothing_of_a_file_counts_twice() {
    let world = World::new(BINARY);
    let flags = ["--workers", "2", "--drain-ms", "0", "--grace-ms", "100", "--checkpoint-ms", "0"];
    let file = csv(&world);
    let mut daemon = world.daemon(&flags);
    let job = detach(&world, &["count", text(&file), "--of", SLOW, "--partitions", "1000"]);
    for way in [Way::Killed, Way::Upgrade, Way::Killed, Way::Stopped, Way::Upgrade] {
        daemon = go_over(&world, daemon, way, &flags);
    }
    let ended: Value = {
        let mut client = daemon.client();
        client.call("io.tally.Wait", &json!({ "jobs": [job] }))["jobs"][0].take()
    };
    assert_eq!(ended["results"][0]["value"], json!(LAST.to_string()), "{ended}");
    let workers = ended["workers"].as_array().expect("a list");
    let partitions: u64 = workers.iter().filter_map(|one| one["partitions"].as_u64()).sum();
    assert_eq!(partitions, 1000, "{ended}");
    daemon.stop();
    world.finish();
}
